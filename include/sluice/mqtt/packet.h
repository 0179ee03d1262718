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

}  // namespace sluice::mqtt
