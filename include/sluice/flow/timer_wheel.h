// Hierarchical timing wheel (Varghese, Lauck 1987) over 32-bit names 0..capacity-1: arm, re-arm and cancel
// are O(1), no memory per arming, 16 bytes a name.
//
// Time is cut into ticks. Level L has slots of 256^L ticks, and holds what is due in the current or the next
// period of 256 such slots; a slot of a higher level is spread over the lower one before its time comes. With
// millions of timers that spreading would take a second if it were done at the moment it is due, so it is
// done ahead, a little in every tick.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sluice/base/lazy_array.h"
#include "sluice/base/time.h"

namespace sluice::flow {

// The wheel knows only names: what a name stands for is the caller's.
class TimerWheel {
  public:
    // capacity < 2^31. start: the first instant the wheel knows; instants before it count as past. tick > 0.
    TimerWheel(std::uint32_t capacity, Instant start, Duration tick = std::chrono::milliseconds(1));
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;

    // Arms id, or moves its deadline when it is armed. A deadline that has passed fires at the next
    // advance(); one armed by a fire() for an instant not later than that advance's `now` waits for the
    // advance after it. Requires id < capacity(), as do the next three.
    void arm(std::uint32_t id, Instant deadline);
    void cancel(std::uint32_t id);  // nothing when not armed
    bool armed(std::uint32_t id) const { return nodes_[node_of(id)].next != kNone; }
    // As given to arm(); requires armed(id).
    Instant deadline(std::uint32_t id) const { return Instant(Duration(nodes_[node_of(id)].deadline)); }

    // Calls fire(id) for every timer that is due, at most `limit` of them, the rest at the next call. Never
    // before its deadline, and by the first advance() a tick or more after it. The timer is disarmed before
    // the call; fire may arm and cancel any id, and must not throw. Returns the number fired. `now` may stand
    // still or leap; an earlier one than before counts as the latest.
    template <typename Fire>
    std::size_t advance(Instant now, Fire&& fire, std::size_t limit = SIZE_MAX) {
        if (now < next_tick_ && current_ == horizon_ && idle()) return 0;
        begin_advance(now);
        std::size_t fired = 0;
        while (fired < limit) {
            const std::uint32_t id = take_due();
            if (id == kNobody) break;
            fire(id);
            ++fired;
        }
        return fired;
    }

    // Not later than the earliest armed deadline; kNever when none is armed. A few dozen nanoseconds.
    Instant next_deadline() const;
    // When advance() next has something to do, at most one tick after the earliest deadline: how long a
    // caller may sleep. kNever when none is armed.
    Instant next_wakeup() const;

    std::uint32_t size() const { return size_; }
    std::uint32_t capacity() const { return capacity_; }
    Duration tick() const { return Duration(tick_); }
    static constexpr std::size_t kBytesPerTimer = 16;
    // Reserved, not necessarily touched.
    std::size_t memory_bytes() const { return nodes_.size() * sizeof(Node); }

  private:
    // Lists are circular and doubly linked through nodes_: first one list head a slot, then the timers
    // themselves.
    struct Node {
        std::uint32_t next;  // kNone: not armed
        std::uint32_t prev;
        std::int64_t deadline;  // nanoseconds on the time line; unused in a list head
    };
    static_assert(sizeof(Node) == kBytesPerTimer);

    static constexpr std::uint32_t kNobody = 0xffffffff;
    static constexpr unsigned kBits = 8;                  // a slot of one level is 2^kBits of the level below
    static constexpr unsigned kLevels = 6;                // 2^48 ticks: 8,900 years of milliseconds
    static constexpr std::uint32_t kSlots = 2U << kBits;  // two periods
    static constexpr std::uint64_t kReach = std::uint64_t{1} << (kBits * kLevels);
    static constexpr std::uint32_t kNone = 0;    // never the index of a node in use
    static constexpr std::uint32_t kDue = 1;     // head: past when armed, waits for the next advance
    static constexpr std::uint32_t kFiring = 2;  // head: due in this advance
    static constexpr std::uint32_t kFirstSlot = 3;
    static constexpr std::uint32_t kFirstTimer = kFirstSlot + kLevels * kSlots;

    static std::uint32_t node_of(std::uint32_t id) { return kFirstTimer + id; }
    static std::uint32_t head_of(unsigned level, std::uint64_t slot) {
        return kFirstSlot + level * kSlots + static_cast<std::uint32_t>(slot % kSlots);
    }
    bool list_empty(std::uint32_t head) const { return nodes_[head].next == head; }
    bool idle() const { return list_empty(kDue) && list_empty(kFiring); }

    void append(std::uint32_t head, std::uint32_t node);
    void unlink(std::uint32_t node);
    void splice_to_firing(std::uint32_t head);
    void set_occupied(std::uint32_t head, bool occupied);
    std::uint64_t tick_of(std::int64_t deadline) const;
    Instant instant_of(std::uint64_t tick) const;
    void place(std::uint32_t node, std::uint64_t due);
    void respread(std::uint32_t head, std::size_t limit);
    void spread_ahead(std::uint64_t ticks);
    std::uint64_t next_slot(unsigned level) const;
    std::uint64_t next_event() const;
    bool step();
    void begin_advance(Instant now);
    std::uint32_t take_due();

    LazyArray<Node> nodes_;
    std::array<std::array<std::uint64_t, kSlots / 64>, kLevels> occupied_{};  // one bit a slot
    std::int64_t start_;
    std::int64_t tick_;              // nanoseconds
    std::uint64_t current_ = 0;      // the tick up to which slots were emptied
    std::uint64_t horizon_ = 0;      // the tick of the latest `now`; current_ lags only while a limit held it
    Instant next_tick_;              // when horizon_ + 1 begins
    std::int64_t past_ = INT64_MAX;  // not later than any deadline in kDue and kFiring
    std::uint32_t capacity_;
    std::uint32_t size_ = 0;
};

}  // namespace sluice::flow
