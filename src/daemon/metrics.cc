// What Prometheus is told: the controller's side of admin::Metrics. Nothing here waits for a worker.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "sluice/daemon/controller.h"

namespace sluice::daemon {

void Controller::poll_stats() {
    const bool complete = stats_poller_.turn(now_);
    if (const backend::Snapshot& snapshot = state_.snapshot(); snapshot.registry != totalled_registry_) {
        totalled_registry_ = snapshot.registry;
        totals_.use(state_.registry());
    }
    if (!complete) return;
    look_for_shortages();
    for (const port::Port* const port : dataplane_.ports) {
        for (const std::string& line : missed_frames_.look(now_, port->info(), port->statistics()))
            spdlog::warn("{}", line);
    }
    return_memory();
}

void Controller::return_memory() {
    std::uint64_t used = 0;
    std::uint64_t waiting = 0;  // exactly; what is used is an estimate
    for (std::uint32_t w = 0; w < stats_poller_.workers(); ++w) {
        used += stats_poller_.answer(w).totals.used_bytes;
        waiting += stats_poller_.answer(w).totals.connect_bytes;
    }
    if (memory_return_.due(now_, std::max(used, waiting))) options_.return_memory();
}

void Controller::look_for_shortages() {
    const auto leases = stats_poller_.leases();
    state_.registry().each_backend([&](std::uint32_t p, std::uint32_t, const backend::Registry::Backend& b) {
        const auto rows = leases.find(b.position);
        if (rows == leases.end()) return;
        std::uint64_t leased = 0;
        std::uint64_t capacity = 0;
        for (const worker::LeaseRow& row : rows->second) {
            leased += row.leased;
            capacity += row.capacity;
        }
        if (!shortages_.due(now_, b.position, leased, capacity)) return;
        const std::string broker = b.config.name + " (" + b.config.address.to_string() + ")";
        spdlog::warn("{}", Shortages::text(state_.registry().pools[p].config.name, broker, leased, capacity));
    });
}

admin::Metrics Controller::metrics() {
    admin::Metrics m;
    m.version = SLUICE_VERSION;
    m.dpdk = dataplane_.dpdk;
    m.uptime = now_ - started_;
    m.draining = draining_;
    m.max_connections = state_.config().runtime.max_connections;
    m.connect_memory = state_.config().runtime.connect_memory;
    m.frames_capacity = dataplane_.frames->capacity();
    m.frames_used = m.frames_capacity - dataplane_.frames->available();
    m.snapshot_generation = state_.snapshot().generation;
    m.reloads = reloads_;
    m.last_reload_age = now_ - last_reload_;
    m.now = options_.wall_clock();
    for (std::uint32_t w = 0; w < stats_poller_.workers(); ++w) {
        const worker::Worker::Totals& totals = stats_poller_.answer(w).totals;
        m.reserved_bytes += totals.reserved_bytes;
        m.used_bytes += totals.used_bytes;
        m.connect_bytes += totals.connect_bytes;
        m.workers.push_back(
            {.answers = stats_poller_.answers(w, now_),
             .handshaking = totals.half_open,
             .relayed = totals.connections - totals.resting - totals.spliced - totals.half_open,
             .resting = totals.resting,
             .spliced = totals.spliced});
    }
    tell_listeners(m);
    tell_backends(m);
    m.ports = ports();
    for (const CounterInfo& info : kCounterTable) {
        m.counters[static_cast<std::size_t>(info.id)] = counter(info.id);
    }
    m.connects = totals_.connects();
    return m;
}

void Controller::tell_listeners(admin::Metrics& m) const {
    for (std::size_t i = 0; i < state_.registry().listeners.size(); ++i) {
        const backend::Registry::Listener& place = state_.registry().listeners[i];
        if (place.standing == backend::Standing::Vacant) continue;
        admin::Metrics::Listener listener{.name = place.config.name,
                                          .address = place.config.address,
                                          .max_connections = place.config.max_connections};
        for (std::uint32_t w = 0; w < stats_poller_.workers(); ++w) {
            const worker::Worker::Totals& totals = stats_poller_.answer(w).totals;
            if (i >= totals.listeners.size()) continue;  // it has not taken the newest snapshot yet
            listener.connections += totals.listeners[i];
            listener.half_open += totals.handshakes[i];
        }
        m.listeners.push_back(std::move(listener));
    }
}

void Controller::tell_backends(admin::Metrics& m) const {
    const auto leases = stats_poller_.leases();
    for (const backend::Pool& pool : state_.snapshot().pools) {
        if (pool.standing == backend::Standing::Vacant) continue;
        admin::Metrics::Pool row{.name = pool.config.name};
        for (const backend::Backend& broker : pool.backends) {
            if (broker.standing == backend::Standing::Vacant) continue;
            ++row.backends;
            row.usable += broker.usable() ? 1 : 0;
            admin::Metrics::Backend& told = m.backends.emplace_back();
            told.row = describe(pool, broker);
            told.healthy = broker.healthy;
            told.tally = totals_.tally(broker.position);
            told.traffic = totals_.traffic(broker.position);
            const auto rows = leases.find(broker.position);
            if (rows == leases.end()) continue;
            for (const worker::LeaseRow& lease : rows->second) {
                told.sources.push_back({.address = lease.address,
                                        .used = lease.leased,
                                        .free = lease.capacity - lease.leased - lease.quarantined});
            }
        }
        m.pools.push_back(std::move(row));
    }
}

}  // namespace sluice::daemon
