// The memory of clients that no broker has accepted yet: what one worker holds for them, how much of it there
// may be held, and which clients are ended when it is too much.
//
// One bound holds for all workers together. Half of it is shared out evenly, and each worker's share is its
// own; the other half is lent to whichever needs it. So a worker that is aimed at gets more than half of the
// bound and the others keep what they have, and no worker ever has to end another one's clients.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "sluice/base/lazy_array.h"
#include "sluice/flow/slab.h"
#include "sluice/session/connection.h"

namespace sluice::session {

// The half that is lent. Shared by all workers, and touched only by those that hold more than their share.
class CommonMemory {
  public:
    // False, and nothing has changed, when more than `limit` bytes would be lent with these.
    [[nodiscard]] bool borrow(std::uint64_t bytes, std::uint64_t limit);
    // Regardless of the limit: for clients that hold them already.
    void owe(std::uint64_t bytes) { lent_.fetch_add(bytes, std::memory_order_relaxed); }
    void give_back(std::uint64_t bytes) { lent_.fetch_sub(bytes, std::memory_order_relaxed); }
    std::uint64_t lent() const { return lent_.load(std::memory_order_relaxed); }

  private:
    alignas(64) std::atomic<std::uint64_t> lent_{0};
};

// What a connection holds of that memory.
struct Holding {
    // Buffers of both endpoints, the copy of the CONNECT, the client ID.
    std::uint64_t bytes = 0;
    // The CONNECT is whole, and a broker is being asked.
    bool asks_broker = false;
};

// Whether no broker has accepted the client of such a connection yet, and it is not refused and gone either.
bool is_waiting(Phase phase);
// Of a connection that is_waiting().
Holding holding_of(const Connection& connection);

class WaitingRoom {
  public:
    // Holding more than this, an unfinished CONNECT is unlike what clients send.
    static constexpr std::uint64_t kUsualBytes = 4096;
    // Furthest reach of a promise while memory is short: four usual segments, as Linux promises then.
    static constexpr std::uint32_t kShortReach = 4 * 1460;

    // capacity: connections are numbered below it. bound: bytes, over all workers. The rooms of `common` end
    // with it.
    WaitingRoom(CommonMemory& common, std::uint32_t workers, std::uint32_t capacity, std::uint64_t bound);
    WaitingRoom(const WaitingRoom&) = delete;
    WaitingRoom& operator=(const WaitingRoom&) = delete;

    // Another bound. A lower one sends nobody away by itself: what is held beyond it may not grow, and what
    // is given back does not return.
    void use(std::uint64_t bound);

    // What connection `id` holds from now on; nothing: it is forgotten.
    void hold(std::uint32_t id, const Holding& holding);
    void leave(std::uint32_t id) { hold(id, {}); }
    // While more is held than allowed: the client to end next. First those whose CONNECT is unfinished and
    // larger than usual, then others unfinished, then those that wait for a broker; of each, the one that has
    // been so for longest.
    std::optional<std::uint32_t> first_to_go();

    // Memory is short, as from two thirds of what this worker may hold on until it is half: clients are to be
    // promised less. True once for each time that it begins.
    bool becomes_short();
    bool is_short() const { return short_; }
    // What may be promised instead of so many bytes.
    std::uint32_t reach(std::uint32_t bytes) const {
        return short_ && bytes > kShortReach ? kShortReach : bytes;
    }
    bool asks_broker(std::uint32_t id) const { return entries_[id].queue == Queue::Asking; }
    std::uint64_t held() const { return held_; }

  private:
    // In the order in which they are to go.
    enum class Queue : std::uint8_t { Large, Usual, Asking };
    static constexpr std::size_t kQueues = 3;
    // Of a connection that holds nothing: all zero. Neighbors are named by number plus one; 0: none.
    struct Entry {
        std::uint64_t bytes;
        std::uint32_t before;
        std::uint32_t behind;
        Queue queue;
    };
    struct Ends {
        std::uint32_t first = 0;
        std::uint32_t last = 0;
    };

    void append(std::uint32_t id, Queue queue);
    void unlink(std::uint32_t id);
    bool settle();
    std::uint64_t left() const;

    CommonMemory& common_;
    const std::uint32_t workers_;
    LazyArray<Entry> entries_;  // by connection
    std::array<Ends, kQueues> queues_{};
    std::uint64_t own_ = 0;       // this worker's share
    std::uint64_t lendable_ = 0;  // what may be lent to all together
    std::uint64_t held_ = 0;
    std::uint64_t borrowed_ = 0;
    bool short_ = false;
};

}  // namespace sluice::session
