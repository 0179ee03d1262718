#include "sluice/mqtt/session_packets.h"

#include <cassert>

#include "cursor.h"
#include "utf8.h"

namespace sluice::mqtt {
namespace {

constexpr std::uint8_t kHighestQos = 2;
constexpr std::uint8_t kQosMask = 0x03;
constexpr std::uint8_t kAssignedClientIdentifier = 0x12;  // property, MQTT 5 section 3.2.2.3.7
// What SUBSCRIBE, UNSUBSCRIBE and PUBREL have in the flags of their fixed headers.
constexpr std::uint8_t kFixedFlags = 0x02;

ByteView body_of(const PacketHeader& header, ByteView packet) { return packet.subspan(header.size); }

// A property block, unread.
bool skip_properties(Cursor& cursor, Version version) {
    if (version != Version::V5) return true;
    const VarInt length = read_varint(cursor.rest());
    if (length.state != VarInt::State::Whole) return false;
    return cursor.take(length.size + length.value).has_value();
}

std::optional<std::uint16_t> take_packet_id(Cursor& cursor) {
    const auto id = cursor.take16();
    return id && *id != 0 ? id : std::nullopt;
}

void put8(PacketBytes& out, unsigned value) { out.push_back(static_cast<std::byte>(value)); }

void put16(PacketBytes& out, std::size_t value) {
    put8(out, static_cast<unsigned>(value >> 8U & 0xffU));
    put8(out, static_cast<unsigned>(value & 0xffU));
}

void put_text(PacketBytes& out, std::string_view text) {
    assert(text.size() <= 0xffff);
    put16(out, text.size());
    const ByteView raw = as_bytes(text);
    out.insert(out.end(), raw.begin(), raw.end());
}

void put_header(PacketBytes& out, PacketType type, unsigned flags, std::size_t remaining) {
    put8(out, static_cast<unsigned>(type) << 4U | flags);
    do {
        put8(out, static_cast<unsigned>(remaining & 0x7fU) | (remaining > 0x7f ? 0x80U : 0U));
        remaining >>= 7U;
    } while (remaining != 0);
}

std::size_t properties_size(Version version) { return version == Version::V5 ? 1 : 0; }

void put_no_properties(PacketBytes& out, Version version) {
    if (version == Version::V5) put8(out, 0);
}

std::optional<Subscribe> read_filters(const PacketHeader& header, ByteView packet, Version version,
                                      bool with_options) {
    if (header.flags != kFixedFlags) return std::nullopt;
    Cursor cursor(body_of(header, packet));
    const auto id = take_packet_id(cursor);
    if (!id || !skip_properties(cursor, version) || cursor.left() == 0) return std::nullopt;
    const Subscribe subscribe{.packet_id = *id, .filters = Filters(cursor.rest(), with_options)};
    while (cursor.left() != 0) {
        const auto text = cursor.take_field();
        if (!text || text->empty() || !is_valid_utf8(*text)) return std::nullopt;
        if (!with_options) continue;
        const auto options = cursor.take8();
        if (!options || (*options & kQosMask) > kHighestQos) return std::nullopt;
    }
    return subscribe;
}

}  // namespace

// Section 3.3. A topic alias of version 5 would leave the topic empty; nobody here offers to understand one.
std::optional<Publish> read_publish(const PacketHeader& header, ByteView packet, Version version) {
    Publish publish{.qos = static_cast<std::uint8_t>(header.flags >> 1U & kQosMask),
                    .retain = (header.flags & 0x01U) != 0,
                    .duplicate = (header.flags & 0x08U) != 0};
    if (publish.qos > kHighestQos) return std::nullopt;
    Cursor cursor(body_of(header, packet));
    const auto topic = cursor.take_field();
    if (!topic || topic->empty() || !is_valid_utf8(*topic)) return std::nullopt;
    publish.topic = as_text(*topic);
    if (publish.topic.find_first_of("+#") != std::string_view::npos) return std::nullopt;  // [MQTT-3.3.2-2]
    if (publish.qos != 0) {
        const auto id = take_packet_id(cursor);
        if (!id) return std::nullopt;
        publish.packet_id = *id;
    }
    if (!skip_properties(cursor, version)) return std::nullopt;
    publish.payload = cursor.rest();
    return publish;
}

void write_publish(const Publish& publish, Version version, PacketBytes& out) {
    const unsigned flags = (publish.retain ? 0x01U : 0U) | static_cast<unsigned>(publish.qos) << 1U |
                           (publish.duplicate ? 0x08U : 0U);
    const std::size_t id = publish.qos == 0 ? 0 : 2;
    put_header(out, PacketType::Publish, flags,
               2 + publish.topic.size() + id + properties_size(version) + publish.payload.size());
    put_text(out, publish.topic);
    if (publish.qos != 0) put16(out, publish.packet_id);
    put_no_properties(out, version);
    out.insert(out.end(), publish.payload.begin(), publish.payload.end());
}

// Sections 3.4 to 3.7. In version 5 reason and properties may be left out, in this order.
std::optional<Acknowledgement> read_acknowledgement(const PacketHeader& header, ByteView packet,
                                                    Version version) {
    if (header.flags != (header.type == PacketType::Pubrel ? kFixedFlags : 0)) return std::nullopt;
    Cursor cursor(body_of(header, packet));
    const auto id = take_packet_id(cursor);
    if (!id) return std::nullopt;
    Acknowledgement acknowledgement{.packet_id = *id};
    if (cursor.left() == 0) return acknowledgement;
    if (version != Version::V5) return std::nullopt;
    acknowledgement.reason = *cursor.take8();
    if (cursor.left() != 0 && (!skip_properties(cursor, version) || cursor.left() != 0)) return std::nullopt;
    return acknowledgement;
}

void write_acknowledgement(PacketType type, std::uint16_t packet_id, PacketBytes& out) {
    put_header(out, type, type == PacketType::Pubrel ? kFixedFlags : 0, 2);
    put16(out, packet_id);
}

std::optional<Filters::Filter> Filters::next() {
    Cursor cursor(rest_);
    const auto text = cursor.take_field();
    if (!text) return std::nullopt;
    Filter filter{.text = as_text(*text)};
    if (with_options_) filter.qos = static_cast<std::uint8_t>(*cursor.take8() & kQosMask);
    rest_ = cursor.rest();
    return filter;
}

std::optional<Subscribe> read_subscribe(const PacketHeader& header, ByteView packet, Version version) {
    return read_filters(header, packet, version, true);
}

std::optional<Subscribe> read_unsubscribe(const PacketHeader& header, ByteView packet, Version version) {
    return read_filters(header, packet, version, false);
}

void write_subscribe(std::uint16_t packet_id, std::string_view filter, std::uint8_t qos, Version version,
                     PacketBytes& out) {
    put_header(out, PacketType::Subscribe, kFixedFlags, 2 + properties_size(version) + 2 + filter.size() + 1);
    put16(out, packet_id);
    put_no_properties(out, version);
    put_text(out, filter);
    put8(out, qos);
}

std::optional<Suback> read_suback(const PacketHeader& header, ByteView packet, Version version) {
    if (header.flags != 0) return std::nullopt;
    Cursor cursor(body_of(header, packet));
    const auto id = take_packet_id(cursor);
    if (!id || !skip_properties(cursor, version)) return std::nullopt;
    return Suback{.packet_id = *id, .codes = cursor.rest()};
}

void write_suback(std::uint16_t packet_id, std::span<const std::uint8_t> codes, Version version,
                  PacketBytes& out) {
    put_header(out, PacketType::Suback, 0, 2 + properties_size(version) + codes.size());
    put16(out, packet_id);
    put_no_properties(out, version);
    for (const std::uint8_t code : codes) put8(out, code);
}

void write_unsuback(std::uint16_t packet_id, std::size_t filters, Version version, PacketBytes& out) {
    const std::size_t codes = version == Version::V5 ? filters : 0;
    put_header(out, PacketType::Unsuback, 0, 2 + properties_size(version) + codes);
    put16(out, packet_id);
    put_no_properties(out, version);
    out.insert(out.end(), codes, std::byte{0});
}

void write_accepted(bool session_present, std::string_view assigned_client_id, Version version,
                    PacketBytes& out) {
    const bool assigned = version == Version::V5 && !assigned_client_id.empty();
    const std::size_t properties = assigned ? 1 + 2 + assigned_client_id.size() : 0;
    assert(properties <= 0x7f);
    put_header(out, PacketType::Connack, 0, 2 + properties_size(version) + properties);
    put8(out, session_present && version != Version::V31 ? 1 : 0);
    put8(out, 0);
    if (version == Version::V5) put8(out, static_cast<unsigned>(properties));
    if (!assigned) return;
    put8(out, kAssignedClientIdentifier);
    put_text(out, assigned_client_id);
}

void write_refused(std::uint8_t code, Version version, PacketBytes& out) {
    put_header(out, PacketType::Connack, 0, 2 + properties_size(version));
    put8(out, 0);
    put8(out, code);
    put_no_properties(out, version);
}

void write_pingresp(PacketBytes& out) { put_header(out, PacketType::Pingresp, 0, 0); }

void write_server_disconnect(std::uint8_t reason, PacketBytes& out) {
    put_header(out, PacketType::Disconnect, 0, 1);
    put8(out, reason);
}

}  // namespace sluice::mqtt
