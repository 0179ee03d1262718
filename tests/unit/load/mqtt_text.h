// Packets as texts, for tests that are the other side.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/mqtt/acknowledge.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/publish.h"
#include "sluice/mqtt/subscribe.h"
#include "sluice/mqtt/writer.h"

namespace sluice::load::test {

inline std::string raw(std::initializer_list<unsigned> bytes) {
    std::string text;
    for (const unsigned byte : bytes) text.push_back(static_cast<char>(byte));
    return text;
}

inline std::string text_of(const std::vector<std::byte>& bytes) { return std::string(as_text(bytes)); }

inline std::string connect(const mqtt::ConnectFields& fields) { return text_of(mqtt::write_connect(fields)); }

inline std::string connack(mqtt::Version version, std::uint8_t code, const mqtt::ConnackFields& fields = {}) {
    std::vector<std::byte> bytes;
    mqtt::append_connack(bytes, version, code, false, fields);
    return text_of(bytes);
}

inline std::string publish(const mqtt::Publish& publish, mqtt::Version version = mqtt::Version::V311) {
    std::vector<std::byte> bytes;
    mqtt::append_publish(bytes, publish, version);
    return text_of(bytes);
}

inline std::string ack(mqtt::PacketType type, std::uint16_t packet_id, std::uint8_t reason = 0) {
    std::vector<std::byte> bytes;
    const auto version = reason == 0 ? mqtt::Version::V311 : mqtt::Version::V5;
    mqtt::append_ack(bytes, type, {.packet_id = packet_id, .reason = reason}, version);
    return text_of(bytes);
}

inline std::string subscribe(std::uint16_t packet_id, const std::vector<mqtt::Subscription>& subscriptions,
                             mqtt::Version version = mqtt::Version::V311) {
    std::vector<std::byte> bytes;
    mqtt::append_subscribe(bytes, packet_id, subscriptions, version);
    return text_of(bytes);
}

inline std::string suback(std::uint16_t packet_id, std::string_view reasons,
                          mqtt::Version version = mqtt::Version::V311) {
    std::vector<std::byte> bytes;
    mqtt::append_suback(bytes, {.packet_id = packet_id, .reasons = as_bytes(reasons)}, version);
    return text_of(bytes);
}

inline std::string unsubscribe(std::uint16_t packet_id, const std::vector<std::string_view>& filters,
                               mqtt::Version version = mqtt::Version::V311) {
    std::vector<std::byte> bytes;
    mqtt::append_unsubscribe(bytes, packet_id, filters, version);
    return text_of(bytes);
}

inline std::string disconnect(mqtt::Version version = mqtt::Version::V311, std::uint8_t reason = 0) {
    std::vector<std::byte> bytes;
    mqtt::append_disconnect(bytes, version, reason);
    return text_of(bytes);
}

inline std::string pingreq() { return raw({0xc0, 0}); }
inline std::string pingresp() { return raw({0xd0, 0}); }

}  // namespace sluice::load::test
