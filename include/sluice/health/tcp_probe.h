// A TCP probe: does the broker's port answer a SYN, and what does its SYN-ACK offer? It is answered with a
// reset before the handshake is complete, so that the broker's process never sees a connection and logs none.
#pragma once

#include <cstdint>

#include "sluice/backend/health_tracker.h"
#include "sluice/backend/snapshot.h"
#include "sluice/base/time.h"
#include "sluice/tcp/segment.h"

namespace sluice::health {

class TcpProbe {
  public:
    enum class Status : std::uint8_t { Pending, Succeeded, Failed };

    struct Options {
        tcp::Seq initial_sequence;
        std::uint16_t mss = 1460;  // announced
        Duration timeout{0};       // from start(); SYNs are repeated within it
    };

    explicit TcpProbe(const Options& options) : options_(options) {}

    void start(Instant now, tcp::Output& out);
    Status on_segment(Instant now, const tcp::Segment& segment, tcp::Output& out);
    // An ICMP unreachable that quotes the SYN, or no answer to ARP or NDP.
    Status on_unreachable();
    tcp::Seq initial_sequence() const { return options_.initial_sequence; }
    Status on_timer(Instant now, tcp::Output& out);
    Instant next_deadline() const { return status_ == Status::Pending ? deadline_ : kNever; }

    Status status() const { return status_; }
    backend::ProbeFailure failure() const { return failure_; }
    // Meaningful once succeeded.
    const backend::Offer& offer() const { return offer_; }
    Duration latency() const { return latency_; }

  private:
    void send_syn(Instant now, tcp::Output& out);

    Options options_;
    Status status_ = Status::Pending;
    backend::ProbeFailure failure_ = backend::ProbeFailure::None;
    backend::Offer offer_;
    Instant started_;
    Instant sent_;
    Instant deadline_ = kNever;
    Duration latency_{0};
};

}  // namespace sluice::health
