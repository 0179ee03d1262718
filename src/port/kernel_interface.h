// Reads and settings of a kernel network interface, one function each: flags, MTU, offloads, per-interface
// sysctls, addresses. All take the kernel's name. Failure leaves errno set.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::port::kernel {

bool exists(const std::string& interface);
bool is_ethernet(const std::string& interface);

std::optional<bool> is_up(const std::string& interface);
bool set_up(const std::string& interface, bool up);
bool has_carrier(const std::string& interface);

std::optional<int> mtu(const std::string& interface);
bool set_mtu(const std::string& interface, int bytes);

// Name of the kernel driver, "veth" for instance; empty when it does not say.
std::string driver(const std::string& interface);

// Generic receive offload: the kernel's own merging of received segments.
std::optional<bool> gro(const std::string& interface);
bool set_gro(const std::string& interface, bool on);
// Large receive offload: the same done by the device.
std::optional<bool> lro(const std::string& interface);
bool set_lro(const std::string& interface, bool on);

// Queues that the device receives and sends by; of most, those that come in pairs, as AF_XDP takes them.
struct Channels {
    std::uint32_t now = 1;
    std::uint32_t most = 1;
};
Channels channels(const std::string& interface);
bool set_channels(const std::string& interface, std::uint32_t count);

// Frames that the interface dropped on their way in before anybody was given them, since it was made.
std::uint64_t dropped(const std::string& interface);

// A file of /proc/sys/net/FAMILY/conf/INTERFACE, without its newline. nullopt: there is none.
std::optional<std::string> sysctl(const std::string& family, const std::string& interface,
                                  const std::string& key);
bool set_sysctl(const std::string& family, const std::string& interface, const std::string& key,
                const std::string& value);

// Addresses that the kernel would answer for: every IPv4 address, and IPv6 beyond link-local. As text.
std::vector<std::string> addresses(const std::string& interface);

}  // namespace sluice::port::kernel
