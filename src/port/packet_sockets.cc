#include "packet_sockets.h"

#include <linux/if_packet.h>
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

}  // namespace

std::vector<int> packet_sockets(int interface_index) {
    std::vector<int> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
        const std::string name = entry.path().filename().string();
        int fd = -1;
        if (std::from_chars(name.data(), name.data() + name.size(), fd).ec != std::errc{}) continue;
        if (is_ring_socket(fd, interface_index)) found.push_back(fd);
    }
    std::ranges::sort(found);
    return found;
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
