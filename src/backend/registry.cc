#include "sluice/backend/registry.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace sluice::backend {
namespace {

constexpr std::size_t kMostPlaces = 65'535;  // records number listeners, pools and backends in 16 bits

// The place of the first that is Active or Removed and fits.
template <typename Places, typename Fits>
std::optional<std::uint32_t> place_of(const Places& places, Fits&& fits) {
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i].standing != Standing::Vacant && fits(places[i])) return static_cast<std::uint32_t>(i);
    }
    return std::nullopt;
}

// A vacant place, or a new one at the end.
template <typename Places>
std::uint32_t free_place(Places& places) {
    const auto vacant = std::ranges::find(places, Standing::Vacant, [](const auto& p) { return p.standing; });
    if (vacant != places.end()) return static_cast<std::uint32_t>(vacant - places.begin());
    if (places.size() == kMostPlaces) {
        throw AssignmentError(
            "too many listeners, pools or backends have come and gone; restart to take this");
    }
    places.emplace_back();
    return static_cast<std::uint32_t>(places.size() - 1);
}

// Leases are numbered in 32 bits (nat::SourcePool).
constexpr std::uint64_t kMostLeases = 0xffffffff;

// Whether old connections of `a` may lead from where new ones of `b` will.
bool shares_a_source(const Registry::Pool& a, const config::Pool& b) {
    const auto shared = [&](const IpAddress& address) {
        return std::ranges::find(b.source_addresses, address) != b.source_addresses.end();
    };
    return a.config.source_ports.overlaps(b.source_ports) &&
           (std::ranges::any_of(a.config.source_addresses, shared) ||
            std::ranges::any_of(a.retained_sources, shared));
}

// A backend that both may have connections to.
const Registry::Backend* shared_backend(const Registry::Pool& a, const Registry::Pool& b, IpFamily family) {
    for (const Registry::Backend& backend : a.backends) {
        if (backend.standing == Standing::Vacant || backend.config.address.address.family() != family)
            continue;
        const auto same = [&](const Registry::Backend& other) {
            return other.config.address == backend.config.address;
        };
        if (place_of(b.backends, same)) return &backend;
    }
    return nullptr;
}

class Assignment {
  public:
    Assignment(const config::Config& config, const Registry* running) : config_(config) {
        if (running != nullptr) registry_ = *running;
        registry_.each_backend([&](std::uint32_t, std::uint32_t, const Registry::Backend& b) {
            position_taken_[b.position] = true;
        });
    }

    Registry run() {
        remove_all();
        std::vector<std::uint32_t> pools;  // their places, by index in the configuration
        for (const config::Pool& pool : config_.pools) pools.push_back(assign_pool(pool));
        for (const config::Listener& listener : config_.listeners) {
            assign_listener(listener, pools[listener.pool_index]);
        }
        assign_routes(pools);
        registry_.connection_log = !config_.admin.connection_log.empty();
        registry_.connect_memory = config_.runtime.connect_memory;
        check_tuples();
        return std::move(registry_);
    }

  private:
    // What the configuration names is made active again one by one.
    void remove_all() {
        const auto remove = [](auto& place) {
            if (place.standing == Standing::Active) place.standing = Standing::Removed;
        };
        std::ranges::for_each(registry_.listeners, remove);
        for (Registry::Pool& pool : registry_.pools) {
            remove(pool);
            std::ranges::for_each(pool.backends, remove);
        }
    }

    std::optional<std::uint32_t> known_pool(const config::Pool& wanted) const {
        const auto named = place_of(registry_.pools, [&](const Registry::Pool& p) {
            return p.config.name == wanted.name && p.standing == Standing::Removed;
        });
        if (named) return named;
        // Renamed: its name is used by nothing, and the tuples of its connections are this one's.
        std::optional<std::uint32_t> best;
        std::ptrdiff_t most = 0;
        for (std::uint32_t i = 0; i < registry_.pools.size(); ++i) {
            const Registry::Pool& p = registry_.pools[i];
            if (p.standing != Standing::Removed || !shares_a_source(p, wanted)) continue;
            if (std::ranges::find(config_.pools, p.config.name, &config::Pool::name) != config_.pools.end()) {
                continue;
            }
            const auto shared = std::ranges::count_if(p.backends, [&](const Registry::Backend& b) {
                return b.standing != Standing::Vacant &&
                       std::ranges::find(wanted.backends, b.config.address, &config::Backend::address) !=
                           wanted.backends.end();
            });
            if (best && shared <= most) continue;
            best = i;
            most = shared;
        }
        return best;
    }

