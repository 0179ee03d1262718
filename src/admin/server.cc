#include "sluice/admin/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

namespace sluice::admin {
namespace {

constexpr ::mode_t kMode = 0660;
// Steps of one client before the others get their turn.
constexpr int kTurn = 64;

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

Server::Server(std::string path, Handler handler) : path_(std::move(path)), handler_(std::move(handler)) {
    const auto fail = [this](const std::string& what) {
        const SocketError error("admin socket '" + path_ + "': " + what);
        if (listener_ >= 0) ::close(listener_);
        if (epoll_ >= 0) ::close(epoll_);
        throw error;
    };
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (epoll_ < 0 || listener_ < 0) fail(reason(errno));
    try {
        bind_path();
    } catch (const SocketError& error) {
        fail(error.what());
    }
    ::epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener_;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) fail(reason(errno));
}

Server::~Server() {
    for (const auto& [fd, client] : clients_) ::close(fd);
    ::close(listener_);
    ::close(epoll_);
    struct ::stat now {};
    if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
}

void Server::bind_path() {
    const ::sockaddr_un address = socket_address(path_);
    // The directory is usually made by the service manager; a hand-started daemon makes it itself. Should
    // that fail, bind() says why.
    std::error_code ignored;
    std::filesystem::create_directory(std::filesystem::path(path_).parent_path(), ignored);

    // Set before bind(), so that the file is at no time open to more than its mode says; the umask may have
    // narrowed it, hence once more afterwards.
    ::fchmod(listener_, kMode);
    if (::bind(listener_, generic(address), sizeof address) != 0) {
        const int error = errno;
        if (error != EADDRINUSE || !remove_stale_socket()) throw SocketError(reason(error));
        if (::bind(listener_, generic(address), sizeof address) != 0) throw SocketError(reason(errno));
    }
    struct ::stat made {};
    if (::chmod(path_.c_str(), kMode) != 0 || ::lstat(path_.c_str(), &made) != 0 ||
        ::listen(listener_, SOMAXCONN) != 0) {
        throw SocketError(reason(errno));
    }
    device_ = made.st_dev;
    inode_ = made.st_ino;
}

// A socket file outlives a process that was killed; only then does a connect() to it find nobody.
bool Server::remove_stale_socket() {
    struct ::stat found {};
    if (::lstat(path_.c_str(), &found) != 0) return false;
    if (!S_ISSOCK(found.st_mode)) {
        throw SocketError("the path exists and is no socket; remove it or set another admin.socket");
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

void Server::serve(Instant now) {
    std::array<::epoll_event, 16> events{};
    const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
    bool arrivals = false;
    for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
            arrivals = true;
        } else if (!attend(*clients_.at(fd), now)) {
            close_client(fd);
        }
    }
    // Last, so that no new client takes the descriptor of one that has an event above.
    if (arrivals) accept_clients();

    std::vector<int> stalled;
    for (const auto& [fd, client] : clients_) {
        if (!client->output.empty() && now - client->progress > kStallLimit) stalled.push_back(fd);
    }
    for (const int fd : stalled) close_client(fd);
}

void Server::accept_clients() {
    while (true) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (clients_.size() >= kMaxClients) {
            constexpr std::string_view kFull = "{\"error\":\"too many clients on the admin socket\"}\n";
            // Whether it arrives is of no consequence: the close says the same.
            [[maybe_unused]] const auto sent = ::send(fd, kFull.data(), kFull.size(), MSG_NOSIGNAL);
            ::close(fd);
            continue;
        }
        auto client = std::make_unique<Client>();
        client->fd = fd;
        ::epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
            ::close(fd);
            continue;
        }
        clients_.emplace(fd, std::move(client));
    }
}

bool Server::attend(Client& client, Instant now) {
    for (int i = 0; i < kTurn; ++i) {
        if (!write_output(client, now)) return false;
        if (!client.output.empty()) break;  // not read yet: its next command waits
        if (auto reply = next_reply(client)) {
            client.output = std::move(*reply) + '\n';
            client.progress = now;
            continue;
        }
        if (client.input_ended) return false;
        const Input input = read_input(client);
        if (input == Input::Failed) return false;
        if (input == Input::Ended) client.input_ended = true;
        if (input == Input::Waiting) break;
    }
    watch(client);
    return true;
}

// The reply to the next whole line of the input, or nullopt when there is none.
std::optional<std::string> Server::next_reply(Client& client) {
    constexpr std::string_view kTooLong = "{\"error\":\"the line is longer than 4096 bytes\"}";
    static_assert(kMaxLine == 4096, "the text above names it");
    while (true) {
        const std::size_t end = client.input.find('\n');
        if (end == std::string::npos) {
            if (client.input.size() <= kMaxLine && !client.skipping) return std::nullopt;
            client.input.clear();
            if (std::exchange(client.skipping, true)) return std::nullopt;
            return std::string(kTooLong);
        }
        const std::string line = client.input.substr(0, end);
        client.input.erase(0, end + 1);
        if (std::exchange(client.skipping, false)) continue;  // the tail of a line already refused
        if (line.size() > kMaxLine) return std::string(kTooLong);
        return handler_(line);
    }
}

Server::Input Server::read_input(Client& client) {
    std::array<char, kMaxLine> buffer{};
    const ::ssize_t n = ::recv(client.fd, buffer.data(), buffer.size(), 0);
    if (n > 0) {
        client.input.append(buffer.data(), static_cast<std::size_t>(n));
        return Input::Arrived;
    }
    if (n == 0) return Input::Ended;
    if (errno == EINTR) return Input::Arrived;
    return errno == EAGAIN ? Input::Waiting : Input::Failed;
}

bool Server::write_output(Client& client, Instant now) {
    while (client.written < client.output.size()) {
        const ::ssize_t n = ::send(client.fd, client.output.data() + client.written,
                                   client.output.size() - client.written, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        client.written += static_cast<std::size_t>(n);
        client.progress = now;
    }
    client.output = std::string();  // gives the memory of a long list back
    client.written = 0;
    return true;
}

void Server::watch(const Client& client) {
    // A client whose turn ended with lines left is writable, so it is called again at once.
    const bool more =
        !client.output.empty() || client.input_ended || client.input.find('\n') != std::string::npos;
    ::epoll_event event{};
    event.events = more ? EPOLLOUT : EPOLLIN;
    event.data.fd = client.fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
}

void Server::close_client(int fd) {
    ::close(fd);
    clients_.erase(fd);
}

}  // namespace sluice::admin
