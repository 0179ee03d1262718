#include "worker/session_news.h"

#include <algorithm>
#include <array>

namespace sluice::worker {

SessionNews::SessionNews(const WorkerOptions& options, HandoverRings& handover, CounterSet& counters)
    : worker_(options.index),
      handover_(handover),
      counters_(counters),
      table_(static_cast<std::uint32_t>(
          std::min(std::uint64_t{options.max_connections} * options.workers, kMostSessions))) {}

void SessionNews::learned(Instant now, const session::Stay& stay) {
    if (table_.put(now, stay)) counters_.add(Counter::AssignedIdsLost);
    for (std::uint32_t other = 0; other < handover_.workers(); ++other) {
        if (other == worker_) continue;
        auto& ring = handover_.news(worker_, other);
        if (!ring.send(stay)) counters_.add(Counter::AssignedIdsLost);
        if (ring.free_slots() < ring.capacity() / 2) handover_.wake_if_resting(other);
    }
}

// What goes for want of room was counted where the newer one was put first.
bool SessionNews::hear(Instant now) {
    std::array<session::Stay, 128> batch;
    bool any = false;
    for (std::uint32_t other = 0; other < handover_.workers(); ++other) {
        if (other == worker_) continue;
        const std::size_t n = handover_.news(other, worker_).receive(batch);
        for (std::size_t i = 0; i < n; ++i) table_.put(now, batch[i]);
        any = any || n != 0;
    }
    return any;
}

}  // namespace sluice::worker
