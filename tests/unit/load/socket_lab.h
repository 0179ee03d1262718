// Socket transports of both roles in one thread over the loopback, and bare sockets for what they would not
// do. Sockets take the time they take; what the transports think it is, is the test's.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "socket_transport.h"
#include "sockets.h"

namespace sluice::load {

inline const SocketAddress kLoopback4{IpAddress::v4(127, 0, 0, 1), 0};

// A user of one transport: notes what it is told, and does what the test says.
class User final : public Events {
  public:
    std::unique_ptr<SocketTransport> transport;
    std::function<void(Id)> at_open;
    std::function<std::size_t(Id, ByteView)> at_bytes;  // none: takes all into `received`
    std::function<void(Id, End)> at_end;

    std::vector<Id> opened;  // in order
    std::vector<std::pair<Id, End>> ended;
    std::map<Id, std::string> received;

    void on_open(Instant, Id id) override {
        opened.push_back(id);
        if (at_open) at_open(id);
    }
    std::size_t on_bytes(Instant, Id id, ByteView bytes) override {
        EXPECT_FALSE(bytes.empty());
        EXPECT_LE(bytes.size(), transport->receive_limit());
        if (at_bytes) return at_bytes(id, bytes);
        received[id] += as_text(bytes);
        return bytes.size();
    }
    void on_end(Instant, Id id, End end) override {
        ended.emplace_back(id, end);
        if (at_end) at_end(id, end);
    }
};

using Ended = std::vector<std::pair<Id, End>>;

// A socket of the test's own.
class Bare {
  public:
    explicit Bare(int socket) : socket_(socket) {}
    Bare(Bare&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
    Bare& operator=(Bare&&) = delete;
    ~Bare() { close(); }

    int socket() const { return socket_; }
    SocketAddress address() const { return local_address(socket_); }
    void close() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }
    void reset() { close_with_reset(std::exchange(socket_, -1)); }
    Bare accept() const {
        ::pollfd arrival{.fd = socket_, .events = POLLIN, .revents = 0};
        EXPECT_EQ(::poll(&arrival, 1, 20'000), 1);
        return Bare(::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK));
    }
    bool send(std::string_view text) const {
        return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<::ssize_t>(text.size());
    }
    // What is there, at most so much; "" also at the end, which at_end() tells.
    std::string read(std::size_t most = 65536) {
        std::string text(most, '\0');
        const ::ssize_t got = ::recv(socket_, text.data(), most, 0);
        at_end_ = got == 0;
        text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return text;
    }
    bool at_end() const { return at_end_; }

  private:
    int socket_;
    bool at_end_ = false;
};

class SocketLab : public testing::Test {
  protected:
    User broker;
    User clients;
    Instant now{Duration(std::chrono::hours(7))};

    void listen(SocketOptions options = {}, SocketAddress at = kLoopback4) {
        if (options.listen.empty()) options.listen = {at};
        start(broker, options);
    }
    // Clients of the broker, or of another address.
    void connect(SocketOptions options = {}) {
        if (options.targets.empty()) options.targets = broker.transport->listening();
        start(clients, options);
    }
    // Turns both until the condition holds; false when it does not within 20 seconds.
    bool until(const std::function<bool()>& condition) {
        const auto limit = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > limit) return false;
            if (!turn()) ::poll(nullptr, 0, 1);
        }
        return true;
    }
    bool turn() {
        bool busy = false;
        if (broker.transport) busy = broker.transport->turn(now);
        if (clients.transport) busy = clients.transport->turn(now) || busy;
        return busy;
    }
    // Connects client `id`; the broker's id of it.
    Id connected(Id id) {
        const std::size_t before = broker.opened.size();
        const std::size_t mine = clients.opened.size();
        EXPECT_TRUE(clients.transport->open(now, id));
        EXPECT_TRUE(until([&] { return broker.opened.size() > before && clients.opened.size() > mine; }));
        return broker.opened.empty() ? 0 : broker.opened.back();
    }
    // A client's connection to a bare socket, and that socket's end of it.
    Bare connected_to(const Bare& listener, Id id) {
        EXPECT_TRUE(clients.transport->open(now, id));
        const std::size_t mine = clients.opened.size();
        EXPECT_TRUE(until([&] { return clients.opened.size() > mine; }));
        return listener.accept();
    }
    static Bare bare_listener(int backlog = 16) {
        Bare listener(listening_socket(kLoopback4).socket);
        EXPECT_EQ(::listen(listener.socket(), backlog), 0);
        return listener;
    }

  private:
    void start(User& user, SocketOptions& options) {
        if (options.capacity == 0) options.capacity = 16;
        std::string error;
        user.transport = SocketTransport::make(options, user, now, error);
        ASSERT_NE(user.transport, nullptr) << error;
    }
};

}  // namespace sluice::load
