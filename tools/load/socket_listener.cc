#include "socket_listener.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

#include "sockets.h"

namespace sluice::load {

SocketListeners::~SocketListeners() {
    for (const int socket : sockets_) ::close(socket);
}

bool SocketListeners::open(const std::vector<SocketAddress>& addresses, int epoll, std::uint64_t first_tag,
                           std::string& error) {
    epoll_ = epoll;
    first_tag_ = first_tag;
    for (const SocketAddress& address : addresses) {
        Made made = listening_socket(address);
        if (made.socket >= 0) {
            const std::uint64_t tag = first_tag_ + sockets_.size();
            sockets_.push_back(made.socket);
            addresses_.push_back(local_address(made.socket));
            if (!watch_socket(epoll_, EPOLL_CTL_ADD, made.socket, EPOLLIN, tag)) made.error = errno;
        }
        if (made.error != 0) {
            error = "cannot listen on " + address.to_string() + ": " + error_text(made.error);
            return false;
        }
    }
    return true;
}

SocketListeners::Acceptance SocketListeners::accept(std::size_t index) {
    KernelAddress peer;
    const int socket = ::accept4(sockets_[index], peer.generic(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) return {Outcome::Accepted, socket, peer.value()};
    // accept(2): errors of the network belong to the new connection, and the next is to be tried. EAGAIN is
    // a shortage elsewhere, but not here.
    if (errno == EAGAIN) return {};
    return {is_shortage(errno) ? Outcome::Shortage : Outcome::Lost, -1, {}};
}

void SocketListeners::watch(bool on) {
    paused_ = !on;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
        // Cannot fail of a socket that is watched; if it did, an arrival would be reported that is left
        // alone.
        if (!watch_socket(epoll_, EPOLL_CTL_MOD, sockets_[i], on ? EPOLLIN : 0U, first_tag_ + i)) return;
    }
}

}  // namespace sluice::load
