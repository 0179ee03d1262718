#include "sluice/mqtt/packet.h"

#include "cursor.h"

namespace sluice::mqtt {

std::variant<PacketHeader, NeedMore, BadPacket> read_packet_header(ByteView bytes) {
    if (bytes.empty()) return NeedMore{};
    const std::uint8_t first = load8(bytes.data());
    if (first >> 4U == 0) return BadPacket{};
    const VarInt remaining = read_varint(bytes.subspan(1));
    switch (remaining.state) {
        case VarInt::State::NeedMore: return NeedMore{};
        case VarInt::State::Overlong: return BadPacket{};
        case VarInt::State::Whole: break;
    }
    return PacketHeader{.type = static_cast<PacketType>(first >> 4U),
                        .flags = static_cast<std::uint8_t>(first & 0x0fU),
                        .size = 1 + remaining.size,
                        .remaining = remaining.value};
}

const char* to_string(PacketError error) {
    switch (error) {
        case PacketError::BadFlags: return "bad flags in the fixed header";
        case PacketError::BadLength: return "bad length";
        case PacketError::BadPacketId: return "packet identifier 0";
        case PacketError::BadQos: return "bad QoS";
        case PacketError::BadString: return "bad UTF-8 string";
        case PacketError::BadTopic: return "bad topic name";
        case PacketError::BadTopicAlias: return "topic alias that was not announced";
        case PacketError::BadFilter: return "bad topic filter";
        case PacketError::BadOptions: return "bad subscription options";
        case PacketError::NoFilter: return "no topic filter";
        case PacketError::BadReason: return "reason code that does not belong to the packet";
        case PacketError::UnknownProperty: return "unknown property";
        case PacketError::BadProperty: return "bad property";
        case PacketError::BadPropertyLength: return "bad property length";
    }
    return "unknown";
}

}  // namespace sluice::mqtt
