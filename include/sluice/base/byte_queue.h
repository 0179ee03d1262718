// Bytes that wait, in one piece.
#pragma once

#include <cstddef>
#include <vector>

#include "sluice/base/bytes.h"

namespace sluice {

class ByteQueue {
  public:
    // Valid until the next call of another function.
    ByteView bytes() const { return ByteView(bytes_).subspan(front_); }
    std::size_t size() const { return bytes_.size() - front_; }
    void append(ByteView more) {
        // Moved to the front only when that moves no more than has left since: constant time a byte.
        if (front_ > 0 && front_ >= size()) {
            bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(front_));
            front_ = 0;
        }
        bytes_.insert(bytes_.end(), more.begin(), more.end());
    }
    // From the front; requires n <= size().
    void drop(std::size_t n) { front_ += n; }
    std::size_t memory_bytes() const { return sizeof *this + buffer_bytes(); }
    std::size_t buffer_bytes() const { return bytes_.capacity(); }

  private:
    std::vector<std::byte> bytes_;
    std::size_t front_ = 0;
};

}  // namespace sluice
