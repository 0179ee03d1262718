// The fixed header that every MQTT packet begins with (section 2.2 of 3.1.1, 2.1 of 5.0), for who only needs
// to know what a packet is and where it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/connect.h"

namespace sluice::mqtt {

enum class PacketType : std::uint8_t {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
    Auth = 15,
};

struct PacketHeader {
    PacketType type = PacketType::Connect;
    std::uint8_t flags = 0;     // lower four bits of the first byte
    std::size_t size = 0;       // bytes of this header
    std::size_t remaining = 0;  // bytes that follow it
};

struct BadPacket {};  // type 0, or a Remaining Length of more than four bytes

// bytes: from the first one of a packet on.
std::variant<PacketHeader, NeedMore, BadPacket> read_packet_header(ByteView bytes);

// Why a packet behind the handshake is not what its type says.
enum class PacketError : std::uint8_t {
    BadFlags,           // the lower four bits of the first byte
    BadLength,          // a field runs past the packet, bytes are left, or a length is not minimal in v5
    BadPacketId,        // 0
    BadQos,             // 3, or a repeated PUBLISH with QoS 0
    BadString,          // not UTF-8 as MQTT wants it
    BadTopic,           // a topic name that is empty or has wildcards
    BadTopicAlias,      // above what was announced
    BadFilter,          // a topic filter that is empty or has wildcards where none may be
    BadOptions,         // of a subscription: reserved bits or values
    NoFilter,           // SUBSCRIBE, UNSUBSCRIBE and their acknowledgements speak of one at least
    BadReason,          // not a reason code of this packet
    UnknownProperty,    // no property, or none of this packet
    BadProperty,        // twice, or a forbidden value
    BadPropertyLength,  // property block or property runs past its end
};
const char* to_string(PacketError error);

}  // namespace sluice::mqtt
