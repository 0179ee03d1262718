#include "sluice/ctl/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::ctl {
namespace {

std::string connect_failure(const std::string& path, int error) {
    switch (error) {
        case ENOENT:
        case ECONNREFUSED: return "no daemon listens on " + path + "; start sluiced or give its --socket";
        case EACCES:
        case EPERM: return "no permission to use " + path + "; run as root or as a member of its group";
        default: return "cannot connect to " + path + ": " + std::strerror(error);
    }
}

void connect_to(int fd, const std::string& path) {
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        throw NoAnswer("socket path '" + path + "' must have 1 to " +
                       std::to_string(sizeof address.sun_path - 1) + " bytes");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::connect(fd, reinterpret_cast<const ::sockaddr*>(&address), sizeof address) != 0) {
        throw NoAnswer(connect_failure(path, errno));
    }
}

void limit_silence(int fd, Duration limit) {
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
    ::timeval value{};
    value.tv_sec = microseconds / 1'000'000;
    value.tv_usec = microseconds % 1'000'000;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);
}

std::string failure(const char* doing) {
    if (errno == EAGAIN) return "the daemon does not answer";
    return std::string("the connection to the daemon broke while ") + doing + ": " + std::strerror(errno);
}

}  // namespace

Conversation::Conversation(const std::string& path, Duration limit)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) throw NoAnswer(std::string("cannot create a socket: ") + std::strerror(errno));
    try {
        limit_silence(fd_, limit);
        connect_to(fd_, path);
    } catch (const NoAnswer&) {
        ::close(fd_);
        throw;
    }
}

Conversation::~Conversation() { ::close(fd_); }

std::string Conversation::ask(const std::string& line) {
    const std::string request = line + '\n';
    for (std::size_t sent = 0; sent < request.size();) {
        const ::ssize_t n = ::send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw NoAnswer(failure("sending"));
        sent += static_cast<std::size_t>(n);
    }

    std::string reply;
    std::array<char, 65536> buffer{};
    while (true) {
        const ::ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw NoAnswer(failure("receiving"));
        if (n == 0) throw NoAnswer("the daemon closed the connection without an answer");
        const std::string_view part(buffer.data(), static_cast<std::size_t>(n));
        const std::size_t end = part.find('\n');
        reply.append(part.substr(0, end));
        if (end != std::string_view::npos) return reply;
    }
}

}  // namespace sluice::ctl
