// Big-endian loads and stores on byte spans. Every multi-byte field of every protocol goes through these, so
// no packet byte is ever cast to a struct. Callers check sizes once; these functions assert nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace sluice {

using ByteView = std::span<const std::byte>;
using ByteSpan = std::span<std::byte>;

constexpr std::uint8_t load8(const std::byte* p) { return static_cast<std::uint8_t>(*p); }

inline std::uint16_t load16(const std::byte* p) {
    std::uint16_t v;
    std::memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}

inline std::uint32_t load32(const std::byte* p) {
    std::uint32_t v;
    std::memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

constexpr void store8(std::byte* p, std::uint8_t v) { *p = static_cast<std::byte>(v); }

inline void store16(std::byte* p, std::uint16_t v) {
    v = __builtin_bswap16(v);
    std::memcpy(p, &v, sizeof v);
}

inline void store32(std::byte* p, std::uint32_t v) {
    v = __builtin_bswap32(v);
    std::memcpy(p, &v, sizeof v);
}

inline ByteView as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

inline std::string_view as_text(ByteView bytes) {
    // char may alias any object representation, so this view is well defined.
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace sluice