    std::uint32_t assign_pool(const config::Pool& wanted) {
        const auto known = known_pool(wanted);
        // Another pool's place has leases numbered by that pool's ports; a new one costs only address space.
        if (!known && registry_.pools.size() == kMostPlaces) {
            throw AssignmentError("too many pools have come and gone; restart to take this");
        }
        const std::uint32_t index = known.value_or(static_cast<std::uint32_t>(registry_.pools.size()));
        if (!known) registry_.pools.emplace_back();
        Registry::Pool& pool = registry_.pools[index];
        if (known && pool.config.source_ports != wanted.source_ports) {
            throw AssignmentError("pool " + wanted.name +
                                  ": source_ports cannot change while its connections are there; restart, or "
                                  "give it back its ports");
        }
        if (known) retain_sources(pool, wanted);
        learn_sources(pool, wanted);
        pool.config = wanted;
        pool.config.backends.clear();
        pool.standing = Standing::Active;
        for (const config::Backend& backend : wanted.backends) assign_backend(pool, backend);
        return index;
    }

    static void retain_sources(Registry::Pool& pool, const config::Pool& wanted) {
        auto& retained = pool.retained_sources;
        retained.insert(retained.end(), pool.config.source_addresses.begin(),
                        pool.config.source_addresses.end());
        std::erase_if(retained, [&](const IpAddress& address) {
            return std::ranges::find(wanted.source_addresses, address) != wanted.source_addresses.end();
        });
        std::ranges::sort(retained);
        retained.erase(std::unique(retained.begin(), retained.end()), retained.end());
    }

    static void learn_sources(Registry::Pool& pool, const config::Pool& wanted) {
        std::vector<IpAddress> now = wanted.source_addresses;
        std::ranges::sort(now);
        std::vector<IpAddress> all;
        std::ranges::set_union(pool.known_sources, now, std::back_inserter(all));
        if (all.size() * std::uint64_t{wanted.source_ports.size()} >= kMostLeases) {
            throw AssignmentError("pool " + wanted.name +
                                  ": too many source addresses have come and gone; restart to take this");
        }
        pool.known_sources = std::move(all);
    }

    void assign_backend(Registry::Pool& pool, const config::Backend& wanted) {
        const auto known = place_of(pool.backends, [&](const Registry::Backend& b) {
            return b.standing == Standing::Removed && b.config.address == wanted.address;
        });
        const std::uint32_t index = known ? *known : free_place(pool.backends);
        Registry::Backend& backend = pool.backends[index];
        if (!known) backend.position = free_position();
        backend.config = wanted;
        backend.standing = Standing::Active;
    }

    // Round and round, so that what counts by position does not meet a new backend soon after an old one.
    std::uint32_t free_position() {
        for (std::uint32_t i = 0; i < kMaxBackends; ++i) {
            const std::uint32_t position = (registry_.next_position + i) % kMaxBackends;
            if (position_taken_[position]) continue;
            position_taken_[position] = true;
            registry_.next_position = position + 1;
            return position;
        }
        throw AssignmentError("more than " + std::to_string(kMaxBackends) +
                              " backends, with those that still have connections; wait until they are gone");
    }

    void assign_listener(const config::Listener& wanted, std::uint32_t pool) {
        const auto known = place_of(registry_.listeners, [&](const Registry::Listener& l) {
            return l.standing == Standing::Removed && l.config.address == wanted.address;
        });
        const std::uint32_t index = known ? *known : free_place(registry_.listeners);
        registry_.listeners[index] = {.config = wanted, .pool = pool, .standing = Standing::Active};
    }

    void assign_routes(const std::vector<std::uint32_t>& pools) {
        registry_.routes.clear();
        for (const config::Route& wanted : config_.routes) {
            Registry::Route route{.config = wanted, .listener = std::nullopt, .pool = 0};
            if (!wanted.listener.empty()) route.listener = registry_.find_listener(wanted.listener);
            if (!wanted.refuse) route.pool = pools[wanted.pool_index];
            registry_.routes.push_back(std::move(route));
        }
    }

    // What arrives from a broker must name one pool, and one that leads to a listener no lease; also while
    // what was removed has connections. Of what is active, the reader has made sure.
    void check_tuples() const {
        std::map<IpAddress, std::vector<const Registry::Pool*>> by_source;
        for (const Registry::Pool& pool : registry_.pools) {
            if (pool.standing == Standing::Vacant) continue;
            for (const IpAddress& a : pool.config.source_addresses) by_source[a].push_back(&pool);
            for (const IpAddress& a : pool.retained_sources) by_source[a].push_back(&pool);
        }
        std::set<std::pair<const Registry::Pool*, const Registry::Pool*>> seen[2];  // by family
        for (const auto& [address, pools] : by_source) {
            for (std::size_t later = 1; later < pools.size(); ++later) {
                for (std::size_t earlier = 0; earlier < later; ++earlier) {
                    if (!seen[address.is_v4() ? 0 : 1].emplace(pools[earlier], pools[later]).second) continue;
                    check_pair(*pools[earlier], *pools[later], address.family());
                }
            }
        }
        for (const Registry::Listener& listener : registry_.listeners) {
            if (listener.standing == Standing::Vacant) continue;
            const auto pools = by_source.find(listener.config.address.address);
            if (pools == by_source.end()) continue;
            for (const Registry::Pool* const pool : pools->second) check_listener(listener, *pool);
        }
    }

