#include "sluice/backend/snapshot.h"

#include <algorithm>
#include <array>

#include "sluice/base/bytes.h"
#include "sluice/base/siphash.h"
#include "sluice/wire/tcp_options.h"

namespace sluice::backend {
namespace {

// Those of weight 0 take no keys, but the size of the table goes by the number of all.
bool in_table(const Backend& b) { return b.standing == Standing::Active; }

std::shared_ptr<const balance::Maglev> build_maglev(std::span<const Backend> backends) {
    std::vector<balance::MaglevBackend> targets;
    targets.reserve(backends.size());
    for (std::uint32_t i = 0; i < backends.size(); ++i) {
        if (in_table(backends[i])) targets.push_back({i, backends[i].config.name, backends[i].config.weight});
    }
    return std::make_shared<const balance::Maglev>(targets);
}

// Whether the hash table of `a` is that of `b`.
bool same_targets(std::span<const Backend> a, std::span<const Backend> b) {
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
        const bool in_a = i < a.size() && in_table(a[i]);
        const bool in_b = i < b.size() && in_table(b[i]);
        if (in_a != in_b) return false;
        if (in_a && (a[i].config.name != b[i].config.name || a[i].config.weight != b[i].config.weight))
            return false;
    }
    return true;
}

// What every usable backend accepts. A backend that was never probed successfully constrains nothing.
Offer common_offer(std::span<const Backend> backends) {
    Offer common{
        .mss = 0, .window = kUnlearnedWindow, .window_scale = std::nullopt, .sack = true, .timestamps = true};
    bool learned = false;
    bool scales = true;
    std::uint8_t smallest_scale = wire::kMaxWindowScale;
    for (const Backend& b : backends) {
        if (!b.usable() || !b.offer) continue;
        common.mss = learned ? std::min(common.mss, b.offer->mss) : b.offer->mss;
        const std::uint16_t window = std::max(b.offer->window, kSmallestWindow);
        common.window = learned ? std::min(common.window, window) : window;
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

// The reader has made sure that it compiles. before: of the snapshot before this one, null for none.
Pattern build_pattern(const std::string& text, const Pattern& before) {
    if (text.empty()) return nullptr;
    if (before && before->pattern() == text) return before;
    return std::make_shared<const re2::RE2>(text, re2::RE2::Quiet);
}

Route build_route(const Registry::Route& from, const Pattern& before) {
    return {.listener = from.listener,
            .pool = from.pool,
            .client_id_pattern = build_pattern(from.config.client_id_pattern, before),
            .config = from.config};
}

Backend build_backend(const Registry::Backend& from, std::span<const Condition> conditions) {
    Backend backend{.position = from.position,
                    .mark = mark_of(from.config.address),
                    .standing = from.standing,
                    .healthy = true,
                    .slow_start = {},
                    .offer = {},
                    .config = from.config};
    if (from.position < conditions.size()) {
        const Condition& condition = conditions[from.position];
        backend.healthy = condition.healthy;
        backend.slow_start = condition.slow_start;
        backend.offer = condition.offer;
    }
    return backend;
}

// What both accept.
Offer both(const Offer& a, const Offer& b) {
    Offer common{.mss = a.mss == 0 || b.mss == 0 ? std::max(a.mss, b.mss) : std::min(a.mss, b.mss),
                 .window = std::min(a.window, b.window),
                 .window_scale = std::nullopt,
                 .sack = a.sack && b.sack,
                 .timestamps = a.timestamps && b.timestamps};
    if (a.window_scale && b.window_scale) common.window_scale = std::min(*a.window_scale, *b.window_scale);
    return common;
}

Offer listener_offer(const Snapshot& snapshot, std::uint32_t listener) {
    Offer offer = snapshot.pools[snapshot.listeners[listener].pool].offer;
    for (const Route& route : snapshot.routes) {
        if (route.config.refuse || route.listener.value_or(listener) != listener) continue;
        offer = both(offer, snapshot.pools[route.pool].offer);
    }
    return offer;
}

Pool build_pool(const Registry::Pool& from, std::span<const Condition> conditions, const Pool* before) {
    const Pattern compiled = before == nullptr ? nullptr : before->hash_pattern;
    Pool pool{.standing = from.standing,
              .backends = {},
              .maglev = nullptr,
              .hash_pattern = build_pattern(from.config.hash_pattern, compiled),
              .offer = {},
              .retained_sources = from.retained_sources,
              .config = from.config};
    for (const Registry::Backend& b : from.backends) pool.backends.push_back(build_backend(b, conditions));
    pool.offer = common_offer(pool.backends);
    pool.maglev = before != nullptr && same_targets(before->backends, pool.backends)
                      ? before->maglev
                      : build_maglev(pool.backends);
    return pool;
}

}  // namespace

std::uint32_t mark_of(const SocketAddress& address) {
    std::array<std::byte, 18> bytes;
    std::ranges::copy(std::as_bytes(address.address.bytes()), bytes.begin());
    store16(bytes.data() + 16, address.port);
    return static_cast<std::uint32_t>(siphash24(SipKey{}, bytes));
}

std::optional<std::uint32_t> Pool::find(std::uint32_t mark) const {
    for (std::uint32_t i = 0; i < backends.size(); ++i) {
        if (backends[i].standing == Standing::Active && backends[i].mark == mark) return i;
    }
    return std::nullopt;
}

bool Listener::admits(const IpAddress& client) const {
    const auto holds = [&](const IpPrefix& network) { return network.contains(client); };
    return (config.allow.empty() || std::ranges::any_of(config.allow, holds)) &&
           std::ranges::none_of(config.deny, holds);
}

std::unique_ptr<const Snapshot> build_snapshot(const Registry& registry, std::uint64_t registry_generation,
                                               std::span<const Condition> conditions,
                                               std::uint64_t generation, const Snapshot* previous) {
    auto snapshot = std::make_unique<Snapshot>();
    snapshot->generation = generation;
    snapshot->registry = registry_generation;
    snapshot->connection_log = registry.connection_log;
    snapshot->connect_memory = registry.connect_memory;
    for (const Registry::Listener& listener : registry.listeners) {
        snapshot->listeners.push_back(
            {.pool = listener.pool, .standing = listener.standing, .offer = {}, .config = listener.config});
    }
    for (std::size_t i = 0; i < registry.routes.size(); ++i) {
        const bool known = previous != nullptr && i < previous->routes.size();
        snapshot->routes.push_back(
            build_route(registry.routes[i], known ? previous->routes[i].client_id_pattern : nullptr));
    }
    for (std::size_t i = 0; i < registry.pools.size(); ++i) {
        const bool known = previous != nullptr && i < previous->pools.size();
        snapshot->pools.push_back(
            build_pool(registry.pools[i], conditions, known ? &previous->pools[i] : nullptr));
    }
    for (std::uint32_t i = 0; i < snapshot->listeners.size(); ++i) {
        snapshot->listeners[i].offer = listener_offer(*snapshot, i);
    }
    return snapshot;
}

std::unique_ptr<const Snapshot> build_snapshot(const config::Config& config,
                                               std::span<const Condition> conditions,
                                               std::uint64_t generation, const Snapshot* previous) {
    return build_snapshot(assign(config, nullptr), 1, conditions, generation, previous);
}

}  // namespace sluice::backend
