#include "sluice/mqtt/writer.h"

#include <cassert>

namespace sluice::mqtt {
namespace {

constexpr std::uint8_t kSessionExpiryInterval = 0x11;  // property, MQTT 5 section 3.1.2.11.2

struct Codes {
    std::uint8_t v3;  // 0: no code
    std::uint8_t v5;
};

// 3.1.1 table 3.1 and MQTT 5 section 3.2.2.2.
Codes codes_of(Refusal refusal) {
    switch (refusal) {
        case Refusal::UnsupportedVersion: return {0x01, 0x84};
        case Refusal::ServerUnavailable: return {0x03, 0x88};
        case Refusal::ServerBusy: return {0x03, 0x89};
        case Refusal::QuotaExceeded: return {0x03, 0x97};
        case Refusal::RateExceeded: return {0x03, 0x9f};
        case Refusal::ClientIdNotValid: return {0x02, 0x85};
        case Refusal::NotAuthorized: return {0x05, 0x87};
        case Refusal::MalformedPacket: return {0, 0x81};
        case Refusal::ProtocolError: return {0, 0x82};
        case Refusal::PacketTooLarge: return {0, 0x95};
    }
    return {0, 0x80};  // unreachable: the enumerators are all above
}

class Packet {
  public:
    void put8(std::uint8_t value) { bytes_.push_back(std::byte{value}); }
    void put16(std::size_t value) {
        put8(static_cast<std::uint8_t>(value >> 8U));
        put8(static_cast<std::uint8_t>(value));
    }
    void put_text(std::string_view text) {
        assert(text.size() <= 0xffff);
        put16(text.size());
        const ByteView raw = as_bytes(text);
        bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    }
    // Puts the fixed header in front of what was written.
    std::vector<std::byte> finish(std::uint8_t first_byte) {
        Packet whole;
        whole.put8(first_byte);
        std::size_t rest = bytes_.size();
        do {
            whole.put8(static_cast<std::uint8_t>((rest & 0x7fU) | (rest > 0x7f ? 0x80U : 0U)));
            rest >>= 7U;
        } while (rest != 0);
        whole.bytes_.insert(whole.bytes_.end(), bytes_.begin(), bytes_.end());
        return std::move(whole.bytes_);
    }

  private:
    std::vector<std::byte> bytes_;
};

}  // namespace

std::vector<std::byte> write_refusal(Version version, Refusal refusal) {
    const Codes codes = codes_of(refusal);
    const bool v5 = version == Version::V5;
    if (!v5 && codes.v3 == 0) return {};
    Packet packet;
    packet.put8(0);  // no session
    packet.put8(v5 ? codes.v5 : codes.v3);
    if (v5) packet.put8(0);  // no properties
    return packet.finish(0x20);
}

std::vector<std::byte> write_connect(const ConnectFields& fields) {
    assert(fields.version == Version::V5 || fields.username || !fields.password);
    const bool v31 = fields.version == Version::V31;
    const unsigned flags =
        (fields.clean_start ? 0x02U : 0U) | (fields.username ? 0x80U : 0U) | (fields.password ? 0x40U : 0U);
    Packet packet;
    packet.put_text(v31 ? "MQIsdp" : "MQTT");
    packet.put8(static_cast<std::uint8_t>(fields.version));
    packet.put8(static_cast<std::uint8_t>(flags));
    packet.put16(fields.keep_alive);
    if (fields.version == Version::V5) {
        const bool expires = fields.session_expiry != 0;
        packet.put8(expires ? 5 : 0);
        if (expires) {
            packet.put8(kSessionExpiryInterval);
            packet.put16(fields.session_expiry >> 16U);
            packet.put16(fields.session_expiry & 0xffffU);
        }
    }
    packet.put_text(fields.client_id);
    if (fields.username) packet.put_text(*fields.username);
    if (fields.password) packet.put_text(*fields.password);
    return packet.finish(0x10);
}

std::array<std::byte, 2> write_pingreq() { return {std::byte{0xc0}, std::byte{0}}; }

// In v5, no reason code means normal disconnection (section 3.14.2.1).
std::array<std::byte, 2> write_disconnect() { return {std::byte{0xe0}, std::byte{0}}; }

}  // namespace sluice::mqtt
