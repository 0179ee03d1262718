#include <algorithm>

#include "checks.h"

namespace sluice::config {
namespace {

bool takes_every_client(const Route& route) {
    return route.listener.empty() && route.client_id_prefix.empty() && route.client_id_pattern.empty() &&
           !route.username && route.versions.empty() && route.networks.empty();
}

// Reports the first route behind one that takes every client.
void check_reached(const Draft& draft, Report& report) {
    for (std::size_t i = 0; i + 1 < draft.routes.size(); ++i) {
        if (!draft.routes[i].good || !takes_every_client(draft.config.routes[i])) continue;
        report.add(draft.routes[i + 1].section,
                   "is never reached: the route on " + on_line(draft.routes[i].section) +
                       " has no condition and takes every client",
                   "give that route a condition, or put it last");
        return;
    }
}

}  // namespace

void check_routes(Draft& draft, Report& report) {
    const Config& config = draft.config;
    for (std::size_t i = 0; i < draft.routes.size(); ++i) {
        Route& route = draft.config.routes[i];
        const RouteDraft& places = draft.routes[i];
        if (places.listener) {
            find_named(config.listeners, route.listener, "listener", draft.listeners_good, *places.listener,
                       report);
        }
        if (!places.pool) continue;
        const auto pool =
            find_named(config.pools, route.pool, "pool", draft.pools_good, *places.pool, report);
        if (pool) route.pool_index = *pool;
    }
    check_reached(draft, report);
}

}  // namespace sluice::config
