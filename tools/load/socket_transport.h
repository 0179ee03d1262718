// Connections over the kernel's sockets, for any host and any peer: one epoll, sockets that never block. A
// process gets as many files as RLIMIT_NOFILE allows; the hard limit is taken at the start.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/flow/timer_wheel.h"
#include "transport.h"

namespace sluice::load {

struct SocketOptions {
    // Clients: connection n goes to target n % size, from source n % size; without sources from wherever the
    // kernel likes.
    std::vector<SocketAddress> targets;
    std::vector<IpAddress> sources;
    // Brokers: where connections are accepted; port 0 is any free one.
    std::vector<SocketAddress> listen;
    Id capacity = 1000;
    std::size_t receive_limit = 256 * 1024;
    std::size_t send_limit = 1024 * 1024;
    Duration connect_timeout = 30s;
    Duration close_timeout = 10s;
};

class SocketTransport final : public Transport {
  public:
    // nullptr, with a sentence for the user in `error`, when an address cannot be listened on.
    static std::unique_ptr<SocketTransport> make(const SocketOptions& options, Events& events, Instant start,
                                                 std::string& error);
    ~SocketTransport() override;
    SocketTransport(const SocketTransport&) = delete;
    SocketTransport& operator=(const SocketTransport&) = delete;

    // What `listen` became: the same addresses with the ports that were found.
    const std::vector<SocketAddress>& listening() const { return listening_; }

    Id capacity() const override { return options_.capacity; }
    std::size_t receive_limit() const override { return options_.receive_limit; }
    bool open(Instant now, Id id) override;
    bool send(Instant now, Id id, ByteView bytes) override;
    void close(Instant now, Id id) override;
    void abort(Instant now, Id id) override;
    FourTuple tuple(Id id) const override;
    bool turn(Instant now) override;
    void rest(Instant now, Duration at_most) override;
    Totals totals() const override;

  private:
    enum class State : std::uint8_t { Free, Connecting, Open, Closing };
    // What few connections have: bytes that wait.
    struct Waiting {
        std::vector<std::byte> out;  // to be sent
        std::size_t sent = 0;        // of it
        std::vector<std::byte> in;   // that nobody took yet
    };
    struct Connection {
        int fd = -1;
        std::uint32_t generation = 0;  // tells this use of the number from others, in what epoll reports
        State state = State::Free;
        bool peer_closed = false;
        bool shut = false;     // our FIN is out
        bool writing = false;  // epoll tells when it can be written to
        bool reading = true;   // epoll tells when it can be read from
        std::unique_ptr<Waiting> waiting;
    };

    SocketTransport(const SocketOptions& options, Events& events, Instant start);
    std::string listen_on(const SocketAddress& address);
    void accept_from(Instant now, std::size_t listener);
    void pause_accepting(bool pause);
    std::optional<Id> free_id();
    void adopt(Instant now, Id id, int fd, State state);
    void on_event(Instant now, Id id, std::uint32_t events);
    void on_connected(Instant now, Id id);
    void read(Instant now, Id id);
    void deliver(Instant now, Id id, ByteView fresh);
    void flush(Instant now, Id id);
    void finish_closing(Instant now, Id id);
    void watch(Id id);
    void end(Instant now, Id id, End why);
    bool still(Id id, std::uint32_t generation) const {
        return connections_[id].generation == generation && connections_[id].state != State::Free;
    }

    const SocketOptions options_;
    Events& events_;
    int epoll_ = -1;
    std::vector<int> listeners_;
    std::vector<SocketAddress> listening_;
    bool accepting_ = true;
    std::vector<Connection> connections_;
    std::vector<Id> free_;  // used before
    Id fresh_ = 0;          // from here on never used
    flow::TimerWheel timers_;
    std::unique_ptr<std::array<std::byte, 64 * 1024>> scratch_;
    Totals totals_;
};

}  // namespace sluice::load
