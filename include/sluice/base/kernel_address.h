// A SocketAddress as the kernel's socket calls take and give it. Only for rooms with sockets of the kernel's
// (tests/check/layers.py).
#pragma once

#include <sys/socket.h>

#include "sluice/base/address.h"

namespace sluice {

struct KernelAddress {
    ::sockaddr_storage storage{};
    ::socklen_t size = sizeof(::sockaddr_storage);

    ::sockaddr* generic() { return reinterpret_cast<::sockaddr*>(&storage); }
    SocketAddress value() const;  // unspecified, port 0, when it is neither IPv4 nor IPv6
};
KernelAddress kernel_address(const SocketAddress& address);

// Where the socket is bound; unspecified, port 0, when it is not.
SocketAddress local_address(int socket);

}  // namespace sluice
