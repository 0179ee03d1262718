// CONNACK (section 3.2 of MQTT 3.1, 3.1.1 and 5).
#include "sluice/mqtt/connack.h"

#include "cursor.h"
#include "properties.h"

namespace sluice::mqtt {
namespace {

constexpr std::uint8_t kConnackType = 2;
constexpr std::uint8_t kAuthType = 15;
constexpr std::uint8_t kSessionPresent = 0x01;
// Acknowledge flags and return code; in v5 at least an empty property block behind them.
constexpr std::size_t kSize3 = 2;
constexpr std::size_t kSmallest5 = 3;

ConnackError connack_error(PropertyError error) {
    switch (error) {
        case PropertyError::BadLength: return ConnackError::BadPropertyLength;
        case PropertyError::Unknown:
        case PropertyError::BadProperty:
        case PropertyError::Duplicate:
        case PropertyError::BadString: return ConnackError::BadProperty;
    }
    return ConnackError::BadProperty;  // unreachable: the enumerators are all above
}

// body: the whole variable header, at least flags and code.
ConnackResult read_body(ByteView body, Version version) {
    Connack connack;
    Cursor cursor(body);
    const std::uint8_t flags = *cursor.take8();
    connack.reason_code = *cursor.take8();
    connack.session_present = version != Version::V31 && (flags & kSessionPresent) != 0;
    // [MQTT-3.2.2-6] in MQTT 5, [MQTT-3.2.2-4] in 3.1.1: no session with a refusal.
    if (connack.session_present && !connack.accepted()) return ConnackMalformed{ConnackError::BadFlags};
    if (version == Version::V5) {
        const auto result = take_properties(cursor, PropertyPlace::Connack);
        if (const auto* error = std::get_if<PropertyError>(&result))
            return ConnackMalformed{connack_error(*error)};
        const auto& properties = std::get<Properties>(result);
        connack.server_keep_alive = properties.server_keep_alive;
        connack.session_expiry = properties.session_expiry;
        connack.receive_maximum = properties.receive_maximum;
        connack.maximum_packet_size = properties.maximum_packet_size;
        connack.assigned_client_id = properties.assigned_client_id;
    }
    if (cursor.left() != 0) return ConnackMalformed{ConnackError::BadLength};
    return connack;
}

}  // namespace

bool Connack::try_another(Version version) const {
    if (version != Version::V5) return reason_code == 3;
    return reason_code == 0x88 || reason_code == 0x89 || reason_code == 0x97 || reason_code == 0x9f;
}

bool Connack::unavailable(Version version) const {
    if (version != Version::V5) return reason_code == 3;
    return reason_code == 0x88 || reason_code == 0x89;
}

ConnackResult read_connack(ByteView bytes, Version version, std::size_t max_size) {
    if (bytes.empty()) return NeedMore{};
    const std::uint8_t first = load8(bytes.data());
    const bool auth = version == Version::V5 && first >> 4U == kAuthType;
    if (first >> 4U != kConnackType && !auth) return ConnackMalformed{ConnackError::NotConnack};
    if ((first & 0x0fU) != 0) return ConnackMalformed{ConnackError::BadHeader};

    const VarInt remaining = read_varint(bytes.subspan(1));
    if (remaining.state == VarInt::State::Overlong) return ConnackMalformed{ConnackError::BadHeader};
    if (remaining.state == VarInt::State::NeedMore) return NeedMore{};
    const bool v5 = version == Version::V5;
    if (v5 && !remaining.minimal) return ConnackMalformed{ConnackError::BadHeader};  // [MQTT-1.5.5-1]
    const std::size_t header = 1 + remaining.size;
    const std::size_t size = header + remaining.value;
    if (size > max_size) return ConnackMalformed{ConnackError::TooLarge};
    if (auth) return bytes.size() < size ? ConnackResult(NeedMore{}) : Auth{size};
    if (v5 ? remaining.value < kSmallest5 : remaining.value != kSize3) {
        return ConnackMalformed{ConnackError::BadLength};
    }

    // The upper seven bits of the acknowledge flags are reserved; MQTT 3.1 does not use the byte at all.
    if (bytes.size() > header && version != Version::V31 &&
        (load8(bytes.data() + header) & ~kSessionPresent) != 0) {
        return ConnackMalformed{ConnackError::BadFlags};
    }
    if (bytes.size() < size) return NeedMore{};
    ConnackResult result = read_body(bytes.first(size).subspan(header), version);
    if (auto* connack = std::get_if<Connack>(&result)) connack->size = size;
    return result;
}

const char* to_string(ConnackError error) {
    switch (error) {
        case ConnackError::NotConnack: return "first packet is not CONNACK";
        case ConnackError::BadHeader: return "bad fixed header";
        case ConnackError::TooLarge: return "too large";
        case ConnackError::BadFlags: return "bad acknowledge flags";
        case ConnackError::BadProperty: return "bad property";
        case ConnackError::BadPropertyLength: return "bad property length";
        case ConnackError::BadLength: return "bad length";
    }
    return "unknown";
}

}  // namespace sluice::mqtt
