#include "body.h"

#include "appender.h"

namespace sluice::mqtt {

std::optional<PacketError> check_header(const PacketHeader& header, Version version) {
    if (version == Version::V5 && header.size != 1 + varint_size(header.remaining)) {
        return PacketError::BadLength;
    }
    if (header.type == PacketType::Publish || version == Version::V31) return std::nullopt;
    const bool marked = header.type == PacketType::Pubrel || header.type == PacketType::Subscribe ||
                        header.type == PacketType::Unsubscribe;
    if (header.flags != (marked ? 2 : 0)) return PacketError::BadFlags;
    return std::nullopt;
}

std::variant<std::uint16_t, PacketError> take_packet_id(Cursor& cursor) {
    const auto id = cursor.take16();
    if (!id) return PacketError::BadLength;
    if (*id == 0) return PacketError::BadPacketId;  // [MQTT-2.2.1-3] of v5, [MQTT-2.3.1-1] of 3.1.1
    return *id;
}

std::variant<Properties, PacketError> take_block(Cursor& cursor, PropertyPlace place, Version version) {
    if (version != Version::V5) return Properties{};
    const auto result = take_properties(cursor, place);
    if (const auto* properties = std::get_if<Properties>(&result)) return *properties;
    switch (std::get<PropertyError>(result)) {
        case PropertyError::BadLength: return PacketError::BadPropertyLength;
        case PropertyError::Unknown: return PacketError::UnknownProperty;
        case PropertyError::BadProperty:
        case PropertyError::Duplicate: return PacketError::BadProperty;
        case PropertyError::BadString: return PacketError::BadString;
    }
    return PacketError::BadProperty;  // unreachable: the enumerators are all above
}

}  // namespace sluice::mqtt
