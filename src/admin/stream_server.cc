#include "stream_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice::admin {
namespace {

// Steps of one client before the others get their turn.
constexpr int kTurn = 64;
constexpr std::size_t kPiece = 4096;
// What a client may still send after the last reply. It is read, because closing over unread bytes would
// reset the connection and could take the reply with it.
constexpr std::size_t kPassedOver = std::size_t{1} << 20U;

bool watch(int epoll, int operation, int fd, std::uint32_t events) {
    ::epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

StreamServer::StreamServer(int listener, StreamOptions options)
    : options_(std::move(options)), listener_(listener), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ >= 0 && watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN)) return;
    const std::system_error fault(errno, std::generic_category());
    if (epoll_ >= 0) ::close(epoll_);
    throw fault;
}

StreamServer::~StreamServer() {
    for (const auto& [fd, client] : clients_) ::close(fd);
    ::close(epoll_);
}

void StreamServer::serve(Instant now) {
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
    if (arrivals) accept_clients(now);

    std::vector<int> stalled;
    for (const auto& [fd, client] : clients_) {
        if (is_stalled(*client, now)) stalled.push_back(fd);
    }
    for (const int fd : stalled) close_client(fd);
}

bool StreamServer::is_stalled(const Client& client, Instant now) const {
    if (now - client.progress <= options_.stall_limit) return false;
    return options_.silence_is_stall || client.leaving || !client.output.empty();
}

void StreamServer::accept_clients(Instant now) {
    while (true) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (clients_.size() >= options_.max_clients) make_room(now);
        auto client = std::make_unique<Client>();
        client->fd = fd;
        client->dialogue = options_.dialogue();
        client->progress = now;
        begin_wait(*client);
        if (!watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN)) {
            ::close(fd);
            continue;
        }
        clients_.emplace(fd, std::move(client));
    }
}

// Whoever has sent or read something that was not looked at yet has not kept us waiting.
void StreamServer::make_room(Instant now) {
    for (std::size_t looks = 0; clients_.size() >= options_.max_clients; ++looks) {
        Client& client = first_to_go();
        const std::uint64_t since = client.since;
        if (!attend(client, now)) {
            close_client(client.fd);
        } else if (client.since == since || looks >= options_.max_clients) {
            close_client(client.fd);
            ++displaced_;
        }
    }
}

// Those first that have been told everything, then those that ask for nothing, then those with a reply to
// read; among them the one whose wait began first, however much it has sent or read of the whole since.
StreamServer::Client& StreamServer::first_to_go() {
    const auto rank = [](const Client& client) {
        const int stage = client.leaving ? 0 : client.output.empty() ? 1 : 2;
        return std::pair(stage, client.since);
    };
    return *std::ranges::min_element(clients_, {}, [&](const auto& entry) {
                return rank(*entry.second);
            })->second;
}

bool StreamServer::attend(Client& client, Instant now) {
    bool waits = false;
    if (!client.leaving && !converse(client, now, waits)) return false;
    if (client.leaving) return see_off(client);
    // One whose turn is over with something left is called again at once, because it can be written to.
    return watch(epoll_, EPOLL_CTL_MOD, client.fd, waits ? EPOLLIN : EPOLLOUT);
}

// waits: it is the client's turn, and nothing of what it sent is left.
bool StreamServer::converse(Client& client, Instant now, bool& waits) {
    for (int i = 0; i < kTurn; ++i) {
        if (!write_output(client, now)) return false;
        if (!client.output.empty()) return true;  // not read yet: its next request waits
        if (client.last) {
            client.leaving = ::shutdown(client.fd, SHUT_WR) == 0;
            return client.leaving;
        }
        if (auto reply = client.dialogue->next(client.input)) {
            client.output = std::move(reply->text);
            client.progress = now;
            begin_wait(client);
            client.last = reply->last;
            continue;
        }
        if (client.input_ended) return false;
        const Input input = read_input(client);
        if (input == Input::Failed) return false;
        if (input == Input::Ended) client.input_ended = true;
        waits = input == Input::Waiting;
        if (waits) return true;
    }
    return true;
}

StreamServer::Input StreamServer::read_input(Client& client) {
    std::array<char, kPiece> buffer{};
    const ::ssize_t n = ::recv(client.fd, buffer.data(), buffer.size(), 0);
    if (n > 0) {
        client.input.append(buffer.data(), static_cast<std::size_t>(n));
        return Input::Arrived;
    }
    if (n == 0) return Input::Ended;
    if (errno == EINTR) return Input::Arrived;
    return errno == EAGAIN ? Input::Waiting : Input::Failed;
}

bool StreamServer::write_output(Client& client, Instant now) {
    while (client.written < client.output.size()) {
        const ::ssize_t n = ::send(client.fd, client.output.data() + client.written,
                                   client.output.size() - client.written, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        client.written += static_cast<std::size_t>(n);
        client.progress = now;
    }
    if (!client.output.empty()) begin_wait(client);
    client.output = std::string();  // gives the memory of a long list back
    client.written = 0;
    return true;
}

// Waits until the client, too, has closed its side.
bool StreamServer::see_off(Client& client) {
    while (true) {
        client.passed_over += std::exchange(client.input, {}).size();
        if (client.passed_over > kPassedOver) return false;
        switch (read_input(client)) {
            case Input::Arrived: continue;
            case Input::Waiting: return watch(epoll_, EPOLL_CTL_MOD, client.fd, EPOLLIN);
            case Input::Ended:
            case Input::Failed: return false;
        }
    }
}

void StreamServer::close_client(int fd) {
    ::close(fd);
    clients_.erase(fd);
}

}  // namespace sluice::admin
