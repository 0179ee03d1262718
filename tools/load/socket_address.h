// Addresses as the kernel wants them.
#pragma once

#include <sys/socket.h>

#include "sluice/base/address.h"

namespace sluice::load {

class KernelAddress {
  public:
    explicit KernelAddress(const SocketAddress& address);

    int family() const { return storage_.ss_family; }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t size() const { return size_; }

  private:
    sockaddr_storage storage_{};
    socklen_t size_ = 0;
};

// Unspecified where the socket has none.
SocketAddress local_address(int fd);
SocketAddress remote_address(int fd);

void set_option(int fd, int level, int name, int value);

}  // namespace sluice::load
