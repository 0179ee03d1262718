#include <algorithm>

#include "checks.h"

namespace sluice::config {
namespace {

void check_address(const Draft& draft, std::size_t index, const Networks& networks, Report& report) {
    const IpAddress& address = draft.config.listeners[index].address.address;
    const FilePosition& place = *draft.listeners[index].address;
    auto fault = never_a_host(address);
    if (!fault) fault = networks.never_a_host_here(address);
    if (!fault && networks.is_gateway(address)) fault = "is the address of a gateway";
    if (!fault && draft.ports_good && !networks.port_of(address)) fault = "is in no network of a port";
    if (fault) {
        report.add(place, address.to_string() + " " + *fault,
                   "use an address within " + networks.described());
    }
}

void check_sources(const Draft& draft, std::size_t index, Report& report) {
    const SocketAddress& address = draft.config.listeners[index].address;
    for (std::size_t p = 0; p < draft.pools.size(); ++p) {
        const Pool& pool = draft.config.pools[p];
        if (!draft.pools[p].source_ports || !pool.source_ports.contains(address.port)) continue;
        const auto& sources = pool.source_addresses;
        if (std::ranges::find(sources, address.address) == sources.end()) continue;
        report.add(*draft.listeners[index].address,
                   "pool " + quoted(pool.name) + " has " + address.to_string() +
                       " among its source addresses and ports",
                   "use another address, or source_ports without port " + std::to_string(address.port));
    }
}

void check_allow(const Listener& listener, const ListenerDraft& places, Report& report) {
    if (!places.allow || !places.address) return;
    const IpFamily family = listener.address.address.family();
    const bool possible = std::ranges::any_of(
        listener.allow, [&](const IpPrefix& prefix) { return prefix.address.family() == family; });
    if (possible) return;
    report.add(
        *places.allow,
        std::string("admits nobody: no network in it is ") + (family == IpFamily::V4 ? "IPv4" : "IPv6"),
        "name the clients' networks, or leave the key out to admit everybody");
}

void find_pool(Draft& draft, std::size_t index, Report& report) {
    Listener& listener = draft.config.listeners[index];
    const auto pool = find_named(draft.config.pools, listener.pool, "pool", draft.pools_good,
                                 *draft.listeners[index].pool, report);
    if (pool) listener.pool_index = *pool;
}

}  // namespace

void check_listeners(Draft& draft, const Networks& networks, Report& report) {
    const auto& listeners = draft.config.listeners;
    std::vector<std::string> texts;
    for (const Listener& listener : listeners) texts.push_back(listener.address.to_string());
    std::vector<Unique> names;
    std::vector<Unique> addresses;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        names.push_back({listeners[i].name, &draft.listeners[i].name});
        addresses.push_back({texts[i], &draft.listeners[i].address});
        if (draft.listeners[i].address) {
            check_address(draft, i, networks, report);
            check_sources(draft, i, report);
        }
        check_allow(listeners[i], draft.listeners[i], report);
        if (draft.listeners[i].pool) find_pool(draft, i, report);
    }
    check_unique(names, "name", report);
    check_unique(addresses, "address", report);
}

}  // namespace sluice::config
