#include <algorithm>
#include <cctype>

#include "checks.h"

namespace sluice::config {
namespace {

// What makes a DPDK device the same device: its name without arguments, a PCI address with its domain.
std::string device_identity(std::string_view device) {
    const std::string_view name = device.substr(0, device.find(','));
    const bool without_domain = name.size() == 7 && name[2] == ':' && name[5] == '.';
    return (without_domain ? "0000:" : "") + std::string(name);
}

void check_names_and_devices(const Draft& draft, Report& report) {
    const auto& ports = draft.config.ports;
    std::vector<std::string> identities;
    for (const Port& port : ports) identities.push_back(device_identity(port.device));
    std::vector<Unique> names;
    std::vector<Unique> devices;
    std::vector<Unique> interfaces;
    for (std::size_t i = 0; i < ports.size(); ++i) {
        names.push_back({ports[i].name, &draft.ports[i].name});
        devices.push_back({identities[i], &draft.ports[i].device});
        interfaces.push_back({ports[i].interface, &draft.ports[i].interface});
    }
    check_unique(names, "name", report);
    check_unique(devices, "device", report);
    check_unique(interfaces, "interface", report);
}

void check_addresses(const Port& port, const PortDraft& places, Report& report) {
    for (std::size_t i = 0; i < port.addresses.size(); ++i) {
        const IpAddress& address = port.addresses[i].address;
        const auto first = std::ranges::find(port.addresses, address, &IpPrefix::address);
        auto fault = never_a_host(address);
        if (!fault) fault = never_a_host_of(port.addresses[i], address);
        if (fault) {
            report.add(places.addresses[i], address.to_string() + " " + *fault,
                       "give the port a host's address");
        } else if (first - port.addresses.begin() != static_cast<std::ptrdiff_t>(i)) {
            report.add(places.addresses[i], address.to_string() + " is given twice", "give it once");
        }
    }
}

std::string gateway_fault(const Port& port, std::size_t index) {
    const IpAddress& gateway = port.gateways[index];
    const bool own = std::ranges::find(port.addresses, gateway, &IpPrefix::address) != port.addresses.end();
    if (own) return "is the port's own address";
    if (const auto fault = never_a_host(gateway)) return *fault;
    const auto network = std::ranges::find_if(
        port.addresses, [&](const IpPrefix& candidate) { return candidate.contains(gateway); });
    if (network == port.addresses.end()) return "is in none of the port's networks";
    return never_a_host_of(*network, gateway).value_or("");
}

void check_gateways(const Port& port, const PortDraft& places, Report& report) {
    std::vector<std::string> networks;
    for (const IpPrefix& address : port.addresses) networks.push_back(network_of(address).to_string());
    for (std::size_t i = 0; i < port.gateways.size(); ++i) {
        const IpAddress& gateway = port.gateways[i];
        const std::string fault = gateway_fault(port, i);
        const auto before = port.gateways.begin() + static_cast<std::ptrdiff_t>(i);
        const bool second = std::any_of(port.gateways.begin(), before, [&](const IpAddress& other) {
            return other.family() == gateway.family();
        });
        if (!fault.empty()) {
            report.add(places.gateways[i], gateway.to_string() + " " + fault,
                       "use a router's address within " + listed(networks));
        } else if (second) {
            report.add(places.gateways[i],
                       "a second gateway for " + std::string(gateway.is_v4() ? "IPv4" : "IPv6"),
                       "give at most one for each family");
        }
    }
}

void check_mtu(const Port& port, const PortDraft& places, Report& report) {
    constexpr std::uint16_t kLeastForIpv6 = 1280;  // RFC 8200 section 5
    const bool has_v6 =
        std::ranges::any_of(port.addresses, [](const IpPrefix& p) { return p.address.is_v6(); });
    if (places.mtu && has_v6 && port.mtu < kLeastForIpv6) {
        report.add(*places.mtu, std::to_string(port.mtu) + " is too small for a port with an IPv6 address",
                   "must be 1280 to 9000");
    }
}

// Reports the first of the port's networks that overlaps one of an earlier port.
void check_overlap(const Draft& draft, std::size_t later, Report& report) {
    const Port& port = draft.config.ports[later];
    for (std::size_t i = 0; i < port.addresses.size(); ++i) {
        const IpPrefix& mine = port.addresses[i];
        for (std::size_t earlier = 0; earlier < later; ++earlier) {
            const Port& other = draft.config.ports[earlier];
            const auto hit = std::ranges::find_if(other.addresses, [&](const IpPrefix& theirs) {
                return mine.contains(theirs.address) || theirs.contains(mine.address);
            });
            if (hit == other.addresses.end()) continue;
            report.add(draft.ports[later].addresses[i],
                       network_of(mine).to_string() + " overlaps " + network_of(*hit).to_string() +
                           " of port " + quoted(other.name),
                       "give each port networks of its own");
            return;
        }
    }
}

}  // namespace

void check_ports(const Draft& draft, Report& report) {
    check_names_and_devices(draft, report);
    for (std::size_t i = 0; i < draft.config.ports.size(); ++i) {
        const Port& port = draft.config.ports[i];
        const PortDraft& places = draft.ports[i];
        check_addresses(port, places, report);
        if (places.addresses_good) check_gateways(port, places, report);
        check_mtu(port, places, report);
        check_overlap(draft, i, report);
    }
}

}  // namespace sluice::config
