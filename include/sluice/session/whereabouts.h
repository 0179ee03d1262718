// Where sessions are that the pool's method would not look for: those of clients whose ID was assigned by the
// broker (MQTT 5 section 3.2.2.3.7), and those made at a broker that the client's key does not point to.
//
// Each worker has all of it, because a client may come back to any; what one learns it tells the others, and
// of two that say something about the same session the later connection is right, in whatever order the
// words arrive. One writer and reader: the worker.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include "sluice/base/lazy_array.h"
#include "sluice/base/siphash.h"
#include "sluice/base/time.h"
#include "sluice/flow/client_index.h"

namespace sluice::session {

// Session Expiry Interval of a session that never expires (MQTT 5 section 3.1.2.11.2).
inline constexpr std::uint32_t kNeverExpires = std::numeric_limits<std::uint32_t>::max();

// A session's place, and what workers tell each other of it.
struct Stay {
    // `until` of a session that is connected or never expires, and of one that is over.
    static constexpr std::uint32_t kOpen = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::uint32_t kOver = 0;

    std::uint64_t key = 0;        // session_key() of its session; 0: unused
    Instant since;                // when its newest connection was accepted
    std::uint32_t broker = 0;     // backend::Backend::mark
    std::uint32_t until = kOver;  // seconds of the time line

    bool expired(Instant now) const { return until != kOpen && Instant(std::chrono::seconds(until)) <= now; }
};
static_assert(sizeof(Stay) == 24 && std::is_trivially_copyable_v<Stay>);

// Whose session it is.
struct SessionName {
    std::uint32_t pool = 0;  // its number; the same ID in another pool is another client
    std::string_view client_id;
    // Hash of what tells clients of one ID apart in this pool, their user name or address; 0: the ID is
    // enough, as it always is where a broker has assigned it.
    std::uint64_t scope = 0;
};
// Never 0.
std::uint64_t session_key(const SipKey& key, const SessionName& name);

// The news that the connection of this stay has ended; expiry: seconds that the session has from now on.
// nullopt: it changes nothing, as the session never expires.
std::optional<Stay> after_connection(Stay stay, std::uint32_t expiry, Instant now);

class Whereabouts {
  public:
    // Reserves address space for `capacity` sessions; pages cost nothing until first used.
    explicit Whereabouts(std::uint32_t capacity);

    // nullptr: none is known, or it has expired. Valid until the next put().
    const Stay* find(Instant now, std::uint64_t key) const;
    // By the ID alone, if a broker has assigned it, or else within its scope.
    const Stay* find(Instant now, const SipKey& secret, const SessionName& name) const;
    // Takes in what this or another worker has learned: a connection's beginning (until kOpen), which may be
    // new; its end, or that the session is over, which change only what is there. What an older connection
    // has to say is not heard. True when the oldest of all that are kept had to go for it, unexpired.
    bool put(Instant now, const Stay& stay);

    // Those that expired are among them, until they are come across.
    std::uint32_t size() const { return index_.size(); }
    std::uint32_t capacity() const { return index_.capacity(); }
    // Of those that are kept.
    std::uint64_t used_bytes() const;
    std::uint64_t reserved_bytes() const { return cells_.size() * sizeof(Cell) + index_.memory_bytes(); }

  private:
    static constexpr std::uint32_t kNone = flow::kNoEntry;
    // In a ring with the other cells, from the one that was told of longest ago; free ones in a list.
    struct Cell {
        Stay stay;
        std::uint32_t before = 0;
        std::uint32_t after = 0;
    };
    static_assert(sizeof(Cell) == 32);

    std::uint32_t cell_of(std::uint64_t key) const;
    void insert(const Stay& stay);
    void erase(std::uint32_t cell);
    void link(std::uint32_t cell);
    void unlink(std::uint32_t cell);
    void sweep(Instant now);

    LazyArray<Cell> cells_;
    flow::ClientIndex index_;
    std::uint32_t used_ = 0;      // cells that were ever taken
    std::uint32_t free_ = kNone;  // those given back, by `after`
    std::uint32_t oldest_ = kNone;
    std::uint32_t hand_ = 0;  // the cell that sweep() looks at next
};

}  // namespace sluice::session
