// Frames and where they come from. A Frame is a small value that stands for one packet buffer on its way
// through a worker; a FramePool owns the buffers. The forwarding core knows only these two, so the same core
// runs over DPDK's mbufs and over heap buffers in a unit test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "sluice/base/bytes.h"

namespace sluice::port {

// Free bytes in front of a fresh frame's data: room for a header to be put there.
inline constexpr std::uint32_t kHeadroom = 128;

// One packet buffer. Whoever holds the Frame owns the buffer, and owns it once: it ends in exactly one
// Port::transmit or FramePool::release. A copy of the value is not a second buffer.
//
// The owner may write anywhere in [data, data + capacity), change length up to capacity, and move data inside
// the buffer while it adjusts length and capacity to match: transmit sends `length` bytes from `data`.
struct Frame {
    std::byte* data = nullptr;   // first byte of the Ethernet header
    std::uint32_t length = 0;    // bytes from data that belong to the frame, no FCS
    std::uint32_t capacity = 0;  // bytes from data to the buffer's end
    void* handle = nullptr;      // the pool's own name for the buffer
    std::uint16_t port = 0;      // index of the port it came from or goes to
    // The port's frame did not fit one buffer; [data, data + length) is its beginning only.
    // Such a frame can be released, not sent.
    bool multi_segment = false;

    ByteView bytes() const { return {data, length}; }
    ByteSpan writable() const { return {data, capacity}; }
};
static_assert(std::is_trivially_copyable_v<Frame>, "frames travel through mailboxes");

// Owns packet buffers of one size. Whether several threads may use it at once is said by each kind.
class FramePool {
  public:
    virtual ~FramePool() = default;

    // Fills the front of `out` with empty frames (length 0, kHeadroom bytes free in front of data) and
    // returns how many it had; fewer than asked only when the pool is exhausted.
    [[nodiscard]] virtual std::size_t allocate(std::span<Frame> out) = 0;
    // Takes back frames of this pool, in any order.
    virtual void release(std::span<const Frame> frames) = 0;
    // Buffers not handed out. A hint where other threads use the pool.
    virtual std::size_t available() const = 0;
    virtual std::size_t capacity() const = 0;
};

// Buffers on the heap, each its own allocation for as long as it is out, so that a sanitizer sees every byte
// past its end and every use after release. What is still out when the pool goes is not freed: a leak checker
// should see it. One thread at a time.
class HeapFramePool final : public FramePool {
  public:
    // count: buffers that can be out at once. room: bytes of a fresh frame's capacity.
    explicit HeapFramePool(std::size_t count, std::uint32_t room = 2048);
    HeapFramePool(const HeapFramePool&) = delete;
    HeapFramePool& operator=(const HeapFramePool&) = delete;

    std::size_t allocate(std::span<Frame> out) override;
    void release(std::span<const Frame> frames) override;
    std::size_t available() const override { return count_ - outstanding_; }
    std::size_t capacity() const override { return count_; }
    // Buffers allocated and not yet released; 0 when nobody leaked any.
    std::size_t outstanding() const { return outstanding_; }

  private:
    const std::size_t count_;
    const std::uint32_t room_;
    std::size_t outstanding_ = 0;
};

}  // namespace sluice::port
