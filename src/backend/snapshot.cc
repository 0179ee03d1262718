#include "sluice/backend/snapshot.h"

#include <algorithm>

#include "sluice/wire/tcp_options.h"

namespace sluice::backend {
namespace {

std::shared_ptr<const balance::Maglev> build_maglev(std::span<const Backend> backends) {
    std::vector<balance::Target> targets;
    targets.reserve(backends.size());
    for (std::uint32_t i = 0; i < backends.size(); ++i) {
        if (backends[i].weight != 0) targets.push_back({i, backends[i].name, backends[i].weight});
    }
    return std::make_shared<const balance::Maglev>(targets);
}

// What every usable backend accepts. A backend that was never probed successfully constrains nothing.
Offer common_offer(std::span<const Backend> backends) {
    Offer common{.mss = 0, .window_scale = std::nullopt, .sack = true, .timestamps = true};
    bool learned = false;
    bool scales = true;
    std::uint8_t smallest_scale = wire::kMaxWindowScale;
    for (const Backend& b : backends) {
        if (!b.usable() || !b.offer) continue;
        common.mss = learned ? std::min(common.mss, b.offer->mss) : b.offer->mss;
        common.sack = common.sack && b.offer->sack;
        common.timestamps = common.timestamps && b.offer->timestamps;
        scales = scales && b.offer->window_scale.has_value();
        smallest_scale = std::min(smallest_scale, b.offer->window_scale.value_or(smallest_scale));
        learned = true;
    }
    // The usual scale of a server, while none has told us its own.
    constexpr std::uint8_t kUnlearnedScale = 7;
    if (scales) common.window_scale = learned ? smallest_scale : kUnlearnedScale;
    return common;
}

Pool build_pool(const config::Pool& from, std::span<const Condition> conditions,
                std::uint32_t first_backend) {
    Pool pool{.name = from.name,
              .balance = from.balance,
              .hash_key = from.hash_key,
              .bounded_load = from.bounded_load,
              .retries = from.retries,
              .attempt_timeout = from.attempt_timeout,
              .health = from.health,
              .backends = {},
              .first_backend = first_backend,
              .maglev = nullptr,
              .offer = {}};
    for (std::size_t i = 0; i < from.backends.size(); ++i) {
        const config::Backend& b = from.backends[i];
        const Condition& condition = conditions[first_backend + i];
        pool.backends.push_back({.name = b.name,
                                 .address = b.address,
                                 .weight = b.weight,
                                 .max_connections = b.max_connections,
                                 .configured = b.state,
                                 .healthy = condition.healthy,
                                 .offer = condition.offer});
    }
    pool.offer = common_offer(pool.backends);
    return pool;
}

}  // namespace

bool Listener::admits(const IpAddress& client) const {
    const auto holds = [&](const IpPrefix& network) { return network.contains(client); };
    return (allow.empty() || std::ranges::any_of(allow, holds)) && std::ranges::none_of(deny, holds);
}

std::unique_ptr<const Snapshot> build_snapshot(const config::Config& config,
                                               std::span<const Condition> conditions,
                                               std::uint64_t generation, const Snapshot* previous) {
    auto snapshot = std::make_unique<Snapshot>();
    snapshot->generation = generation;
    for (const config::Listener& l : config.listeners) {
        snapshot->listeners.push_back({.name = l.name,
                                       .address = l.address,
                                       .pool = static_cast<std::uint32_t>(l.pool_index),
                                       .connect_timeout = l.connect_timeout,
                                       .max_connect_size = l.max_connect_size,
                                       .connect_window = static_cast<std::uint32_t>(l.connect_window),
                                       .allow = l.allow,
                                       .deny = l.deny,
                                       .max_connections = l.max_connections,
                                       .half_open = l.half_open,
                                       .idle_timeout = l.idle_timeout});
    }
    for (std::size_t i = 0; i < config.pools.size(); ++i) {
        Pool pool = build_pool(config.pools[i], conditions, snapshot->backend_count);
        pool.maglev = previous != nullptr ? previous->pools[i].maglev : build_maglev(pool.backends);
        snapshot->backend_count += static_cast<std::uint32_t>(pool.backends.size());
        snapshot->pools.push_back(std::move(pool));
    }
    return snapshot;
}

}  // namespace sluice::backend
