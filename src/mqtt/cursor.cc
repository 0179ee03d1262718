#include "cursor.h"

namespace sluice::mqtt {

VarInt read_varint(ByteView bytes) {
    VarInt result;
    for (std::size_t i = 0; i < 4; ++i) {
        if (i == bytes.size()) return result;
        const std::uint8_t byte = load8(bytes.data() + i);
        result.value |= static_cast<std::uint32_t>(byte & 0x7fU) << (7 * i);
        if ((byte & 0x80U) != 0) continue;
        result.state = VarInt::State::Whole;
        result.size = i + 1;
        result.minimal = byte != 0 || i == 0;
        return result;
    }
    result.state = VarInt::State::Overlong;
    return result;
}

}  // namespace sluice::mqtt
