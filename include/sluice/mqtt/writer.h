// The few packets that the balancer writes itself: refusals to clients, and what an MQTT health probe says.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/connect.h"

namespace sluice::mqtt {

enum class Refusal : std::uint8_t {
    UnsupportedVersion,  // 3.x 0x01, v5 0x84
    ServerUnavailable,   // 3.x 0x03, v5 0x88
    ServerBusy,          // 3.x 0x03, v5 0x89
    QuotaExceeded,       // 3.x 0x03, v5 0x97
    RateExceeded,        // 3.x 0x03, v5 0x9F
    ClientIdNotValid,    // 3.x 0x02, v5 0x85
    NotAuthorized,       // 3.x 0x05, v5 0x87
    MalformedPacket,     // v5 0x81; 3.x has no code for it: close without CONNACK (empty result)
    ProtocolError,       // v5 0x82; likewise
    PacketTooLarge,      // v5 0x95; likewise
};

// A CONNACK in the client's dialect; empty where the version has none for this refusal.
std::vector<std::byte> write_refusal(Version version, Refusal refusal);

// Texts are valid UTF-8 of at most 65535 bytes. Before v5 a password needs a user name.
struct ConnectFields {
    Version version = Version::V311;
    std::string_view client_id = {};
    std::uint16_t keep_alive = 0;
    bool clean_start = true;
    std::uint32_t session_expiry = 0;  // seconds; MQTT 5 only
    std::optional<std::string_view> username = {};
    std::optional<std::string_view> password = {};
};
std::vector<std::byte> write_connect(const ConnectFields& fields);
std::array<std::byte, 2> write_pingreq();
std::array<std::byte, 2> write_disconnect();

}  // namespace sluice::mqtt
