// Choices that look at load instead of a key: least connections, two random choices, round robin; and the
// bound that caps how far any target may exceed the mean ("consistent hashing with bounded loads", Mirrokni
// et al. 2016).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::balance {

inline constexpr std::uint32_t kNoChoice = 0xffffffff;

// What a choice may look at; position in the span is what a chooser returns.
struct Candidate {
    std::uint32_t weight = 0;       // 0 or !eligible: never chosen
    std::uint64_t connections = 0;  // live, over all workers
    bool eligible = false;          // up, not yet tried, below its own max_connections
};

// Fewest connections per weight; ties go to the one after `rotor`, so that an idle pool is filled evenly.
std::uint32_t least_connections(std::span<const Candidate> candidates, std::uint32_t rotor);

// Two distinct eligible candidates drawn by weight from `random` (64 uniform bits), the less loaded (per
// weight) wins.
std::uint32_t two_choices(std::span<const Candidate> candidates, std::uint64_t random);

// Smooth weighted round robin; state per pool and worker. A candidate keeps its place in the span from call
// to call; kNoChoice when none is eligible.
class RoundRobin {
  public:
    std::uint32_t next(std::span<const Candidate> candidates);

  private:
    std::vector<std::int64_t> credit_;  // by position in the span
};

// True when one more connection keeps candidate `i` within factor x the weighted mean over eligible
// candidates (ceil(factor * (total + 1) * weight_i / total_weight)). factor <= 0 or infinity: always true.
// Otherwise false for one that is not eligible. With factor >= 1 at least one eligible candidate is within
// its bound. Requires i < candidates.size().
bool within_bound(std::span<const Candidate> candidates, std::uint32_t i, double factor);

}  // namespace sluice::balance
