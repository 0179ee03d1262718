// SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (sections 3.8 to 3.11).
#include "sluice/mqtt/subscribe.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "appender.h"
#include "body.h"
#include "sluice/mqtt/publish.h"
#include "utf8.h"

namespace sluice::mqtt {
namespace {

constexpr unsigned kMarked = 2;  // the flags of a request

// What all four begin with. The cursor stands behind it afterwards.
struct Front {
    std::uint16_t packet_id = 0;
    std::uint32_t subscription_id = 0;
};
std::variant<Front, PacketError> take_front(const PacketHeader& header, Cursor& cursor, PropertyPlace place,
                                            Version version) {
    if (const auto error = check_header(header, version)) return *error;
    const auto id = take_packet_id(cursor);
    if (const auto* error = std::get_if<PacketError>(&id)) return *error;
    const auto block = take_block(cursor, place, version);
    if (const auto* error = std::get_if<PacketError>(&block)) return *error;
    return Front{std::get<std::uint16_t>(id), std::get<Properties>(block).subscription_id};
}

std::optional<PacketError> take_filter(Cursor& cursor) {
    const auto filter = cursor.take_field();
    if (!filter) return PacketError::BadLength;
    if (!is_valid_utf8(*filter)) return PacketError::BadString;
    if (!is_topic_filter(as_text(*filter))) return PacketError::BadFilter;
    return std::nullopt;
}

std::optional<PacketError> take_options(Cursor& cursor, Version version) {
    const auto options = cursor.take8();
    if (!options) return PacketError::BadLength;
    if ((*options & 0x03U) == 3) return PacketError::BadQos;
    // MQTT 3.1 calls the upper bits unused.
    if (version == Version::V311 && *options > 2) return PacketError::BadOptions;
    const bool reserved = (*options & 0xc0U) != 0 || (*options & 0x30U) == 0x30;
    if (version == Version::V5 && reserved) return PacketError::BadOptions;
    return std::nullopt;
}

bool is_suback_reason(std::uint8_t reason, Version version) {
    static constexpr std::array<std::uint8_t, 9> kFailures{0x80, 0x83, 0x87, 0x8f, 0x91,
                                                           0x97, 0x9e, 0xa1, 0xa2};
    if (reason <= 2) return true;
    if (version != Version::V5) return reason == 0x80 && version == Version::V311;
    return std::find(kFailures.begin(), kFailures.end(), reason) != kFailures.end();
}

bool is_unsuback_reason(std::uint8_t reason) {
    static constexpr std::array<std::uint8_t, 7> kReasons{0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91};
    return std::find(kReasons.begin(), kReasons.end(), reason) != kReasons.end();
}

std::size_t block_size(Version version) { return version == Version::V5 ? 1 : 0; }

void put_front(Appender& packet, std::uint16_t packet_id, Version version) {
    assert(packet_id != 0);
    packet.put16(packet_id);
    if (version == Version::V5) packet.put8(0);  // no properties
}

}  // namespace

std::variant<Subscribe, PacketError> read_subscribe(const PacketHeader& header, ByteView body,
                                                    Version version) {
    assert(header.type == PacketType::Subscribe && body.size() == header.remaining);
    Cursor cursor(body);
    const auto front = take_front(header, cursor, PropertyPlace::Subscribe, version);
    if (const auto* error = std::get_if<PacketError>(&front)) return *error;
    Subscribe subscribe;
    subscribe.packet_id_ = std::get<Front>(front).packet_id;
    subscribe.subscription_id_ = std::get<Front>(front).subscription_id;
    subscribe.list_ = cursor.rest();
    for (; cursor.left() != 0; ++subscribe.count_) {
        if (const auto error = take_filter(cursor)) return *error;
        if (const auto error = take_options(cursor, version)) return *error;
    }
    if (subscribe.count_ == 0) return PacketError::NoFilter;
    return subscribe;
}

std::variant<Unsubscribe, PacketError> read_unsubscribe(const PacketHeader& header, ByteView body,
                                                        Version version) {
    assert(header.type == PacketType::Unsubscribe && body.size() == header.remaining);
    Cursor cursor(body);
    const auto front = take_front(header, cursor, PropertyPlace::Unsubscribe, version);
    if (const auto* error = std::get_if<PacketError>(&front)) return *error;
    Unsubscribe unsubscribe;
    unsubscribe.packet_id_ = std::get<Front>(front).packet_id;
    unsubscribe.list_ = cursor.rest();
    for (; cursor.left() != 0; ++unsubscribe.count_) {
        if (const auto error = take_filter(cursor)) return *error;
    }
    if (unsubscribe.count_ == 0) return PacketError::NoFilter;
    return unsubscribe;
}

std::variant<SubscriptionAck, PacketError> read_suback(const PacketHeader& header, ByteView body,
                                                       Version version) {
    assert(header.type == PacketType::Suback && body.size() == header.remaining);
    Cursor cursor(body);
    const auto front = take_front(header, cursor, PropertyPlace::Acknowledgement, version);
    if (const auto* error = std::get_if<PacketError>(&front)) return *error;
    const ByteView reasons = cursor.rest();
    if (reasons.empty()) return PacketError::NoFilter;
    for (const std::byte reason : reasons) {
        if (!is_suback_reason(static_cast<std::uint8_t>(reason), version)) return PacketError::BadReason;
    }
    return SubscriptionAck{std::get<Front>(front).packet_id, reasons};
}

std::variant<SubscriptionAck, PacketError> read_unsuback(const PacketHeader& header, ByteView body,
                                                         Version version) {
    assert(header.type == PacketType::Unsuback && body.size() == header.remaining);
    Cursor cursor(body);
    const auto front = take_front(header, cursor, PropertyPlace::Acknowledgement, version);
    if (const auto* error = std::get_if<PacketError>(&front)) return *error;
    const ByteView reasons = cursor.rest();
    if (version != Version::V5) {
        if (!reasons.empty()) return PacketError::BadLength;
    } else if (reasons.empty()) {
        return PacketError::NoFilter;
    }
    for (const std::byte reason : reasons) {
        if (!is_unsuback_reason(static_cast<std::uint8_t>(reason))) return PacketError::BadReason;
    }
    return SubscriptionAck{std::get<Front>(front).packet_id, reasons};
}

void append_subscribe(std::vector<std::byte>& out, std::uint16_t packet_id,
                      std::span<const Subscription> subscriptions, Version version) {
    assert(!subscriptions.empty());
    std::size_t remaining = 2 + block_size(version);
    for (const Subscription& subscription : subscriptions) remaining += 2 + subscription.filter.size() + 1;
    Appender packet(out, PacketType::Subscribe, kMarked, remaining);
    put_front(packet, packet_id, version);
    for (const Subscription& subscription : subscriptions) {
        assert(subscription.qos <= 2 && subscription.retain_handling <= 2);
        unsigned options = subscription.qos;
        if (version == Version::V5) {
            options |= (subscription.no_local ? 0x04U : 0U) |
                       (subscription.retain_as_published ? 0x08U : 0U) |
                       static_cast<unsigned>(subscription.retain_handling) << 4U;
        }
        packet.put_text(subscription.filter);
        packet.put8(static_cast<std::uint8_t>(options));
    }
}

void append_unsubscribe(std::vector<std::byte>& out, std::uint16_t packet_id,
                        std::span<const std::string_view> filters, Version version) {
    assert(!filters.empty());
    std::size_t remaining = 2 + block_size(version);
    for (const std::string_view filter : filters) remaining += 2 + filter.size();
    Appender packet(out, PacketType::Unsubscribe, kMarked, remaining);
    put_front(packet, packet_id, version);
    for (const std::string_view filter : filters) packet.put_text(filter);
}

void append_suback(std::vector<std::byte>& out, const SubscriptionAck& ack, Version version) {
    Appender packet(out, PacketType::Suback, 0, 2 + block_size(version) + ack.reasons.size());
    put_front(packet, ack.packet_id, version);
    packet.put(ack.reasons);
}

void append_unsuback(std::vector<std::byte>& out, const SubscriptionAck& ack, Version version) {
    const ByteView reasons = version == Version::V5 ? ack.reasons : ByteView{};
    Appender packet(out, PacketType::Unsuback, 0, 2 + block_size(version) + reasons.size());
    put_front(packet, ack.packet_id, version);
    packet.put(reasons);
}

}  // namespace sluice::mqtt
