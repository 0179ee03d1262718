#include "sluice/session/waiting_room.h"

#include <algorithm>

namespace sluice::session {

bool CommonMemory::borrow(std::uint64_t bytes, std::uint64_t limit) {
    std::uint64_t lent = lent_.load(std::memory_order_relaxed);
    do {
        if (lent + bytes > limit) return false;
    } while (!lent_.compare_exchange_weak(lent, lent + bytes, std::memory_order_relaxed));
    return true;
}

bool is_waiting(Phase phase) {
    switch (phase) {
        case Phase::Handshake:
        case Phase::AwaitConnect:
        case Phase::Connecting:
        case Phase::Replaying:
        case Phase::Refusing: return true;
        case Phase::Relayed:
        case Phase::Resting:
        case Phase::Spliced:
        case Phase::Delivering:
        case Phase::Closing:
        case Phase::Ended: return false;
    }
    return false;
}

Holding holding_of(const Connection& c) {
    return {.bytes = c.client_leg.buffer_bytes() + (c.broker_leg ? c.broker_leg->buffer_bytes() : 0) +
                     c.connect_packet.capacity() + c.client_id.size(),
            .asks_broker = c.phase == Phase::Connecting || c.phase == Phase::Replaying};
}

WaitingRoom::WaitingRoom(CommonMemory& common, std::uint32_t workers, std::uint32_t capacity,
                         std::uint64_t bound)
    : common_(common), workers_(workers), entries_(capacity) {
    use(bound);
}

void WaitingRoom::use(std::uint64_t bound) {
    lendable_ = bound / 2;
    own_ = (bound - lendable_) / workers_;
    const std::uint64_t beyond = held_ - std::min(held_, own_);
    if (beyond <= borrowed_) return static_cast<void>(settle());
    common_.owe(beyond - borrowed_);
    borrowed_ = beyond;
}

void WaitingRoom::hold(std::uint32_t id, const Holding& holding) {
    Entry& entry = entries_[id];
    const Queue queue = holding.asks_broker           ? Queue::Asking
                        : holding.bytes > kUsualBytes ? Queue::Large
                                                      : Queue::Usual;
    if (entry.bytes == holding.bytes && (entry.bytes == 0 || entry.queue == queue)) return;
    if (entry.bytes != 0 && (holding.bytes == 0 || entry.queue != queue)) unlink(id);
    if (holding.bytes != 0 && (entry.bytes == 0 || entry.queue != queue)) append(id, queue);
    held_ += holding.bytes;
    held_ -= entry.bytes;
    entry.bytes = holding.bytes;
    settle();
}

std::optional<std::uint32_t> WaitingRoom::first_to_go() {
    if (settle()) return std::nullopt;
    for (const Ends& queue : queues_) {
        if (queue.first != 0) return queue.first - 1;
    }
    return std::nullopt;
}

bool WaitingRoom::becomes_short() {
    const bool before = short_;
    const std::uint64_t free = left();
    short_ = before ? held_ > free : held_ > 2 * free;
    return short_ && !before;
}

// Bytes that could still be held.
std::uint64_t WaitingRoom::left() const {
    const std::uint64_t lent = common_.lent();
    return own_ - std::min(own_, held_) + lendable_ - std::min(lendable_, lent);
}

// Borrows or gives back what is held beyond the own share. False when that is not to be had.
bool WaitingRoom::settle() {
    const std::uint64_t beyond = held_ - std::min(held_, own_);
    if (beyond == borrowed_) return true;
    if (beyond < borrowed_) {
        common_.give_back(borrowed_ - beyond);
    } else if (!common_.borrow(beyond - borrowed_, lendable_)) {
        return false;
    }
    borrowed_ = beyond;
    return true;
}

void WaitingRoom::append(std::uint32_t id, Queue queue) {
    Ends& ends = queues_[static_cast<std::size_t>(queue)];
    Entry& entry = entries_[id];
    entry.queue = queue;
    entry.before = ends.last;
    entry.behind = 0;
    (ends.last == 0 ? ends.first : entries_[ends.last - 1].behind) = id + 1;
    ends.last = id + 1;
}

void WaitingRoom::unlink(std::uint32_t id) {
    const Entry& entry = entries_[id];
    Ends& ends = queues_[static_cast<std::size_t>(entry.queue)];
    (entry.before == 0 ? ends.first : entries_[entry.before - 1].behind) = entry.behind;
    (entry.behind == 0 ? ends.last : entries_[entry.behind - 1].before) = entry.before;
}

}  // namespace sluice::session
