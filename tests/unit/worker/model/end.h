// One end of a connection: an endpoint and the application above it, which plays its part of a script and
// remembers what it saw.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/tcp/endpoint.h"
#include "worker/model/script.h"

namespace sluice::test {

class End : private tcp::Output {
  public:
    using Send = std::function<void(const FourTuple&, const tcp::Segment&)>;
    // start: of the client's life, from which exits and patience of both ends count.
    End(const Script& script, bool is_client, const FourTuple& tuple, Instant start, Instant now,
        tcp::Seq first, Send send);

    void on_segment(Instant now, const tcp::Segment& segment);
    // Everything that is due: timers, writing, reading, the exit.
    void act(Instant now);
    Instant next_due() const;
    // Nothing comes of it any more by itself.
    bool over() const;

    std::uint32_t delivered() const { return delivered_; }  // bytes that this end's TCP has taken in order
    std::uint32_t acknowledged() const { return acknowledged_; }  // of its own, as it was told
    std::string text() const;
    std::uint32_t delivered_by(Instant at) const;

    const Script script;
    const Part& part;
    const FourTuple tuple;  // local: this end
    const Instant start;
    std::string received;
    std::size_t written = 0;  // taken by the endpoint
    // What was heard of the other side's end, and when first.
    bool heard_fin = false;
    bool heard_reset = false;  // or a refusal
    bool timed_out = false;
    Instant heard_at = kNever;
    // Its own exit: none yet, or its patience ended, or as the script says; rough is one by a reset or
    // silence.
    bool left = false;
    bool rough = false;
    bool gave_up = false;
    Instant left_at = kNever;
    Instant rough_at = kNever;
    bool silent = false;  // nothing comes in or goes out
    bool orphan = false;  // closed: what still comes is answered by a reset
    bool forgot = false;
    bool answered = false;  // the broker: it has read the CONNECT and begun to write

  private:
    void send(const tcp::Segment& segment) override;
    void note();
    void read();
    void write();
    void answer();
    void leave(Exit exit);
    void leave_if_due();
    void give_up();
    // When this much of what it says may be written.
    Instant time_of(const Part::Write& write) const;
    Instant next_read() const;

    const bool is_client_;
    Send send_;
    tcp::Endpoint endpoint_;
    const tcp::Seq first_;
    std::optional<tcp::Seq> peer_first_;
    Instant now_;
    Instant begun_ = kNever;  // the conversation: CONNACK for a client that waits, the answer for a broker
    Instant answer_at_ = kNever;
    Instant last_read_ = Instant::min();
    std::vector<std::pair<Instant, std::uint32_t>> deliveries_;
    std::uint32_t acknowledged_ = 0;
    std::uint32_t delivered_ = 0;
    std::uint32_t coin_ = 1;
};

}  // namespace sluice::test
