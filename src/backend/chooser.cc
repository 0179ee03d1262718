#include "sluice/backend/chooser.h"

#include <algorithm>

namespace sluice::backend {

Chooser::Chooser(const LoadTable& load, std::uint64_t seed, std::uint32_t workers)
    : load_(load), workers_(workers), random_(seed) {}

bool Chooser::may_take(Instant now, const Backend& backend) const {
    return backend.slow_start.until <= now || backend.position >= next_turn_.size() ||
           next_turn_[backend.position] <= now;
}

void Chooser::sent(Instant now, const Backend& backend) {
    if (backend.slow_start.until <= now) return;
    if (next_turn_.size() <= backend.position) next_turn_.resize(backend.position + 1);
    // Each worker gives its part of the turns, and none saves them up.
    const double seconds = static_cast<double>(workers_) / backend.slow_start.rate;
    next_turn_[backend.position] =
        now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

bool Chooser::has_room(const Backend& backend) const {
    return backend.config.max_connections == 0 ||
           load_.connections(backend.position) < backend.config.max_connections;
}

// Fills candidates_ and notes what there is among them.
void Chooser::judge(Instant now, const Pool& pool, std::span<const std::uint32_t> tried, bool keep_pace) {
    any_usable_ = false;
    any_eligible_ = false;
    candidates_.clear();
    for (std::uint32_t i = 0; i < pool.backends.size(); ++i) {
        const Backend& b = pool.backends[i];
        const std::uint64_t connections = load_.connections(b.position);
        const bool usable = b.usable() && std::ranges::find(tried, i) == tried.end();
        const bool eligible = usable &&
                              (b.config.max_connections == 0 || connections < b.config.max_connections) &&
                              (!keep_pace || may_take(now, b));
        any_usable_ = any_usable_ || usable;
        any_eligible_ = any_eligible_ || eligible;
        candidates_.push_back({.weight = b.config.weight, .connections = connections, .eligible = eligible});
    }
}

Choice Chooser::choose(Instant now, const Snapshot& snapshot, std::uint32_t pool_index,
                       std::optional<std::uint64_t> key, std::span<const std::uint32_t> tried,
                       std::optional<std::uint32_t> remembered) {
    if (turns_.size() < snapshot.pools.size()) turns_.resize(snapshot.pools.size());
    const Pool& pool = snapshot.pools[pool_index];
    PoolRotation& turn = turns_[pool_index];

    if (remembered && pool.backends[*remembered].usable() && has_room(pool.backends[*remembered]) &&
        std::ranges::find(tried, *remembered) == tried.end()) {
        return {.outcome = Choice::Outcome::Chosen, .backend = *remembered, .remembered = true};
    }
    judge(now, pool, tried, true);
    // Better ahead of its pace than nobody.
    if (any_usable_ && !any_eligible_) judge(now, pool, tried, false);
    if (!any_usable_) return {.outcome = Choice::Outcome::NoneUsable};
    if (!any_eligible_) return {.outcome = Choice::Outcome::AllFull};

    const auto chosen = [](std::uint32_t i) {
        return Choice{.outcome = Choice::Outcome::Chosen, .backend = i};
    };
    switch (pool.config.balance) {
        case config::Balance::Maglev: {
            if (!key) break;  // an empty key would put all such clients on one hot broker
            const std::uint32_t first = pool.maglev->lookup(*key);
            // Some candidate is always within the bound, because the mean cannot exceed every one of them.
            const std::uint32_t i = pool.maglev->lookup(*key, [&](std::uint32_t b) {
                return !candidates_[b].eligible ||
                       !balance::within_bound(candidates_, b, pool.config.bounded_load);
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
    turn.rotor = i;
    return chosen(i);
}

}  // namespace sluice::backend
