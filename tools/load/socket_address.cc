#include "socket_address.h"

#include <netinet/in.h>

#include <cstring>

namespace sluice::load {
namespace {

SocketAddress from_kernel(const sockaddr_storage& storage) {
    if (storage.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &storage, sizeof in);
        return {IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
    }
    if (storage.ss_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &storage, sizeof in);
        return {IpAddress::v6(std::as_bytes(std::span<const std::uint8_t, 16>(in.sin6_addr.s6_addr))),
                ntohs(in.sin6_port)};
    }
    return {};
}

}  // namespace

KernelAddress::KernelAddress(const SocketAddress& address) {
    const auto bytes = address.address.wire_bytes();
    if (address.address.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(address.port);
        std::memcpy(&in.sin_addr, bytes.data(), bytes.size());
        std::memcpy(&storage_, &in, sizeof in);
        size_ = sizeof in;
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(address.port);
        std::memcpy(&in.sin6_addr, bytes.data(), bytes.size());
        std::memcpy(&storage_, &in, sizeof in);
        size_ = sizeof in;
    }
}

SocketAddress local_address(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
    return from_kernel(storage);
}

SocketAddress remote_address(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size);
    return from_kernel(storage);
}

void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

}  // namespace sluice::load
