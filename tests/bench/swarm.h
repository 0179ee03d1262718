// Millions of MQTT clients on one port of a worker and their brokers on another, without a kernel, a thread
// or a timer: what an end says next follows from the frame that reached it and from eight bytes that it
// remembers (the sequence number that it sends next and the one that it expects), so that the swarm leaves
// the caches and the memory to the worker that is measured.
//
// What the worker sends is answered within Port::transmit() and waits for the next Port::receive(). Clients
// open with the options that Linux offers (MSS, SACK, timestamps, window scale); every frame has good
// checksums, and those of the worker are verified. Nothing is ever lost here, so any hole in a stream is the
// worker's fault and is counted.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "permutation.h"
#include "plan.h"
#include "sluice/base/time.h"
#include "sluice/port/port.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/tcp.h"
#include "stack_pool.h"

namespace sluice::bench {

// What happened so far.
struct Tally {
    std::uint64_t opened = 0;            // SYNs of clients
    std::uint64_t connected = 0;         // CONNACKs at clients
    std::uint64_t closed = 0;            // FINs at clients
    std::uint64_t broker_opened = 0;     // SYNs at brokers
    std::uint64_t broker_connected = 0;  // CONNECTs at brokers
    std::uint64_t broker_closed = 0;     // FINs at brokers
    std::uint64_t pings = 0;             // PINGREQs sent
    std::uint64_t pongs = 0;             // PINGRESPs at clients
    std::uint64_t to_brokers = 0;        // bytes of bulk that clients sent
    std::uint64_t at_brokers = 0;        // and that arrived
    std::uint64_t to_clients = 0;
    std::uint64_t at_clients = 0;
    std::uint64_t repeated = 0;  // segments that had arrived before: no fault, but they cost
    // Faults.
    std::uint64_t resets = 0;
    std::uint64_t refused = 0;       // CONNACKs that refuse
    std::uint64_t holes = 0;         // segments from beyond what was expected next
    std::uint64_t acknowledged = 0;  // acknowledgements of what was not sent
    std::uint64_t checksums = 0;     // wrong ones
    std::uint64_t strangers = 0;     // frames that are nobody's, or that nobody understands
    std::uint64_t overflows = 0;     // the swarm's own queues or buffers were too small

    std::uint64_t faults() const {
        return resets + refused + holes + acknowledged + checksums + strangers + overflows;
    }
    std::string to_string() const;
};

class Swarm {
  public:
    static constexpr MacAddress kFrontMac{{0x02, 0, 0, 0, 1, 1}};  // the worker's
    static constexpr MacAddress kBackMac{{0x02, 0, 0, 0, 2, 1}};

    // window: how many connections may be opening (or closing) at a time. All memory is touched here.
    Swarm(const Plan& plan, std::uint32_t window, StackPool& pool);

    port::Port& front() { return front_; }
    port::Port& back() { return back_; }
    const Plan& plan() const { return plan_; }

    void set_now(Instant now) { milliseconds_ = milliseconds32(now); }

    // --- what clients shall do, as fast as the worker takes it ---
    // So many more connect, by number from where the last ones ended, around at the end. then_close: each
    // closes as soon as it is connected.
    void open(std::uint64_t count, bool then_close);
    void open_no_more() { to_open_ = tally_.opened; }
    // So many more clients send a PINGREQ, by number from where the last ones ended, around after `among`.
    void ping(std::uint32_t count, std::uint32_t among);
    // So many more frames of `size` bytes of payload, half from clients and half from their brokers, over the
    // connections 0 to `among` - 1 in random order.
    void bulk(std::uint64_t frames, std::uint32_t size, std::uint32_t among);

