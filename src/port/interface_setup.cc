#include "sluice/port/interface_setup.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "kernel_interface.h"

namespace sluice::port {
namespace {

constexpr std::uint32_t kEthernetHeader = 14;
constexpr std::uint32_t kVlanTag = 4;  // the driver puts a stripped tag back

// What TPACKET_V2 puts in front of a received frame in its slot: the aligned header and address, then padding
// so that what follows the Ethernet header is aligned. Measured: 1982 bytes are left of 2048.
constexpr std::uint32_t kSlotOverhead = 66;

std::string because() { return std::string(": ") + std::strerror(errno); }

}  // namespace

std::uint32_t longest_frame(std::uint32_t slot_size) { return slot_size - kSlotOverhead; }

PacketRing packet_ring(std::uint16_t mtu) {
    PacketRing ring;
    const std::uint32_t wanted = mtu + kEthernetHeader + kVlanTag + kSlotOverhead;
    ring.frame_size = std::max(ring.frame_size, std::bit_ceil(wanted));
    ring.block_size = std::max(ring.block_size, ring.frame_size);
    return ring;
}

std::string packet_device(const InterfaceOptions& options) {
    const PacketRing ring = packet_ring(options.mtu);
    return options.device + ",iface=" + options.interface + ",qpairs=" + std::to_string(options.queues) +
           ",qdisc_bypass=1,framesz=" + std::to_string(ring.frame_size) +
           ",blocksz=" + std::to_string(ring.block_size) + ",framecnt=" + std::to_string(ring.frames);
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
    device_ = packet_device(options);
    silence_kernel(name);  // before the interface is up, or the kernel gives itself a link-local address
    switch_off_merging(name);
    if (!fit_mtu(name, options.mtu, error) || !bring_up(name, error)) return false;
    receive_multicast(name);
    if (kernel::driver(name) == "veth") {
        notes_.push_back("interface " + name +
                         " is a veth: its peer must send whole checksums and no merged segments; on the "
                         "peer's side run `ethtool -K PEER tx off tso off gso off gro off`");
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
