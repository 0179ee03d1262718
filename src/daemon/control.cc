#include "sluice/daemon/control.h"

#include <spdlog/spdlog.h>

#include <array>
#include <utility>

namespace sluice::daemon {
namespace {

// Events of one worker that one turn hears, so that a flood cannot keep the operator waiting.
constexpr std::size_t kEventsPerTurn = 4096;

std::uint32_t count_backends(const config::Config& config) {
    std::size_t n = 0;
    for (const config::Pool& pool : config.pools) n += pool.backends.size();
    return static_cast<std::uint32_t>(n);
}

struct Place {
    const config::Pool& pool;
    const config::Backend& backend;
};

// position: over all pools.
Place place_of(const config::Config& config, std::size_t position) {
    std::size_t pool = 0;
    while (position >= config.pools[pool].backends.size()) position -= config.pools[pool++].backends.size();
    return {config.pools[pool], config.pools[pool].backends[position]};
}

}  // namespace

Control::Control(config::Config config, Instant now, std::uint64_t seed)
    : config_(std::move(config)),
      started_(now),
      now_(now),
      load_(config_.runtime.workers, count_backends(config_)),
      health_(config_),
      store_(config_, health_.conditions(), config_.runtime.workers),
      chooser_(load_, seed) {}

void Control::attach(Crew crew) {
    crew_ = std::move(crew);
    link_.emplace(store_, crew_.workers, crew_.wait);
}

void Control::turn(Instant now) {
    now_ = now;
    for (std::uint32_t w = 0; w < link_->size(); ++w) hear(w);
    if (std::exchange(snapshot_due_, false)) store_.publish(health_.conditions());
    link_->flush();
}

void Control::hear(std::uint32_t worker) {
    std::array<worker::Event, 64> events;
    for (std::size_t heard = 0; heard < kEventsPerTurn;) {
        const std::size_t n = link_->worker(worker).receive(events);
        for (std::size_t i = 0; i < n; ++i) on_event(worker, events[i]);
        heard += n;
        if (n < events.size()) return;
    }
}

void Control::on_event(std::uint32_t worker, const worker::Event& event) {
    switch (event.kind) {
        case worker::Event::Kind::SnapshotRetired: store_.retired(worker, event.generation); return;
        case worker::Event::Kind::ProbeResult:
        case worker::Event::Kind::AttemptFailed:
        case worker::Event::Kind::AttemptSucceeded: on_health(event); return;
        case worker::Event::Kind::OffloadHint:
            if (hints_.due(now_, event.port, event.address)) {
                spdlog::warn("{}",
                             OffloadHints::text(event.fault, config_.ports[event.port].name, event.address));
            }
            return;
    }
}

void Control::on_health(const worker::Event& event) {
    const bool was_healthy = health_.view(event.backend).healthy;
    if (event.kind == worker::Event::Kind::AttemptSucceeded) {
        health_.on_attempt_succeeded(event.backend);
        return;
    }
    const bool changed =
        event.kind == worker::Event::Kind::ProbeResult
            ? health_.on_probe(event.backend, event.failure, event.offer, event.latency, now_)
            : health_.on_attempt_failed(event.backend, event.failure, now_);
    snapshot_due_ = snapshot_due_ || changed;
    log_health(event.backend, was_healthy);
}

void Control::log_health(std::uint32_t backend, bool was_healthy) const {
    const backend::HealthTracker::View& view = health_.view(backend);
    if (view.healthy == was_healthy) return;
    const auto [pool, broker] = place_of(config_, backend);
    if (view.healthy) {
        spdlog::info("pool {}: broker {} ({}) is up: {} good probes in a row (rise {}, fall {})", pool.name,
                     broker.name, broker.address.to_string(), view.successes, pool.health.rise,
                     pool.health.fall);
    } else {
        spdlog::warn("pool {}: broker {} ({}) is down: {} failures in a row, the last {} (rise {}, fall {})",
                     pool.name, broker.name, broker.address.to_string(), view.failures,
                     backend::to_string(view.last_failure), pool.health.rise, pool.health.fall);
    }
}

void Control::drain() {
    draining_ = true;
    worker::Command command;
    command.kind = worker::Command::Kind::Drain;
    for (std::uint32_t w = 0; w < link_->size(); ++w) link_->post(w, command);
}

void Control::stop() {
    worker::Command command;
    command.kind = worker::Command::Kind::Stop;
    for (std::uint32_t w = 0; w < link_->size(); ++w) link_->post(w, command);
    if (!link_->deliver()) spdlog::error("a worker hangs: it takes no commands");
}

}  // namespace sluice::daemon
