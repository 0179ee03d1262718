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
    bool by_key = false;  // consistent hash of the key; otherwise by load or turn
    bool displaced =
        false;  // the key's first choice was passed over (unusable, tried, full or above its bound)
};

// One per worker (and one in control for `explain`): holds the turn-taking state of each pool.
class Chooser {
  public:
    // load is borrowed and outlives the chooser. seed: starts the random choices.
    Chooser(const LoadTable& load, std::uint64_t seed);

    // key: hash of the balancing key, or nullopt when the client gave none (then maglev falls back to least
    // connections). tried: indexes that failed this client already.
    Choice choose(const Snapshot& snapshot, std::uint32_t pool, std::optional<std::uint64_t> key,
                  std::span<const std::uint32_t> tried);

  private:
    struct Turn {
        balance::RoundRobin round_robin;
        std::uint32_t rotor = 0;
    };
    const LoadTable& load_;
    SplitMix64 random_;
    std::vector<Turn> turns_;                     // by pool
    std::vector<balance::Candidate> candidates_;  // scratch
};

}  // namespace sluice::backend
