#include <algorithm>

#include "checks.h"

namespace sluice::config {
namespace {

bool is_own(const Config& config, const Networks& networks, const IpAddress& address) {
    if (networks.is_interface_address(address)) return true;
    const bool listens = std::ranges::any_of(
        config.listeners, [&](const Listener& listener) { return listener.address.address == address; });
    return listens || std::ranges::any_of(config.pools, [&](const Pool& pool) {
               return std::ranges::find(pool.source_addresses, address) != pool.source_addresses.end();
           });
}

}  // namespace

void check_admin(const Draft& draft, const Networks& networks, Report& report) {
    if (!draft.metrics) return;
    const IpAddress& address = draft.config.admin.metrics->address;
    std::string fault;
    // A listener whose address is bad has the unspecified one, which the kernel may listen on.
    if (address.is_multicast()) {
        fault = "is a multicast address";
    } else if (!address.is_unspecified() && is_own(draft.config, networks, address)) {
        fault = "is one of Sluice's own addresses, which the kernel does not have";
    }
    if (fault.empty()) return;
    report.add(*draft.metrics, address.to_string() + " " + fault,
               R"(use an address of the kernel's, such as "127.0.0.1:9187")");
}

}  // namespace sluice::config
