// How the state goes over to another configuration, by the file or by the operator's word.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "sluice/base/random.h"
#include "sluice/config/reader.h"
#include "sluice/daemon/balancer_state.h"

namespace sluice::daemon {
namespace {

config::BackendState state_of(admin::Wish wish) {
    switch (wish) {
        case admin::Wish::Ready: return config::BackendState::Up;
        case admin::Wish::Drain: return config::BackendState::Drain;
        case admin::Wish::Maintenance: return config::BackendState::Maintenance;
    }
    return config::BackendState::Up;
}

const config::Backend* find(const config::Config& config, const std::string& pool,
                            const std::string& backend) {
    const auto p = std::ranges::find(config.pools, pool, &config::Pool::name);
    if (p == config.pools.end()) return nullptr;
    const auto b = std::ranges::find(p->backends, backend, &config::Backend::name);
    return b == p->backends.end() ? nullptr : &*b;
}

// Where a key would go in `snapshot`: the broker's address.
std::optional<SocketAddress> destination(const backend::Pool& pool, std::uint64_t key) {
    const std::uint32_t i = pool.maglev->lookup(key, [&](std::uint32_t b) {
        return pool.backends[b].standing != backend::Standing::Active ||
               pool.backends[b].config.state != config::BackendState::Up ||
               // Nothing is down that is not probed; what a reload ceases to probe is told so only by it.
               (!pool.backends[b].healthy && pool.config.health.type != config::HealthType::None);
    });
    if (i == balance::Maglev::kNone) return std::nullopt;
    return pool.backends[i].config.address;
}

bool same_pattern(const backend::Pattern& a, const backend::Pattern& b) {
    return a == b || (a && b && a->pattern() == b->pattern());
}

// Whether a client has the same key in both, and its broker by it.
bool same_keys(const backend::Pool& before, const backend::Pool& after) {
    return before.config.balance == config::Balance::Maglev &&
           after.config.balance == config::Balance::Maglev &&
           before.config.hash_key == after.config.hash_key &&
           same_pattern(before.hash_pattern, after.hash_pattern);
}

// Where the keys are not the same, one says nothing about the other. A pool that goes by load spreads its
// clients by weight, as its table does.
double moved_share(const backend::Pool& before, const backend::Pool& after) {
    constexpr std::uint32_t kSample = 20'000;
    SplitMix64 keys(1);
    SplitMix64 other_keys(2);
    const bool same = same_keys(before, after);
    std::uint32_t moved = 0;
    for (std::uint32_t i = 0; i < kSample; ++i) {
        const std::uint64_t key = keys.next();
        if (destination(before, key) != destination(after, same ? key : other_keys.next())) ++moved;
    }
    return static_cast<double>(moved) / kSample;
}

}  // namespace

backend::Registry BalancerState::assigned(const config::Config& wanted) const {
    try {
        return backend::assign(wanted, &registry_);
    } catch (const backend::AssignmentError& error) {
        throw admin::ReloadRefused(error.what(), {});
    }
}

// Positions of the backends that come out of drain or maintenance, or are new.
std::vector<std::uint32_t> BalancerState::returning_in(const backend::Registry& next) const {
    std::vector<std::uint32_t> returning;
    next.each_backend([&](std::uint32_t p, std::uint32_t b, const backend::Registry::Backend& backend) {
        if (backend.standing != backend::Standing::Active ||
            backend.config.state != config::BackendState::Up) {
            return;
        }
        const bool known = p < registry_.pools.size() && b < registry_.pools[p].backends.size();
        const backend::Registry::Backend* const before = known ? &registry_.pools[p].backends[b] : nullptr;
        if (before != nullptr && before->standing == backend::Standing::Active &&
            before->config.state == config::BackendState::Up) {
            return;
        }
        returning.push_back(backend.position);
    });
    return returning;
}

void BalancerState::go_over_to(config::Config wanted, Instant now) {
    backend::Registry next = assigned(wanted);
    const std::vector<std::uint32_t> returning = returning_in(next);
    registry_ = std::move(next);
    config_ = std::move(wanted);
    use_registry(now);
    for (const std::uint32_t position : returning) {
        if (health_.view(position).healthy) start_slowly(position, now);
    }
    publish_changes();
}

// --- the file ---

config::Config BalancerState::wanted_by(config::Config file) const {
    for (config::Pool& pool : file.pools) {
        for (config::Backend& backend : pool.backends) {
            const auto wish = wishes_.find({pool.name, backend.name});
            const config::Backend* const before = find(file_, pool.name, backend.name);
            if (wish == wishes_.end() || (before != nullptr && before->state != backend.state)) continue;
            backend.state = wish->second;
        }
    }
    return file;
}

std::vector<admin::ReloadReport::Move> BalancerState::moves_to(const config::Config& wanted) const {
    const backend::Snapshot& before = store_.newest();
    const auto after = backend::build_snapshot(assigned(wanted), before.registry + 1, health_.conditions(),
                                               before.generation + 1, &before);
    std::vector<admin::ReloadReport::Move> moves;
    for (std::size_t p = 0; p < before.pools.size(); ++p) {
        const backend::Pool& pool = after->pools[p];
        if (pool.standing != backend::Standing::Active ||
            before.pools[p].standing != backend::Standing::Active) {
            continue;
        }
        if (pool.config.balance != config::Balance::Maglev &&
            before.pools[p].config.balance != config::Balance::Maglev) {
            continue;
        }
        moves.push_back({.pool = pool.config.name, .share = moved_share(before.pools[p], pool)});
    }
    return moves;
}

void BalancerState::adopt_file(config::Config file, Instant now) {
    go_over_to(wanted_by(file), now);
    std::erase_if(wishes_, [&](const auto& wish) {
        const config::Backend* const backend = find(config_, wish.first.first, wish.first.second);
        return backend == nullptr || backend->state != wish.second;
    });
    file_ = std::move(file);
}

// --- one backend ---

BalancerState::BackendPlace BalancerState::find_backend(const std::string& name) const {
    std::vector<BackendPlace> found;
    for (std::size_t p = 0; p < config_.pools.size(); ++p) {
        const config::Pool& pool = config_.pools[p];
        for (std::size_t b = 0; b < pool.backends.size(); ++b) {
            const std::string& own = pool.backends[b].name;
            if (own == name || fmt::format("{}/{}", pool.name, own) == name) found.push_back({p, b});
        }
    }
    if (found.empty()) throw admin::Refused("no backend is named '" + name + "'; see show backends");
    if (found.size() > 1) {
        throw admin::Refused("several pools have a backend named '" + name + "'; write POOL/" + name);
    }
    return found.front();
}

void BalancerState::set_state(const std::string& name, admin::Wish wish, Instant now) {
    const BackendPlace place = find_backend(name);
    config::Config wanted = config_;
    config::Pool& pool = wanted.pools[place.pool];
    config::Backend& backend = pool.backends[place.backend];
    backend.state = state_of(wish);
    wishes_[{pool.name, backend.name}] = backend.state;
    spdlog::info("pool {}: broker {} set to {}", pool.name, backend.name, admin::to_string(wish));
    go_over_to(std::move(wanted), now);
}

void BalancerState::set_weight(const std::string& name, std::uint32_t weight, Instant now) {
    const BackendPlace place = find_backend(name);
    config::Config wanted = config_;
    config::Backend& backend = wanted.pools[place.pool].backends[place.backend];
    spdlog::info("pool {}: broker {}: weight {} -> {}", wanted.pools[place.pool].name, backend.name,
                 backend.weight, weight);
    backend.weight = weight;
    go_over_to(std::move(wanted), now);
}

void BalancerState::add_backend(const std::string& pool_name, const std::string& name,
                                const SocketAddress& address, std::uint32_t weight, Instant now) {
    config::Config wanted = config_;
    const auto pool = std::ranges::find(wanted.pools, pool_name, &config::Pool::name);
    if (pool == wanted.pools.end()) {
        throw admin::Refused("no pool is named '" + pool_name + "'; see show pools");
    }
    config::Backend backend;
    backend.name = name;
    backend.address = address;
    backend.weight = weight;
    pool->backends.push_back(std::move(backend));
    const std::vector<config::Problem> problems = config::check(wanted);
    if (!problems.empty()) throw admin::Refused(config::to_string(problems.front()));
    go_over_to(std::move(wanted), now);
    spdlog::info("pool {}: broker {} ({}) added", pool_name, name, address.to_string());
}

void BalancerState::remove_backend(const std::string& name, Instant now) {
    const BackendPlace place = find_backend(name);
    config::Config wanted = config_;
    config::Pool& pool = wanted.pools[place.pool];
    if (pool.backends.size() == 1) {
        throw admin::Refused("'" + name + "' is the only backend of pool " + pool.name +
                             "; add another one first, or drain it");
    }
    const std::string removed = pool.backends[place.backend].name;
    pool.backends.erase(pool.backends.begin() + static_cast<std::ptrdiff_t>(place.backend));
    spdlog::info("pool {}: broker {} removed; its connections are ended at {} a second", pool.name, removed,
                 pool.drain_rate);
    wishes_.erase({pool.name, removed});
    go_over_to(std::move(wanted), now);
}

}  // namespace sluice::daemon
