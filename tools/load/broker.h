// An MQTT broker for load tests, on one Transport: it takes CONNECTs, acknowledges what there is to be
// acknowledged, counts, and, if it is told to, delivers. For millions of clients: a connection takes 48
// bytes here, and a packet moves no timer.
//
// What it is not: it keeps no session (session_present is always 0, what is under way ends with its
// connection), no retained message and no will. It asks for no password. A PUBLISH of QoS 2 is taken when it
// comes, and no packet identifier of it is remembered, as without sessions none comes twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "broker_statistics.h"
#include "courier.h"
#include "router.h"
#include "sluice/base/lazy_array.h"
#include "sluice/base/time.h"
#include "sluice/base/token_bucket.h"
#include "sluice/flow/timer_wheel.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"
#include "sluice/mqtt/publish.h"
#include "sluice/mqtt/subscribe.h"
#include "transport.h"

namespace sluice::load {

struct BrokerOptions {
    // Refuses every client with this reason code of v5 (from 0x80 on), or what 3.x has for it.
    std::optional<std::uint8_t> connack_code = {};
    Duration delay{0};              // before each CONNACK
    std::uint32_t accept_rate = 0;  // connects a second; 0: any
    // Of what is above the rate: false, it is refused with 0x97 "quota exceeded" or 0x03; true, its CONNACK
    // waits for its turn.
    bool delay_above_rate = false;
    bool keep_alive = true;          // ends clients silent for 1.5 times their Keep Alive
    Duration connect_timeout = 30s;  // ends clients that send no CONNECT; 0: none
    // Delivers messages to subscribers. False: subscriptions are granted, and messages counted and forgotten.
    bool route = false;
    std::size_t queue_limit = 1000;  // most messages that wait for one subscriber
    // A client ID that is there already: its older connection ends, as with a real broker. False: both stay,
    // and no ID is remembered.
    bool take_over = false;
    // Client IDs that end in a decimal number below this are remembered, in a byte each, by the local address
    // that they came to (of the first 255), so that `moved` counts those who come to another one.
    std::uint32_t numbered_clients = 0;
};

class BrokerSink final : public Events {
  public:
    // capacity: the transport's. start: not later than any `now` to come. It listens wherever the transport
    // does.
    BrokerSink(const BrokerOptions& options, Id capacity, Instant start);
    // Before anything else; it must outlive this.
    void use(Transport& transport);

    void on_open(Instant now, Id id) override;
    std::size_t on_bytes(Instant now, Id id, ByteView bytes) override;
    void on_end(Instant now, Id id, End end) override;

    // Does what is due: delays, Keep Alives. True when there was anything.
    bool turn(Instant now);
    // When turn() next has something to do.
    Instant next_deadline() const { return timers_.next_wakeup(); }

    const BrokerStatistics& statistics() const { return statistics_; }
    const Courier::Statistics& deliveries() const { return courier_.statistics(); }
    // Of the tables, as far as they are used: up to the highest number that there was.
    std::uint64_t memory_bytes() const { return used_ * kBytesPerConnection + places_.size(); }
    // Of a connection, without what routing and taking over need besides.
    static constexpr std::size_t kBytesPerConnection = 32 + flow::TimerWheel::kBytesPerTimer;

  private:
    enum class Phase : std::uint8_t { Free, AwaitConnect, Delayed, Connected, Closing };
    using Fault = BrokerStatistics::Fault;
    using Bytes = std::vector<std::byte>;

    struct Peer {
        std::uint64_t id_hash;     // if it is in owners_; 0: it is not
        std::uint32_t skip;        // bytes of a payload that are still to be passed over
        std::uint32_t heard;       // milliseconds32() when anything last came
        std::uint16_t keep_alive;  // seconds
        std::uint16_t skipped_id;  // packet identifier of what is passed over
        std::uint16_t listener;    // index of its local address
        std::uint8_t skipped_qos;  // and its QoS
        mqtt::Version version;     // from the CONNECT on
        Phase phase;
        bool assign_id;  // CONNACK has to name the client
    };
    static_assert(sizeof(Peer) <= 32);

    // What `bytes` hold, packet by packet; returns how many were taken.
    std::size_t consume(Instant now, Id id, ByteView bytes);
    // One packet, or a part of one that is passed over; 0 when more has to come.
    std::size_t step(Instant now, Id id, ByteView bytes, Bytes& out);
    std::size_t step_connect(Instant now, Id id, ByteView bytes, Bytes& out);
    std::size_t step_large(Instant now, Id id, const mqtt::PacketHeader& header, ByteView bytes, Bytes& out);
    std::size_t pass_over(Peer& peer, ByteView bytes, Bytes& out);
    void hold(Instant now, Id id, ByteView bytes);
    void work_off(Instant now, Id id);

    void on_connect(Instant now, Id id, const mqtt::Connect& connect, Bytes& out);
    void refuse_malformed(Instant now, Id id, const mqtt::Malformed& malformed, Bytes& out);
    void refuse(Instant now, Id id, std::uint8_t code, Bytes& out);
    void accept(Instant now, Id id, Bytes& out);
    Duration wait_for_turn(Instant now);
    void take_over(Instant now, Id id, std::string_view client_id);
    void note_place(std::uint16_t listener, std::string_view client_id);
    std::uint16_t listener_of(const SocketAddress& address);

    void on_packet(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out);
    void on_publish(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out);
    void on_ack(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out);
    void on_subscribe(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out);
    void on_unsubscribe(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out);
    void on_ping(Instant now, Id id, const mqtt::PacketHeader& header, Bytes& out);
    void on_disconnect(Instant now, Id id, const mqtt::PacketHeader& header, ByteView body, Bytes& out);
    std::uint8_t grant(Id id, const mqtt::Subscription& subscription);
    void acknowledge(std::uint8_t qos, std::uint16_t packet_id, mqtt::Version version, Bytes& out);
    void route(Instant now, Id id, const mqtt::Publish& publish);

    void on_timer(Instant now, Id id);
    void expire(Instant now, Id id);
    void fail(Instant now, Id id, mqtt::PacketError error, Bytes& out);
    void fail(Instant now, Id id, Fault fault, std::uint8_t reason, Bytes& out);
    // Says why in v5, if there is a reason, and closes.
    void finish(Instant now, Id id, std::uint8_t reason, Bytes& out);
    void flush(Instant now, Id id, Bytes& out);
    void leave(Id id);
    bool takes(Id id) const { return peers_[id].phase == Phase::AwaitConnect || connected(id); }
    bool connected(Id id) const { return peers_[id].phase == Phase::Connected; }

    BrokerOptions options_;
    Transport* transport_ = nullptr;
    Instant start_;
    LazyArray<Peer> peers_;
    flow::TimerWheel timers_;
    std::optional<TokenBucket> rate_;
    Instant next_turn_;  // of what waits for the accept rate
    Router router_;
    Courier courier_;
    absl::flat_hash_map<std::uint64_t, Id> owners_;  // by the hash of the client ID
    absl::flat_hash_map<Id, Bytes> held_;            // came before its CONNACK was sent, with what follows it
    LazyArray<std::uint8_t> places_;                 // by client number: 1 + index of the listener
    absl::flat_hash_map<SocketAddress, std::uint16_t> listener_index_;
    std::uint64_t assigned_ = 0;  // client IDs
    std::uint64_t used_ = 0;      // numbers
    Bytes scratch_;
    BrokerStatistics statistics_;
};

}  // namespace sluice::load
