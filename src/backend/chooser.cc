#include "sluice/backend/chooser.h"

#include <algorithm>

namespace sluice::backend {

Chooser::Chooser(const LoadTable& load, std::uint64_t seed) : load_(load), random_(seed) {}

Choice Chooser::choose(const Snapshot& snapshot, std::uint32_t pool_index, std::optional<std::uint64_t> key,
                       std::span<const std::uint32_t> tried) {
    if (turns_.size() < snapshot.pools.size()) turns_.resize(snapshot.pools.size());
    const Pool& pool = snapshot.pools[pool_index];
    Turn& turn = turns_[pool_index];

    bool any_usable = false;
    bool any_eligible = false;
    candidates_.clear();
    for (std::uint32_t i = 0; i < pool.backends.size(); ++i) {
        const Backend& b = pool.backends[i];
        const std::uint64_t connections = load_.connections(pool.first_backend + i);
        const bool usable = b.usable() && std::ranges::find(tried, i) == tried.end();
        const bool eligible = usable && (b.max_connections == 0 || connections < b.max_connections);
        any_usable = any_usable || usable;
        any_eligible = any_eligible || eligible;
        candidates_.push_back({.weight = b.weight, .connections = connections, .eligible = eligible});
    }
    if (!any_usable) return {.outcome = Choice::Outcome::NoneUsable};
    if (!any_eligible) return {.outcome = Choice::Outcome::AllFull};

    const auto chosen = [](std::uint32_t i) {
        return Choice{.outcome = Choice::Outcome::Chosen, .backend = i};
    };
    switch (pool.balance) {
        case config::Balance::Maglev: {
            if (!key) break;  // an empty key would put all such clients on one hot broker
            const std::uint32_t first = pool.maglev->lookup(*key);
            // Some candidate is always within the bound, because the mean cannot exceed every one of them.
            const std::uint32_t i = pool.maglev->lookup(*key, [&](std::uint32_t b) {
                return !candidates_[b].eligible || !balance::within_bound(candidates_, b, pool.bounded_load);
            });
            if (i == balance::Maglev::kNone) break;
            Choice choice = chosen(i);
            choice.by_key = true;
            choice.displaced = i != first;
            return choice;
        }
        case config::Balance::TwoChoices: return chosen(balance::two_choices(candidates_, random_.next()));
        case config::Balance::RoundRobin: return chosen(turn.round_robin.next(candidates_));
        case config::Balance::LeastConnections: break;
    }
    const std::uint32_t i = balance::least_connections(candidates_, turn.rotor);
    turn.rotor = i + 1;
    return chosen(i);
}

}  // namespace sluice::backend
