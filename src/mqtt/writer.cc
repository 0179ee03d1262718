#include "sluice/mqtt/writer.h"

#include <cassert>

#include "appender.h"
#include "property_ids.h"

namespace sluice::mqtt {
namespace {

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

std::size_t field_size(std::size_t content) { return 2 + content; }

std::size_t connect_size(const ConnectFields& connect, std::string_view name) {
    std::size_t size = field_size(name.size()) + 4 + field_size(connect.client_id.size());
    if (connect.version == Version::V5) {
        size += 1 + (connect.session_expiry != 0 ? 5 : 0) + (connect.will ? 1 : 0);
    }
    if (connect.will)
        size += field_size(connect.will->topic.size()) + field_size(connect.will->payload.size());
    if (connect.username) size += field_size(connect.username->size());
    if (connect.password) size += field_size(connect.password->size());
    return size;
}

unsigned connect_flags(const ConnectFields& connect) {
    unsigned flags = (connect.clean_start ? 0x02U : 0U) | (connect.username ? 0x80U : 0U) |
                     (connect.password ? 0x40U : 0U);
    if (connect.will) {
        flags |= 0x04U | static_cast<unsigned>(connect.will->qos) << 3U | (connect.will->retain ? 0x20U : 0U);
    }
    return flags;
}

std::size_t block_size(const ConnackFields& fields) {
    std::size_t size = 0;
    if (fields.assigned_client_id) size += 1 + field_size(fields.assigned_client_id->size());
    if (fields.server_keep_alive) size += 3;
    if (fields.session_expiry) size += 5;
    if (fields.receive_maximum != 0) size += 3;
    if (fields.maximum_packet_size != 0) size += 5;
    for (const bool can : {fields.retain, fields.subscription_ids, fields.shared_subscriptions}) {
        if (!can) size += 2;
    }
    return size;
}

void put_block(Appender& packet, const ConnackFields& fields) {
    packet.put_varint(block_size(fields));
    if (fields.assigned_client_id) {
        packet.put8(kAssignedClientId);
        packet.put_text(*fields.assigned_client_id);
    }
    if (fields.server_keep_alive) {
        packet.put8(kServerKeepAlive);
        packet.put16(*fields.server_keep_alive);
    }
    if (fields.session_expiry) {
        packet.put8(kSessionExpiry);
        packet.put32(*fields.session_expiry);
    }
    if (fields.receive_maximum != 0) {
        packet.put8(kReceiveMaximum);
        packet.put16(fields.receive_maximum);
    }
    if (fields.maximum_packet_size != 0) {
        packet.put8(kMaximumPacketSize);
        packet.put32(fields.maximum_packet_size);
    }
    const auto put_lack = [&](bool can, std::uint8_t id) {
        if (can) return;
        packet.put8(id);
        packet.put8(0);
    };
    put_lack(fields.retain, kRetainAvailable);
    put_lack(fields.subscription_ids, kSubscriptionIdsAvailable);
    put_lack(fields.shared_subscriptions, kSharedSubscriptionsAvailable);
}

}  // namespace

std::vector<std::byte> write_refusal(Version version, Refusal refusal) {
    const Codes codes = codes_of(refusal);
    const bool v5 = version == Version::V5;
    std::vector<std::byte> bytes;
    if (v5 || codes.v3 != 0) append_connack(bytes, version, v5 ? codes.v5 : codes.v3, false);
    return bytes;
}

void append_connack(std::vector<std::byte>& out, Version version, std::uint8_t code, bool session_present,
                    const ConnackFields& fields) {
    assert(!session_present || (code == 0 && version != Version::V31));
    const std::size_t block = block_size(fields);
    const bool v5 = version == Version::V5;
    Appender packet(out, PacketType::Connack, 0, 2 + (v5 ? varint_size(block) + block : 0));
    packet.put8(session_present ? 1 : 0);
    packet.put8(code);
    if (v5) put_block(packet, fields);
}

std::vector<std::byte> write_connect(const ConnectFields& connect) {
    std::vector<std::byte> bytes;
    append_connect(bytes, connect);
    return bytes;
}

void append_connect(std::vector<std::byte>& out, const ConnectFields& connect) {
    assert(connect.version == Version::V5 || connect.username || !connect.password);
    assert(!connect.will || connect.will->qos <= 2);
    const bool v5 = connect.version == Version::V5;
    const std::string_view name = connect.version == Version::V31 ? "MQIsdp" : "MQTT";
    Appender packet(out, PacketType::Connect, 0, connect_size(connect, name));
    packet.put_text(name);
    packet.put8(static_cast<std::uint8_t>(connect.version));
    packet.put8(static_cast<std::uint8_t>(connect_flags(connect)));
    packet.put16(connect.keep_alive);
    if (v5) {
        packet.put8(connect.session_expiry != 0 ? 5 : 0);
        if (connect.session_expiry != 0) {
            packet.put8(kSessionExpiry);
            packet.put32(connect.session_expiry);
        }
    }
    packet.put_text(connect.client_id);
    if (connect.will) {
        if (v5) packet.put8(0);  // no properties
        packet.put_text(connect.will->topic);
        packet.put_field(connect.will->payload);
    }
    if (connect.username) packet.put_text(*connect.username);
    if (connect.password) packet.put_text(*connect.password);
}

std::array<std::byte, 2> write_pingreq() { return {std::byte{0xc0}, std::byte{0}}; }

std::array<std::byte, 2> write_pingresp() { return {std::byte{0xd0}, std::byte{0}}; }

// In v5, no reason code means normal disconnection (section 3.14.2.1).
std::array<std::byte, 2> write_disconnect() { return {std::byte{0xe0}, std::byte{0}}; }

}  // namespace sluice::mqtt
