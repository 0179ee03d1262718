#include "sluice/port/memory_port.h"

#include <algorithm>
#include <utility>

namespace sluice::port {

MemoryPort::MemoryPort(const MemoryPortOptions& options, FramePool& pool)
    : index_(options.index), pool_(pool), received_(options.queues) {
    info_.name = options.name;
    info_.device = options.name;
    info_.driver = "memory";
    info_.mac = options.mac;
    info_.mtu = options.mtu;
    info_.rx_queues = options.queues;
    info_.tx_queues = options.queues;
    info_.take_ahead = options.take_ahead;
}

void MemoryPort::inject(ByteView frame, std::uint16_t queue) {
    received_.at(queue).emplace_back(frame.begin(), frame.end());
}

std::size_t MemoryPort::waiting() const {
    std::size_t n = 0;
    for (const auto& queue : received_) n += queue.size();
    return n;
}

std::vector<std::vector<std::byte>> MemoryPort::take() { return std::exchange(sent_, {}); }

std::size_t MemoryPort::receive(std::uint16_t queue, std::span<Frame> out) {
    if (queue >= received_.size()) return 0;
    auto& waiting = received_[queue];
    std::size_t n = 0;
    while (n < out.size() && !waiting.empty()) {
        const std::vector<std::byte> bytes = std::move(waiting.front());
        waiting.pop_front();
        Frame frame;
        if (pool_.allocate({&frame, 1}) == 0) {
            ++statistics_.rx_no_buffer;
            continue;
        }
        const std::size_t fits = std::min<std::size_t>(bytes.size(), frame.capacity);
        std::copy_n(bytes.begin(), fits, frame.data);
        frame.length = static_cast<std::uint32_t>(fits);
        frame.multi_segment = fits < bytes.size();
        frame.port = index_;
        out[n++] = frame;
        ++statistics_.rx_frames;
        statistics_.rx_bytes += bytes.size();
    }
    return n;
}

std::size_t MemoryPort::transmit(std::uint16_t, std::span<const Frame> frames) {
    if (refusals_left_ != 0) {
        --refusals_left_;
        return 0;
    }
    refusals_left_ = refusals_;
    const std::size_t n = std::min({frames.size(), transmit_limit_, transmit_share_});
    for (const Frame& frame : frames.first(n)) {
        sent_.emplace_back(frame.data, frame.data + frame.length);
        ++statistics_.tx_frames;
        statistics_.tx_bytes += frame.length;
    }
    pool_.release(frames.first(n));
    if (transmit_limit_ != kNoLimit) transmit_limit_ -= n;
    return n;
}

}  // namespace sluice::port
