#include "kernel_interface.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

namespace sluice::port::kernel {
namespace {

// Any socket will do to ask about interfaces; one per question, since questions come at start only.
bool request(unsigned long command, const std::string& interface, ifreq& argument) {
    if (interface.size() >= sizeof argument.ifr_name) {
        errno = ENODEV;
        return false;
    }
    std::memcpy(argument.ifr_name, interface.c_str(), interface.size() + 1);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const int result = ioctl(fd, command, &argument);
    const int saved = errno;
    close(fd);
    errno = saved;
    return result == 0;
}

template <typename T>
bool ethtool(const std::string& interface, T& argument) {
    ifreq r{};
    r.ifr_data = reinterpret_cast<char*>(&argument);  // the kernel's interface wants an untyped pointer
    return request(SIOCETHTOOL, interface, r);
}

std::optional<std::uint32_t> ethtool_get(const std::string& interface, std::uint32_t command) {
    ethtool_value value{};
    value.cmd = command;
    if (!ethtool(interface, value)) return std::nullopt;
    return value.data;
}

bool ethtool_set(const std::string& interface, std::uint32_t command, std::uint32_t data) {
    ethtool_value value{};
    value.cmd = command;
    value.data = data;
    return ethtool(interface, value);
}

std::string sysctl_path(const std::string& family, const std::string& interface, const std::string& key) {
    return "/proc/sys/net/" + family + "/conf/" + interface + "/" + key;
}

}  // namespace

bool exists(const std::string& interface) { return if_nametoindex(interface.c_str()) != 0; }

bool is_ethernet(const std::string& interface) {
    ifreq r{};
    return request(SIOCGIFHWADDR, interface, r) && r.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

std::optional<bool> is_up(const std::string& interface) {
    ifreq r{};
    if (!request(SIOCGIFFLAGS, interface, r)) return std::nullopt;
    return (r.ifr_flags & IFF_UP) != 0;
}

bool set_up(const std::string& interface, bool up) {
    ifreq r{};
    if (!request(SIOCGIFFLAGS, interface, r)) return false;
    const int flags = up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP;
    r.ifr_flags = static_cast<short>(flags);
    return request(SIOCSIFFLAGS, interface, r);
}

bool has_carrier(const std::string& interface) {
    ifreq r{};
    return request(SIOCGIFFLAGS, interface, r) && (r.ifr_flags & IFF_UP) != 0 &&
           (r.ifr_flags & IFF_RUNNING) != 0;
}

std::optional<int> mtu(const std::string& interface) {
    ifreq r{};
    if (!request(SIOCGIFMTU, interface, r)) return std::nullopt;
    return r.ifr_mtu;
}

bool set_mtu(const std::string& interface, int bytes) {
    ifreq r{};
    r.ifr_mtu = bytes;
    return request(SIOCSIFMTU, interface, r);
}

std::string driver(const std::string& interface) {
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    if (!ethtool(interface, info)) return {};
    return {info.driver, strnlen(info.driver, sizeof info.driver)};
}

std::optional<bool> gro(const std::string& interface) {
    const auto value = ethtool_get(interface, ETHTOOL_GGRO);
    if (!value) return std::nullopt;
    return *value != 0;
}

bool set_gro(const std::string& interface, bool on) {
    return ethtool_set(interface, ETHTOOL_SGRO, on ? 1 : 0);
}

std::optional<bool> lro(const std::string& interface) {
    const auto flags = ethtool_get(interface, ETHTOOL_GFLAGS);
    if (!flags) return std::nullopt;
    return (*flags & ETH_FLAG_LRO) != 0;
}

bool set_lro(const std::string& interface, bool on) {
    const auto flags = ethtool_get(interface, ETHTOOL_GFLAGS);
    if (!flags) return false;
    const std::uint32_t lro_flag = ETH_FLAG_LRO;
    return ethtool_set(interface, ETHTOOL_SFLAGS, on ? *flags | lro_flag : *flags & ~lro_flag);
}

Channels channels(const std::string& interface) {
    ethtool_channels asked{};
    asked.cmd = ETHTOOL_GCHANNELS;
    if (!ethtool(interface, asked)) return {};
    if (asked.max_combined == 0) return {.now = std::max(1U, asked.rx_count), .most = 1};
    return {.now = asked.combined_count, .most = asked.max_combined};
}

bool set_channels(const std::string& interface, std::uint32_t count) {
    ethtool_channels wanted{};
    wanted.cmd = ETHTOOL_GCHANNELS;
    if (!ethtool(interface, wanted)) return false;
    wanted.cmd = ETHTOOL_SCHANNELS;
    if (wanted.max_combined != 0)
        wanted.combined_count = count;
    else
        wanted.rx_count = wanted.tx_count = count;
    return ethtool(interface, wanted);
}

std::uint64_t dropped(const std::string& interface) {
    std::uint64_t sum = 0;
    for (const char* const cause : {"rx_dropped", "rx_missed_errors"}) {
        std::uint64_t count = 0;
        std::ifstream("/sys/class/net/" + interface + "/statistics/" + cause) >> count;
        sum += count;
    }
    return sum;
}

std::optional<std::string> sysctl(const std::string& family, const std::string& interface,
                                  const std::string& key) {
    std::ifstream file(sysctl_path(family, interface, key));
    std::string value;
    if (!std::getline(file, value)) return std::nullopt;
    return value;
}

bool set_sysctl(const std::string& family, const std::string& interface, const std::string& key,
                const std::string& value) {
    std::ofstream file(sysctl_path(family, interface, key));
    file << value << std::flush;
    return file.good();
}

std::vector<std::string> addresses(const std::string& interface) {
    std::vector<std::string> out;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return out;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || interface != entry->ifa_name) continue;
        std::array<char, INET6_ADDRSTRLEN> text{};
        const int family = entry->ifa_addr->sa_family;
        const void* address = nullptr;
        sockaddr_in v4{};
        sockaddr_in6 v6{};
        if (family == AF_INET) {
            std::memcpy(&v4, entry->ifa_addr, sizeof v4);
            address = &v4.sin_addr;
        } else if (family == AF_INET6) {
            std::memcpy(&v6, entry->ifa_addr, sizeof v6);
            if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr)) continue;
            address = &v6.sin6_addr;
        } else {
            continue;
        }
        out.emplace_back(inet_ntop(family, address, text.data(), text.size()));
    }
    freeifaddrs(list);
    return out;
}

}  // namespace sluice::port::kernel
