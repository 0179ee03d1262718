#include "sluice/balance/choosers.h"

#include <cmath>

namespace sluice::balance {
namespace {

__extension__ using Wide = unsigned __int128;

bool can_take(const Candidate& c) { return c.eligible && c.weight != 0; }

// Whether a carries less than b for its weight; exact.
bool less_loaded(const Candidate& a, const Candidate& b) {
    return Wide{a.connections} * b.weight < Wide{b.connections} * a.weight;
}

std::uint64_t total_weight(std::span<const Candidate> candidates) {
    std::uint64_t total = 0;
    for (const Candidate& c : candidates) total += can_take(c) ? c.weight : 0;
    return total;
}

// The candidate in whose stretch of the weights laid end to end `point` falls, leaving out `without`.
std::uint32_t at_weight(std::span<const Candidate> candidates, std::uint64_t point, std::uint32_t without) {
    for (std::uint32_t i = 0; i < candidates.size(); ++i) {
        if (i == without || !can_take(candidates[i])) continue;
        if (point < candidates[i].weight) return i;
        point -= candidates[i].weight;
    }
    return kNoChoice;
}

// Half of the random bits, scaled to 0..total-1.
std::uint64_t scale(std::uint64_t random32, std::uint64_t total) {
    return static_cast<std::uint64_t>((Wide{random32} * total) >> 32U);
}

}  // namespace

std::uint32_t least_connections(std::span<const Candidate> candidates, std::uint32_t rotor) {
    std::uint32_t best = kNoChoice;
    const std::size_t n = candidates.size();
    for (std::size_t step = 1; step <= n; ++step) {
        const auto i = static_cast<std::uint32_t>((rotor % n + step) % n);
        if (!can_take(candidates[i])) continue;
        if (best == kNoChoice || less_loaded(candidates[i], candidates[best])) best = i;
    }
    return best;
}

std::uint32_t two_choices(std::span<const Candidate> candidates, std::uint64_t random) {
    const std::uint64_t total = total_weight(candidates);
    if (total == 0) return kNoChoice;
    const std::uint32_t first = at_weight(candidates, scale(random >> 32U, total), kNoChoice);
    const std::uint64_t others = total - candidates[first].weight;
    if (others == 0) return first;
    const std::uint32_t second = at_weight(candidates, scale(random & 0xffffffffU, others), first);
    return less_loaded(candidates[second], candidates[first]) ? second : first;
}

// Each turn every candidate earns its weight, and the richest is chosen and pays what all earned together:
// over W turns (the sum of the weights) each is chosen as often as it weighs, never in a row when others are
// due.
std::uint32_t RoundRobin::next(std::span<const Candidate> candidates) {
    credit_.resize(candidates.size());
    std::uint32_t best = kNoChoice;
    std::int64_t earned = 0;
    for (std::uint32_t i = 0; i < candidates.size(); ++i) {
        if (!can_take(candidates[i])) continue;
        credit_[i] += candidates[i].weight;
        earned += candidates[i].weight;
        if (best == kNoChoice || credit_[i] > credit_[best]) best = i;
    }
    if (best != kNoChoice) credit_[best] -= earned;
    return best;
}

bool within_bound(std::span<const Candidate> candidates, std::uint32_t i, double factor) {
    if (!(factor > 0) || std::isinf(factor)) return true;
    if (!can_take(candidates[i])) return false;
    std::uint64_t connections = 1;  // the one to be placed
    for (const Candidate& c : candidates) connections += can_take(c) ? c.connections : 0;
    // In this order, so that 1.1 times a thousand is not a hair above eleven hundred before the ceiling.
    const double bound = std::ceil(factor * static_cast<double>(connections) * candidates[i].weight /
                                   static_cast<double>(total_weight(candidates)));
    return static_cast<double>(candidates[i].connections) + 1 <= bound;
}

}  // namespace sluice::balance
