#include "sluice/backend/health_tracker.h"

namespace sluice::backend {

const char* to_string(ProbeFailure failure) {
    switch (failure) {
        case ProbeFailure::None: return "none";
        case ProbeFailure::Refused: return "refused";
        case ProbeFailure::Silent: return "silent";
        case ProbeFailure::Unreachable: return "unreachable";
    }
    return "?";
}

HealthTracker::HealthTracker(const config::Config& config) {
    for (const config::Pool& pool : config.pools) {
        for (std::size_t i = 0; i < pool.backends.size(); ++i) {
            Entry entry;
            entry.rise = pool.health.rise;
            entry.fall = pool.health.fall;
            entry.probes = pool.health.type != config::HealthType::None;
            entries_.push_back(entry);
        }
    }
}

bool HealthTracker::on_probe(std::uint32_t backend, ProbeFailure failure, const Offer& offer,
                             Duration latency, Instant now) {
    Entry& entry = entries_[backend];
    entry.view.probed = true;
    if (failure != ProbeFailure::None) return fail(entry, failure, now);

    entry.view.failures = 0;
    ++entry.view.successes;
    entry.view.latency = latency;
    bool changed = entry.offer != offer;
    entry.offer = offer;
    if (!entry.view.healthy && entry.view.successes >= entry.rise) {
        entry.view.healthy = true;
        entry.view.since = now;
        changed = true;
    }
    return changed;
}

bool HealthTracker::on_attempt_failed(std::uint32_t backend, ProbeFailure failure, Instant now) {
    Entry& entry = entries_[backend];
    return entry.probes && fail(entry, failure, now);
}

void HealthTracker::on_attempt_succeeded(std::uint32_t backend) { entries_[backend].view.failures = 0; }

bool HealthTracker::fail(Entry& entry, ProbeFailure failure, Instant now) {
    entry.view.successes = 0;
    ++entry.view.failures;
    entry.view.last_failure = failure;
    if (!entry.view.healthy || entry.view.failures < entry.fall) return false;
    entry.view.healthy = false;
    entry.view.since = now;
    return true;
}

std::vector<Condition> HealthTracker::conditions() const {
    std::vector<Condition> conditions;
    conditions.reserve(entries_.size());
    for (const Entry& entry : entries_) conditions.push_back({entry.view.healthy, entry.offer});
    return conditions;
}

}  // namespace sluice::backend
