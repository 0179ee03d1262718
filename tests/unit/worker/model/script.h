// What two ends of a connection do, and the wires between them: all of it by chance, from one seed. The same
// script is played with Sluice in between and without it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/time.h"
#include "sluice/tcp/endpoint.h"
#include "worker/model/wire.h"

namespace sluice::test {

// How an end's own part comes to its end.
enum class Exit : std::uint8_t {
    AwaitPeer,  // shuts down once the other end has
    Shutdown,   // half-close, and reads on
    Close,      // as close() does: a reset where something was not read, and for whatever comes afterwards
    Abort,      // a reset
    Vanish,     // says nothing any more, as without power
    Forget,     // likewise, but answers what comes by resets
};
const char* to_string(Exit exit);

// What a broker does with a CONNECT.
enum class Answer : std::uint8_t { Accept, Refuse, Silence, Close, Abort };
const char* to_string(Answer answer);

struct Part {
    tcp::EndpointOptions options;
    bool drops_timestamps = false;  // agreed on, but half of its segments have none
    std::string says;
    struct Write {
        Duration at;        // behind the beginning of the conversation
        std::size_t until;  // of `says`
    };
    std::vector<Write> writes;
    Duration read_every{0};         // 0: at once
    std::size_t read_most = 65536;  // at a time; 0: never reads
    Exit exit = Exit::AwaitPeer;
    Duration exit_at{0};      // behind the first SYN
    Duration patience = 60s;  // behind the first SYN: aborts what is still open
};

struct Script {
    Part client;
    Part broker;
    std::string client_id;
    std::size_t connect_size = 0;
    std::uint16_t keep_alive = 0;
    bool waits_for_connack = true;  // before it goes on writing
    Answer answer = Answer::Accept;
    Duration answer_after{0};
    std::optional<Duration> reboots_after;  // behind Vanish: connects anew, from the same port
    WireOptions clients_wire;
    WireOptions brokers_wire;
    bool fragments = false;  // what is sent to Sluice comes in IP fragments
    std::uint64_t seed = 0;

    std::string text() const;
    bool lossless() const { return clients_wire.loss == 0 && brokers_wire.loss == 0; }
};

Script make_script(std::uint64_t seed);
// The client's second life.
Script after_reboot(const Script& script);

}  // namespace sluice::test
