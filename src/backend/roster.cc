#include "sluice/backend/roster.h"

#include <algorithm>
#include <array>
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
        throw SeatingError("too many listeners, pools or backends have come and gone; restart to take this");
    }
    places.emplace_back();
    return static_cast<std::uint32_t>(places.size() - 1);
}

bool share_a_source(const config::Pool& a, const config::Pool& b) {
    return a.source_ports.overlaps(b.source_ports) &&
           std::ranges::any_of(a.source_addresses, [&](const IpAddress& address) {
               return std::ranges::find(b.source_addresses, address) != b.source_addresses.end();
           });
}

class Seating {
  public:
    Seating(const config::Config& config, const Roster* running) : config_(config) {
        if (running != nullptr) roster_ = *running;
        roster_.each_backend([&](std::uint32_t, std::uint32_t, const Roster::Backend& b) {
            position_taken_[b.position] = true;
        });
    }

    Roster run() {
        remove_all();
        std::vector<std::uint32_t> pools;  // their places, by index in the configuration
        for (const config::Pool& pool : config_.pools) pools.push_back(seat_pool(pool));
        for (const config::Listener& listener : config_.listeners) {
            seat_listener(listener, pools[listener.pool_index]);
        }
        seat_routes(pools);
        roster_.connection_log = !config_.admin.connection_log.empty();
        check_tuples();
        return std::move(roster_);
    }

  private:
    // What the configuration names is made active again one by one.
    void remove_all() {
        const auto remove = [](auto& place) {
            if (place.standing == Standing::Active) place.standing = Standing::Removed;
        };
        std::ranges::for_each(roster_.listeners, remove);
        for (Roster::Pool& pool : roster_.pools) {
            remove(pool);
            std::ranges::for_each(pool.backends, remove);
        }
    }

    std::optional<std::uint32_t> known_pool(const config::Pool& wanted) const {
        const auto named = place_of(roster_.pools, [&](const Roster::Pool& p) {
            return p.config.name == wanted.name && p.standing == Standing::Removed;
        });
        if (named) return named;
        // Renamed: its name is used by nothing, and the tuples of its connections are this one's.
        return place_of(roster_.pools, [&](const Roster::Pool& p) {
            return p.standing == Standing::Removed && share_a_source(p.config, wanted) &&
                   std::ranges::none_of(
                       config_.pools, [&](const config::Pool& other) { return other.name == p.config.name; });
        });
    }

    std::uint32_t seat_pool(const config::Pool& wanted) {
        const auto known = known_pool(wanted);
        // Another pool's place has leases numbered by that pool's ports; a new one costs only address space.
        if (!known && roster_.pools.size() == kMostPlaces) {
            throw SeatingError("too many pools have come and gone; restart to take this");
        }
        const std::uint32_t index = known.value_or(static_cast<std::uint32_t>(roster_.pools.size()));
        if (!known) roster_.pools.emplace_back();
        Roster::Pool& pool = roster_.pools[index];
        if (known && pool.config.source_ports != wanted.source_ports) {
            throw SeatingError("pool " + wanted.name +
                               ": source_ports cannot change while its connections are there; restart, or "
                               "give it back its ports");
        }
        if (known) retain_sources(pool, wanted);
        pool.config = wanted;
        pool.config.backends.clear();
        pool.standing = Standing::Active;
        for (const config::Backend& backend : wanted.backends) seat_backend(pool, backend);
        return index;
    }

    static void retain_sources(Roster::Pool& pool, const config::Pool& wanted) {
        auto& retained = pool.retained_sources;
        retained.insert(retained.end(), pool.config.source_addresses.begin(),
                        pool.config.source_addresses.end());
        std::erase_if(retained, [&](const IpAddress& address) {
            return std::ranges::find(wanted.source_addresses, address) != wanted.source_addresses.end();
        });
        std::ranges::sort(retained);
        const auto repeated = std::ranges::unique(retained);
        retained.erase(repeated.begin(), repeated.end());
    }

    void seat_backend(Roster::Pool& pool, const config::Backend& wanted) {
        const auto known = place_of(pool.backends, [&](const Roster::Backend& b) {
            return b.standing == Standing::Removed && b.config.address == wanted.address;
        });
        const std::uint32_t index = known ? *known : free_place(pool.backends);
        Roster::Backend& backend = pool.backends[index];
        if (!known) backend.position = free_position();
        backend.config = wanted;
        backend.standing = Standing::Active;
    }

