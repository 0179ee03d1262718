// Connections by the project's own TCP over one port, as many as memory holds. An idle one is a cell of 32
// bytes, plus its four-tuple and index where it was accepted; an endpoint (sluice/tcp/endpoint.h) comes into
// being when a segment arrives or something is to be sent, and goes when the connection is quiet again.
#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "addressing.h"
#include "connection_cell.h"
#include "connection_names.h"
#include "packet_network.h"
#include "sluice/base/lazy_array.h"
#include "sluice/base/siphash.h"
#include "sluice/base/token_bucket.h"
#include "sluice/flow/slab.h"
#include "sluice/flow/timer_wheel.h"
#include "sluice/port/port.h"
#include "sluice/tcp/endpoint.h"
#include "transport.h"

namespace sluice::load {

// Defaults for many connections of little traffic. Segment sizes follow the port's MTU.
tcp::EndpointOptions packet_endpoint_options();

struct PacketTransportOptions {
    PacketNetworkOptions network{};
    // timestamp_offset is 0, so that one clock serves all tuples and a tuple used again goes on with it.
    tcp::EndpointOptions endpoint = packet_endpoint_options();
    SipKey key{};                  // of initial sequence numbers and of the index: secret and random
    std::uint32_t capacity = 0;    // connections; of clients, no more than there are addresses for
    Duration connect_limit = 30s;  // a handshake that takes longer has timed out
    Duration close_limit = 10s;    // so long the other side may be silent after close()
};

class PacketTransport final : public Transport, PacketNetwork::Upward {
  public:
    // Clients: open() connects by `addressing`; what is sent to its addresses otherwise is refused.
    // now: the first instant. port, pool and events outlive this.
    PacketTransport(Instant now, const PacketTransportOptions& options, const Addressing& addressing,
                    port::Port& port, port::FramePool& pool, Events& events);
    // The accepting side: connections to the addresses `listen` are accepted as long as there is room. open()
    // is not for it.
    PacketTransport(Instant now, const PacketTransportOptions& options,
                    const std::vector<SocketAddress>& listen, port::Port& port, port::FramePool& pool,
                    Events& events);

    Id capacity() const override { return names_.capacity(); }
    std::size_t receive_limit() const override { return options_.endpoint.receive_buffer; }
    bool open(Instant now, Id id) override;
    bool send(Instant now, Id id, ByteView bytes) override;
    void close(Instant now, Id id) override;
    void abort(Instant now, Id id) override;
    FourTuple tuple(Id id) const override { return names_.tuple(id); }
    bool turn(Instant now) override;
    void rest(Instant now, Duration at_most) override;
    Totals totals() const override;

    // Connections that have an endpoint now, those that only wait for stragglers included.
    std::uint32_t awake() const { return awake_.size(); }
    std::uint64_t wakes() const { return wakes_; }  // from sleep, since the start

  private:
    // A connection that has an endpoint.
    struct Awake {
        Awake(tcp::Endpoint&& e, Id i) : endpoint(std::move(e)), id(i) {}
        tcp::Endpoint endpoint;
        Id id;
        bool told_open = false;         // on_open() was called
        bool over = false;              // on_end() was called, or there was nobody to tell
        bool released = false;          // the number is another one's, or free
        bool in_hand = false;           // a function further up works with it: it must stay
        std::uint32_t offered = 0;      // bytes of readable() that on_bytes() has seen and left
        std::uint32_t unaccepted = 0;   // segments, as last counted
        std::uint32_t retransmits = 0;  // as last counted
        std::uint32_t memory = 0;       // likewise
        Instant awake_until = kNever;   // it may not sleep before, unless kNever
        Instant limit = kNever;         // it has timed out then
    };

    // Writes what an endpoint sends.
    struct Wire final : tcp::Output {
        Wire(PacketTransport& t, Instant at, Id id) : transport(t), now(at), tuple(t.names_.tuple(id)) {}
        void send(const tcp::Segment& segment) override;
        PacketTransport& transport;
        Instant now;
        FourTuple tuple;
        bool unreachable = false;
    };

    PacketTransport(Instant now, const PacketTransportOptions& options, ConnectionNames names,
                    const std::vector<SocketAddress>& listen, const std::vector<IpAddress>& own,
                    port::Port& port, port::FramePool& pool, Events& events);

    // --- packet_transport.cc: from below
    void on_burst(std::span<const FourTuple> tuples) override;
    void on_segment(Instant now, const FourTuple& tuple, const tcp::Segment& segment) override;
    void on_unreachable(Instant now, const FourTuple& tuple, tcp::Seq sequence) override;
    void on_too_big(Instant now, const FourTuple& tuple, tcp::Seq sequence, std::uint32_t mtu) override;
    void accept(Instant now, const FourTuple& tuple, const tcp::Segment& syn);
    bool begins_anew(Id id, const tcp::Segment& segment);
    void refuse(Instant now, const FourTuple& tuple, const tcp::Segment& segment);
    std::size_t run_timers(Instant now);
    void on_due(Instant now, std::uint32_t place);

    // --- packet_connections.cc: cells and endpoints; open(), send(), close(), abort()
    const tcp::EndpointOptions& endpoint_options(Id id) const {
        return names_.family(id) == IpFamily::V4 ? endpoint_v4_ : endpoint_v6_;
    }
    tcp::Seq first_sequence(Instant now, Id id) const;
    std::uint32_t make(Id id, tcp::Endpoint&& endpoint);
    std::uint32_t wake(Instant now, Id id);  // place of its endpoint, made if need be
    // What follows from whatever happened to the endpoint: events, its end, its timer, sleep. The last thing
    // to be done with it.
    void settle(Instant now, std::uint32_t place);
    void tell(Instant now, Awake& a);
    void deliver(Instant now, Awake& a);
    bool may_sleep(Instant now, Awake& a) const;
    void end(Instant now, Awake& a, End how);
    void release(Awake& a);
    void erase(std::uint32_t place);
    void count(Awake& a);

    const PacketTransportOptions options_;
    const tcp::EndpointOptions endpoint_v4_;
    const tcp::EndpointOptions endpoint_v6_;
    ConnectionNames names_;
    absl::flat_hash_set<SocketAddress> listen_;
    LazyArray<ConnectionCell> cells_;
    flow::Slab<Awake> awake_;
    flow::TimerWheel timers_;  // by place in awake_
    port::Port& port_;
    Events& events_;
    PacketNetwork network_;
    TokenBucket resets_{10000, 10000};
    std::vector<std::byte> scratch_;  // bytes that wrap around in an endpoint's ring
    std::vector<std::uint32_t> due_;  // places whose timers have fired
    std::vector<pollfd> handles_;
    Totals totals_;
    std::uint32_t cells_used_ = 0;  // this and those above were never used
    std::uint32_t places_used_ = 0;
    std::uint64_t endpoint_bytes_ = 0;
    std::uint64_t wakes_ = 0;
};

}  // namespace sluice::load
