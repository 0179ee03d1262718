// Bytes written by the application and not yet acknowledged, in order. Offset 0 is the oldest, SND.UNA.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "byte_ring.h"
#include "sluice/base/bytes.h"

namespace sluice::tcp {

class SendBuffer {
  public:
    explicit SendBuffer(std::uint32_t limit) : limit_(limit) {}

    std::uint32_t size() const { return size_; }
    std::uint32_t room() const { return limit_ - size_; }
    std::uint32_t capacity() const { return ring_.capacity(); }
    // Takes as much as there is room for; returns how much.
    std::uint32_t append(ByteView bytes) {
        const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), room()));
        if (taken == 0) return 0;
        ring_.reserve(size_ + taken, size_);
        ring_.store(size_, bytes.first(taken));
        size_ += taken;
        return taken;
    }
    // offset + bytes is at most size(). Valid until the next call that changes the buffer.
    ByteRing::Pieces peek(std::uint32_t offset, std::uint32_t bytes) const {
        return ring_.pieces(offset, bytes);
    }
    // bytes is at most size(). Memory goes back when the last byte goes.
    void drop(std::uint32_t bytes) {
        size_ -= bytes;
        if (size_ == 0) {
            ring_.release();
        } else {
            ring_.drop(bytes);
        }
    }

  private:
    ByteRing ring_;
    std::uint32_t size_ = 0;
    std::uint32_t limit_;
};

}  // namespace sluice::tcp
