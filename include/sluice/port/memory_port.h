// A port without a wire: what a test injects is received, what is sent can be taken and looked at. With it a
// whole balancer runs inside a unit test, without NIC, privileges or EAL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/port/port.h"

namespace sluice::port {

struct MemoryPortOptions {
    std::string name = "memory";
    std::uint16_t index = 0;  // Frame::port of what it receives
    MacAddress mac{};
    std::uint16_t mtu = 1500;
    std::uint16_t queues = 1;
    bool take_ahead = false;  // PortInfo::take_ahead
};

// One thread at a time for all of it. Received frames come from `pool`, and sent ones go back to it.
class MemoryPort final : public Port {
  public:
    static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

    // pool: outlives the port.
    MemoryPort(const MemoryPortOptions& options, FramePool& pool);

    // --- the far end of the wire ---
    // The frame will be received on `queue` (which the port must have), after those injected before. A buffer
    // is taken at receive; where there is none then, the frame is lost and counted as rx_no_buffer. A frame
    // larger than a buffer is received as multi_segment.
    void inject(ByteView frame, std::uint16_t queue = 0);
    // Frames injected and not yet received, all queues.
    std::size_t waiting() const;
    // Everything sent since the last take(), oldest first, all queues.
    std::vector<std::vector<std::byte>> take();
    // From now on the port takes this many more frames and then none, as one whose transmit queue is full.
    void limit_transmit(std::size_t frames) { transmit_limit_ = frames; }
    // From now on it takes at most so many at a time, and after each time refuses so often to take any.
    void slow_transmit(std::size_t frames, std::uint32_t refusals) {
        transmit_share_ = frames;
        refusals_ = refusals;
        refusals_left_ = 0;
    }
    void set_link(const Link& link) { link_ = link; }

    // --- Port ---
    std::size_t receive(std::uint16_t queue, std::span<Frame> out) override;
    std::size_t transmit(std::uint16_t queue, std::span<const Frame> frames) override;
    const PortInfo& info() const override { return info_; }
    std::vector<int> wait_handles(std::uint16_t) const override { return {}; }
    Link link() const override { return link_; }
    PortStatistics statistics() const override { return statistics_; }

  private:
    const std::uint16_t index_;
    FramePool& pool_;
    PortInfo info_;
    Link link_{.up = true};
    PortStatistics statistics_;
    std::vector<std::deque<std::vector<std::byte>>> received_;  // by queue
    std::vector<std::vector<std::byte>> sent_;
    std::size_t transmit_limit_ = kNoLimit;
    std::size_t transmit_share_ = kNoLimit;
    std::uint32_t refusals_ = 0;
    std::uint32_t refusals_left_ = 0;
};

}  // namespace sluice::port
