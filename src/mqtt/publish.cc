// PUBLISH (section 3.3 of MQTT 3.1, 3.1.1 and 5).
#include "sluice/mqtt/publish.h"

#include <cassert>

#include "appender.h"
#include "body.h"
#include "property_ids.h"
#include "utf8.h"

namespace sluice::mqtt {
namespace {

constexpr std::size_t kAliasSize = 3;  // of the property

std::size_t remaining_size(const Publish& publish, Version version) {
    std::size_t size = 2 + publish.topic.size() + publish.payload.size();
    if (publish.qos != 0) size += 2;
    if (version == Version::V5) size += 1 + (publish.topic_alias != 0 ? kAliasSize : 0);
    return size;
}

std::optional<PacketError> read_flags(std::uint8_t flags, Version version, Publish& publish) {
    publish.dup = (flags & 0x08U) != 0;
    publish.qos = flags >> 1U & 0x03U;
    publish.retain = (flags & 0x01U) != 0;
    if (publish.qos == 3) return PacketError::BadQos;
    // [MQTT-3.3.1-2]; 3.1 does not say.
    if (publish.dup && publish.qos == 0 && version != Version::V31) return PacketError::BadQos;
    return std::nullopt;
}

std::optional<PacketError> check_topic(const Publish& publish, std::uint16_t topic_alias_maximum) {
    if (publish.topic_alias > topic_alias_maximum) return PacketError::BadTopicAlias;
    if (publish.topic.empty()) {
        if (publish.topic_alias == 0) return PacketError::BadTopic;
        return std::nullopt;
    }
    if (!is_valid_utf8(as_bytes(publish.topic))) return PacketError::BadString;
    if (publish.topic.find_first_of("+#") != std::string_view::npos) return PacketError::BadTopic;
    return std::nullopt;
}

// All in front of the payload.
std::optional<PacketError> take_front(Cursor& cursor, Version version, std::uint16_t topic_alias_maximum,
                                      Publish& publish) {
    const auto topic = cursor.take_field();
    if (!topic) return PacketError::BadLength;
    publish.topic = as_text(*topic);
    if (publish.qos != 0) {
        const auto id = take_packet_id(cursor);
        if (const auto* error = std::get_if<PacketError>(&id)) return *error;
        publish.packet_id = std::get<std::uint16_t>(id);
    }
    const auto block = take_block(cursor, PropertyPlace::Publish, version);
    if (const auto* error = std::get_if<PacketError>(&block)) return *error;
    publish.topic_alias = std::get<Properties>(block).topic_alias;
    return check_topic(publish, topic_alias_maximum);
}

}  // namespace

std::variant<PublishFront, NeedMore, PacketError> read_publish_front(const PacketHeader& header,
                                                                     ByteView body, Version version,
                                                                     std::uint16_t topic_alias_maximum) {
    assert(header.type == PacketType::Publish && body.size() <= header.remaining);
    PublishFront front;
    if (const auto error = check_header(header, version)) return *error;
    if (const auto error = read_flags(header.flags, version, front.publish)) return *error;
    Cursor cursor(body);
    if (const auto error = take_front(cursor, version, topic_alias_maximum, front.publish)) {
        const bool short_of = *error == PacketError::BadLength || *error == PacketError::BadPropertyLength;
        if (short_of && body.size() < header.remaining) return NeedMore{};
        return *error;
    }
    front.publish.payload = cursor.rest();
    front.payload_size = header.remaining - (body.size() - cursor.left());
    return front;
}

std::variant<Publish, PacketError> read_publish(const PacketHeader& header, ByteView body, Version version,
                                                std::uint16_t topic_alias_maximum) {
    assert(body.size() == header.remaining);
    const auto result = read_publish_front(header, body, version, topic_alias_maximum);
    if (const auto* front = std::get_if<PublishFront>(&result)) return front->publish;
    if (const auto* error = std::get_if<PacketError>(&result)) return *error;
    return PacketError::BadLength;  // unreachable: all of it is there
}

std::size_t publish_size(const Publish& publish, Version version) {
    const std::size_t remaining = remaining_size(publish, version);
    return 1 + varint_size(remaining) + remaining;
}

void append_publish(std::vector<std::byte>& out, const Publish& publish, Version version) {
    assert(publish.qos <= 2 && (publish.packet_id != 0) == (publish.qos != 0));
    assert(publish.topic_alias == 0 || version == Version::V5);
    const unsigned flags =
        (publish.dup ? 0x08U : 0U) | static_cast<unsigned>(publish.qos) << 1U | (publish.retain ? 0x01U : 0U);
    Appender packet(out, PacketType::Publish, flags, remaining_size(publish, version));
    packet.put_text(publish.topic);
    if (publish.qos != 0) packet.put16(publish.packet_id);
    if (version == Version::V5) {
        packet.put8(publish.topic_alias != 0 ? kAliasSize : 0);
        if (publish.topic_alias != 0) {
            packet.put8(kTopicAlias);
            packet.put16(publish.topic_alias);
        }
    }
    packet.put(publish.payload);
}

bool is_topic_name(std::string_view text) {
    return !text.empty() && text.find_first_of("+#") == std::string_view::npos &&
           is_valid_utf8(as_bytes(text));
}

bool is_topic_filter(std::string_view text) {
    if (text.empty() || !is_valid_utf8(as_bytes(text))) return false;
    for (std::size_t at = text.find_first_of("+#"); at != std::string_view::npos;
         at = text.find_first_of("+#", at + 1)) {
        if (at != 0 && text[at - 1] != '/') return false;
        if (at + 1 == text.size()) continue;
        if (text[at] == '#' || text[at + 1] != '/') return false;
    }
    return true;
}

}  // namespace sluice::mqtt
