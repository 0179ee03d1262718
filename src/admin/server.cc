#include "sluice/admin/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "stream_server.h"

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

// A command a line, a reply a line.
class Lines final : public Dialogue {
  public:
    explicit Lines(Server::Handler handler) : handler_(std::move(handler)) {}

    std::optional<Reply> next(std::string& input) override {
        constexpr std::string_view kTooLong = "{\"error\":\"the line is longer than 4096 bytes\"}\n";
        static_assert(Server::kMaxLine == 4096, "the text above names it");
        while (true) {
            const std::size_t end = input.find('\n');
            if (end == std::string::npos) {
                if (input.size() <= Server::kMaxLine && !skipping_) return std::nullopt;
                input.clear();
                if (std::exchange(skipping_, true)) return std::nullopt;
                return Reply{std::string(kTooLong)};
            }
            const std::string line = input.substr(0, end);
            input.erase(0, end + 1);
            if (std::exchange(skipping_, false)) continue;  // the tail of a line already refused
            if (line.size() > Server::kMaxLine) return Reply{std::string(kTooLong)};
            return Reply{handler_(line) + '\n'};
        }
    }

  private:
    Server::Handler handler_;
    bool skipping_ = false;  // the rest of a line that was too long is passed over
};

}  // namespace

Server::Server(std::string path, Handler handler) : path_(std::move(path)) {
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const auto fail = [&](const std::string& what) {
        throw SocketError("admin socket '" + path_ + "': " + what);
    };
    if (listener < 0) fail(reason(errno));
    try {
        bind_path(listener);
    } catch (const SocketError& error) {
        ::close(listener);
        fail(error.what());
    }
    try {
        stream_ = std::make_unique<StreamServer>(listener,
                                                 StreamOptions{.max_clients = kMaxClients,
                                                               .stall_limit = kStallLimit,
                                                               .dialogue = [handler = std::move(handler)] {
                                                                   return std::make_unique<Lines>(handler);
                                                               }});
    } catch (const std::system_error& error) {
        fail(error.what());
    }
}

Server::~Server() {
    stream_.reset();
    struct ::stat now {};
    if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
}

int Server::fd() const { return stream_->fd(); }
void Server::serve(Instant now) { stream_->serve(now); }
std::size_t Server::clients() const { return stream_->clients(); }
std::uint64_t Server::displaced() const { return stream_->displaced(); }

void Server::bind_path(int listener) {
    const ::sockaddr_un address = socket_address(path_);
    // The directory is usually made by the service manager; a hand-started daemon makes it itself. Should
    // that fail, bind() says why.
    std::error_code ignored;
    std::filesystem::create_directory(std::filesystem::path(path_).parent_path(), ignored);

    // Set before bind(), so that the file is at no time open to more than its mode says; the umask may have
    // narrowed it, hence once more afterwards.
    ::fchmod(listener, kMode);
    if (::bind(listener, generic(address), sizeof address) != 0) {
        const int error = errno;
        if (error != EADDRINUSE || !remove_stale_socket()) throw SocketError(reason(error));
        if (::bind(listener, generic(address), sizeof address) != 0) throw SocketError(reason(errno));
    }
    struct ::stat made {};
    if (::chmod(path_.c_str(), kMode) != 0 || ::lstat(path_.c_str(), &made) != 0 ||
        ::listen(listener, SOMAXCONN) != 0) {
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

}  // namespace sluice::admin
