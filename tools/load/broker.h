// The far end of a load test: an MQTT broker that takes whatever comes, acknowledges it, and counts. It keeps
// nothing beyond a connection: no sessions, no retained messages, no retransmissions, which TCP makes
// unnecessary while a connection lives. With `route` it gives messages to subscribers.
//
// What is kept of a connection is 16 bytes and a timer, so that ten millions fit.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "router.h"
#include "sluice/base/lazy_array.h"
#include "sluice/flow/timer_wheel.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/session_packets.h"
#include "transport.h"

namespace sluice::load {

struct BrokerOptions {
    bool route = false;        // messages go to who subscribed; else a SUBSCRIBE is only answered
    bool keep_alive = true;    // whoever is silent for one and a half times his Keep Alive is cut off
    bool take_over = false;    // a client that comes again ends its other connection, as brokers do
    std::uint8_t connack = 0;  // another code than 0 refuses everybody
    Duration connect_timeout = 10s;
    // Client IDs that end in a number below this are watched: whoever comes to another address than the last
    // time has moved. A byte each.
    std::uint32_t watch_placement = 0;
};

struct BrokerTally {
    std::uint64_t connections = 0;  // accepted by TCP
    std::uint64_t connects = 0;     // CONNECTs that were let in
    std::uint64_t refused = 0;      // and that were refused
    std::uint64_t moved = 0;        // of these let in, at another address than before
    std::uint64_t taken_over = 0;
    std::array<std::uint64_t, 3> published{};  // messages that came, by QoS
    std::uint64_t published_bytes = 0;         // of their payloads
    std::uint64_t completed = 0;               // QoS 2, up to its PUBREL
    std::uint64_t delivered = 0;               // messages that went to subscribers
    std::uint64_t undelivered = 0;             // because the subscriber does not read
    std::uint64_t acknowledged = 0;            // by subscribers
    std::uint64_t subscribes = 0;
    std::uint64_t unsubscribes = 0;
    std::uint64_t pings = 0;
    std::uint64_t disconnects = 0;
    std::uint64_t silent = 0;  // cut off for their silence
    std::uint64_t protocol_errors = 0;
    std::string last_protocol_error;
    std::array<std::uint64_t, 6> ends{};  // by End
    std::uint32_t connected = 0;          // now
    std::uint32_t peak_connected = 0;
    struct Address {
        std::uint64_t connects = 0;
        std::uint32_t connected = 0;
        std::uint32_t fastest = 0;  // most CONNECTs in a second
        Instant second{};
        std::uint32_t in_second = 0;
    };
    std::map<SocketAddress, Address> addresses;
    std::uint32_t fastest = 0;  // over all addresses
};

class Broker final : public Events {
  public:
    Broker(const BrokerOptions& options, Id capacity, Instant start);
    // Before anything else; it must outlive this.
    void use(Transport& transport) { transport_ = &transport; }

    bool turn(Instant now);
    Instant next_deadline() const;
    const BrokerTally& tally() const { return tally_; }
    std::uint64_t memory_bytes() const;

    // --- Events ---
    void on_open(Instant now, Id id) override;
    std::size_t on_bytes(Instant now, Id id, ByteView bytes) override;
    void on_end(Instant now, Id id, End end) override;

  private:
    enum class Phase : std::uint8_t { None, Greeting, Connected, Closing };
    struct Cell {
        Phase phase = Phase::None;
        std::uint8_t version = 0;      // protocol level
        std::uint16_t keep_alive = 0;  // seconds
        std::uint16_t packet_id = 0;   // last one used towards the client
        std::uint16_t address = 0;     // of ours, that it came to
        std::uint32_t heard = 0;       // milliseconds
        std::uint32_t skip = 0;        // bytes of a payload that are still to come
    };
    static_assert(sizeof(Cell) == 16);

    // --- broker.cc
    std::size_t greet(Instant now, Id id, ByteView bytes);
    void let_in(Instant now, Id id, const mqtt::Connect& connect);
    void accept(Instant now, Id id, std::string_view assigned);
    void refuse(Instant now, Id id, mqtt::Version version, std::uint8_t code);
    void take_over(Instant now, Id id, std::string_view client_id);
    void watch_placement(std::string_view client_id, std::uint16_t address);
    void count_connect(Instant now, std::uint16_t address);
    void on_timer(Instant now, Id id);
    bool say(Instant now, Id id);
    void give_up(Instant now, Id id, const std::string& why);
    std::uint16_t address_of(Id id);
    // --- broker_packets.cc
    void on_packet(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet);
    std::size_t skip_large(Instant now, Id id, const mqtt::PacketHeader& header, ByteView bytes);
    void on_publish(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet);
    void acknowledge(Instant now, Id id, std::uint8_t qos, std::uint16_t packet_id);
    void route(Instant now, const mqtt::Publish& publish);
    void on_acknowledgement(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet);
    void on_subscribe(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet);
    void on_unsubscribe(Instant now, Id id, const mqtt::PacketHeader& header, ByteView packet);
    void on_disconnect(Instant now, Id id);
    void no_longer_connected(Id id);
    mqtt::Version version(Id id) const { return static_cast<mqtt::Version>(cells_[id].version); }

    const BrokerOptions options_;
    Transport* transport_ = nullptr;
    LazyArray<Cell> cells_;
    flow::TimerWheel timers_;
    Router router_;
    BrokerTally tally_;
    std::vector<std::pair<SocketAddress, BrokerTally::Address*>> addresses_;
    LazyArray<std::uint8_t> placement_;                 // by number: 1 + index of the address, 0 for none
    absl::flat_hash_map<std::uint64_t, Id> by_client_;  // by hash of the client ID, with take_over
    absl::flat_hash_map<Id, std::uint64_t> client_of_;
    std::vector<std::byte> scratch_;
    Instant second_{};
    std::uint32_t in_second_ = 0;
    std::uint64_t assigned_ = 0;
};

}  // namespace sluice::load
