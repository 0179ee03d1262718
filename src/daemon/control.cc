#include "sluice/daemon/control.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::daemon {
namespace {

// Events of one worker that one turn hears, so that a flood cannot keep the operator waiting.
constexpr std::size_t kEventsPerTurn = 4096;

// How often it is looked whether something that was removed is used no more.
constexpr Duration kLookInterval = 1s;
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

backend::Use use_of(const std::vector<worker::Worker::Usage>& parts) {
    backend::Use use;
    for (const worker::Worker::Usage& part : parts) {
        use.listeners.resize(std::max(use.listeners.size(), part.listeners.size()));
        for (std::size_t i = 0; i < part.listeners.size(); ++i) use.listeners[i] += part.listeners[i];
        use.backends.resize(part.backends.size());
        use.sources.resize(part.backends.size());
        for (std::size_t p = 0; p < part.backends.size(); ++p) {
            use.backends[p].resize(part.backends[p].size());
            for (std::size_t b = 0; b < part.backends[p].size(); ++b) {
                use.backends[p][b] += part.backends[p][b].leased;
            }
            use.sources[p].insert(use.sources[p].end(), part.used_sources[p].begin(),
                                  part.used_sources[p].end());
        }
    }
    return use;
}

}  // namespace

Control::Control(config::Config config, Instant now, std::uint64_t seed)
    : file_(std::move(config)),
      config_(file_),
      started_(now),
      now_(now),
      load_(config_.runtime.workers, backend::kMaxBackends),
      registry_(backend::assign(config_, nullptr)),
      health_(registry_, now),
      store_(registry_, health_.conditions(), config_.runtime.workers),
      chooser_(load_, seed) {}

void Control::attach(Crew crew) {
    crew_ = std::move(crew);
    topology_ = std::make_shared<const worker::Topology>(*crew_.topology);
    link_.emplace(store_, crew_.workers, crew_.wait);
    speeds_.assign(crew_.ports.size(), 0);
    open_connection_log();
    stats_poller_.emplace(*link_, now_);
    std::vector<const backend::BackendStats*> stats;
    for (const worker::Worker* const worker : crew_.workers) stats.push_back(&worker->stats());
    baselines_.emplace(std::move(stats));
}

void Control::turn(Instant now) {
    now_ = now;
    for (std::uint32_t w = 0; w < link_->size(); ++w) {
        hear(w);
        hear_endings(w);
    }
    connection_log_.flush();
    watch_connection_log();
    if (std::exchange(snapshot_due_, false)) store_.publish(registry_, health_.conditions());
    stats_poller();
    link_->flush();
    if (now >= next_look_) {
        next_look_ = now + kLookInterval;
        tell_speeds();
        forget_the_gone();
    }
}

// A link has its speed some time after it came up, and may come up with another one.
void Control::tell_speeds() {
    for (std::size_t i = 0; i < crew_.ports.size(); ++i) {
        const port::Link link = crew_.ports[i]->link();
        if (!link.up || link.speed == speeds_[i]) continue;
        speeds_[i] = link.speed;
        worker::Command command;
        command.kind = worker::Command::Kind::SetSpeed;
        command.port = static_cast<std::uint16_t>(i);
        command.speed = link.speed;
        for (std::uint32_t w = 0; w < link_->size(); ++w) link_->post(w, command);
    }
}

// What was removed keeps its place and addresses until nothing refers to it.
void Control::forget_the_gone() {
    if (!backend::anything_removed(registry_)) return;
    backend::Use use;
    try {
        for (std::uint32_t w = 0; w < link_->size(); ++w) {
            // Otherwise a connection could begin after it was counted.
            if (store_.due(w) != nullptr) return;
        }
        use = use_of(usage());
    } catch (const admin::Refused&) {
        return;  // a worker hangs, and the heartbeat will tell
    }
    if (!backend::reclaim(registry_, use)) return;
    topology_ = std::make_shared<const worker::Topology>(topology_->with(registry_));
    health_.use(registry_, now_);
    store_.publish(registry_, health_.conditions(), topology_);
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

void Control::open_connection_log() {
    connection_log_.open(config_.admin.connection_log);
    log_watch_.tell_again();
    watch_connection_log();
}

void Control::watch_connection_log() {
    const auto news = log_watch_.look(now_, config_.admin.connection_log, connection_log_.fault(),
                                      counter(Counter::ConnectionLogLost));
    if (news) spdlog::log(news->trouble ? spdlog::level::err : spdlog::level::info, "{}", news->text);
}

void Control::hear_endings(std::uint32_t worker) {
    std::array<worker::EndedConnection, 64> endings;
    for (std::size_t heard = 0; heard < kEventsPerTurn;) {
        const std::size_t n = link_->worker(worker).receive(endings);
        for (std::size_t i = 0; i < n; ++i) connection_log_.append(end_of(endings[i]));
        heard += n;
        if (n < endings.size()) return;
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
                spdlog::warn("{}", OffloadHints::text(event.fault, crew_.ports[event.port]->info().name,
                                                      event.address));
            }
            return;
    }
}

void Control::on_health(const worker::Event& event) {
    // Of a backend that has gone since.
    if (place_of(registry_, event.backend).backend == nullptr) return;
    const bool was_healthy = health_.view(event.backend).healthy;
    if (event.kind == worker::Event::Kind::AttemptSucceeded) {
        health_.on_attempt_succeeded(event.backend);
        return;
    }
    const bool changed =
        event.kind == worker::Event::Kind::ProbeResult
            ? health_.on_probe(event.backend, {event.failure, event.code}, event.offer, event.latency, now_)
            : health_.on_attempt_failed(event.backend, {event.failure, event.code}, now_);
    snapshot_due_ = snapshot_due_ || changed;
    if (!was_healthy && health_.view(event.backend).healthy) start_slowly(event.backend);
    log_health(event.backend, was_healthy);
}

// Its share of the pool's connections, spread over slow_start.
void Control::start_slowly(std::uint32_t position) {
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
            if (&b == &*returning || b.usable()) weights += b.weight;
        }
        if (weights == 0) return;
        const double share =
            static_cast<double>(connections) * returning->weight / static_cast<double>(weights);
        const double rate = std::max(kSlowestStart, share / std::chrono::duration<double>(span).count());
        health_.start_slowly(position, {.until = now_ + span, .rate = rate});
        snapshot_due_ = true;
        return;
    }
}

void Control::log_health(std::uint32_t backend, bool was_healthy) const {
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
    connection_log_.flush();
    if (const std::uint64_t kept = connection_log_.kept(); kept != 0) {
        spdlog::error("the connection log {} {}; its last {} lines are lost", config_.admin.connection_log,
                      connection_log_.fault().empty() ? "is written too slowly" : connection_log_.fault(),
                      kept);
    }
}

}  // namespace sluice::daemon
