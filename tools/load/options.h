// The command line of sluice-load as values.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <variant>
#include <vector>

#include "broker.h"
#include "conductor.h"
#include "swarm.h"

namespace sluice::load {

inline constexpr int kExitGood = 0;
inline constexpr int kExitRuntime = 1;  // also: an expectation was not met
inline constexpr int kExitUsage = 64;

// Where packets come from: kernel sockets, unless a DPDK port is named.
struct Network {
    std::string interface;            // a kernel interface, by DPDK's af_packet
    std::string device;               // any DPDK device
    std::vector<IpAddress> sources;   // clients' addresses; of sockets none means the kernel's choice
    std::vector<IpAddress> gateways;  // at most one a family
    unsigned prefix = 0;              // length of the network that is on the link; 0: 24, or 64 of IPv6
    std::uint16_t mtu = 1500;
    std::uint16_t first_port = 1024;
    std::uint16_t last_port = 65535;
    bool ordinary_pages = false;
    std::vector<std::string> eal;

    bool sockets() const { return interface.empty() && device.empty(); }
};

struct Options {
    bool broker = false;
    Network network;
    std::vector<SocketAddress> addresses;  // targets, or where the broker listens
    SwarmOptions swarm;
    Plan plan;
    BrokerOptions sink;
    Id capacity = 0;       // connections
    Duration duration{0};  // of the broker; 0: until it is told to end
    std::string json;      // a file for the results; "-" is standard output
    std::vector<std::string> expectations;
    bool quiet = false;
};

// Options, or the exit code when there is nothing to do: help was asked for, or a fault was told on `err`.
std::variant<Options, int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace sluice::load
