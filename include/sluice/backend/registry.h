// The listeners, pools and backends that run. Each has a number (its place in these lists) that it keeps for
// as long as a connection may name it, whatever a reload does to the others: connections and records hold
// numbers, and no reload touches them.
//
// What the configuration no longer names stays in its place as Removed while connections are there, and is
// Vacant after that. A vacant place is taken again, by a backend of any name.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/config/model.h"

namespace sluice::backend {

enum class Standing : std::uint8_t {
    Active,   // the configuration names it
    Removed,  // it no longer does, and connections may still be there
    Vacant,   // nothing in the balancer refers to it
};
const char* to_string(Standing standing);

// Backends of all pools together, those that are gone but not yet vacant included.
inline constexpr std::uint32_t kMaxBackends = 4096;

// The configuration cannot take the place of the running one; what() says why and what to do.
class AssignmentError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Registry {
    struct Listener {
        config::Listener config;
        std::uint32_t pool = 0;  // in pools
        Standing standing = Standing::Active;
    };
    struct Backend {
        config::Backend config;
        std::uint32_t position = 0;  // its number over all pools, below kMaxBackends
        Standing standing = Standing::Active;
    };
    struct Pool {
        config::Pool config;  // its backends are those below
        std::vector<Backend> backends;
        // Source addresses that the configuration no longer names, from which connections may still lead.
        std::vector<IpAddress> retained_sources;
        // All there ever were, sorted: workers number the leases of each for ever.
        std::vector<IpAddress> known_sources;
        Standing standing = Standing::Active;
    };
    struct Route {
        config::Route config;
        std::optional<std::uint32_t> listener;  // in listeners; nullopt: any
        std::uint32_t pool = 0;                 // in pools; unless it refuses
    };

    std::vector<Listener> listeners;
    std::vector<Pool> pools;
    std::vector<Route> routes;
    bool connection_log = false;       // ended connections are to be told
    std::uint64_t connect_memory = 0;  // bytes, over all workers
    std::uint32_t next_position = 0;   // where the search for a free one begins

    // Active and removed backends.
    template <typename Visit>
    void each_backend(Visit&& visit) const {
        for (std::uint32_t p = 0; p < pools.size(); ++p) {
            for (std::uint32_t b = 0; b < pools[p].backends.size(); ++b) {
                if (pools[p].backends[b].standing != Standing::Vacant) visit(p, b, pools[p].backends[b]);
            }
        }
    }
    // The place of an active one, or nullopt.
    std::optional<std::uint32_t> find_listener(std::string_view name) const;
    std::optional<std::uint32_t> find_pool(std::string_view name) const;
};

// Gives everything in `config` a place. What runs already keeps its own: a listener is known by its address,
// a backend by its address in its pool, a pool by its name or, when it was renamed, by its source addresses
// and the backends that it reaches from there. running: what has run so far; nullptr at start. Throws
// AssignmentError.
Registry assign(const config::Config& config, const Registry* running);

// What connections still refer to, summed over all workers.
struct Use {
    std::vector<std::uint64_t> listeners;              // connections, by listener
    std::vector<std::vector<std::uint64_t>> backends;  // leases in use, by pool and backend
    std::vector<std::vector<IpAddress>> sources;       // addresses with a lease in use, by pool
};
// Makes vacant what was removed and is used no more; true when there was any. Requires that every worker had
// taken the registry before `use` was counted, so that no new connection can have been made since.
bool reclaim(Registry& registry, const Use& use);
// Whether anything waits for reclaim().
bool anything_removed(const Registry& registry);

}  // namespace sluice::backend
