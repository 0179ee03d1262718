// Going over to another configuration, by the file or by the operator's word: Control's side of `reload` and
// of everything that changes a backend.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "names.h"
#include "sluice/base/random.h"
#include "sluice/config/difference.h"
#include "sluice/daemon/control.h"

namespace sluice::daemon {
namespace {

const char* name(config::ChangeKind kind) {
    switch (kind) {
        case config::ChangeKind::Added: return "added";
        case config::ChangeKind::Removed: return "removed";
        case config::ChangeKind::Changed: return "changed";
    }
    return "?";
}

std::string text_of(const config::Change& change) {
    if (change.key.empty()) return fmt::format("{} {}", change.what, name(change.kind));
    return fmt::format("{}: {}: {} -> {}", change.what, change.key, change.from, change.to);
}

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
               pool.backends[b].configured != config::BackendState::Up ||
               // Nothing is down that is not probed; what a reload ceases to probe is told so only by it.
               (!pool.backends[b].healthy && pool.health.type != config::HealthType::None);
    });
    if (i == balance::Maglev::kNone) return std::nullopt;
    return pool.backends[i].address;
}

bool same_pattern(const backend::Pattern& a, const backend::Pattern& b) {
    return a == b || (a && b && a->pattern() == b->pattern());
}

// Whether a client has the same key in both, and its broker by it.
bool same_keys(const backend::Pool& before, const backend::Pool& after) {
    return before.balance == config::Balance::Maglev && after.balance == config::Balance::Maglev &&
           before.hash_key == after.hash_key && same_pattern(before.hash_pattern, after.hash_pattern);
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

backend::Registry Control::assigned(const config::Config& wanted) const {
    try {
        return backend::assign(wanted, &registry_);
    } catch (const backend::AssignmentError& error) {
        throw admin::ReloadRefused(error.what(), {});
    }
}

void Control::go_over_to(config::Config wanted) {
    backend::Registry next = assigned(wanted);
    std::vector<std::uint32_t> returning;  // out of drain or maintenance, or new and not probed
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
    registry_ = std::move(next);
    config_ = std::move(wanted);
    topology_ = std::make_shared<const worker::Topology>(topology_->with(registry_));
    health_.use(registry_, now_);
    store_.publish(registry_, health_.conditions(), topology_);
    for (const std::uint32_t position : returning) {
        if (health_.view(position).healthy) start_slowly(position);
    }
    if (std::exchange(snapshot_due_, false)) store_.publish(registry_, health_.conditions());
    link_->flush();
}

// The operator's states go over a reload, where the file still says what it said before about the backend.
config::Config Control::with_wishes(config::Config config) const {
    for (config::Pool& pool : config.pools) {
        for (config::Backend& backend : pool.backends) {
            const auto wish = wishes_.find({pool.name, backend.name});
            const config::Backend* const before = find(file_, pool.name, backend.name);
            if (wish == wishes_.end() || (before != nullptr && before->state != backend.state)) continue;
            backend.state = wish->second;
        }
    }
    return config;
}

config::Config Control::load_changed() {
    config::LoadResult loaded = crew_.load_configuration();
    if (!loaded.config) {
        std::vector<std::string> problems;
        for (const config::Problem& problem : loaded.problems) problems.push_back(config::to_string(problem));
        throw admin::ReloadRefused(fmt::format("the configuration has {} problem{}; nothing has changed",
                                               problems.size(), problems.size() == 1 ? "" : "s"),
                                   std::move(problems));
    }
    std::vector<std::string> problems;
    for (const config::Change& change : config::difference(file_, *loaded.config)) {
        if (change.needs_restart) {
            problems.push_back(fmt::format("{}; {}", text_of(change), *change.needs_restart));
        }
    }
    if (!problems.empty()) {
        throw admin::ReloadRefused("some changes need a restart; nothing has changed", std::move(problems));
    }
    return std::move(*loaded.config);
}

admin::ReloadReport Control::reload(bool dry_run) {
    if (dry_run) return go_over_to_file(true);
    last_reload_ = now_;
    reloads_.last_applied = false;
    try {
        admin::ReloadReport report = go_over_to_file(false);
        reloads_.last_applied = true;
        ++reloads_.applied;
        return report;
    } catch (const admin::Refused&) {
        ++reloads_.refused;
        throw;
    }
}

admin::ReloadReport Control::go_over_to_file(bool dry_run) {
    config::Config file = load_changed();
    config::Config wanted = with_wishes(file);
    admin::ReloadReport report{.applied = !dry_run, .changes = {}, .moves = moves_to(assigned(wanted))};
    for (const config::Change& change : config::difference(config_, wanted)) {
        report.changes.push_back({.what = change.what,
                                  .kind = name(change.kind),
                                  .key = change.key,
                                  .from = change.from,
                                  .to = change.to});
        if (!dry_run) spdlog::info("reload: {}", text_of(change));
    }
    if (dry_run) return report;
    if (report.changes.empty()) spdlog::info("reload: nothing has changed");
    if (wanted.admin.log != config_.admin.log) set_log_level(daemon::name(wanted.admin.log));
    go_over_to(std::move(wanted));
    // A state that the file sets anew replaces the operator's.
    std::erase_if(wishes_, [&](const auto& wish) {
        const config::Backend* const now = find(config_, wish.first.first, wish.first.second);
        return now == nullptr || now->state != wish.second;
    });
    file_ = std::move(file);
    open_connection_log();  // by its new name, or the same one after it was moved away
    return report;
}

void Control::reload_on_signal() {
    try {
        reload(false);
    } catch (const admin::ReloadRefused& refused) {
        spdlog::error("reload: {}", refused.what());
        for (const std::string& problem : refused.problems) spdlog::error("reload: {}", problem);
    } catch (const admin::Refused& refused) {
        spdlog::error("reload: {}", refused.what());
    }
}

std::vector<admin::ReloadReport::Move> Control::moves_to(const backend::Registry& next) const {
    const backend::Snapshot& before = store_.newest();
    const auto after = backend::build_snapshot(next, before.registry + 1, health_.conditions(),
                                               before.generation + 1, &before);
    std::vector<admin::ReloadReport::Move> moves;
    for (std::size_t p = 0; p < before.pools.size(); ++p) {
        const backend::Pool& pool = after->pools[p];
        if (pool.standing != backend::Standing::Active ||
            before.pools[p].standing != backend::Standing::Active) {
            continue;
        }
        if (pool.balance != config::Balance::Maglev && before.pools[p].balance != config::Balance::Maglev) {
            continue;
        }
        moves.push_back({.pool = pool.name, .share = moved_share(before.pools[p], pool)});
    }
    return moves;
}

// --- one backend ---

Control::BackendPlace Control::find_backend(const std::string& name) const {
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

void Control::set_state(const std::string& name, admin::Wish wish) {
    const BackendPlace place = find_backend(name);
    config::Config wanted = config_;
    config::Pool& pool = wanted.pools[place.pool];
    config::Backend& backend = pool.backends[place.backend];
    backend.state = state_of(wish);
    wishes_[{pool.name, backend.name}] = backend.state;
    spdlog::info("pool {}: broker {} set to {}", pool.name, backend.name, admin::to_string(wish));
    go_over_to(std::move(wanted));
}

void Control::set_weight(const std::string& name, std::uint32_t weight) {
    const BackendPlace place = find_backend(name);
    config::Config wanted = config_;
    config::Backend& backend = wanted.pools[place.pool].backends[place.backend];
    spdlog::info("pool {}: broker {}: weight {} -> {}", wanted.pools[place.pool].name, backend.name,
                 backend.weight, weight);
    backend.weight = weight;
    go_over_to(std::move(wanted));
}

void Control::add_backend(const std::string& pool_name, const std::string& name, const SocketAddress& address,
                          std::uint32_t weight) {
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
    go_over_to(std::move(wanted));
    spdlog::info("pool {}: broker {} ({}) added", pool_name, name, address.to_string());
}

void Control::remove_backend(const std::string& name) {
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
    go_over_to(std::move(wanted));
}

}  // namespace sluice::daemon
