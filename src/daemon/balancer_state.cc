#include "sluice/daemon/balancer_state.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace sluice::daemon {
namespace {

// A returning broker is not held below this, in connects a second.
constexpr double kSlowestStart = 10;

struct BackendConfig {
    const config::Pool* pool = nullptr;
    const config::Backend* backend = nullptr;
};

// Of the backend that has this position.
BackendConfig place_of(const backend::Registry& registry, std::uint32_t position) {
    BackendConfig place;
    registry.each_backend([&](std::uint32_t p, std::uint32_t, const backend::Registry::Backend& b) {
        if (b.position == position) place = {&registry.pools[p].config, &b.config};
    });
    return place;
}

}  // namespace

BalancerState::BalancerState(config::Config config, const worker::Topology& topology, Instant now)
    : file_(std::move(config)),
      config_(file_),
      load_(config_.runtime.workers, backend::kMaxBackends),
      registry_(backend::assign(config_, nullptr)),
      topology_(std::make_shared<const worker::Topology>(topology)),
      health_(registry_, now),
      store_(registry_, health_.conditions(), config_.runtime.workers) {}

void BalancerState::on_health(const worker::Event& event, Instant now) {
    // Of a backend that has gone since.
    if (place_of(registry_, event.backend).backend == nullptr) return;
    const bool was_healthy = health_.view(event.backend).healthy;
    if (event.kind == worker::Event::Kind::AttemptSucceeded) {
        health_.on_attempt_succeeded(event.backend);
        return;
    }
    const bool changed =
        event.kind == worker::Event::Kind::ProbeResult
            ? health_.on_probe(event.backend, {event.failure, event.code}, event.offer, event.latency, now)
            : health_.on_attempt_failed(event.backend, {event.failure, event.code}, now);
    snapshot_due_ = snapshot_due_ || changed;
    if (!was_healthy && health_.view(event.backend).healthy) start_slowly(event.backend, now);
    log_health(event.backend, was_healthy);
}

// Its share of the pool's connections, spread over slow_start.
void BalancerState::start_slowly(std::uint32_t position, Instant now) {
    const backend::Snapshot& snapshot = store_.newest();
    for (const backend::Pool& pool : snapshot.pools) {
        const auto returning = std::ranges::find(pool.backends, position, &backend::Backend::position);
        if (returning == pool.backends.end() || returning->standing == backend::Standing::Vacant) continue;
        const Duration span =
            registry_.pools[static_cast<std::size_t>(&pool - snapshot.pools.data())].config.slow_start;
        if (span == Duration::zero()) return;
        std::uint64_t connections = 0;
        std::uint64_t weights = 0;
        for (const backend::Backend& b : pool.backends) {
            if (b.standing != backend::Standing::Vacant) connections += load_.connections(b.position);
            if (&b == &*returning || b.usable()) weights += b.config.weight;
        }
        if (weights == 0) return;
        const double share =
            static_cast<double>(connections) * returning->config.weight / static_cast<double>(weights);
        const double rate = std::max(kSlowestStart, share / std::chrono::duration<double>(span).count());
        health_.start_slowly(position, {.until = now + span, .rate = rate});
        snapshot_due_ = true;
        return;
    }
}

void BalancerState::log_health(std::uint32_t backend, bool was_healthy) const {
    const backend::HealthTracker::View& view = health_.view(backend);
    if (view.healthy == was_healthy) return;
    const BackendConfig place = place_of(registry_, backend);
    const config::Pool& pool = *place.pool;
    const config::Backend& broker = *place.backend;
    if (view.healthy) {
        spdlog::info("pool {}: broker {} ({}) is up: {} good probes in a row (rise {}, fall {})", pool.name,
                     broker.name, broker.address.to_string(), view.successes, pool.health.rise,
                     pool.health.fall);
    } else {
        spdlog::warn("pool {}: broker {} ({}) is down: {} failures in a row, the last {} (rise {}, fall {})",
                     pool.name, broker.name, broker.address.to_string(), view.failures,
                     backend::describe(view.last_failure), pool.health.rise, pool.health.fall);
    }
}

void BalancerState::publish_changes() {
    if (std::exchange(snapshot_due_, false)) store_.publish(registry_, health_.conditions());
}

// After every change of the registry.
void BalancerState::use_registry(Instant now) {
    topology_ = std::make_shared<const worker::Topology>(topology_->with(registry_));
    health_.use(registry_, now);
    store_.publish(registry_, health_.conditions(), topology_);
}

void BalancerState::reclaim(const backend::Use& use, Instant now) {
    if (backend::reclaim(registry_, use)) use_registry(now);
}

}  // namespace sluice::daemon
