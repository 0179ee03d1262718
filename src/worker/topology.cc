#include "sluice/worker/topology.h"

#include <algorithm>
#include <utility>

namespace sluice::worker {
namespace {

bool on_link(const PortFacts& port, const IpAddress& address) {
    return std::ranges::any_of(port.networks, [&](const IpPrefix& n) { return n.contains(address); });
}

}  // namespace

Topology::Topology(std::vector<PortFacts> ports) : ports_(std::move(ports)) {
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        for (const IpPrefix& a : ports_[i].networks) {
            owned_[a.address] = {.port = static_cast<std::uint16_t>(i), .interface_address = true};
        }
    }
}

Topology::Topology(const config::Config& config, std::span<const MacAddress> macs) {
    std::vector<PortFacts> ports;
    for (std::size_t i = 0; i < config.ports.size(); ++i) {
        const config::Port& p = config.ports[i];
        ports.push_back(
            {.name = p.name, .mac = macs[i], .mtu = p.mtu, .networks = p.addresses, .gateways = p.gateways});
    }
    *this = Topology(std::move(ports)).with(backend::assign(config, nullptr));
}

Topology Topology::with(const backend::Registry& registry) const {
    Topology other(ports_);
    for (const backend::Registry::Listener& l : registry.listeners) {
        if (l.standing != backend::Standing::Vacant) other.own(l.config.address.address).listener = true;
    }
    for (const backend::Registry::Pool& p : registry.pools) {
        if (p.standing == backend::Standing::Vacant) continue;
        for (const IpAddress& a : p.config.source_addresses) other.own(a).source = true;
        for (const IpAddress& a : p.retained_sources) other.own(a).source = true;
    }
    return other;
}

// Listener and source addresses need not be interface addresses; they belong to the port whose network holds
// them, and the configuration's reader has made sure that one does.
OwnedAddress& Topology::own(const IpAddress& address) {
    const auto [entry, inserted] = owned_.try_emplace(address);
    if (inserted) {
        const auto port =
            std::ranges::find_if(ports_, [&](const PortFacts& p) { return on_link(p, address); });
        if (port != ports_.end()) entry->second.port = static_cast<std::uint16_t>(port - ports_.begin());
    }
    return entry->second;
}

const OwnedAddress* Topology::owned(const IpAddress& address) const {
    const auto entry = owned_.find(address);
    return entry == owned_.end() ? nullptr : &entry->second;
}

std::optional<NextHop> Topology::route(const IpAddress& source, const IpAddress& destination) const {
    const OwnedAddress* from = owned(source);
    if (from == nullptr) return std::nullopt;
    const PortFacts& port = ports_[from->port];
    if (on_link(port, destination)) return NextHop{from->port, destination};
    for (const IpAddress& gateway : port.gateways) {
        if (gateway.family() == destination.family()) return NextHop{from->port, gateway};
    }
    return std::nullopt;
}

std::optional<IpAddress> Topology::interface_address(std::uint16_t port, const IpAddress& destination) const {
    std::optional<IpAddress> any;
    for (const IpPrefix& network : ports_[port].networks) {
        if (network.contains(destination)) return network.address;
        if (!any && network.address.family() == destination.family()) any = network.address;
    }
    return any;
}

std::vector<IpAddress> Topology::addresses(std::uint16_t port) const {
    std::vector<IpAddress> list;
    for (const auto& [address, facts] : owned_) {
        if (facts.port == port) list.push_back(address);
    }
    std::ranges::sort(list);
    return list;
}

}  // namespace sluice::worker
