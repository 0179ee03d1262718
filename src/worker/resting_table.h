// The connections of one worker that are at rest (sluice/session/resting.h), each with its timer. Arrays
// without pointers, but for the codecs of the few that have some; pages cost nothing until first used.
#pragma once

#include <cstdint>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "sluice/base/lazy_array.h"
#include "sluice/flow/slab.h"
#include "sluice/flow/timer_wheel.h"
#include "sluice/session/resting.h"
#include "worker/reference.h"

namespace sluice::worker {

class RestingTable {
  public:
    RestingTable(std::uint32_t capacity, Instant start)
        : cells_(capacity), extras_(capacity), timers_(capacity, start) {}

    static Reference name_of(std::uint32_t id) { return {Reference::Kind::Resting, id}; }

    bool full() const { return cells_.full(); }
    // Requires room. No timer is armed.
    std::uint32_t insert(const session::RestingConnection& connection, const session::RestingExtras& extras,
                         session::RestingCodecs codecs) {
        const std::uint32_t id = cells_.insert(connection);
        // Of those without any, no page is touched.
        if (extras.any()) extras_[id] = extras;
        if (codecs.any()) codecs_.emplace(id, std::move(codecs));
        return id;
    }
    // Cancels the timer. Requires contains(id).
    void erase(std::uint32_t id) {
        timers_.cancel(id);
        if (extras_[id].any()) extras_[id] = {};
        if (!codecs_.empty()) codecs_.erase(id);
        cells_.erase(id);
    }
    // They are the caller's; the connection is to be erased.
    session::RestingCodecs take_codecs(std::uint32_t id) {
        const auto found = codecs_.find(id);
        return found != codecs_.end() ? std::move(found->second) : session::RestingCodecs{};
    }

    // Requires contains(id).
    session::RestingConnection& operator[](std::uint32_t id) { return cells_[id]; }
    const session::RestingConnection& operator[](std::uint32_t id) const { return cells_[id]; }
    const session::RestingExtras& extras(std::uint32_t id) const { return extras_[id]; }
    bool contains(std::uint32_t id) const { return cells_.contains(id); }
    // The first one at or after `from`, or flow::kNoEntry.
    std::uint32_t next(std::uint32_t from) const { return cells_.next(from); }
    std::uint32_t size() const { return cells_.size(); }

    flow::TimerWheel& timers() { return timers_; }
    const flow::TimerWheel& timers() const { return timers_; }

    std::uint64_t reserved_bytes() const {
        return cells_.memory_bytes() + extras_.size() * sizeof(session::RestingExtras) +
               timers_.memory_bytes();
    }
    std::uint64_t used_bytes() const {
        std::uint64_t sum =
            std::uint64_t{size()} * (sizeof(session::RestingConnection) + flow::TimerWheel::kBytesPerTimer);
        for (const auto& [id, codecs] : codecs_) {
            if (codecs.client) sum += codecs.client->memory_bytes();
            if (codecs.broker) sum += codecs.broker->memory_bytes();
        }
        return sum;
    }

  private:
    flow::Slab<session::RestingConnection> cells_;
    LazyArray<session::RestingExtras> extras_;
    absl::flat_hash_map<std::uint32_t, session::RestingCodecs> codecs_;  // of those that have any
    flow::TimerWheel timers_;
};

}  // namespace sluice::worker