    static void check_pair(const Registry::Pool& a, const Registry::Pool& b, IpFamily family) {
        if (!a.config.source_ports.overlaps(b.config.source_ports)) return;
        const Registry::Backend* const in_a = shared_backend(a, b, family);
        if (in_a == nullptr) return;
        const Registry::Backend* const in_b = shared_backend(b, a, family);
        const bool a_is_old = a.standing == Standing::Removed || in_a->standing == Standing::Removed ||
                              (!a.retained_sources.empty() && b.retained_sources.empty());
        const Registry::Pool& old = a_is_old ? a : b;
        const Registry::Pool& wanted = a_is_old ? b : a;
        throw AssignmentError(
            "pool " + wanted.config.name + " reaches backend " + (a_is_old ? in_b : in_a)->config.name +
            " from source addresses of pool " + old.config.name +
            ", whose connections are still there; wait until they are gone, or give it other "
            "source_addresses");
    }

    static void check_listener(const Registry::Listener& listener, const Registry::Pool& pool) {
        const SocketAddress& at = listener.config.address;
        if (!pool.config.source_ports.contains(at.port)) return;
        if (listener.standing == Standing::Removed) {
            throw AssignmentError("pool " + pool.config.name + ": listener " + listener.config.name + ", " +
                                  at.to_string() +
                                  ", is among its source addresses and ports, and its connections are still "
                                  "there; wait until they are gone, or use another source address");
        }
        throw AssignmentError("listener " + listener.config.name + ": " + at.to_string() +
                              " is among the source addresses and ports of pool " + pool.config.name +
                              ", whose connections are still there; wait until they are gone, or use another "
                              "address");
    }

    const config::Config& config_;
    Registry registry_;
    std::array<bool, kMaxBackends> position_taken_{};
};

template <typename Places>
std::optional<std::uint32_t> active_named(const Places& places, std::string_view name) {
    return place_of(places, [&](const auto& place) {
        return place.standing == Standing::Active && place.config.name == name;
    });
}

bool reclaim_pool(Registry::Pool& pool, const std::vector<std::uint64_t>& leases,
                  const std::vector<IpAddress>& sources) {
    bool any = false;
    for (std::size_t b = 0; b < pool.backends.size(); ++b) {
        if (pool.backends[b].standing != Standing::Removed || leases[b] != 0) continue;
        pool.backends[b].standing = Standing::Vacant;
        any = true;
    }
    any = std::erase_if(pool.retained_sources,
                        [&](const IpAddress& address) {
                            return std::ranges::find(sources, address) == sources.end();
                        }) != 0 ||
          any;
    const bool empty = std::ranges::all_of(
        pool.backends, [](const Registry::Backend& b) { return b.standing == Standing::Vacant; });
    if (pool.standing == Standing::Removed && empty) {
        pool.standing = Standing::Vacant;
        any = true;
    }
    return any;
}

}  // namespace

const char* to_string(Standing standing) {
    switch (standing) {
        case Standing::Active: return "active";
        case Standing::Removed: return "removed";
        case Standing::Vacant: return "vacant";
    }
    return "?";
}

std::optional<std::uint32_t> Registry::find_listener(std::string_view name) const {
    return active_named(listeners, name);
}

std::optional<std::uint32_t> Registry::find_pool(std::string_view name) const {
    return active_named(pools, name);
}

Registry assign(const config::Config& config, const Registry* running) {
    return Assignment(config, running).run();
}

bool reclaim(Registry& registry, const Use& use) {
    bool any = false;
    for (std::size_t i = 0; i < registry.listeners.size(); ++i) {
        if (registry.listeners[i].standing != Standing::Removed || use.listeners[i] != 0) continue;
        registry.listeners[i].standing = Standing::Vacant;
        any = true;
    }
    for (std::size_t p = 0; p < registry.pools.size(); ++p) {
        any = reclaim_pool(registry.pools[p], use.backends[p], use.sources[p]) || any;
    }
    return any;
}

bool anything_removed(const Registry& registry) {
    const auto removed = [](const auto& place) { return place.standing == Standing::Removed; };
    return std::ranges::any_of(registry.listeners, removed) ||
           std::ranges::any_of(registry.pools, [&](const Registry::Pool& pool) {
               return removed(pool) || !pool.retained_sources.empty() ||
                      std::ranges::any_of(pool.backends, removed);
           });
}

}  // namespace sluice::backend
