// Reader of the first packet of an MQTT connection: CONNECT of 3.1, 3.1.1 and 5.0 (sections 3.1 of each
// standard). Strict: whatever the standard calls malformed or a protocol error is refused here, before any
// broker is involved.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "sluice/base/bytes.h"

namespace sluice::mqtt {

enum class Version : std::uint8_t { V31 = 3, V311 = 4, V5 = 5 };
constexpr const char* to_string(Version version) {
    switch (version) {
        case Version::V31: return "3.1";
        case Version::V311: return "3.1.1";
        case Version::V5: return "5";
    }
    return "unknown";
}

// A CONNECT that has arrived whole. Text and byte fields borrow from the bytes that were read.
struct Connect {
    Version version = Version::V311;
    bool clean_start = false;                // Clean Session in 3.x
    std::uint32_t session_expiry = 0;        // seconds after the connection's end; MQTT 5 only
    std::uint16_t keep_alive = 0;            // seconds, 0 means none
    std::uint16_t receive_maximum = 0xffff;  // QoS 1 and 2 that may be under way to the client; MQTT 5 only
    std::uint32_t maximum_packet_size = 0;   // bytes that the client takes, 0: any; MQTT 5 only
    std::string_view client_id;              // valid UTF-8, may be empty
    std::optional<std::string_view> username;
    std::optional<ByteView> password;
    bool has_will = false;
    std::size_t size = 0;  // bytes of the whole packet, fixed header included

    // Whether the broker keeps, or may already have, state that outlives this connection.
    bool persistent() const { return !clean_start || session_expiry != 0; }
};

// Why bytes are not a CONNECT that may go on. Each has its own counter.
enum class ConnectError : std::uint8_t {
    NotConnect,               // first packet type is not 1
    ReservedHeaderFlags,      // fixed header flags are not 0
    BadRemainingLength,       // varint of more than 4 bytes, or not minimal where the standard forbids it
    TooLarge,                 // Remaining Length above the limit
    BadProtocolName,          // neither "MQTT" nor "MQIsdp"
    UnsupportedVersion,       // a level that does not go with the name; bit 7, a bridge's mark, aside
    ReservedConnectFlag,      // bit 0 of the connect flags; 3.1 disregards it
    BadWillFlags,             // Will QoS 3, or QoS/Retain without Will (which 3.1 disregards)
    PasswordWithoutUsername,  // 3.x only, v5 allows it
    BadString,                // not UTF-8, or contains U+0000 or a surrogate
    EmptyClientId,            // empty where the version refuses it (3.1; 3.1.1 without Clean Session)
    UnknownProperty,          // no property, or none of a CONNECT or of its Will
    BadProperty,              // a forbidden value, or authentication data without a method
    DuplicateProperty,
    BadPropertyLength,  // property block or property runs past its end
    FieldPastEnd,       // a field runs past Remaining Length, or it is too small for any CONNECT
    TrailingBytes,      // bytes left after the last field
};
const char* to_string(ConnectError error);

struct NeedMore {};

struct Malformed {
    ConnectError reason = ConnectError::NotConnect;
    // The version where it was read before the fault, so that a refusal can be written in the client's
    // dialect.
    std::optional<Version> version;
};

using ConnectResult = std::variant<Connect, NeedMore, Malformed>;

// bytes: everything received so far, from the first byte of the connection; bytes behind the CONNECT are
// ignored. max_size: bound of the whole packet in bytes. Says Malformed as early as the bytes prove it (a
// wrong first byte needs one byte), allocates nothing, and costs O(1) until the packet is complete.
ConnectResult read_connect(ByteView bytes, std::size_t max_size);

}  // namespace sluice::mqtt
