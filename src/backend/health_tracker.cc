#include "sluice/backend/health_tracker.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::backend {

const char* to_string(ProbeFailure failure) {
    switch (failure) {
        case ProbeFailure::None: return "none";
        case ProbeFailure::Refused: return "refused";
        case ProbeFailure::Silent: return "silent";
        case ProbeFailure::Unreachable: return "unreachable";
        case ProbeFailure::NoAnswer: return "no_answer";
        case ProbeFailure::Rejected: return "rejected";
        case ProbeFailure::Protocol: return "protocol";
        case ProbeFailure::Closed: return "closed";
        case ProbeFailure::BadStatus: return "bad_status";
        case ProbeFailure::BadBody: return "bad_body";
    }
    return "?";
}

std::string describe(const Outcome& outcome) {
    const char* const what = to_string(outcome.failure);
    switch (outcome.failure) {
        case ProbeFailure::Rejected: return fmt::format("{} (0x{:02x})", what, outcome.code);
        case ProbeFailure::BadStatus: return fmt::format("{} ({})", what, outcome.code);
        case ProbeFailure::None:
        case ProbeFailure::Refused:
        case ProbeFailure::Silent:
        case ProbeFailure::Unreachable:
        case ProbeFailure::NoAnswer:
        case ProbeFailure::Protocol:
        case ProbeFailure::Closed:
        case ProbeFailure::BadBody: break;
    }
    return what;
}

HealthTracker::HealthTracker(const config::Config& config)
    : HealthTracker(assign(config, nullptr), Instant{}) {}

HealthTracker::HealthTracker(const Registry& registry, Instant now) { follow(registry, now, true); }

void HealthTracker::use(const Registry& registry, Instant now) { follow(registry, now, false); }

void HealthTracker::follow(const Registry& registry, Instant now, bool at_start) {
    std::vector<Entry> before = std::exchange(entries_, {});
    registry.each_backend([&](std::uint32_t pool, std::uint32_t, const Registry::Backend& backend) {
        const config::Health& health = registry.pools[pool].config.health;
        if (entries_.size() <= backend.position) entries_.resize(backend.position + 1);
        Entry& entry = entries_[backend.position];
        const bool probes = health.type != config::HealthType::None;
        const bool same = backend.position < before.size() && before[backend.position].known &&
                          before[backend.position].address == backend.config.address;
        if (same) {
            entry = before[backend.position];
        } else if (!at_start && probes) {
            entry.view.healthy = false;
            entry.view.since = now;
        }
        // Nothing would bring up what is no longer probed.
        if (!probes && !std::exchange(entry.view.healthy, true)) entry.view.since = now;
        entry.known = true;
        entry.address = backend.config.address;
        entry.rise = health.rise;
        entry.fall = health.fall;
        entry.type = health.type;
    });
}

bool HealthTracker::on_probe(std::uint32_t backend, Outcome outcome, const Offer& offer, Duration latency,
                             Instant now) {
    Entry& entry = entries_[backend];
    entry.view.probed = true;
    if (outcome.failure != ProbeFailure::None) return fail(entry, outcome, now);

    entry.view.failures = 0;
    ++entry.view.successes;
    entry.view.latency = latency;
    bool changed = entry.offer != offer;
    entry.offer = offer;
    // One that was never seen to fail has nothing to prove but that it is there.
    const std::uint32_t wanted = entry.view.last_failure != ProbeFailure::None ? entry.rise : 1;
    if (!entry.view.healthy && entry.view.successes >= wanted) {
        entry.view.healthy = true;
        entry.view.since = now;
        changed = true;
    }
    return changed;
}

bool HealthTracker::on_attempt_failed(std::uint32_t backend, Outcome outcome, Instant now) {
    Entry& entry = entries_[backend];
    if (entry.type == config::HealthType::None) return false;
    if (outcome.failure == ProbeFailure::Rejected && entry.type != config::HealthType::Mqtt) return false;
    return fail(entry, outcome, now);
}

void HealthTracker::on_attempt_succeeded(std::uint32_t backend) { entries_[backend].view.failures = 0; }

bool HealthTracker::fail(Entry& entry, Outcome outcome, Instant now) {
    entry.view.successes = 0;
    ++entry.view.failures;
    entry.view.last_failure = outcome;
    if (!entry.view.healthy || entry.view.failures < entry.fall) return false;
    entry.view.healthy = false;
    entry.view.since = now;
    return true;
}

std::vector<Condition> HealthTracker::conditions() const {
    std::vector<Condition> conditions;
    conditions.reserve(entries_.size());
    for (const Entry& entry : entries_)
        conditions.push_back({entry.view.healthy, entry.slow_start, entry.offer});
    return conditions;
}

}  // namespace sluice::backend