    const Tally& tally() const { return tally_; }
    // Connections that were opened, and have not got as far as open() said.
    std::uint64_t under_way() const { return tally_.opened - (closing_ ? tally_.closed : tally_.connected); }
    // Nothing waits to be received.
    bool quiet() const { return front_.waiting() == 0 && back_.waiting() == 0; }
    // Spent within the ports' functions, in cycles().
    std::uint64_t cycles_spent() const { return spent_; }
    std::uint64_t frames_received() const { return received_; }  // by the worker
    std::uint64_t frames_sent() const { return sent_; }          // by the worker

  private:
    // One end of a connection.
    struct End {
        std::uint32_t send_next = 0;
        std::uint32_t receive_next = 0;
    };
    // An end with what is needed to write a frame of it.
    struct Speaker {
        End& end;
        SocketAddress local;
        SocketAddress remote;
        std::uint32_t number;
        bool broker;
    };
    // A frame from the worker, read.
    struct Heard {
        SocketAddress from;
        SocketAddress to;
        wire::TcpHeader header;
        ByteView payload;
    };
    class Wire final : public port::Port {
      public:
        Wire(Swarm& swarm, std::uint16_t index, const MacAddress& mac, std::uint32_t capacity);
        std::size_t receive(std::uint16_t queue, std::span<port::Frame> out) override;
        std::size_t transmit(std::uint16_t queue, std::span<const port::Frame> frames) override;
        const port::PortInfo& info() const override { return info_; }
        std::vector<int> wait_handles(std::uint16_t) const override { return {}; }
        port::Link link() const override { return {.up = true}; }
        port::PortStatistics statistics() const override { return {}; }

        std::uint32_t waiting() const { return tail_ - head_; }
        // False when full.
        bool push(const port::Frame& frame);

      private:
        Swarm& swarm_;
        std::uint16_t index_;
        port::PortInfo info_;
        std::vector<port::Frame> queue_;  // a ring; a power of two
        std::uint32_t head_ = 0;
        std::uint32_t tail_ = 0;
    };

    // --- swarm.cc: frames
    void on_frame(bool at_broker, const port::Frame& frame);
    void on_arp(const port::Frame& frame);
    bool read(const wire::EthernetView& ethernet, Heard& heard);
    void say(const Speaker& speaker, wire::TcpFlags flags, ByteView payload = {}, std::uint32_t echo = 0);
    Wire& wire(bool broker) { return broker ? back_ : front_; }
    // --- swarm_ends.cc: what clients and brokers do
    bool begin(bool broker);
    void begin_open();
    void begin_ping();
    void begin_bulk(bool broker);
    void on_client(const Heard& heard);
    void on_client_payload(const Speaker& client, const Heard& heard);
    void on_broker(const Heard& heard);
    void on_broker_payload(const Speaker& broker, const Heard& heard);
    bool in_order(const Speaker& speaker, const Heard& heard);
    Speaker client(std::uint32_t n);
    Speaker broker_end(std::uint32_t end);

    static constexpr std::size_t kDigits = 8;  // of a client's number in its ID

    const Plan plan_;
    const std::uint32_t window_;
    StackPool& pool_;
    std::vector<End> clients_;
    std::vector<End> broker_ends_;
    std::vector<std::uint32_t> broker_end_of_;  // by client, from the CONNECT
    std::vector<std::byte> connect_;            // with room for the client's number at connect_id_
    std::size_t connect_id_ = 0;
    std::vector<std::byte> bulk_payload_;

    std::uint64_t to_open_ = 0;  // value of tally_.opened to reach
    bool closing_ = false;
    std::uint32_t next_client_ = 0;
    std::uint32_t to_ping_ = 0;
    std::uint32_t next_ping_ = 0;
    std::uint32_t ping_among_ = 1;
    std::array<std::uint64_t, 2> to_send_{};  // frames of bulk, by broker or not
    std::array<Permutation, 2> bulk_order_{Permutation(1, 1), Permutation(1, 1)};
    std::uint32_t bulk_among_ = 0;

    Tally tally_;
    std::uint32_t milliseconds_ = 0;
    std::uint64_t spent_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    Wire front_;
    Wire back_;
};

}  // namespace sluice::bench
