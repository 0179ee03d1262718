// Packet bytes for tests: from hex text, and in heap buffers of exactly their size, so that the address
// sanitizer sees a read of even one byte too many.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "sluice/base/bytes.h"

namespace sluice::wire {

using Bytes = std::vector<std::byte>;

inline Bytes hex(std::string_view text) {
    const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
    Bytes bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>((digit(text[i]) << 4U) | digit(text[i + 1])));
    }
    return bytes;
}

// A copy without a byte of slack behind it.
class ExactBytes {
  public:
    explicit ExactBytes(ByteView bytes) : data_(new std::byte[bytes.size()]), size_(bytes.size()) {
        std::ranges::copy(bytes, data_.get());
    }
    ByteView view() const { return {data_.get(), size_}; }
    ByteSpan span() { return {data_.get(), size_}; }

  private:
    std::unique_ptr<std::byte[]> data_;
    std::size_t size_;
};

// A buffer of exactly size bytes, filled with a pattern that no writer leaves by accident.
inline ExactBytes blank(std::size_t size) { return ExactBytes(Bytes(size, std::byte{0xa5})); }

inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

}  // namespace sluice::wire
