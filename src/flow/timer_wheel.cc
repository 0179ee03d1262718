#include "sluice/flow/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

namespace sluice::flow {
namespace {

constexpr std::uint64_t kNoTick = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TimerWheel::TimerWheel(std::uint32_t capacity, Instant start, Duration tick)
    : nodes_(std::size_t{kFirstTimer} + capacity),
      start_(start.time_since_epoch().count()),
      tick_(tick.count()),
      next_tick_(start),
      capacity_(capacity) {
    for (std::uint32_t head = kDue; head < kFirstTimer; ++head) nodes_[head] = {head, head, 0};
    next_tick_ = instant_of(1);
}

void TimerWheel::append(std::uint32_t head, std::uint32_t node) {
    const std::uint32_t last = nodes_[head].prev;
    nodes_[node].next = head;
    nodes_[node].prev = last;
    nodes_[last].next = node;
    nodes_[head].prev = node;
}

void TimerWheel::unlink(std::uint32_t node) {
    const std::uint32_t next = nodes_[node].next;
    const std::uint32_t prev = nodes_[node].prev;
    nodes_[prev].next = next;
    nodes_[next].prev = prev;
    nodes_[node].next = kNone;
    // Only a head can be its own neighbor on both sides: the list has become empty.
    if (next == prev && next >= kFirstSlot && next < kFirstTimer) set_occupied(next, false);
}

void TimerWheel::splice_to_firing(std::uint32_t head) {
    if (list_empty(head)) return;
    const std::uint32_t first = nodes_[head].next;
    const std::uint32_t last = nodes_[head].prev;
    const std::uint32_t tail = nodes_[kFiring].prev;
    nodes_[tail].next = first;
    nodes_[first].prev = tail;
    nodes_[last].next = kFiring;
    nodes_[kFiring].prev = last;
    nodes_[head].next = nodes_[head].prev = head;
}

void TimerWheel::set_occupied(std::uint32_t head, bool occupied) {
    const std::uint32_t slot = head - kFirstSlot;
    std::uint64_t& word = occupied_[slot / kSlots][slot % kSlots / 64];
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    word = occupied ? word | bit : word & ~bit;
}

// The first tick that begins at or after the deadline: firing in it is never early.
std::uint64_t TimerWheel::tick_of(std::int64_t deadline) const {
    if (deadline <= start_) return 0;
    const std::uint64_t since = static_cast<std::uint64_t>(deadline) - static_cast<std::uint64_t>(start_);
    const auto tick = static_cast<std::uint64_t>(tick_);
    return since / tick + (since % tick != 0 ? 1 : 0);
}

// Saturates at kNever.
Instant TimerWheel::instant_of(std::uint64_t tick) const {
    __extension__ using Wide = __int128;
    const Wide at = Wide{start_} + Wide{tick} * tick_;
    if (at >= std::numeric_limits<std::int64_t>::max()) return kNever;
    return Instant(Duration(static_cast<std::int64_t>(at)));
}

// Links a node into the lowest level that reaches its tick; requires due > current_. What lies beyond the
// wheel waits in its farthest slot and is placed again from there.
void TimerWheel::place(std::uint32_t node, std::uint64_t due) {
    due = std::min(due, current_ + kReach);
    unsigned level = 0;
    while (level + 1 < kLevels && (due >> (kBits * (level + 1))) - (current_ >> (kBits * (level + 1))) > 1) {
        ++level;
    }
    const std::uint32_t head = head_of(level, due >> (kBits * level));
    append(head, node);
    set_occupied(head, true);
}

void TimerWheel::arm(std::uint32_t id, Instant deadline) {
    assert(id < capacity_);
    const std::uint32_t node = node_of(id);
    if (nodes_[node].next != kNone) {
        unlink(node);
    } else {
        ++size_;
    }
    nodes_[node].deadline = deadline.time_since_epoch().count();
    const std::uint64_t due = tick_of(nodes_[node].deadline);
    if (due <= horizon_) {
        past_ = std::min(past_, nodes_[node].deadline);
        append(kDue, node);
    } else {
        place(node, due);
    }
}

void TimerWheel::cancel(std::uint32_t id) {
    assert(id < capacity_);
    if (!armed(id)) return;
    unlink(node_of(id));
    --size_;
}

// Moves up to `limit` timers of a slot to where they belong now: lower levels, or due.
void TimerWheel::respread(std::uint32_t head, std::size_t limit) {
    for (; limit != 0 && !list_empty(head); --limit) {
        const std::uint32_t node = nodes_[head].next;
        unlink(node);
        const std::uint64_t due = tick_of(nodes_[node].deadline);
        if (due <= current_) {
            append(kFiring, node);
        } else {
            place(node, due);
        }
    }
}

// Spreads the next slot of each higher level into the next period of the level below. The pace empties even a
// slot that holds every timer within half of the shortest period that a slot of level 2 or above lasts.
void TimerWheel::spread_ahead(std::uint64_t ticks) {
    constexpr std::uint64_t kFloor = 32;
    const std::uint64_t pace = capacity_ / (1U << (2 * kBits - 1)) + kFloor;
    const std::size_t limit = ticks > capacity_ ? capacity_ : static_cast<std::size_t>(ticks * pace);
    for (unsigned level = 1; level < kLevels; ++level) {
        respread(head_of(level, (current_ >> (kBits * level)) + 1), limit);
    }
}

// The first occupied slot of a level after the current one, counted from the start of time; kNoTick when
// none.
std::uint64_t TimerWheel::next_slot(unsigned level) const {
    const auto& words = occupied_[level];
    const std::uint64_t from = (current_ >> (kBits * level)) + 1;
    const std::size_t first = from % kSlots;
    std::uint64_t bits = words[first / 64] >> (first % 64);
    if (bits != 0) return from + static_cast<std::uint64_t>(std::countr_zero(bits));
    std::uint64_t distance = 64 - first % 64;
    for (std::size_t n = 1; n <= words.size(); ++n, distance += 64) {
        bits = words[(first / 64 + n) % words.size()];
        if (bits != 0) return from + distance + static_cast<std::uint64_t>(std::countr_zero(bits));
    }
    return kNoTick;
}

// The first tick after the current one at which a slot must be emptied; kNoTick when all are empty.
std::uint64_t TimerWheel::next_event() const {
    std::uint64_t earliest = kNoTick;
    for (unsigned level = 0; level < kLevels; ++level) {
        const std::uint64_t slot = next_slot(level);
        if (slot != kNoTick) earliest = std::min(earliest, slot << (kBits * level));
    }
    return earliest;
}

// Goes to the next event within the horizon; false when there is none.
bool TimerWheel::step() {
    const std::uint64_t event = next_event();
    if (event > horizon_) {
        current_ = horizon_;
        return false;
    }
    current_ = event;
    // What falls due in a tick was armed for an instant after the tick before.
    past_ = std::min(past_, instant_of(event - 1).time_since_epoch().count());
    for (unsigned level = kLevels - 1; level > 0; --level) {
        const unsigned shift = kBits * level;
        if ((event >> shift) << shift == event) respread(head_of(level, event >> shift), SIZE_MAX);
    }
    const std::uint32_t head = head_of(0, event);
    splice_to_firing(head);
    set_occupied(head, false);
    return true;
}

void TimerWheel::begin_advance(Instant now) {
    splice_to_firing(kDue);
    if (now < next_tick_) return;
    const std::uint64_t since =
        static_cast<std::uint64_t>(now.time_since_epoch().count()) - static_cast<std::uint64_t>(start_);
    const std::uint64_t ticks = since / static_cast<std::uint64_t>(tick_);
    spread_ahead(ticks - horizon_);
    horizon_ = ticks;
    next_tick_ = instant_of(ticks + 1);
}

std::uint32_t TimerWheel::take_due() {
    while (list_empty(kFiring)) {
        if (list_empty(kDue)) past_ = std::numeric_limits<std::int64_t>::max();
        if (current_ == horizon_ || !step()) return kNobody;
    }
    const std::uint32_t node = nodes_[kFiring].next;
    unlink(node);
    --size_;
    return node - kFirstTimer;
}

Instant TimerWheel::next_deadline() const {
    if (size_ == 0) return kNever;
    const std::uint64_t event = next_event();
    Instant earliest = event == kNoTick ? kNever : instant_of(event - 1);
    if (!idle()) earliest = std::min(earliest, Instant(Duration(past_)));
    return earliest;
}

Instant TimerWheel::next_wakeup() const {
    if (size_ == 0) return kNever;
    const std::uint64_t event = next_event();
    const Instant wheel = event == kNoTick ? kNever : instant_of(event);
    return idle() ? wheel : std::min(wheel, Instant(Duration(past_)));
}

}  // namespace sluice::flow
