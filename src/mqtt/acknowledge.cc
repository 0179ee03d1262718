// PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7), DISCONNECT (3.14).
#include "sluice/mqtt/acknowledge.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "appender.h"
#include "body.h"

namespace sluice::mqtt {
namespace {

bool is_reason(PacketType type, std::uint8_t reason) {
    static constexpr std::array<std::uint8_t, 9> kReceived{0x00, 0x10, 0x80, 0x83, 0x87,
                                                           0x90, 0x91, 0x97, 0x99};
    static constexpr std::uint8_t kNoSuchPacketId = 0x92;
    if (type == PacketType::Pubrel || type == PacketType::Pubcomp) {
        return reason == 0 || reason == kNoSuchPacketId;
    }
    return std::find(kReceived.begin(), kReceived.end(), reason) != kReceived.end();
}

// Section 3.14.2.1, of both sides.
bool is_disconnect_reason(std::uint8_t reason) {
    static constexpr std::array<std::uint8_t, 14> kOthers{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87,
                                                          0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93};
    if (reason >= 0x94 && reason <= 0xa2) return true;
    return std::find(kOthers.begin(), kOthers.end(), reason) != kOthers.end();
}

// The reason and the properties, each of which may be left out from the end on; `reason` stays when it is.
std::optional<PacketError> take_reason(Cursor& cursor, PropertyPlace place, Version version,
                                       std::uint8_t& reason) {
    if (version == Version::V5 && cursor.left() != 0) {
        reason = *cursor.take8();
        if (cursor.left() != 0) {
            const auto block = take_block(cursor, place, version);
            if (const auto* error = std::get_if<PacketError>(&block)) return *error;
        }
    }
    if (cursor.left() != 0) return PacketError::BadLength;
    return std::nullopt;
}

}  // namespace

std::variant<Ack, PacketError> read_ack(const PacketHeader& header, ByteView body, Version version) {
    assert(body.size() == header.remaining);
    if (const auto error = check_header(header, version)) return *error;
    Cursor cursor(body);
    const auto id = take_packet_id(cursor);
    if (const auto* error = std::get_if<PacketError>(&id)) return *error;
    Ack ack{.packet_id = std::get<std::uint16_t>(id)};
    if (const auto error = take_reason(cursor, PropertyPlace::Acknowledgement, version, ack.reason)) {
        return *error;
    }
    if (!is_reason(header.type, ack.reason)) return PacketError::BadReason;
    return ack;
}

void append_ack(std::vector<std::byte>& out, PacketType type, Ack ack, Version version) {
    assert(ack.packet_id != 0 && is_reason(type, ack.reason));
    assert(version == Version::V5 || ack.reason == 0);
    const bool with_reason = ack.reason != 0;
    Appender packet(out, type, type == PacketType::Pubrel ? 2 : 0, with_reason ? 3 : 2);
    packet.put16(ack.packet_id);
    if (with_reason) packet.put8(ack.reason);
    static_cast<void>(version);
}

std::variant<Disconnect, PacketError> read_disconnect(const PacketHeader& header, ByteView body,
                                                      Version version) {
    assert(header.type == PacketType::Disconnect && body.size() == header.remaining);
    if (const auto error = check_header(header, version)) return *error;
    Cursor cursor(body);
    Disconnect disconnect;
    if (const auto error = take_reason(cursor, PropertyPlace::Disconnect, version, disconnect.reason)) {
        return *error;
    }
    if (!is_disconnect_reason(disconnect.reason)) return PacketError::BadReason;
    return disconnect;
}

void append_disconnect(std::vector<std::byte>& out, Version version, std::uint8_t reason) {
    assert(version == Version::V5 || reason == 0);
    static_cast<void>(version);
    Appender packet(out, PacketType::Disconnect, 0, reason != 0 ? 1 : 0);
    if (reason != 0) packet.put8(reason);
}

}  // namespace sluice::mqtt
