// What a BrokerSink counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "courier.h"
#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"
#include "transport.h"

namespace sluice::load {

// The most events in any second, counted in seconds from a start.
class PeakMeter {
  public:
    void count(Instant now, Instant start) {
        const std::int64_t second = (now - start) / 1s;
        if (second != second_) {
            second_ = second;
            in_second_ = 0;
        }
        if (++in_second_ > peak_) peak_ = in_second_;
    }
    std::uint64_t peak() const { return peak_; }

  private:
    std::int64_t second_ = -1;
    std::uint64_t in_second_ = 0;
    std::uint64_t peak_ = 0;
};

struct BrokerStatistics {
    // What a client did that is no packet error of its own.
    enum class Fault : std::uint8_t {
        BadHeader,    // no packet type, or a Remaining Length of more than four bytes
        Unexpected,   // a packet that no client sends here: a second CONNECT, a CONNACK, AUTH
        TooLarge,     // above Transport::receive_limit(), and not to be passed over
        Unsupported,  // a subscription identifier, which CONNACK says is not available
    };
    static constexpr std::size_t kFaults = 4;
    static constexpr std::size_t kConnectErrors = std::size_t(mqtt::ConnectError::TrailingBytes) + 1;
    static constexpr std::size_t kPacketErrors = std::size_t(mqtt::PacketError::BadPropertyLength) + 1;
    static constexpr std::size_t kEnds = std::size_t(End::Aborted) + 1;

    struct Listener {
        SocketAddress address = {};
        std::uint64_t connects = 0;   // accepted
        std::uint64_t connected = 0;  // now
        PeakMeter rate = {};
    };

    std::uint64_t opened = 0;     // TCP connections
    std::uint64_t connects = 0;   // CONNECTs that were accepted
    std::uint64_t refused = 0;    // answered by a CONNACK that refuses, sound or not
    std::uint64_t connected = 0;  // now: from the CONNACK to DISCONNECT or the end
    std::uint64_t peak_connected = 0;
    std::array<std::uint64_t, kConnectErrors> connect_errors{};  // by mqtt::ConnectError
    std::array<std::uint64_t, kPacketErrors> packet_errors{};    // by mqtt::PacketError
    std::array<std::uint64_t, kFaults> faults{};                 // by Fault
    std::string last_error;                                      // in words; empty when there was none

    std::array<std::uint64_t, 3> publishes{};  // by QoS
    std::uint64_t payload_bytes = 0;           // of them
    std::uint64_t completed = 0;               // messages of QoS 2 whose PUBREL came
    std::uint64_t subscribes = 0;              // packets
    std::uint64_t unsubscribes = 0;
    std::uint64_t subscriptions = 0;  // filters that were granted
    std::uint64_t refused_subscriptions = 0;
    std::uint64_t pings = 0;
    std::uint64_t disconnects = 0;            // DISCONNECTs that came
    std::uint64_t expired = 0;                // silent for 1.5 times the Keep Alive
    std::uint64_t connect_timeouts = 0;       // no CONNECT in time
    std::uint64_t taken_over = 0;             // by another connection with the same client ID
    std::uint64_t overruns = 0;               // did not read what they were sent, and were reset
    std::array<std::uint64_t, kEnds> ends{};  // by End

    PeakMeter rate;                   // of connects, all listeners together
    std::vector<Listener> listeners;  // as they were first used
    std::uint64_t moved = 0;          // numbered clients that came to another address than the last time
    std::uint64_t stayed = 0;         // to the same one again

    std::uint64_t protocol_errors() const;
};
const char* to_string(BrokerStatistics::Fault fault);

}  // namespace sluice::load
