// Takes messages to subscribers: packet identifiers, acknowledgements, and what waits while a subscriber has
// as many messages under way as it allows (section 4.9 of MQTT 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/mqtt/acknowledge.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"
#include "transport.h"

namespace sluice::load {

struct Message {
    std::string topic;
    std::vector<std::byte> payload;
};

class Courier {
  public:
    struct Statistics {
        std::uint64_t delivered = 0;       // sent, of any QoS
        std::uint64_t acknowledged = 0;    // QoS 1 and 2, to their end
        std::uint64_t dropped = 0;         // too slow a reader, too large for it, or too many waited
        std::uint64_t unknown_acks = 0;    // of nothing that was under way
        std::uint64_t undelivered = 0;     // still waited when the subscriber went
        std::uint64_t unacknowledged = 0;  // were under way when the subscriber went
    };

    // queue_limit: most messages that wait for one subscriber.
    explicit Courier(std::size_t queue_limit) : queue_limit_(queue_limit) {}
    // Before anything else; it must outlive this.
    void use(Transport& transport) { transport_ = &transport; }

    // What a subscriber allows, where it is not the usual; see mqtt::Connect.
    void limit(Id id, std::uint16_t receive_maximum, std::uint32_t maximum_packet_size);
    void deliver(Instant now, Id id, mqtt::Version version, std::uint8_t qos,
                 const std::shared_ptr<const Message>& message);
    // PUBACK, PUBREC or PUBCOMP. Appends what is to be answered, and sends what has waited.
    void on_ack(Instant now, Id id, mqtt::Version version, mqtt::PacketType type, mqtt::Ack ack,
                std::vector<std::byte>& out);
    void remove(Id id);
    const Statistics& statistics() const { return statistics_; }

  private:
    enum class Stage : std::uint8_t { AwaitPuback, AwaitPubrec, AwaitPubcomp };
    struct Waiting {
        std::shared_ptr<const Message> message;
        std::uint8_t qos = 0;
    };
    struct Subscriber {
        absl::flat_hash_map<std::uint16_t, Stage> under_way;
        std::deque<Waiting> waiting;
        std::uint32_t maximum_packet_size = 0;
        std::uint16_t receive_maximum = 0xffff;
        std::uint16_t last_id = 0;
    };

    void send(Instant now, Id id, mqtt::Version version, std::uint8_t qos, const Message& message);
    void send_waiting(Instant now, Id id, mqtt::Version version);

    Transport* transport_ = nullptr;
    std::size_t queue_limit_;
    absl::flat_hash_map<Id, std::unique_ptr<Subscriber>> subscribers_;  // those that need any of it
    std::vector<std::byte> scratch_;
    Statistics statistics_;
};

}  // namespace sluice::load
