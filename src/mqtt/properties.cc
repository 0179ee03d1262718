#include "properties.h"

#include <algorithm>
#include <array>

#include "property_ids.h"
#include "utf8.h"

namespace sluice::mqtt {
namespace {

// How the value is encoded, and where the standard restricts it, which values there are.
enum class Type : std::uint8_t {
    Flag,
    NonZeroU16,
    U16,
    NonZeroU32,
    U32,
    NonZeroVarInt,
    String,
    Binary,
    StringPair
};

constexpr std::uint8_t in(PropertyPlace place) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(place));
}
constexpr std::uint8_t kConnect = in(PropertyPlace::Connect);
constexpr std::uint8_t kWill = in(PropertyPlace::Will);
constexpr std::uint8_t kConnack = in(PropertyPlace::Connack);
constexpr std::uint8_t kPublish = in(PropertyPlace::Publish);
constexpr std::uint8_t kAcknowledgement = in(PropertyPlace::Acknowledgement);
constexpr std::uint8_t kSubscribe = in(PropertyPlace::Subscribe);
constexpr std::uint8_t kUnsubscribe = in(PropertyPlace::Unsubscribe);
constexpr std::uint8_t kDisconnect = in(PropertyPlace::Disconnect);
constexpr std::uint8_t kEverywhere =
    kConnect | kWill | kConnack | kPublish | kAcknowledgement | kSubscribe | kUnsubscribe | kDisconnect;

struct Rule {
    std::uint8_t id;
    Type type;
    std::uint8_t places;
};

// MQTT 5 table 2-4; the values from the sections of the packets.
constexpr std::array<Rule, 27> kRules{{
    {0x01, Type::Flag, kWill | kPublish},    // Payload Format Indicator
    {0x02, Type::U32, kWill | kPublish},     // Message Expiry Interval
    {0x03, Type::String, kWill | kPublish},  // Content Type
    {0x08, Type::String, kWill | kPublish},  // Response Topic
    {0x09, Type::Binary, kWill | kPublish},  // Correlation Data
    {kSubscriptionId, Type::NonZeroVarInt, kPublish | kSubscribe},
    {kSessionExpiry, Type::U32, kConnect | kConnack | kDisconnect},
    {kAssignedClientId, Type::String, kConnack},
    {kServerKeepAlive, Type::U16, kConnack},
    {kAuthenticationMethod, Type::String, kConnect | kConnack},
    {kAuthenticationData, Type::Binary, kConnect | kConnack},
    {0x17, Type::Flag, kConnect},                                     // Request Problem Information
    {0x18, Type::U32, kWill},                                         // Will Delay Interval
    {0x19, Type::Flag, kConnect},                                     // Request Response Information
    {0x1a, Type::String, kConnack},                                   // Response Information
    {0x1c, Type::String, kConnack | kDisconnect},                     // Server Reference
    {0x1f, Type::String, kConnack | kAcknowledgement | kDisconnect},  // Reason String
    {kReceiveMaximum, Type::NonZeroU16, kConnect | kConnack},
    {0x22, Type::U16, kConnect | kConnack},  // Topic Alias Maximum
    {kTopicAlias, Type::NonZeroU16, kPublish},
    {0x24, Type::Flag, kConnack},  // Maximum QoS
    {0x25, Type::Flag, kConnack},  // Retain Available
    {kUserProperty, Type::StringPair, kEverywhere},
    {kMaximumPacketSize, Type::NonZeroU32, kConnect | kConnack},
    {0x28, Type::Flag, kConnack},  // Wildcard Subscription Available
    {0x29, Type::Flag, kConnack},  // Subscription Identifiers Available
    {0x2a, Type::Flag, kConnack},  // Shared Subscription Available
}};

const Rule* rule_for(std::uint8_t id, PropertyPlace place) {
    const auto* rule = std::find_if(kRules.begin(), kRules.end(), [&](const Rule& r) { return r.id == id; });
    return rule != kRules.end() && (rule->places & in(place)) != 0 ? rule : nullptr;
}

