// Writes one packet at the end of a vector. The caller says how long it becomes; then no byte moves twice.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/mqtt/packet.h"

namespace sluice::mqtt {

constexpr std::size_t kLargestRemaining = 268'435'455;  // section 1.5.5 of MQTT 5

constexpr std::size_t varint_size(std::size_t value) {
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20'0000 ? 3 : 4;
}

class Appender {
  public:
    // remaining: how many bytes will be put behind the header.
    Appender(std::vector<std::byte>& out, PacketType type, unsigned flags, std::size_t remaining)
        : out_(out), end_(out.size() + 1 + varint_size(remaining) + remaining) {
        assert(remaining <= kLargestRemaining);
        put8(static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4U | flags));
        put_varint(remaining);
    }
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;
    ~Appender() { assert(out_.size() == end_); }

    void put8(std::uint8_t value) { out_.push_back(std::byte{value}); }
    void put16(std::size_t value) {
        put8(static_cast<std::uint8_t>(value >> 8U));
        put8(static_cast<std::uint8_t>(value));
    }
    void put32(std::size_t value) {
        put16(value >> 16U);
        put16(value);
    }
    void put_varint(std::size_t value) {
        for (; value > 0x7f; value >>= 7U) put8(static_cast<std::uint8_t>((value & 0x7fU) | 0x80U));
        put8(static_cast<std::uint8_t>(value));
    }
    void put(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    void put_field(ByteView bytes) {
        assert(bytes.size() <= 0xffff);
        put16(bytes.size());
        put(bytes);
    }
    void put_text(std::string_view text) { put_field(as_bytes(text)); }

  private:
    std::vector<std::byte>& out_;
    [[maybe_unused]] std::size_t end_;
};

}  // namespace sluice::mqtt
