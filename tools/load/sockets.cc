#include "sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace sluice::load {
namespace {

// The kernel takes no more than net.core.somaxconn.
constexpr int kBacklog = 65535;

int new_socket(const IpAddress& family_of) {
    const int family = family_of.is_v4() ? AF_INET : AF_INET6;
    return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
}

void set(int socket, int level, int option) {
    const int on = 1;
    ::setsockopt(socket, level, option, &on, sizeof on);
}

bool bind_to(int socket, const SocketAddress& address) {
    KernelAddress own = kernel_address(address);
    return ::bind(socket, own.generic(), own.size) == 0;
}

// To be called before anything else changes errno.
Made failed(int socket) {
    const int error = errno;
    if (socket >= 0) ::close(socket);
    return {-1, error};
}

}  // namespace

Made connecting_socket(const IpAddress& source, const SocketAddress& target) {
    const int socket = new_socket(target.address);
    if (socket < 0) return failed(socket);
    send_without_delay(socket);
    if (!source.is_unspecified()) {
        // Else bind() takes a port of this address for one target alone.
        set(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
        if (!bind_to(socket, {source, 0})) return failed(socket);
    }
    KernelAddress peer = kernel_address(target);
    if (::connect(socket, peer.generic(), peer.size) == 0 || errno == EINPROGRESS) return {socket, 0};
    return failed(socket);
}

Made listening_socket(const SocketAddress& address) {
    const int socket = new_socket(address.address);
    if (socket < 0) return failed(socket);
    set(socket, SOL_SOCKET, SO_REUSEADDR);
    if (address.address.is_v6()) set(socket, IPPROTO_IPV6, IPV6_V6ONLY);
    if (!bind_to(socket, address) || ::listen(socket, kBacklog) != 0) return failed(socket);
    return {socket, 0};
}

int source_fault(const IpAddress& source) {
    const int socket = new_socket(source);
    if (socket < 0) return errno;
    set(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    const int error = bind_to(socket, {source, 0}) ? 0 : errno;
    ::close(socket);
    return error;
}

void send_without_delay(int socket) { set(socket, IPPROTO_TCP, TCP_NODELAY); }

void close_with_reset(int socket) {
    const ::linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(socket);
}

int take_error(int socket) {
    int error = 0;
    ::socklen_t size = sizeof error;
    return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

bool is_shortage(int error) {
    switch (error) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
        case ENOSPC:         // of epoll: watches
        case EADDRNOTAVAIL:  // ports
        case EADDRINUSE:
        case EAGAIN: return true;
        default: return false;
    }
}

bool would_block(int error) {
    // Memory for the bytes may be lacking for a moment; the kernel tells of writability then as well.
    return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

End end_of(int error) {
    switch (error) {
        case ECONNREFUSED: return End::Refused;
        case ETIMEDOUT: return End::TimedOut;
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EHOSTDOWN:
        case ENETDOWN:
        case EPERM:  // a packet filter's
        case EACCES: return End::Unreachable;
        default: return End::Reset;
    }
}

std::string error_text(int error) { return std::generic_category().message(error); }

void raise_file_limit() {
    ::rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= files.rlim_max) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

bool watch_socket(int epoll, int operation, int socket, std::uint32_t events, std::uint64_t tag) {
    ::epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    return ::epoll_ctl(epoll, operation, socket, &event) == 0;
}

}  // namespace sluice::load
