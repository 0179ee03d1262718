// What the operator sees of the balancer as a whole: the controller's side of `show ...`.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "backend_state.h"
#include "sluice/config/json.h"
#include "sluice/config/words.h"
#include "sluice/daemon/controller.h"

namespace sluice::daemon {
namespace {

class UsageInspection final : public worker::Inspection {
  public:
    void run(worker::Worker& worker) override { usage = worker.usage(); }
    worker::Worker::Usage usage;
};

class NeighborInspection final : public worker::Inspection {
  public:
    explicit NeighborInspection(std::uint16_t port_) : port(port_) {}
    void run(worker::Worker& worker) override { entries = worker.neighbors(port); }
    std::uint16_t port;
    std::vector<neighbor::Table::Entry> entries;
};

admin::Offer offer_of(const backend::Offer& offer) {
    return {.mss = offer.mss,
            .window = offer.window,
            .window_scale = offer.window_scale,
            .sack = offer.sack,
            .timestamps = offer.timestamps};
}

}  // namespace

std::vector<worker::Worker::Usage> Controller::usage() {
    std::vector<worker::Worker::Usage> all;
    for (std::uint32_t w = 0; w < channel_.size(); ++w) {
        const auto inspection = std::make_shared<UsageInspection>();
        channel_.inspect(w, inspection);
        all.push_back(std::move(inspection->usage));
    }
    return all;
}

std::optional<std::uint64_t> Controller::live_connections() {
    try {
        std::uint64_t sum = 0;
        for (const auto& part : usage()) sum += part.connections;
        return sum;
    } catch (const admin::Refused&) {
        return std::nullopt;
    }
}

admin::Info Controller::info() {
    admin::Info info{.version = SLUICE_VERSION,
                     .uptime = now_ - started_,
                     .workers = channel_.size(),
                     .idle = std::string(config::word(state_.config().runtime.idle)),
                     .draining = draining_,
                     .max_connections = state_.config().runtime.max_connections,
                     .connect_memory = state_.config().runtime.connect_memory,
                     .dpdk = dataplane_.dpdk,
                     .memory = dataplane_.hugepages ? "hugepages" : "pages",
                     .snapshot_generation = state_.snapshot().generation};
    info.frames_capacity = dataplane_.frames->capacity();
    info.frames_used = info.frames_capacity - dataplane_.frames->available();
    for (const auto& part : usage()) {
        info.connections += part.connections;
        info.half_open += part.half_open;
        info.timers += part.timers;
        info.spliced += part.spliced;
        info.resting += part.resting;
        info.reserved_bytes += part.reserved_bytes;
        info.used_bytes += part.used_bytes;
        // Each worker remembers all of them.
        info.remembered_sessions = std::max<std::uint64_t>(info.remembered_sessions, part.remembered);
        info.remembered_bytes += part.remembered_bytes;
        info.connect_bytes += part.connect_bytes;
    }
    return info;
}

std::vector<admin::ListenerRow> Controller::listeners() {
    const std::vector<worker::Worker::Usage> parts = usage();
    std::vector<admin::ListenerRow> rows;
    for (std::size_t i = 0; i < state_.registry().listeners.size(); ++i) {
        const backend::Registry::Listener& place = state_.registry().listeners[i];
        if (place.standing == backend::Standing::Vacant) continue;
        const config::Listener& listener = place.config;
        admin::ListenerRow row{.name = listener.name,
                               .address = listener.address,
                               .pool = state_.registry().pools[place.pool].config.name,
                               .state = place.standing == backend::Standing::Active ? "listening" : "removed",
                               .connections = 0,
                               .max_connections = listener.max_connections,
                               .half_open = listener.half_open,
                               .connect_timeout = listener.connect_timeout,
                               .max_connect_size = listener.max_connect_size,
                               .connect_window = listener.connect_window,
                               .idle_timeout = listener.idle_timeout,
                               .allow = listener.allow,
                               .deny = listener.deny};
        for (const auto& part : parts) row.connections += i < part.listeners.size() ? part.listeners[i] : 0;
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<admin::PoolRow> Controller::pools() {
    std::vector<admin::PoolRow> rows;
    for (const backend::Pool& pool : state_.snapshot().pools) {
        if (pool.standing == backend::Standing::Vacant) continue;
        admin::PoolRow row{.name = pool.config.name,
                           .balance = std::string(config::word(pool.config.balance)),
                           .hash_key = std::string(config::word(pool.config.hash_key)),
                           .bounded_load = pool.config.bounded_load,
                           .retries = pool.config.retries,
                           .backends = 0,
                           .health = std::string(config::word(pool.config.health.type)),
                           .offer = offer_of(pool.offer)};
        for (const backend::Backend& broker : pool.backends) {
            if (broker.standing == backend::Standing::Vacant) continue;
            ++row.backends;
            row.usable += broker.usable() ? 1 : 0;
            row.connections += state_.load().connections(broker.position);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

admin::BackendRow Controller::describe(const backend::Pool& pool, const backend::Backend& broker) const {
    const backend::HealthTracker::View& health = state_.health().view(broker.position);
    admin::BackendRow row;
    row.pool = pool.config.name;
    row.name = broker.config.name;
    row.address = broker.config.address;
    row.state = state_of(now_, broker);
    row.health = {.probed = health.probed,
                  .successes = health.successes,
                  .failures = health.failures,
                  .last_failure = backend::describe(health.last_failure),
                  .latency = health.latency,
                  .since = std::nullopt};
    // A broker whose health never changed has the time line's origin there.
    if (health.since != Instant{}) row.health.since = now_ - health.since;
    row.weight = broker.config.weight;
    row.connections = state_.load().connections(broker.position);
    row.max_connections = broker.config.max_connections;
    if (broker.offer) row.offer = offer_of(*broker.offer);
    return row;
}

std::vector<admin::BackendRow> Controller::backends() {
    const std::vector<worker::Worker::Usage> parts = usage();
    const backend::Snapshot& snapshot = state_.snapshot();
    std::vector<admin::BackendRow> rows;
    for (std::size_t p = 0; p < snapshot.pools.size(); ++p) {
        const backend::Pool& pool = snapshot.pools[p];
        for (std::size_t b = 0; b < pool.backends.size(); ++b) {
            if (pool.backends[b].standing == backend::Standing::Vacant) continue;
            admin::BackendRow row = describe(pool, pool.backends[b]);
            row.tally = totals_.tally(pool.backends[b].position);
            row.traffic = totals_.traffic(pool.backends[b].position);
            for (const auto& part : parts) {
                // A worker that has not taken the newest snapshot yet has no leases there.
                if (p >= part.backends.size() || b >= part.backends[p].size()) continue;
                const auto& leases = part.backends[p][b];
                row.leases.capacity += leases.leases;
                row.leases.leased += leases.leased;
                row.leases.quarantined += leases.quarantined;
            }
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

std::vector<admin::PortRow> Controller::ports() {
    std::vector<admin::PortRow> rows;
    for (std::size_t i = 0; i < dataplane_.ports.size(); ++i) {
        const port::PortInfo& info = dataplane_.ports[i]->info();
        const port::Link link = dataplane_.ports[i]->link();
        const port::PortStatistics counts = dataplane_.ports[i]->statistics();
        rows.push_back({.name = info.name,
                        .driver = info.driver,
                        .mac = info.mac,
                        .mtu = info.mtu,
                        .queues = info.rx_queues,
                        .queue_frames = info.rx_slots,
                        .ring_bytes = info.ring_bytes,
                        .link_up = link.up,
                        .link_mbps = link.speed,
                        .addresses = state_.topology().addresses(static_cast<std::uint16_t>(i)),
                        .statistics = {{"rx_frames", counts.rx_frames},
                                       {"rx_bytes", counts.rx_bytes},
                                       {"rx_missed", counts.rx_missed},
                                       {"rx_ring_full", counts.rx_ring_full},
                                       {"rx_no_fill", counts.rx_no_fill},
                                       {"rx_interface_dropped", counts.rx_interface_dropped},
                                       {"rx_errors", counts.rx_errors},
                                       {"rx_no_buffer", counts.rx_no_buffer},
                                       {"tx_frames", counts.tx_frames},
                                       {"tx_bytes", counts.tx_bytes},
                                       {"tx_errors", counts.tx_errors}}});
    }
    return rows;
}

std::vector<admin::NeighborRow> Controller::neighbors() {
    std::vector<admin::NeighborRow> rows;
    for (std::uint32_t w = 0; w < channel_.size(); ++w) {
        for (std::size_t p = 0; p < dataplane_.ports.size(); ++p) {
            const auto inspection = std::make_shared<NeighborInspection>(static_cast<std::uint16_t>(p));
            channel_.inspect(w, inspection);
            for (const neighbor::Table::Entry& entry : inspection->entries) {
                rows.push_back({.worker = w,
                                .port = dataplane_.ports[p]->info().name,
                                .address = entry.address,
                                .mac = entry.mac,
                                .state = neighbor::to_string(entry.state),
                                .age = now_ - entry.since});
            }
        }
    }
    return rows;
}

std::string Controller::config_json() { return config::to_json(state_.config()); }

std::uint64_t Controller::counter(Counter id) {
    std::uint64_t sum = 0;
    for (std::uint32_t w = 0; w < channel_.size(); ++w) sum += channel_.worker(w).counters().get(id);
    if (id == Counter::ConnectionLogLost) sum += connection_log_.lost();
    return sum;
}

void Controller::set_log_level(const std::string& level) {
    for (const auto known :
         {spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err}) {
        const auto known_name = spdlog::level::to_string_view(known);
        if (level != std::string_view(known_name.data(), known_name.size())) continue;
        spdlog::set_level(known);
        return;
    }
    throw admin::Refused("unknown level '" + level + "'; known levels: debug, info, warning and error");
}

}  // namespace sluice::daemon
