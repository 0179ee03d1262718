#include "packet_sockets.h"

#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>

namespace sluice::port {
namespace {

bool is_ring_socket(int fd, int interface_index) {
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_PACKET) return false;
    int version = 0;
    size = sizeof version;
    if (getsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, &size) != 0 || version != TPACKET_V2)
        return false;
    sockaddr_ll address{};
    size = sizeof address;
    // The socket interface passes every kind of address as a sockaddr.
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
    return address.sll_ifindex == interface_index;
}

bool is_xdp_socket(int fd) {
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_XDP;
}

// Descriptors of this process that are meant, lowest first.
template <typename IsMeant>
std::vector<int> descriptors(const IsMeant& is_meant) {
    std::vector<int> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
        const std::string name = entry.path().filename().string();
        int fd = -1;
        if (std::from_chars(name.data(), name.data() + name.size(), fd).ec != std::errc{}) continue;
        if (is_meant(fd)) found.push_back(fd);
    }
    std::ranges::sort(found);
    return found;
}

}  // namespace

std::vector<int> packet_sockets(int interface_index) {
    return descriptors([=](int fd) { return is_ring_socket(fd, interface_index); });
}

std::vector<int> xdp_sockets() { return descriptors(is_xdp_socket); }

// rx_dropped counts frames without a buffer; rx_fill_ring_empty_descs counts the same in the kernel's copies,
// and a driver's vain attempts, which are no frames, where it does without them.
XdpDrops xdp_drops(int socket) {
    xdp_statistics kernels{};
    socklen_t size = sizeof kernels;
    if (getsockopt(socket, SOL_XDP, XDP_STATISTICS, &kernels, &size) != 0) return {};
    return {.ring_full = kernels.rx_ring_full, .no_buffer = kernels.rx_dropped};
}

std::uint32_t take_packet_drops(int socket) {
    tpacket_stats stats{};
    socklen_t size = sizeof stats;
    if (getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) return 0;
    return stats.tp_drops;
}

void send_what_waits(int socket) {
    const timeval second{.tv_sec = 1, .tv_usec = 0};
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    static_cast<void>(send(socket, nullptr, 0, 0));
}

}  // namespace sluice::port
