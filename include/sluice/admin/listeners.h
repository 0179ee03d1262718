// The sockets that the servers of this room listen on. They are taken before there is anybody to answer, so
// that a second daemon, or an address that is not to be had, ends a start that has touched nothing else; who
// connects meanwhile waits in the socket's queue.
#pragma once

#include <sys/types.h>

#include <string>

#include "sluice/base/address.h"

namespace sluice::admin {

// A unix stream socket at a path.
class UnixListener {
  public:
    // Listens with mode 0660. A socket file that nobody listens on is replaced; a live one, or a file that is
    // no socket, is left alone. Throws SocketError.
    explicit UnixListener(std::string path);
    // Removes the socket file, if it is still this one's.
    ~UnixListener();
    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;

    int fd() const { return fd_; }  // non-blocking
    const std::string& path() const { return path_; }

  private:
    void bind_path();
    bool remove_stale_socket();

    const std::string path_;
    int fd_ = -1;
    ::dev_t device_ = 0;  // of the socket file, to know it again
    ::ino_t inode_ = 0;
};

// A TCP socket of the kernel's network.
class TcpListener {
  public:
    // port 0: any. Throws SocketError.
    explicit TcpListener(const SocketAddress& address);
    ~TcpListener();
    TcpListener(const TcpListener&) = delete;
    TcpListener& operator=(const TcpListener&) = delete;

    int fd() const { return fd_; }                             // non-blocking
    const SocketAddress& address() const { return address_; }  // with the port that it was given

  private:
    SocketAddress address_;
    int fd_ = -1;
};

}  // namespace sluice::admin
