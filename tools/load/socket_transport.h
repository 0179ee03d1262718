// Connections by the kernel's TCP: non-blocking sockets, epoll. For as many as files and ports allow, some
// ten thousand. An idle connection costs 72 bytes here; what was not taken or could not be sent yet comes on
// top while it waits.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/base/byte_queue.h"
#include "sluice/flow/timer_wheel.h"
#include "socket_listener.h"
#include "transport.h"

namespace sluice::load {

// Clients have targets, the accepting side has addresses to listen on: one of both.
struct SocketOptions {
    // Taken as Addressing does: consecutive clients take the sources in turn, a round later the next target.
    // Without sources, or with unspecified ones, the kernel chooses; the port is always the kernel's choice.
    std::vector<SocketAddress> targets{};
    std::vector<IpAddress> sources{};
    std::vector<SocketAddress> listen{};  // port 0: a free one

    std::uint32_t capacity = 0;  // connections
    std::size_t receive_limit = std::size_t{256} * 1024;
    std::size_t send_limit = std::size_t{1024} * 1024;
    Duration connect_timeout = 30s;  // a handshake that takes longer has timed out
    Duration close_timeout = 10s;    // so long the other side may be silent after close()
};

class SocketTransport final : public Transport {
  public:
    // now: the first instant. events outlives it. Raises the process's limit on files as far as that may be.
    // nullptr, with a sentence for the operator in `error`, when that cannot be.
    static std::unique_ptr<SocketTransport> make(const SocketOptions& options, Events& events, Instant now,
                                                 std::string& error);
    ~SocketTransport() override;  // resets what is open, and tells nobody
    SocketTransport(const SocketTransport&) = delete;
    SocketTransport& operator=(const SocketTransport&) = delete;

    Id capacity() const override { return options_.capacity; }
    std::size_t receive_limit() const override { return options_.receive_limit; }
    // On the accepting side false.
    bool open(Instant now, Id id) override;
    // Where nothing waits yet, all is taken, even more than send_limit at once.
    bool send(Instant now, Id id, ByteView bytes) override;
    void close(Instant now, Id id) override;
    void abort(Instant now, Id id) override;
    FourTuple tuple(Id id) const override;
    bool turn(Instant now) override;
    void rest(Instant now, Duration at_most) override;
    Totals totals() const override;

    // What is listened on, in the order of the options, with the kernel's ports.
    const std::vector<SocketAddress>& listening() const { return listeners_.addresses(); }

  private:
    enum class Phase : std::uint8_t { Free, Connecting, Open };

    struct Connection {
        std::unique_ptr<ByteQueue> incoming;  // what on_bytes() left
        std::unique_ptr<ByteQueue> outgoing;  // what the kernel has not taken yet
        int socket = -1;
        std::uint32_t generation = 0;  // goes up whenever a connection ends; the rest begins anew
        SocketAddress remote;
        Phase phase = Phase::Free;
        std::uint8_t watched = 0;  // EPOLLIN, EPOLLOUT
        bool closed = false;       // close() was called
        bool fin_sent = false;
        bool peer_closed = false;  // and on_bytes() was given all
        bool failed = false;       // it ends with `failure`, which is told in a turn
        End failure = End::Reset;
    };
    static_assert(sizeof(Connection) <= 56);

    SocketTransport(const SocketOptions& options, Events& events, Instant now);
    bool set_up(std::string& error);
    bool check_sources(std::string& error) const;

    bool in_use(Id id) const { return id < connections_.size() && connections_[id].phase != Phase::Free; }
    // Whether it still is the connection that it was.
    bool is_still(Id id, std::uint32_t generation) const { return connections_[id].generation == generation; }
    std::uint64_t tag(Id id) const { return std::uint64_t{connections_[id].generation} << 32U | id; }
    bool wants_bytes(const Connection& c) const;
    void watch(Instant now, Id id);
    bool begin(Id id, int socket, const SocketAddress& remote, Phase phase);
    void fail(Instant now, Id id, End how, Instant told_at);
    void end(Instant now, Id id, End how);
    void release(Id id);

    // --- socket_transport_io.cc: what epoll and the timers tell
    void on_event(Instant now, std::uint64_t tag, std::uint32_t events);
    void on_due(Instant now, std::uint32_t timer);
    void accept(Instant now, std::size_t listener);
    bool admit(Instant now, const SocketListeners::Acceptance& arrival);
    void resume_listeners();
    void on_connected(Instant now, Id id);
    void read(Instant now, Id id);
    void deliver(Instant now, Id id, ByteView fresh);
    void on_peer_closed(Instant now, Id id);
    void on_hang_up(Instant now, Id id);
    std::size_t write(Instant now, Id id, ByteView bytes);
    void flush(Instant now, Id id);
    void finish_sending(Id id);
    void renew_limit(Instant now, Id id);
    void store(std::unique_ptr<ByteQueue>& queue, ByteView bytes);
    void discard(std::unique_ptr<ByteQueue>& queue);

    const SocketOptions options_;
    Events& events_;
    int epoll_;
    std::vector<Connection> connections_;
    flow::TimerWheel timers_;  // by id; capacity() stands for the listeners
    SocketListeners listeners_;
    bool resume_due_ = false;   // the listeners rest, and something they lacked is there again
    std::vector<Id> free_ids_;  // of what was accepted, the last one first
    Id used_ = 0;               // this and those above were never used
    std::array<::epoll_event, 256> ready_{};
    std::vector<std::byte> scratch_;
    std::uint64_t queue_bytes_ = 0;
    Totals totals_;
};

}  // namespace sluice::load