    // Round and round, so that what counts by position does not meet a new backend soon after an old one.
    std::uint32_t free_position() {
        for (std::uint32_t i = 0; i < kMaxBackends; ++i) {
            const std::uint32_t position = (roster_.next_position + i) % kMaxBackends;
            if (position_taken_[position]) continue;
            position_taken_[position] = true;
            roster_.next_position = position + 1;
            return position;
        }
        throw SeatingError("more than " + std::to_string(kMaxBackends) +
                           " backends, with those that still have connections; wait until they are gone");
    }

    void seat_listener(const config::Listener& wanted, std::uint32_t pool) {
        const auto known = place_of(roster_.listeners, [&](const Roster::Listener& l) {
            return l.standing == Standing::Removed && l.config.address == wanted.address;
        });
        const std::uint32_t index = known ? *known : free_place(roster_.listeners);
        roster_.listeners[index] = {.config = wanted, .pool = pool, .standing = Standing::Active};
    }

    void seat_routes(const std::vector<std::uint32_t>& pools) {
        roster_.routes.clear();
        for (const config::Route& wanted : config_.routes) {
            Roster::Route route{.config = wanted, .listener = std::nullopt, .pool = 0};
            if (!wanted.listener.empty()) route.listener = roster_.find_listener(wanted.listener);
            if (!wanted.refuse) route.pool = pools[wanted.pool_index];
            roster_.routes.push_back(std::move(route));
        }
    }

    // What arrives from a broker must name one pool, also while an old one's connections are there.
    void check_tuples() const {
        for (const Roster::Pool& old : roster_.pools) {
            if (old.standing != Standing::Removed) continue;
            for (const Roster::Pool& pool : roster_.pools) {
                if (pool.standing != Standing::Active || !share_a_source(old.config, pool.config)) continue;
                for (const Roster::Backend& b : pool.backends) {
                    const bool shared = place_of(old.backends, [&](const Roster::Backend& o) {
                                            return o.config.address == b.config.address;
                                        }).has_value();
                    if (!shared || b.standing != Standing::Active) continue;
                    throw SeatingError("pool " + pool.config.name + " reaches backend " + b.config.name +
                                       " from source addresses of pool " + old.config.name +
                                       ", whose connections are still there; wait until they are gone, or "
                                       "give it other source_addresses");
                }
            }
        }
    }

    const config::Config& config_;
    Roster roster_;
    std::array<bool, kMaxBackends> position_taken_{};
};

template <typename Places>
std::optional<std::uint32_t> active_named(const Places& places, std::string_view name) {
    return place_of(places, [&](const auto& place) {
        return place.standing == Standing::Active && place.config.name == name;
    });
}

bool vacate_pool(Roster::Pool& pool, const std::vector<std::uint64_t>& leases,
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
        pool.backends, [](const Roster::Backend& b) { return b.standing == Standing::Vacant; });
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

std::optional<std::uint32_t> Roster::find_listener(std::string_view name) const {
    return active_named(listeners, name);
}

std::optional<std::uint32_t> Roster::find_pool(std::string_view name) const {
    return active_named(pools, name);
}

Roster seat(const config::Config& config, const Roster* running) { return Seating(config, running).run(); }

bool vacate(Roster& roster, const Use& use) {
    bool any = false;
    for (std::size_t i = 0; i < roster.listeners.size(); ++i) {
        if (roster.listeners[i].standing != Standing::Removed || use.listeners[i] != 0) continue;
        roster.listeners[i].standing = Standing::Vacant;
        any = true;
    }
    for (std::size_t p = 0; p < roster.pools.size(); ++p) {
        any = vacate_pool(roster.pools[p], use.backends[p], use.sources[p]) || any;
    }
    return any;
}

bool anything_removed(const Roster& roster) {
    const auto removed = [](const auto& place) { return place.standing == Standing::Removed; };
    return std::ranges::any_of(roster.listeners, removed) ||
           std::ranges::any_of(roster.pools, [&](const Roster::Pool& pool) {
               return removed(pool) || !pool.retained_sources.empty() ||
                      std::ranges::any_of(pool.backends, removed);
           });
}

}  // namespace sluice::backend
