// The kernel's TCP sockets in the project's words: errors, and how a socket is made and ended. All sockets
// here are non-blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/kernel_address.h"
#include "transport.h"

namespace sluice::load {

// A socket or, with socket < 0, the errno why there is none.
struct Made {
    int socket = -1;
    int error = 0;
};
// A connection that has begun, from `source` unless that is unspecified, with any port of the kernel's.
// Without delay (TCP_NODELAY), as is every accepted one.
Made connecting_socket(const IpAddress& source, const SocketAddress& target);
// Of IPv6, IPv6 alone. Port 0: any free one.
Made listening_socket(const SocketAddress& address);
// The errno why no connection can begin at this address, 0 when it can.
int source_fault(const IpAddress& source);

void send_without_delay(int socket);
// Closes it so that the other side is told by a reset.
void close_with_reset(int socket);
// What has gone wrong with it since it was last asked, 0: nothing.
int take_error(int socket);

// Sockets, memory or ports are used up: the same may succeed later.
bool is_shortage(int error);
bool would_block(int error);
End end_of(int error);
std::string error_text(int error);

// As many files as this process may have without asking anybody.
void raise_file_limit();

// Watches for `events` of the socket and reports them with `tag`. operation: EPOLL_CTL_ADD or EPOLL_CTL_MOD.
// False: errno says why.
[[nodiscard]] bool watch_socket(int epoll, int operation, int socket, std::uint32_t events,
                                std::uint64_t tag);

}  // namespace sluice::load
