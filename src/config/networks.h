// The networks that the configured ports are on, as the rules about addresses ask for them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/config/model.h"

namespace sluice::config {

// The prefix with its host bits cleared.
IpPrefix network_of(const IpPrefix& prefix);
// Why no host can have this address anywhere ("is a multicast address"), or nullopt.
std::optional<std::string> never_a_host(const IpAddress& address);
// Why no host can have this address in this network ("is the broadcast address of 10.1.0.0/24"), or nullopt,
// also when it is outside.
std::optional<std::string> never_a_host_of(const IpPrefix& network, const IpAddress& address);

// Borrows the configuration.
class Networks {
  public:
    explicit Networks(const Config& config) : config_(config) {}

    // The port on one of whose networks the address is.
    std::optional<std::size_t> port_of(const IpAddress& address) const;
    bool on_link(std::size_t port, const IpAddress& address) const;
    bool has_gateway(std::size_t port, IpFamily family) const;
    // Not of an interface address that is also given as gateway, which is a fault of that port alone.
    bool is_gateway(const IpAddress& address) const;
    bool is_interface_address(const IpAddress& address) const;
    // Why no host on any of the networks can have this address, or nullopt.
    std::optional<std::string> never_a_host_here(const IpAddress& address) const;
    // "10.1.0.0/24 (front) and 10.2.0.0/24 (back)".
    std::string described() const;

  private:
    const Config& config_;
};

}  // namespace sluice::config
