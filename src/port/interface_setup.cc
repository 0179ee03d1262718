#include "sluice/port/interface_setup.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel_interface.h"

namespace sluice::port {
namespace {

std::string because() { return std::string(": ") + std::strerror(errno); }

}  // namespace

std::string interface_device(const InterfaceOptions& options) {
    const bool xdp = options.driver == KernelDriver::AfXdp;
    const std::string queues = std::to_string(options.queues);
    const std::string device = std::string(xdp ? kXdpDriver : kPacketDriver) +
                               std::to_string(options.number) + ",iface=" + options.interface;
    if (xdp) return device + ",queue_count=" + queues;
    return with_rings(device + ",qpairs=" + queues + ",qdisc_bypass=1", options.mtu);
}

std::unique_ptr<InterfaceSetup> InterfaceSetup::prepare(const InterfaceOptions& options, std::string& error) {
    const std::string& name = options.interface;
    if (!kernel::exists(name)) {
        error = "interface " + name + " does not exist (`ip link` lists those that do)";
        return nullptr;
    }
    if (!kernel::is_ethernet(name)) {
        error = "interface " + name + " is not an Ethernet interface";
        return nullptr;
    }
    if (const auto addresses = kernel::addresses(name); !addresses.empty()) {
        error = "interface " + name + " carries the kernel address " + addresses.front() +
                ", so the kernel would answer Sluice's peers; remove it with `ip addr flush dev " + name +
                "`";
        return nullptr;
    }
    // From here on the destructor takes back what was done, also when a later step fails.
    std::unique_ptr<InterfaceSetup> setup(new InterfaceSetup);
    if (!setup->apply(options, error)) return nullptr;
    return setup;
}

bool InterfaceSetup::apply(const InterfaceOptions& options, std::string& error) {
    const std::string& name = options.interface;
    if (!fit_queues(options, error)) return false;
    silence_kernel(name);  // before the interface is up, or the kernel gives itself a link-local address
    switch_off_merging(name);
    if (!fit_mtu(name, options.mtu, error) || !bring_up(name, error)) return false;
    receive_multicast(name);
    if (kernel::driver(name) == "veth") {
        std::string note = "interface " + name +
                           " is a veth: its peer must send whole checksums and no merged segments; on the "
                           "peer's side run `ethtool -K PEER tx off tso off gso off gro off`";
        // Behind an XDP program a veth queues 256 frames, and drops more unless a queue in front holds them.
        if (options.driver == KernelDriver::AfXdp)
            note += ", and `tc qdisc replace dev PEER root pfifo limit 10000`, or bursts are lost there";
        notes_.push_back(std::move(note));
    }
    return true;
}

InterfaceSetup::~InterfaceSetup() {
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) (*undo)();
}

// The kernel sees every frame too. Without addresses it answers no ARP and no TCP, but IPv6 would still take
// part in neighbor discovery, and a forwarding host would route Sluice's packets on, or answer "unreachable".
void InterfaceSetup::silence_kernel(const std::string& interface) {
    struct Setting {
        const char* family;
        const char* key;
        const char* value;
    };
    static constexpr Setting kSettings[] = {{"ipv6", "disable_ipv6", "1"}, {"ipv4", "forwarding", "0"}};
    for (const Setting& s : kSettings) {
        const auto before = kernel::sysctl(s.family, interface, s.key);
        if (!before || *before == s.value) continue;
        if (!kernel::set_sysctl(s.family, interface, s.key, s.value)) {
            notes_.push_back("cannot set net." + std::string(s.family) + ".conf." + interface + "." + s.key +
                             "=" + s.value + ", the kernel may answer or forward packets that are Sluice's");
            continue;
        }
        undo_.emplace_back([=, value = *before] { kernel::set_sysctl(s.family, interface, s.key, value); });
    }
}

void InterfaceSetup::switch_off_merging(const std::string& interface) {
    const auto note = [&](const std::string& what) {
        notes_.push_back("cannot switch off " + what + " on " + interface + because() +
                         "; merged segments are longer than a frame may be: run `ethtool -K " + interface +
                         " " + what + " off`");
    };
    if (kernel::gro(interface).value_or(false)) {
        if (kernel::set_gro(interface, false))
            undo_.emplace_back([=] { kernel::set_gro(interface, true); });
        else
            note("gro");
    }
    if (kernel::lro(interface).value_or(false)) {
        if (kernel::set_lro(interface, false))
            undo_.emplace_back([=] { kernel::set_lro(interface, true); });
        else
            note("lro");
    }
}

bool InterfaceSetup::fit_mtu(const std::string& interface, std::uint16_t mtu, std::string& error) {
    const auto before = kernel::mtu(interface);
    if (before && *before == mtu) return true;
    if (!before || !kernel::set_mtu(interface, mtu)) {
        error = "cannot set the MTU of interface " + interface + " to " + std::to_string(mtu) + because();
        return false;
    }
    undo_.emplace_back([=] { kernel::set_mtu(interface, *before); });
    return true;
}

// A packet socket sees all of an interface's queues. An XDP socket sees one, and what the card puts into a
// queue that nobody reads is lost: so there are to be as many as workers that read.
bool InterfaceSetup::fit_queues(const InterfaceOptions& options, std::string& error) {
    InterfaceOptions fitting = options;
    if (options.driver == KernelDriver::AfXdp) {
        const std::string& name = options.interface;
        const kernel::Channels before = kernel::channels(name);
        fitting.queues = std::min(options.queues, static_cast<std::uint16_t>(before.most));
        if (before.now != fitting.queues) {
            if (!kernel::set_channels(name, fitting.queues)) {
                error = "interface " + name + " has " + std::to_string(before.now) +
                        " queues, and cannot be given the " + std::to_string(fitting.queues) +
                        " that AF_XDP reads" + because();
                return false;
            }
            undo_.emplace_back([=] { kernel::set_channels(name, before.now); });
        }
    }
    device_ = interface_device(fitting);
    return true;
}

bool InterfaceSetup::bring_up(const std::string& interface, std::string& error) {
    const auto up = kernel::is_up(interface);
    if (up && *up) return true;
    if (!up || !kernel::set_up(interface, true)) {
        error = "interface " + interface + " is down and cannot be brought up" + because();
        return false;
    }
    undo_.emplace_back([=] { kernel::set_up(interface, false); });
    return true;
}

// Neighbor solicitations come to a multicast address that the kernel never joined for us, and a NIC filters
// those. The membership of a socket (of no protocol, so that it receives nothing itself) ends with it, even
// when the process dies.
void InterfaceSetup::receive_multicast(const std::string& interface) {
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    packet_mreq membership{};
    membership.mr_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    membership.mr_type = PACKET_MR_ALLMULTI;
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) != 0) {
        notes_.push_back("cannot receive all multicast on " + interface + because() +
                         "; IPv6 neighbors may not find Sluice");
        if (fd >= 0) close(fd);
        return;
    }
    undo_.emplace_back([fd] { close(fd); });
}

}  // namespace sluice::port
