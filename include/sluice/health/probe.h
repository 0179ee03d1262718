// One question to a broker, and what became of it. Whatever kind of probe it is, its owner starts it, gives
// it segments and time, looks at status(), and lets go of it when it is over(): a probe that knows its result
// may still have a connection to close. Pure: no clock, no I/O, no addresses.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sluice/backend/health_tracker.h"
#include "sluice/backend/snapshot.h"
#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/config/model.h"
#include "sluice/tcp/segment.h"

namespace sluice::health {

class Probe {
  public:
    enum class Status : std::uint8_t { Pending, Succeeded, Failed };

    struct Options {
        tcp::Seq initial_sequence;
        std::uint16_t mss = 1460;  // announced, bytes
        Duration timeout{0};       // from start() to the result, and once more to close what is left
    };

    explicit Probe(const Options& options) : options_(options) {}
    virtual ~Probe() = default;
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;

    // Once.
    virtual void start(Instant now, tcp::Output& out) = 0;
    virtual void on_segment(Instant now, const tcp::Segment& segment, tcp::Output& out) = 0;
    // Harmless before the deadline.
    virtual void on_timer(Instant now, tcp::Output& out) = 0;
    virtual Instant next_deadline() const = 0;  // kNever once over
    // Nobody wants the result any more: ends at once, by a reset where the broker knows of the connection.
    virtual void abandon(Instant now, tcp::Output& out) = 0;
    // Nothing is left to send or to wait for. Never before there is a result, except when abandoned.
    virtual bool over() const = 0;
    // An ICMP unreachable quotes the segment that began at `quoted`. Only one about the SYN counts (RFC
    // 5927).
    void on_icmp_unreachable(tcp::Seq quoted) {
        if (connecting() && quoted == options_.initial_sequence) on_unreachable();
    }
    // The neighbor on the way does not answer.
    virtual void on_unreachable() = 0;

    Status status() const { return status_; }
    // Why it failed; None while it has not.
    const backend::Outcome& outcome() const { return outcome_; }
    // Meaningful once succeeded.
    const backend::Offer& offer() const { return offer_; }
    Duration latency() const { return latency_; }  // tcp: of the SYN; else from the start to the result

  protected:
    // The SYN is not answered yet.
    virtual bool connecting() const = 0;
    const Options& options() const { return options_; }
    // Of a segment in answer to our SYN.
    void learn_offer(const tcp::Segment& syn_ack);
    void conclude(const backend::Outcome& outcome, Duration latency);

  private:
    Options options_;
    Status status_ = Status::Pending;
    backend::Outcome outcome_ = backend::ProbeFailure::None;
    backend::Offer offer_;
    Duration latency_{0};
};

// The kind that `health` asks for. Requires another type than None.
// peer: the end that is asked. client_id: of an MQTT probe, 1 to 23 letters and digits, which every broker
// must take (MQTT 3.1.1 section 3.1.3.1), and its own among all clients of that broker.
std::unique_ptr<Probe> make_probe(const config::Health& health, const Probe::Options& options,
                                  const SocketAddress& peer, const std::string& client_id);

}  // namespace sluice::health
