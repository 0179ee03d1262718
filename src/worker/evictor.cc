#include "worker/evictor.h"

#include <algorithm>

namespace sluice::worker {
namespace {

constexpr std::uint32_t kSlotsPerTurn = 4096;
// Whether a connection may be ended says its record, which is rarely in the cache; slots lie side by side.
constexpr std::uint32_t kSlotsPerRecord = 32;
// How long to wait when nobody can be ended now: all are gone, or other workers' transient sessions go first.
constexpr Duration kNothingToDo = 20ms;
// Of a turn that came late, at most this much is made up for.
constexpr Duration kCatchUp = 20ms;

std::optional<Counter> reason_to_empty(const backend::Pool& pool, const backend::Backend& backend) {
    if (backend.standing == backend::Standing::Vacant) return std::nullopt;
    if (backend.standing == backend::Standing::Removed) return Counter::ClosedBackendRemoved;
    if (backend.config.state == config::BackendState::Maintenance) return Counter::ClosedMaintenance;
    if (!backend.healthy && pool.config.on_down == config::OnDown::Reset) return Counter::ClosedBackendDown;
    return std::nullopt;
}

}  // namespace

Evictor::Evictor(const WorkerContext& context, FlowTable& flow_table, ConnectionTable& connections,
                 Spliced& spliced, Instant now)
    : worker_(context.options.index),
      load_(context.load),
      flow_table_(flow_table),
      connections_(connections),
      spliced_(spliced),
      random_(context.options.seed) {
    use(now, *context.snapshot);
}

void Evictor::use(Instant now, const backend::Snapshot& snapshot) {
    const std::vector<Job> before = std::exchange(jobs_, {});
    for (std::uint32_t p = 0; p < snapshot.pools.size(); ++p) {
        const backend::Pool& pool = snapshot.pools[p];
        for (std::uint32_t b = 0; b < pool.backends.size(); ++b) {
            const auto reason = reason_to_empty(pool, pool.backends[b]);
            if (!reason) continue;
            const auto known = std::ranges::find_if(
                before, [&](const Job& job) { return job.pool == p && job.backend == b; });
            Job& job = jobs_.emplace_back();
            if (known != before.end()) job = *known;
            // A pause by another rate may be hours longer.
            if (known == before.end() || known->drain_rate != pool.config.drain_rate) job.next = now;
            job.pool = p;
            job.backend = b;
            job.position = pool.backends[b].position;
            job.drain_rate = pool.config.drain_rate;
            job.reason = *reason;
        }
    }
}

bool Evictor::on_timer(Instant now) {
    Allowance left{.slots = kSlotsPerTurn, .endings = kFlushEvery};
    // Another one is first each time, or the first would leave the others nothing.
    first_ = jobs_.empty() ? 0 : (first_ + 1) % jobs_.size();
    for (std::size_t i = 0; i < jobs_.size(); ++i) work(now, jobs_[(first_ + i) % jobs_.size()], left);
    return left.slots != kSlotsPerTurn;
}

Instant Evictor::next_deadline() const {
    Instant next = kNever;
    for (const Job& job : jobs_) next = std::min(next, job.next);
    return next;
}

void Evictor::work(Instant now, Job& job, Allowance& left) {
    job.next = std::max(job.next, now - kCatchUp);
    while (job.next <= now && left.endings != 0) {
        const Duration pause = interval(job);
        switch (end_one(now, job, left)) {
            case Found::Ended:
                --left.endings;
                job.next += pause;
                break;
            case Found::Nothing: job.next = now + kNothingToDo; break;
            case Found::More: return;  // goes on looking next turn
        }
    }
}

// Workers share the rate by what each of them has left, so that all are through at the same time.
Duration Evictor::interval(const Job& job) {
    const auto own = static_cast<double>(load_.connections(worker_, job.position));
    const auto all = static_cast<double>(load_.connections(job.position));
    if (own == 0 || all == 0) return kNothingToDo;
    // From a half to one and a half, or clients that were ended together would come back in step.
    const double jitter = 0.5 + static_cast<double>(random_.below(1'000'001)) / 1e6;
    const double seconds = jitter * all / (own * job.drain_rate);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

Evictor::Found Evictor::end_one(Instant now, Job& job, Allowance& left) {
    if (load_.connections(worker_, job.position) == 0) return Found::Nothing;
    const bool persistent_too = load_.transient(job.position) == 0;
    // Other workers' go first.
    if (!persistent_too && load_.transient(worker_, job.position) == 0) return Found::Nothing;
    const nat::SourcePool& sources = flow_table_.pools()[job.pool];
    while (left.slots != 0) {
        if (job.slot >= sources.slots()) {
            job.slot = 0;
            return Found::Nothing;
        }
        const nat::Lease lease{.backend = job.backend, .slot = job.slot++};
        const auto holder = flow_table_.holder({.pool = job.pool, .lease = lease});
        left.slots -= std::min(left.slots, holder ? kSlotsPerRecord : 1);
        if (holder && end(now, *holder, persistent_too, job.reason)) return Found::Ended;
    }
    return Found::More;
}

bool Evictor::end(Instant now, Reference reference, bool persistent_too, Counter reason) {
    if (reference.is_spliced()) return spliced_.evict(now, reference, persistent_too, reason);
    return connections_.evict(now, reference, persistent_too, reason);
}

}  // namespace sluice::worker
