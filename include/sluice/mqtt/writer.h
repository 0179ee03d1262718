// Writers of the handshake, from either side, and of PINGREQ and PINGRESP; refusals in the client's dialect.
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

struct Will {
    std::string_view topic = {};
    ByteView payload = {};  // at most 65535 bytes
    std::uint8_t qos = 0;   // 0..2
    bool retain = false;
};

// Texts are valid UTF-8 of at most 65535 bytes. Before v5 a password needs a user name.
struct ConnectFields {
    Version version = Version::V311;
    std::string_view client_id = {};
    std::uint16_t keep_alive = 0;  // seconds
    std::optional<std::string_view> username = {};
    std::optional<std::string_view> password = {};
    bool clean_start = true;           // Clean Session in 3.x
    std::uint32_t session_expiry = 0;  // seconds; written in v5 alone
    std::optional<Will> will = {};
};
std::vector<std::byte> write_connect(const ConnectFields& connect);
void append_connect(std::vector<std::byte>& out, const ConnectFields& connect);

// What a CONNACK may say besides its code, in v5 alone; what is not set is not written.
struct ConnackFields {
    std::optional<std::string_view> assigned_client_id = {};
    std::optional<std::uint16_t> server_keep_alive = {};  // seconds
    std::optional<std::uint32_t> session_expiry = {};     // seconds
    std::uint16_t receive_maximum = 0;                    // 0: not set
    std::uint32_t maximum_packet_size = 0;                // bytes; 0: not set
    // What the broker can do; said where it cannot.
    bool retain = true;
    bool subscription_ids = true;
    bool shared_subscriptions = true;
};
// code: a reason code in v5, a return code before; session_present only with 0, and not in 3.1.
void append_connack(std::vector<std::byte>& out, Version version, std::uint8_t code, bool session_present,
                    const ConnackFields& fields = {});

std::array<std::byte, 2> write_pingreq();
std::array<std::byte, 2> write_pingresp();
std::array<std::byte, 2> write_disconnect();  // a client's, in order; acknowledge.h has others

}  // namespace sluice::mqtt
