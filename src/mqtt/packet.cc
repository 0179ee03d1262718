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

}  // namespace sluice::mqtt
