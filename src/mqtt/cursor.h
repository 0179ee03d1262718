// A reader that walks over bytes and cannot leave them: each take_*() gives nothing when too few are left.
// After such a failure the position is unspecified, and the caller gives up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/base/bytes.h"

namespace sluice::mqtt {

// A Variable Byte Integer (MQTT 5 section 1.5.5, MQTT 3.1.1 section 2.2.3).
struct VarInt {
    enum class State : std::uint8_t { Whole, NeedMore, Overlong };  // Overlong: does not end within 4 bytes
    State state = State::NeedMore;
    std::uint32_t value = 0;
    std::size_t size = 0;  // bytes it took
    bool minimal = true;   // MQTT 5 allows only the shortest encoding
};
VarInt read_varint(ByteView bytes);

class Cursor {
  public:
    explicit Cursor(ByteView bytes) : rest_(bytes) {}

    std::size_t left() const { return rest_.size(); }
    ByteView rest() const { return rest_; }

    std::optional<ByteView> take(std::size_t size) {
        if (size > rest_.size()) return std::nullopt;
        const ByteView taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    std::optional<std::uint8_t> take8() {
        const auto bytes = take(1);
        if (!bytes) return std::nullopt;
        return load8(bytes->data());
    }
    std::optional<std::uint16_t> take16() {
        const auto bytes = take(2);
        if (!bytes) return std::nullopt;
        return load16(bytes->data());
    }
    std::optional<std::uint32_t> take32() {
        const auto bytes = take(4);
        if (!bytes) return std::nullopt;
        return load32(bytes->data());
    }
    // A two-byte length and as many bytes: Binary Data and, not yet checked, a UTF-8 Encoded String.
    std::optional<ByteView> take_field() {
        const auto size = take16();
        if (!size) return std::nullopt;
        return take(*size);
    }

  private:
    ByteView rest_;
};

}  // namespace sluice::mqtt
