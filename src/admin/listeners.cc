#include "sluice/admin/listeners.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "sluice/admin/service.h"
#include "sluice/base/kernel_address.h"

namespace sluice::admin {
namespace {

constexpr ::mode_t kMode = 0660;

std::string reason(int error) { return std::strerror(error); }

::sockaddr_un socket_address(const std::string& path) {
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        throw SocketError("the path must have 1 to " + std::to_string(sizeof address.sun_path - 1) +
                          " bytes; set a shorter admin.socket");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const ::sockaddr* generic(const ::sockaddr_un& address) {
    return reinterpret_cast<const ::sockaddr*>(&address);
}

}  // namespace

// --- unix ---

UnixListener::UnixListener(std::string path)
    : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    try {
        if (fd_ < 0) throw SocketError(reason(errno));
        bind_path();
    } catch (const SocketError& error) {
        if (fd_ >= 0) ::close(fd_);
        throw SocketError("admin socket '" + path_ + "': " + error.what());
    }
}

UnixListener::~UnixListener() {
    ::close(fd_);
    struct ::stat now {};
    if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
}

void UnixListener::bind_path() {
    const ::sockaddr_un address = socket_address(path_);
    // The directory is usually made by the service manager; a hand-started daemon makes it itself. Should
    // that fail, bind() says why.
    std::error_code ignored;
    std::filesystem::create_directory(std::filesystem::path(path_).parent_path(), ignored);

    // Set before bind(), so that the file is at no time open to more than its mode says; the umask may have
    // narrowed it, hence once more afterwards.
    ::fchmod(fd_, kMode);
    if (::bind(fd_, generic(address), sizeof address) != 0) {
        const int error = errno;
        if (error != EADDRINUSE || !remove_stale_socket()) throw SocketError(reason(error));
        if (::bind(fd_, generic(address), sizeof address) != 0) throw SocketError(reason(errno));
    }
    struct ::stat made {};
    if (::chmod(path_.c_str(), kMode) != 0 || ::lstat(path_.c_str(), &made) != 0 ||
        ::listen(fd_, SOMAXCONN) != 0) {
        throw SocketError(reason(errno));
    }
    device_ = made.st_dev;
    inode_ = made.st_ino;
}

// A socket file outlives a process that was killed; only then does a connect() to it find nobody.
bool UnixListener::remove_stale_socket() {
    struct ::stat found {};
    if (::lstat(path_.c_str(), &found) != 0) return false;
    if (!S_ISSOCK(found.st_mode)) {
        throw SocketError("the path exists and is not a socket; remove it or set another admin.socket");
    }
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0) throw SocketError(reason(errno));
    const ::sockaddr_un address = socket_address(path_);
    const int result = ::connect(probe, generic(address), sizeof address);
    const int error = errno;
    ::close(probe);
    if (result == 0 || error == EAGAIN) {
        throw SocketError("another daemon is listening on it; stop that one or set another admin.socket");
    }
    if (error != ECONNREFUSED) throw SocketError(reason(error));
    return ::unlink(path_.c_str()) == 0;
}

// --- TCP ---

TcpListener::TcpListener(const SocketAddress& address) : address_(address) {
    const auto fail = [&](int error) {
        if (fd_ >= 0) ::close(fd_);
        std::string what = "metrics at " + address.to_string() + ": " + reason(error);
        if (error == EADDRINUSE) what += "; another program listens there, set another admin.metrics";
        if (error == EADDRNOTAVAIL) what += "; admin.metrics must be an address that the kernel has";
        throw SocketError(what);
    };
    KernelAddress at = kernel_address(address);
    fd_ = ::socket(at.generic()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) fail(errno);
    // A daemon that is started again finds connections of the last one in TIME-WAIT.
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd_, at.generic(), at.size) != 0 || ::listen(fd_, SOMAXCONN) != 0) fail(errno);
    address_.port = local_address(fd_).port;
}

TcpListener::~TcpListener() { ::close(fd_); }

}  // namespace sluice::admin
