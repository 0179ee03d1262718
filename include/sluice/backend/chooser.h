// The choice of a broker for one client: the pool's balancing method over its usable brokers, less those
// already tried.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/backend/load_table.h"
#include "sluice/backend/snapshot.h"
#include "sluice/balance/choosers.h"
#include "sluice/base/random.h"

namespace sluice::backend {

struct Choice {
    enum class Outcome : std::uint8_t {
        Chosen,
        NoneUsable,  // every broker is down, drained, of weight 0, or was tried
        AllFull,     // some are usable, but all are at their max_connections
    };
    Outcome outcome = Outcome::NoneUsable;
    std::uint32_t backend = 0;  // index in the pool, when Chosen
    // Why it was this one, for `explain`.
    bool by_key = false;      // consistent hash of the key; otherwise by load or turn
    bool displaced = false;   // the key's first choice was passed over (unusable, tried, full, in slow start,
                              // or above its bound)
    bool remembered = false;  // its session is known to be there
};

// One per worker (and one in control for `explain`): holds the turn-taking state of each pool.
class Chooser {
  public:
    // load is borrowed and outlives the chooser. seed: starts the random choices. workers: that share the
    // pace of a slow start.
    Chooser(const LoadTable& load, std::uint64_t seed, std::uint32_t workers = 1);

    // key: hash of the balancing key, or nullopt when the client gave none (then maglev falls back to least
    // connections). tried: indexes that failed this client already.
    // A broker in slow start is passed over between its turns, unless there is no other.
    // remembered: index of the broker that has the client's session. It is chosen if it is usable, not tried
    // and below its max_connections; neither its pace in a slow start nor bounded_load keep it from that.
    Choice choose(Instant now, const Snapshot& snapshot, std::uint32_t pool, std::optional<std::uint64_t> key,
                  std::span<const std::uint32_t> tried,
                  std::optional<std::uint32_t> remembered = std::nullopt);
    // The client was sent to the backend of this position: its next turn in a slow start is later.
    void sent(Instant now, const Backend& backend);

  private:
    struct PoolRotation {
        balance::RoundRobin round_robin;
        std::uint32_t rotor = 0;  // chosen last by load
    };
    void judge(Instant now, const Pool& pool, std::span<const std::uint32_t> tried, bool keep_pace);
    bool may_take(Instant now, const Backend& backend) const;
    bool has_room(const Backend& backend) const;

    const LoadTable& load_;
    const std::uint32_t workers_;
    std::vector<Instant> next_turn_;  // by position: of a backend in slow start
    bool any_usable_ = false;         // of the pool that was judged last
    bool any_eligible_ = false;
    SplitMix64 random_;
    std::vector<PoolRotation> turns_;             // by pool
    std::vector<balance::Candidate> candidates_;  // scratch
};

}  // namespace sluice::backend
