// Packet buffers on the heap: one allocation each, made at allocate and freed at release, because a buffer
// that is kept for reuse would hide from the sanitizers what a frame's owner did after it gave it away.
#include <algorithm>

#include "sluice/port/frame.h"

namespace sluice::port {

HeapFramePool::HeapFramePool(std::size_t count, std::uint32_t room) : count_(count), room_(room) {}

std::size_t HeapFramePool::allocate(std::span<Frame> out) {
    const std::size_t n = std::min(out.size(), available());
    for (Frame& frame : out.first(n)) {
        auto* buffer = new std::byte[kHeadroom + room_];
        frame = Frame{.data = buffer + kHeadroom, .capacity = room_, .handle = buffer};
    }
    outstanding_ += n;
    return n;
}

void HeapFramePool::release(std::span<const Frame> frames) {
    for (const Frame& frame : frames) delete[] static_cast<std::byte*>(frame.handle);
    outstanding_ -= frames.size();
}

}  // namespace sluice::port
