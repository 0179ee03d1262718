// Builds packets byte by byte for the tests, also such as no writer would write.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/packet.h"

namespace sluice::mqtt::test {

inline std::string raw(std::initializer_list<unsigned> bytes) {
    std::string text;
    for (const unsigned byte : bytes) text.push_back(static_cast<char>(byte));
    return text;
}

inline std::string u16(std::size_t n) {
    return raw({static_cast<unsigned>(n >> 8U & 0xffU), static_cast<unsigned>(n & 0xffU)});
}
inline std::string u32(std::size_t n) { return u16(n >> 16U) + u16(n & 0xffffU); }
inline std::string field(std::string_view text) { return u16(text.size()) + std::string(text); }

inline std::string varint(std::size_t n) {
    std::string text;
    for (; n > 0x7f; n >>= 7U) text += raw({static_cast<unsigned>(n & 0x7fU) | 0x80U});
    return text + raw({static_cast<unsigned>(n)});
}

// A property block with its length.
inline std::string block(std::string_view properties) {
    return varint(properties.size()) + std::string(properties);
}
inline std::string property(unsigned id, std::string_view value) { return raw({id}) + std::string(value); }

inline std::string packet(unsigned first, std::string_view body) {
    return raw({first}) + varint(body.size()) + std::string(body);
}

inline constexpr Version kVersions[] = {Version::V31, Version::V311, Version::V5};

// Gives the one packet in `bytes` to a reader of bodies; BadLength also where there is not exactly one.
template <typename Read>
auto read_whole(std::string_view bytes, Read&& read) -> decltype(read(PacketHeader{}, ByteView{})) {
    const auto result = read_packet_header(as_bytes(bytes));
    const auto* const header = std::get_if<PacketHeader>(&result);
    if (header == nullptr || header->size + header->remaining != bytes.size()) return PacketError::BadLength;
    // Bytes of its own, of exactly this length, so that a sanitizer sees who reads past them.
    static thread_local std::vector<std::byte> body;
    const ByteView all = as_bytes(bytes).subspan(header->size);
    body = std::vector<std::byte>(all.begin(), all.end());
    return read(*header, body);
}
// The error, or nothing.
template <typename Result>
std::optional<PacketError> error_of(const Result& result) {
    const auto* const error = std::get_if<PacketError>(&result);
    return error == nullptr ? std::nullopt : std::optional(*error);
}

// The parts of a CONNECT; a test changes the one it is about.
struct ConnectParts {
    Version version = Version::V311;
    std::string name = {};        // empty: the version's own
    unsigned level = 0;           // 0: the version's own
    unsigned flags = 0x02;        // Clean Start
    std::string properties = {};  // v5, without the length
    std::string client_id = "device-1";
    std::string behind = {};  // Will, user name and password, as they stand on the wire

    std::string body() const {
        const bool v31 = version == Version::V31;
        std::string text = field(!name.empty() ? name : v31 ? "MQIsdp" : "MQTT");
        text += raw({level != 0 ? level : static_cast<unsigned>(version), flags}) + u16(60);
        if (version == Version::V5) text += block(properties);
        return text + field(client_id) + behind;
    }
    std::string bytes() const { return packet(0x10, body()); }
};

}  // namespace sluice::mqtt::test
