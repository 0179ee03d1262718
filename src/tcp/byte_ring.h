// Ring of bytes whose capacity is a power of two and follows what is held: the storage of both buffers of an
// endpoint. It knows where its first byte lies, not how many bytes are meaningful: that is its owner's
// business, because received data may lie behind a gap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "sluice/base/bytes.h"

namespace sluice::tcp {

class ByteRing {
  public:
    struct Pieces {
        ByteView first;
        ByteView second;  // what lies past the ring's end; mostly empty
    };

    std::uint32_t capacity() const { return capacity_; }
    // Makes capacity at least `needed` (at most 2^31), keeping the first `held` bytes.
    void reserve(std::uint32_t needed, std::uint32_t held);
    // Copies bytes to `offset` behind the first byte; offset + size lies within the capacity.
    void store(std::uint32_t offset, ByteView bytes);
    // The same range for reading.
    Pieces pieces(std::uint32_t offset, std::uint32_t size) const;
    // Gives up the first bytes.
    void drop(std::uint32_t bytes) { head_ = (head_ + bytes) & (capacity_ - 1); }
    // Gives the memory back; nothing is held any more.
    void release();

  private:
    std::unique_ptr<std::byte[]> data_;
    std::uint32_t capacity_ = 0;
    std::uint32_t head_ = 0;
};

}  // namespace sluice::tcp
