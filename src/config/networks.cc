#include "networks.h"

#include <algorithm>
#include <array>

#include "report.h"

namespace sluice::config {
namespace {

constexpr std::uint32_t kLimitedBroadcast = 0xffffffff;  // RFC 919 section 7

}  // namespace

IpPrefix network_of(const IpPrefix& prefix) {
    if (prefix.address.is_v4()) {
        const std::uint32_t mask = prefix.length == 0 ? 0 : ~std::uint32_t{0} << (32U - prefix.length);
        return {IpAddress::v4(prefix.address.v4_value() & mask), prefix.length};
    }
    std::array<std::byte, 16> bytes{};
    const auto whole = prefix.address.wire_bytes();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::size_t kept = std::clamp<std::size_t>(prefix.length, i * 8, i * 8 + 8) - i * 8;
        bytes[i] = whole[i] & static_cast<std::byte>(0xff00U >> kept);
    }
    return {IpAddress::v6(bytes), prefix.length};
}

std::optional<std::string> never_a_host(const IpAddress& address) {
    if (address.is_multicast()) return "is a multicast address";
    if (address.is_loopback()) return "is a loopback address";
    if (address.is_unspecified()) return "is the unspecified address";
    if (address.is_v4() && address.v4_value() == kLimitedBroadcast) return "is the broadcast address";
    return std::nullopt;
}

std::optional<std::string> never_a_host_of(const IpPrefix& network, const IpAddress& address) {
    const IpPrefix base = network_of(network);
    // Networks of two or one addresses have no such addresses: RFC 3021, RFC 6164.
    const unsigned host_bits = (network.address.is_v4() ? 32U : 128U) - network.length;
    if (host_bits >= 2 && address == base.address) {
        const std::string what = address.is_v4() ? "network address" : "subnet-router anycast address";
        return "is the " + what + " of " + base.to_string();
    }
    if (base.broadcast() == address) return "is the broadcast address of " + base.to_string();
    return std::nullopt;
}

std::optional<std::size_t> Networks::port_of(const IpAddress& address) const {
    for (std::size_t port = 0; port < config_.ports.size(); ++port) {
        if (on_link(port, address)) return port;
    }
    return std::nullopt;
}

bool Networks::on_link(std::size_t port, const IpAddress& address) const {
    return std::ranges::any_of(config_.ports[port].addresses,
                               [&](const IpPrefix& network) { return network.contains(address); });
}

bool Networks::has_gateway(std::size_t port, IpFamily family) const {
    return std::ranges::any_of(config_.ports[port].gateways,
                               [&](const IpAddress& gateway) { return gateway.family() == family; });
}

bool Networks::is_gateway(const IpAddress& address) const {
    if (is_interface_address(address)) return false;
    return std::ranges::any_of(config_.ports, [&](const Port& port) {
        return std::ranges::find(port.gateways, address) != port.gateways.end();
    });
}

bool Networks::is_interface_address(const IpAddress& address) const {
    return std::ranges::any_of(config_.ports, [&](const Port& port) {
        return std::ranges::find(port.addresses, address, &IpPrefix::address) != port.addresses.end();
    });
}

std::optional<std::string> Networks::never_a_host_here(const IpAddress& address) const {
    for (const Port& port : config_.ports) {
        for (const IpPrefix& network : port.addresses) {
            if (auto fault = never_a_host_of(network, address)) return fault;
        }
    }
    return std::nullopt;
}

std::string Networks::described() const {
    std::vector<std::string> all;
    for (const Port& port : config_.ports) {
        for (const IpPrefix& network : port.addresses) {
            all.push_back(network_of(network).to_string() + " (" + port.name + ")");
        }
    }
    return listed(all);
}

}  // namespace sluice::config
