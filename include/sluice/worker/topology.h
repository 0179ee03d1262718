// The network as Sluice stands in it: which addresses each port owns and what they are for, which port leads
// where, and at what size. A reload changes the addresses of listeners and sources, never the ports.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/backend/registry.h"
#include "sluice/base/address.h"
#include "sluice/config/model.h"
#include "sluice/host/interface.h"
#include "sluice/wire/path_mtu.h"

namespace sluice::worker {

struct PortFacts {
    std::string name;
    MacAddress mac;
    std::uint16_t mtu = 1500;         // bytes of the IP packet
    std::vector<IpPrefix> networks;   // interface addresses with their prefix
    std::vector<IpAddress> gateways;  // at most one per family

    std::uint16_t mss(IpFamily family) const { return wire::mss_of(family, mtu); }
};

using host::NextHop;

// One of Sluice's own addresses.
struct OwnedAddress {
    std::uint16_t port = 0;
    bool interface_address = false;  // of [[port]] itself: probes leave from here
    bool listener = false;
    bool source = false;  // of a pool's source_addresses
};

class Topology {
  public:
    // macs: one per configured port.
    Topology(const config::Config& config, std::span<const MacAddress> macs);
    // The same ports, with the addresses of another registry: all but those of its vacant places.
    Topology with(const backend::Registry& registry) const;

    const std::vector<PortFacts>& ports() const { return ports_; }
    // nullptr when the address is not Sluice's.
    const OwnedAddress* owned(const IpAddress& address) const;
    // The way to `destination` for a packet whose source is `source` (which must be owned): on-link, else the
    // gateway of the source's port. nullopt: no way.
    std::optional<NextHop> route(const IpAddress& source, const IpAddress& destination) const;
    // The interface address of `port` from which to reach `destination`, preferring its own network; nullopt:
    // none of the family.
    std::optional<IpAddress> interface_address(std::uint16_t port, const IpAddress& destination) const;
    // Addresses that fall to `port`, for listing and for announcing them.
    std::vector<IpAddress> addresses(std::uint16_t port) const;

  private:
    explicit Topology(std::vector<PortFacts> ports);
    OwnedAddress& own(const IpAddress& address);

    std::vector<PortFacts> ports_;
    absl::flat_hash_map<IpAddress, OwnedAddress> owned_;
};

}  // namespace sluice::worker
