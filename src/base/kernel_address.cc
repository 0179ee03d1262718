#include "sluice/base/kernel_address.h"

#include <netinet/in.h>

#include <cstring>
#include <span>

namespace sluice {

SocketAddress KernelAddress::value() const {
    if (storage.ss_family == AF_INET) {
        ::sockaddr_in v4{};
        std::memcpy(&v4, &storage, sizeof v4);
        return {IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
    }
    if (storage.ss_family != AF_INET6) return {};
    ::sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    return {IpAddress::v6(std::as_bytes(std::span(v6.sin6_addr.s6_addr))), ntohs(v6.sin6_port)};
}

KernelAddress kernel_address(const SocketAddress& address) {
    KernelAddress out;
    const auto bytes = address.address.wire_bytes();
    if (address.address.is_v4()) {
        ::sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(address.port);
        std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
        std::memcpy(&out.storage, &v4, out.size = sizeof v4);
    } else {
        ::sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(address.port);
        std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
        std::memcpy(&out.storage, &v6, out.size = sizeof v6);
    }
    return out;
}

SocketAddress local_address(int socket) {
    KernelAddress own;
    return ::getsockname(socket, own.generic(), &own.size) == 0 ? own.value() : SocketAddress{};
}

}  // namespace sluice
