// CONNECT (section 3.1 of MQTT 3.1, 3.1.1 and 5). It is read in two parts: the prefix up to the connect
// flags, byte by byte as it arrives, because that is where what is not MQTT gives itself away; and the rest,
// once all of it is there.
#include "sluice/mqtt/connect.h"

#include <algorithm>
#include <array>

#include "cursor.h"
#include "properties.h"
#include "utf8.h"

namespace sluice::mqtt {
namespace {

using namespace std::string_view_literals;

constexpr std::uint8_t kConnectType = 1;
constexpr std::string_view kName31 = "\0\6MQIsdp"sv;  // with the length in front
constexpr std::string_view kName = "\0\4MQTT"sv;

// The bits of the connect flags (section 3.1.2.3).
constexpr std::uint8_t kReserved = 0x01;
constexpr std::uint8_t kCleanStart = 0x02;
constexpr std::uint8_t kWillFlag = 0x04;
constexpr std::uint8_t kWillQos = 0x18;
constexpr std::uint8_t kWillRetain = 0x20;
constexpr std::uint8_t kPassword = 0x40;
constexpr std::uint8_t kUsername = 0x80;

// The smallest Remaining Length: name, level, flags, Keep Alive, in v5 an empty property block, an empty
// client ID.
constexpr std::size_t smallest(Version version) {
    switch (version) {
        case Version::V31: return kName31.size() + 6;
        case Version::V311: return kName.size() + 6;
        case Version::V5: return kName.size() + 7;
    }
    return 0;  // unreachable: the enumerators are all above
}

struct Prefix {
    Version version = Version::V311;
    std::uint8_t flags = 0;
    std::size_t size = 0;  // of the whole packet
    std::size_t read = 0;  // of the prefix
};

using PrefixResult = std::variant<Prefix, NeedMore, Malformed>;

std::optional<Version> version_of(std::string_view name, std::uint8_t level) {
    // Bridges of Mosquitto set the top bit of the level, and brokers look at the others.
    const std::uint8_t number = level & 0x7fU;
    if (name == kName31) return number == 3 ? std::optional(Version::V31) : std::nullopt;
    if (number == 4) return Version::V311;
    if (number == 5) return Version::V5;
    return std::nullopt;
}

// MQTT 3.1 disregards the bits that the later versions forbid, save for a password alone.
std::optional<ConnectError> check_flags(Version version, std::uint8_t flags) {
    const bool strict = version != Version::V31;
    if (strict && (flags & kReserved) != 0) return ConnectError::ReservedConnectFlag;
    const bool will = (flags & kWillFlag) != 0;
    if (will && (flags & kWillQos) == kWillQos) return ConnectError::BadWillFlags;
    if (strict && !will && (flags & (kWillQos | kWillRetain)) != 0) return ConnectError::BadWillFlags;
    if (version != Version::V5 && (flags & kPassword) != 0 && (flags & kUsername) == 0) {
        return ConnectError::PasswordWithoutUsername;  // 3.1.1 [MQTT-3.1.2-22]
    }
    return std::nullopt;
}

// The part from the protocol name to the flags. body: what has arrived behind the fixed header.
PrefixResult read_names(ByteView body, std::size_t remaining, bool minimal) {
    const std::string_view text = as_text(body);
    std::string_view name;
    for (const std::string_view known : {kName, kName31}) {
        if (text.substr(0, known.size()) == known.substr(0, text.size())) name = known;
    }
    if (text.empty()) return NeedMore{};
    if (name.empty()) return Malformed{ConnectError::BadProtocolName, std::nullopt};
    if (text.size() <= name.size()) return NeedMore{};

    const std::optional<Version> version = version_of(name, load8(body.data() + name.size()));
    if (!version) return Malformed{ConnectError::UnsupportedVersion, std::nullopt};
    // MQTT 5 [MQTT-1.5.5-1]; the earlier versions do not say.
    if (*version == Version::V5 && !minimal) return Malformed{ConnectError::BadRemainingLength, version};
    if (remaining < smallest(*version)) return Malformed{ConnectError::FieldPastEnd, version};

    if (text.size() <= name.size() + 1) return NeedMore{};
    const std::uint8_t flags = load8(body.data() + name.size() + 1);
    if (const auto error = check_flags(*version, flags)) return Malformed{*error, version};
    return Prefix{*version, flags, 0, name.size() + 2};
}

PrefixResult read_prefix(ByteView bytes, std::size_t max_size) {
    const auto malformed = [](ConnectError error) { return Malformed{error, std::nullopt}; };
    if (bytes.empty()) return NeedMore{};
    const std::uint8_t first = load8(bytes.data());
    if (first >> 4U != kConnectType) return malformed(ConnectError::NotConnect);
    if ((first & 0x0fU) != 0) return malformed(ConnectError::ReservedHeaderFlags);

    const VarInt remaining = read_varint(bytes.subspan(1));
    if (remaining.state == VarInt::State::Overlong) return malformed(ConnectError::BadRemainingLength);
    if (remaining.state == VarInt::State::NeedMore) return NeedMore{};
    const std::size_t header = 1 + remaining.size;
    if (header + remaining.value > max_size) return malformed(ConnectError::TooLarge);
    if (remaining.value < smallest(Version::V311)) return malformed(ConnectError::FieldPastEnd);

    PrefixResult result = read_names(bytes.subspan(header), remaining.value, remaining.minimal);
    if (auto* prefix = std::get_if<Prefix>(&result)) {
        prefix->size = header + remaining.value;
        prefix->read += header;
    }
    return result;
}

std::optional<ConnectError> take_string(Cursor& cursor, std::string_view& text) {
    const auto field = cursor.take_field();
    if (!field) return ConnectError::FieldPastEnd;
    if (!is_valid_utf8(*field)) return ConnectError::BadString;
    text = as_text(*field);
    return std::nullopt;
}

ConnectError connect_error(PropertyError error) {
    switch (error) {
        case PropertyError::BadLength: return ConnectError::BadPropertyLength;
        case PropertyError::Unknown: return ConnectError::UnknownProperty;
        case PropertyError::BadProperty: return ConnectError::BadProperty;
        case PropertyError::Duplicate: return ConnectError::DuplicateProperty;
        case PropertyError::BadString: return ConnectError::BadString;
    }
    return ConnectError::BadProperty;  // unreachable: the enumerators are all above
}

std::optional<ConnectError> skip_will_properties(Cursor& cursor) {
    const auto result = take_properties(cursor, PropertyPlace::Will);
    const auto* error = std::get_if<PropertyError>(&result);
    return error == nullptr ? std::nullopt : std::optional(connect_error(*error));
}

std::optional<ConnectError> take_connect_properties(Cursor& cursor, Connect& connect) {
    const auto result = take_properties(cursor, PropertyPlace::Connect);
    if (const auto* error = std::get_if<PropertyError>(&result)) return connect_error(*error);
    const auto& properties = std::get<Properties>(result);
    connect.session_expiry = properties.session_expiry.value_or(0);
    connect.receive_maximum = properties.receive_maximum;
    connect.maximum_packet_size = properties.maximum_packet_size;
    return std::nullopt;
}

std::optional<ConnectError> skip_will(Cursor& cursor, Version version) {
    if (version == Version::V5) {
        if (const auto error = skip_will_properties(cursor)) return error;
    }
    std::string_view topic;
    if (const auto error = take_string(cursor, topic)) return error;
    if (!cursor.take_field()) return ConnectError::FieldPastEnd;  // the Will Payload, any bytes
    return std::nullopt;
}

std::optional<ConnectError> take_credentials(Cursor& cursor, std::uint8_t flags, Connect& connect) {
    // MQTT 3.1 section 3.1: Remaining Length takes precedence over the two flags, so a field that is flagged
    // but not there is valid.
    const auto expected = [&](std::uint8_t flag) {
        return (flags & flag) != 0 && (connect.version != Version::V31 || cursor.left() != 0);
    };
    if (expected(kUsername)) {
        if (const auto error = take_string(cursor, connect.username.emplace())) return error;
    }
    if (expected(kPassword)) {
        connect.password = cursor.take_field();
        if (!connect.password) return ConnectError::FieldPastEnd;
    }
    return std::nullopt;
}

// Everything behind the connect flags; the cursor ends where the packet does.
std::optional<ConnectError> take_rest(Cursor cursor, std::uint8_t flags, Connect& connect) {
    const auto keep_alive = cursor.take16();
    if (!keep_alive) return ConnectError::FieldPastEnd;
    connect.keep_alive = *keep_alive;
    connect.clean_start = (flags & kCleanStart) != 0;
    connect.has_will = (flags & kWillFlag) != 0;

    if (connect.version == Version::V5) {
        if (const auto error = take_connect_properties(cursor, connect)) return error;
    }
    if (const auto error = take_string(cursor, connect.client_id)) return error;
    // 3.1: 1 to 23 characters, of which brokers enforce only the first bound; 3.1.1 [MQTT-3.1.3-7].
    const bool may_be_empty =
        connect.version == Version::V5 || (connect.version == Version::V311 && connect.clean_start);
    if (connect.client_id.empty() && !may_be_empty) return ConnectError::EmptyClientId;
    if (connect.has_will) {
        if (const auto error = skip_will(cursor, connect.version)) return error;
    }
    if (const auto error = take_credentials(cursor, flags, connect)) return error;
    if (cursor.left() != 0) return ConnectError::TrailingBytes;
    return std::nullopt;
}

}  // namespace

ConnectResult read_connect(ByteView bytes, std::size_t max_size) {
    const PrefixResult start = read_prefix(bytes, max_size);
    if (const auto* malformed = std::get_if<Malformed>(&start)) return *malformed;
    const auto* prefix = std::get_if<Prefix>(&start);
    if (prefix == nullptr || bytes.size() < prefix->size) return NeedMore{};

    Connect connect;
    connect.version = prefix->version;
    connect.size = prefix->size;
    const ByteView rest = bytes.first(prefix->size).subspan(prefix->read);
    if (const auto error = take_rest(Cursor(rest), prefix->flags, connect)) {
        return Malformed{*error, prefix->version};
    }
    return connect;
}

const char* to_string(ConnectError error) {
    switch (error) {
        case ConnectError::NotConnect: return "first packet is not CONNECT";
        case ConnectError::ReservedHeaderFlags: return "reserved flags in the fixed header";
        case ConnectError::BadRemainingLength: return "bad Remaining Length";
        case ConnectError::TooLarge: return "too large";
        case ConnectError::BadProtocolName: return "bad protocol name";
        case ConnectError::UnsupportedVersion: return "unsupported protocol version";
        case ConnectError::ReservedConnectFlag: return "reserved connect flag set";
        case ConnectError::BadWillFlags: return "bad Will flags";
        case ConnectError::PasswordWithoutUsername: return "password without user name";
        case ConnectError::BadString: return "bad UTF-8 string";
        case ConnectError::EmptyClientId: return "empty client ID";
        case ConnectError::UnknownProperty: return "unknown property";
        case ConnectError::BadProperty: return "forbidden value of a property";
        case ConnectError::DuplicateProperty: return "property occurs twice";
        case ConnectError::BadPropertyLength: return "bad property length";
        case ConnectError::FieldPastEnd: return "field runs past the end";
        case ConnectError::TrailingBytes: return "bytes left after the last field";
    }
    return "unknown";
}

}  // namespace sluice::mqtt
