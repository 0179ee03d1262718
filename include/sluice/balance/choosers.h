// Choices that look at load instead of a key: least connections, two random choices, round robin; and the
// bound that caps how far any target may exceed the mean ("consistent hashing with bounded loads", Mirrokni
// et al. 2016).
#pragma once

#include <cstdint>
#include <span>

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

// Two distinct eligible candidates drawn by weight from `random`, the less loaded (per weight) wins.
std::uint32_t two_choices(std::span<const Candidate> candidates, std::uint64_t random);

// Smooth weighted round robin; state per pool and worker.
class RoundRobin {
  public:
    std::uint32_t next(std::span<const Candidate> candidates);

  private:
    // definition of state is private to the helper
};

// True when one more connection keeps candidate `i` within factor x the weighted mean over eligible
// candidates (ceil(factor * (total + 1) * weight_i / total_weight)). factor <= 0 or infinity: always true.
bool within_bound(std::span<const Candidate> candidates, std::uint32_t i, double factor);

}  // namespace sluice::balance
