// From single results (probes, and connection attempts that failed) to a broker's health: `fall` failures in
// a row make it down, `rise` successful probes in a row make it up again. Brokers start up, so that a fresh
// start serves at once; one that a reload brings must first answer a probe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/backend/snapshot.h"
#include "sluice/base/time.h"
#include "sluice/config/model.h"

namespace sluice::backend {

enum class ProbeFailure : std::uint8_t {
    None,
    Refused,      // reset in answer to the SYN
    Silent,       // no answer to the SYN
    Unreachable,  // the network says so, or the neighbor does not answer
    NoAnswer,     // connected, but nothing, or not enough, came in time
    Rejected,     // the CONNACK says no
    Protocol,     // the answer is no proper MQTT or HTTP
    Closed,       // closed or reset by the broker before it had answered
    BadStatus,    // an HTTP status that was not expected
    BadBody,      // the HTTP answer lacks the text that was expected
};
const char* to_string(ProbeFailure failure);

// How a probe or a client's attempt ended.
struct Outcome {
    // NOLINTNEXTLINE(google-explicit-constructor): mostly there is nothing else to say
    constexpr Outcome(ProbeFailure failure_, std::uint16_t code_ = 0) : failure(failure_), code(code_) {}
    ProbeFailure failure;
    std::uint16_t code;  // Rejected: return or reason code of the CONNACK; BadStatus: HTTP status; else 0

    friend bool operator==(const Outcome&, const Outcome&) = default;
};
// "rejected (0x05)", "bad_status (503)", "silent".
std::string describe(const Outcome& outcome);

class HealthTracker {
  public:
    // Of a configuration that no other one has come before: its backends are up.
    explicit HealthTracker(const config::Config& config);
    HealthTracker(const Registry& registry, Instant now);

    // Follows a reload. A backend that is new and probed is down until its first good probe; the others
    // stay as they are, by new limits.
    void use(const Registry& registry, Instant now);

    // Each returns true when the backend's condition changed, that is when a new snapshot is due.
    // backend: position over all pools.
    bool on_probe(std::uint32_t backend, Outcome outcome, const Offer& offer, Duration latency, Instant now);
    // A client's attempt that failed counts like a failed probe, if a probe could have failed likewise: never
    // for a backend without probes, and a CONNECT that was rejected only where probes send one too. Else
    // probes would bring the backend up again at once, and clients down.
    bool on_attempt_failed(std::uint32_t backend, Outcome outcome, Instant now);
    // A client's attempt that succeeded interrupts a row of failures.
    void on_attempt_succeeded(std::uint32_t backend);

    struct View {
        bool healthy = true;
        bool probed = false;          // at least one probe has answered or failed
        std::uint32_t successes = 0;  // in a row
        std::uint32_t failures = 0;   // in a row
        Outcome last_failure = ProbeFailure::None;
        Duration latency{0};  // of the last successful probe
        Instant since;        // when healthy last changed
    };
    const View& view(std::uint32_t backend) const { return entries_[backend].view; }
    // Begins the slow start of a backend: by rate (connects a second) until then.
    void start_slowly(std::uint32_t backend, const SlowStart& pace) { entries_[backend].slow_start = pace; }
    std::vector<Condition> conditions() const;  // by position

  private:
    struct Entry {
        View view;
        std::optional<Offer> offer;
        SlowStart slow_start;
        SocketAddress address;
        bool known = false;  // a backend has this position
        std::uint32_t rise = 2;
        std::uint32_t fall = 3;
        config::HealthType type = config::HealthType::None;
    };
    bool fail(Entry& entry, Outcome outcome, Instant now);
    void follow(const Registry& registry, Instant now, bool at_start);
    std::vector<Entry> entries_;
};

}  // namespace sluice::backend
