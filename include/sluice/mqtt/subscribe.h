// SUBSCRIBE, UNSUBSCRIBE and their acknowledgements (sections 3.8 to 3.11 of each standard).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"

namespace sluice::mqtt {

struct Subscription {
    std::string_view filter = {};  // is_topic_filter()
    std::uint8_t qos = 0;          // 0..2
    // The rest is v5 (section 3.8.3.1).
    bool no_local = false;
    bool retain_as_published = false;
    std::uint8_t retain_handling = 0;  // 0..2
};

// What was read borrows from the bytes read.
class Subscribe {
  public:
    std::uint16_t packet_id() const { return packet_id_; }
    std::uint32_t subscription_id() const { return subscription_id_; }  // v5; 0: none
    std::size_t count() const { return count_; }                        // at least 1
    // Calls take(const Subscription&) for each in order.
    template <typename Take>
    void for_each(Take&& take) const {
        for (ByteView rest = list_; !rest.empty();) {
            const std::size_t size = load16(rest.data());
            const std::uint8_t options = load8(rest.data() + 2 + size);
            take(Subscription{.filter = as_text(rest.subspan(2, size)),
                              .qos = static_cast<std::uint8_t>(options & 0x03U),
                              .no_local = (options & 0x04U) != 0,
                              .retain_as_published = (options & 0x08U) != 0,
                              .retain_handling = static_cast<std::uint8_t>(options >> 4U & 0x03U)});
            rest = rest.subspan(3 + size);
        }
    }

  private:
    friend std::variant<Subscribe, PacketError> read_subscribe(const PacketHeader& header, ByteView body,
                                                               Version version);
    ByteView list_;  // checked
    std::size_t count_ = 0;
    std::uint32_t subscription_id_ = 0;
    std::uint16_t packet_id_ = 0;
};

// What was read borrows from the bytes read.
class Unsubscribe {
  public:
    std::uint16_t packet_id() const { return packet_id_; }
    std::size_t count() const { return count_; }  // at least 1
    // Calls take(std::string_view filter) for each in order.
    template <typename Take>
    void for_each(Take&& take) const {
        for (ByteView rest = list_; !rest.empty();) {
            const std::size_t size = load16(rest.data());
            take(as_text(rest.subspan(2, size)));
            rest = rest.subspan(2 + size);
        }
    }

  private:
    friend std::variant<Unsubscribe, PacketError> read_unsubscribe(const PacketHeader& header, ByteView body,
                                                                   Version version);
    ByteView list_;  // checked
    std::size_t count_ = 0;
    std::uint16_t packet_id_ = 0;
};

// SUBACK or UNSUBACK. What was read borrows from the bytes read.
struct SubscriptionAck {
    std::uint16_t packet_id = 0;
    // A byte for each filter, in order: the granted QoS or, from 0x80 on, a failure. An UNSUBACK before v5
    // has none.
    ByteView reasons = {};
};

// In all four: body is the header.remaining bytes behind the header.
std::variant<Subscribe, PacketError> read_subscribe(const PacketHeader& header, ByteView body,
                                                    Version version);
std::variant<Unsubscribe, PacketError> read_unsubscribe(const PacketHeader& header, ByteView body,
                                                        Version version);
std::variant<SubscriptionAck, PacketError> read_suback(const PacketHeader& header, ByteView body,
                                                       Version version);
std::variant<SubscriptionAck, PacketError> read_unsuback(const PacketHeader& header, ByteView body,
                                                         Version version);

// Append the packet. Filters: at least one, each of at most 65535 bytes; packet_id is not 0.
void append_subscribe(std::vector<std::byte>& out, std::uint16_t packet_id,
                      std::span<const Subscription> subscriptions, Version version);
void append_unsubscribe(std::vector<std::byte>& out, std::uint16_t packet_id,
                        std::span<const std::string_view> filters, Version version);
// reasons: one for each filter; of an UNSUBACK they are written in v5 alone.
void append_suback(std::vector<std::byte>& out, const SubscriptionAck& ack, Version version);
void append_unsuback(std::vector<std::byte>& out, const SubscriptionAck& ack, Version version);

}  // namespace sluice::mqtt
