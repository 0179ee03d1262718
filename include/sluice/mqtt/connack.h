// Reader of the broker's CONNACK (section 3.2), as it passes towards the client.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/connect.h"

namespace sluice::mqtt {

struct Connack {
    bool session_present = false;
    std::uint8_t reason_code = 0;                    // return code in 3.x
    std::optional<std::uint16_t> server_keep_alive;  // seconds, v5
    std::optional<std::uint32_t> session_expiry;     // seconds, in place of the CONNECT's; v5
    std::uint16_t receive_maximum = 0xffff;          // QoS 1 and 2 that may be under way to the broker, v5
    std::uint32_t maximum_packet_size = 0;           // bytes that the broker takes, 0: any; v5
    std::optional<std::string_view> assigned_client_id;  // v5; borrows from the bytes read
    std::size_t size = 0;                                // bytes of the whole packet

    bool accepted() const { return reason_code == 0; }
    // The broker says try elsewhere or later: 3.x code 3; v5 0x88 Server unavailable, 0x89 Server busy, 0x97
    // Quota exceeded, 0x9F Connection rate exceeded. (0x9C/0x9D name another server: the client's own
    // matter.)
    bool try_another(Version version) const;
    // The broker speaks of itself, not of this client: 3.x code 3; v5 0x88 Server unavailable, 0x89 Server
    // busy.
    bool unavailable(Version version) const;
};

enum class ConnackError : std::uint8_t {
    NotConnack,
    BadHeader,
    TooLarge,
    BadFlags,
    BadProperty,
    BadPropertyLength,
    BadLength
};
const char* to_string(ConnackError error);

struct ConnackMalformed {
    ConnackError reason = ConnackError::NotConnack;
};

// A v5 server may send AUTH (MQTT 5 section 3.15) before CONNACK when the client asked for enhanced
// authentication; the client answers, and the CONNACK comes later. Whether its body is sound is not looked
// at.
struct Auth {
    std::size_t size = 0;  // bytes of the whole packet
};

using ConnackResult = std::variant<Connack, Auth, NeedMore, ConnackMalformed>;

// As read_connect(). version: the CONNECT's.
ConnackResult read_connack(ByteView bytes, Version version, std::size_t max_size);

}  // namespace sluice::mqtt