// Section 3.3.2.3.8: one Subscription Identifier for each subscription that a message goes out for.
bool may_repeat(std::uint8_t id, PropertyPlace place) {
    return id == kUserProperty || (id == kSubscriptionId && place == PropertyPlace::Publish);
}

std::optional<PropertyError> take_number(std::optional<std::uint32_t> value, std::uint32_t low,
                                         std::uint32_t high) {
    if (!value) return PropertyError::BadLength;
    if (*value < low || *value > high) return PropertyError::BadProperty;
    return std::nullopt;
}

std::optional<PropertyError> take_varint(Cursor& cursor) {
    const VarInt number = read_varint(cursor.rest());
    if (number.state != VarInt::State::Whole || !number.minimal) return PropertyError::BadLength;
    cursor.take(number.size);
    return take_number(number.value, 1, number.value);
}

std::optional<PropertyError> check_string(std::optional<ByteView> text) {
    if (!text) return PropertyError::BadLength;
    if (!is_valid_utf8(*text)) return PropertyError::BadString;
    return std::nullopt;
}

// Takes one value and checks it.
std::optional<PropertyError> take_value(Cursor& cursor, Type type) {
    constexpr std::uint32_t kMax = 0xffffffff;
    switch (type) {
        case Type::Flag: return take_number(cursor.take8(), 0, 1);
        case Type::NonZeroU16: return take_number(cursor.take16(), 1, kMax);
        case Type::U16: return take_number(cursor.take16(), 0, kMax);
        case Type::NonZeroU32: return take_number(cursor.take32(), 1, kMax);
        case Type::U32: return take_number(cursor.take32(), 0, kMax);
        case Type::NonZeroVarInt: return take_varint(cursor);
        case Type::String: return check_string(cursor.take_field());
        case Type::Binary:
            if (!cursor.take_field()) return PropertyError::BadLength;
            return std::nullopt;
        case Type::StringPair:
            if (const auto error = check_string(cursor.take_field())) return error;
            return check_string(cursor.take_field());
    }
    return PropertyError::BadProperty;  // unreachable: the table holds only the types above
}

// Notes what Sluice wants to know; the value has been checked.
void note(Properties& properties, std::uint8_t id, Cursor value) {
    if (id == kSessionExpiry) properties.session_expiry = value.take32();
    if (id == kServerKeepAlive) properties.server_keep_alive = value.take16();
    if (id == kReceiveMaximum) properties.receive_maximum = *value.take16();
    if (id == kMaximumPacketSize) properties.maximum_packet_size = *value.take32();
    if (id == kTopicAlias) properties.topic_alias = *value.take16();
    if (id == kSubscriptionId) properties.subscription_id = read_varint(value.rest()).value;
    if (id == kAssignedClientId) properties.assigned_client_id = as_text(*value.take_field());
}

}  // namespace

std::variant<Properties, PropertyError> take_properties(Cursor& cursor, PropertyPlace place) {
    const VarInt length = read_varint(cursor.rest());
    if (length.state != VarInt::State::Whole || !length.minimal) return PropertyError::BadLength;
    cursor.take(length.size);
    const auto block = cursor.take(length.value);
    if (!block) return PropertyError::BadLength;

    Properties properties;
    std::uint64_t seen = 0;  // one bit an identifier; all are below 64
    for (Cursor rest(*block); rest.left() != 0;) {
        // The identifier is a Variable Byte Integer too, but all that exist take one byte.
        const std::uint8_t id = *rest.take8();
        const Rule* rule = rule_for(id, place);
        if (rule == nullptr) return PropertyError::Unknown;
        const std::uint64_t bit = std::uint64_t{1} << id;
        if ((seen & bit) != 0 && !may_repeat(id, place)) return PropertyError::Duplicate;
        seen |= bit;
        const Cursor value = rest;
        if (const auto error = take_value(rest, rule->type)) return *error;
        note(properties, id, value);
    }
    // Section 3.1.2.11.10: data without a method is a protocol error.
    const auto has = [&](std::uint8_t id) { return (seen >> id & 1U) != 0; };
    if (has(kAuthenticationData) && !has(kAuthenticationMethod)) return PropertyError::BadProperty;
    return properties;
}

}  // namespace sluice::mqtt
