// The properties of MQTT 5 (section 2.2.2) of every packet but AUTH: one table says the type, the allowed
// values and the place of each.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "cursor.h"
#include "sluice/base/bytes.h"

namespace sluice::mqtt {

enum class PropertyPlace : std::uint8_t {
    Connect,
    Will,
    Connack,
    Publish,
    Acknowledgement,  // PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK
    Subscribe,
    Unsubscribe,
    Disconnect,
};

enum class PropertyError : std::uint8_t {
    BadLength,    // the block runs past its packet, or a property past the block
    Unknown,      // no property, or none of this place: a malformed packet (section 2.2.2.2)
    BadProperty,  // a forbidden value, or a combination the standard calls a protocol error
    Duplicate,    // one that may occur but once
    BadString,    // not UTF-8 as MQTT wants it
};

// What Sluice itself wants to know of a block.
struct Properties {
    std::optional<std::uint16_t> server_keep_alive;      // seconds
    std::optional<std::uint32_t> session_expiry;         // seconds
    std::uint16_t receive_maximum = 0xffff;              // messages
    std::uint32_t maximum_packet_size = 0;               // bytes; 0: any
    std::uint16_t topic_alias = 0;                       // 0: none
    std::uint32_t subscription_id = 0;                   // the last one; 0: none
    std::optional<std::string_view> assigned_client_id;  // borrows from the bytes read
};

// Takes a property length and the block behind it from the cursor, and checks every property in it.
std::variant<Properties, PropertyError> take_properties(Cursor& cursor, PropertyPlace place);

}  // namespace sluice::mqtt
