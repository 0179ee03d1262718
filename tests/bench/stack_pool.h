// Frames for a benchmark: buffers that are there from the start, and a stack of the free ones, so that the
// same few are used again and again while they are warm, as with a DPDK mempool's cache.
#pragma once

#include <cstddef>
#include <vector>

#include "sluice/port/frame.h"

namespace sluice::bench {

// One thread at a time. Every page is touched by the constructor.
class StackPool final : public port::FramePool {
  public:
    explicit StackPool(std::size_t count) : bytes_(count * kBuffer) {
        free_.reserve(count);
        for (std::size_t i = count; i-- > 0;) free_.push_back(bytes_.data() + i * kBuffer);
    }

    std::size_t allocate(std::span<port::Frame> out) override {
        std::size_t n = 0;
        for (; n < out.size() && !free_.empty(); ++n) {
            std::byte* const buffer = free_.back();
            free_.pop_back();
            out[n] = {.data = buffer + port::kHeadroom,
                      .length = 0,
                      .capacity = kBuffer - port::kHeadroom,
                      .handle = buffer};
        }
        return n;
    }
    void release(std::span<const port::Frame> frames) override {
        for (const port::Frame& frame : frames) free_.push_back(static_cast<std::byte*>(frame.handle));
    }
    std::size_t available() const override { return free_.size(); }
    std::size_t capacity() const override { return free_.capacity(); }

  private:
    static constexpr std::size_t kBuffer = port::kHeadroom + 2048;

    std::vector<std::byte> bytes_;
    std::vector<std::byte*> free_;
};

}  // namespace sluice::bench
