// `explain`: the choice that a worker would make now for a client, and the reason in words.
#include <fmt/format.h>

#include <algorithm>

#include "names.h"
#include "sluice/balance/maglev.h"
#include "sluice/daemon/control.h"

namespace sluice::daemon {
namespace {

// The balancing key of a client as workers compute it; `text` stands for what the pool hashes.
std::optional<std::uint64_t> key_of(const backend::Pool& pool, const std::string& text) {
    switch (pool.hash_key) {
        case config::HashKey::ClientId:
        case config::HashKey::Username:
            return text.empty() ? std::nullopt : std::optional(balance::key_hash(text));
        case config::HashKey::ClientIp: {
            const auto address = IpAddress::parse(text);
            if (!address) {
                throw admin::Refused("pool " + pool.name +
                                     " hashes the client's IP address: explain that instead");
            }
            const auto bytes = address->wire_bytes();
            return balance::key_hash({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        }
    }
    return std::nullopt;
}

template <typename Named>
std::uint32_t position_of(const std::vector<Named>& all, const std::string& name, const char* kind) {
    const auto found = std::ranges::find(all, name, &Named::name);
    if (found == all.end())
        throw admin::Refused(fmt::format("no {} is named '{}'; see show {}s", kind, name, kind));
    return static_cast<std::uint32_t>(found - all.begin());
}

std::string why_passed_over(const backend::Backend& first, std::uint64_t connections) {
    if (first.configured != config::BackendState::Up) return "is not to take new clients";
    if (!first.healthy) return "is down";
    if (first.max_connections != 0 && connections >= first.max_connections)
        return "is at its max_connections";
    return "is above its bounded_load";
}

}  // namespace

std::uint32_t Control::find_pool(const std::string& pool, const std::string& listener) const {
    if (!pool.empty()) return position_of(config_.pools, pool, "pool");
    if (!listener.empty()) {
        return config_.listeners[position_of(config_.listeners, listener, "listener")].pool_index;
    }
    return config_.listeners.front().pool_index;
}

std::string Control::explain_choice(const backend::Choice& choice, const backend::Pool& pool,
                                    std::optional<std::uint64_t> key) const {
    switch (choice.outcome) {
        case backend::Choice::Outcome::NoneUsable:
            return "no broker of the pool takes clients: each is down, drained, in maintenance or of weight "
                   "0";
        case backend::Choice::Outcome::AllFull: return "every usable broker is at its max_connections";
        case backend::Choice::Outcome::Chosen: break;
    }
    if (choice.by_key && choice.displaced) {
        const std::uint32_t i = pool.maglev->lookup(*key);
        const backend::Backend& first = pool.backends[i];
        return fmt::format("the first choice of its {} hash, {}, {}; this one is next", name(pool.hash_key),
                           first.name, why_passed_over(first, load_.connections(pool.first_backend + i)));
    }
    if (choice.by_key) return fmt::format("the first choice of its {} hash", name(pool.hash_key));
    if (pool.balance == config::Balance::Maglev) {
        return fmt::format("its {} is empty, so the least loaded broker is taken", name(pool.hash_key));
    }
    return fmt::format(
        "balance = {} looks at load and turn, not at the client: the next one may go elsewhere",
        name(pool.balance));
}

admin::Explanation Control::explain(const std::string& client_id, const std::string& pool_name,
                                    const std::string& listener) {
    const std::uint32_t position = find_pool(pool_name, listener);
    const backend::Pool& pool = store_.newest().pools[position];
    const auto key = key_of(pool, client_id);
    const backend::Choice choice = chooser_.choose(store_.newest(), position, key, {});
    admin::Explanation explanation{.client_id = client_id,
                                   .pool = pool.name,
                                   .hash = key,
                                   .backend = std::nullopt,
                                   .address = std::nullopt,
                                   .by_key = choice.by_key,
                                   .displaced = choice.displaced,
                                   .why = explain_choice(choice, pool, key)};
    if (choice.outcome == backend::Choice::Outcome::Chosen) {
        explanation.backend = pool.backends[choice.backend].name;
        explanation.address = pool.backends[choice.backend].address;
    }
    return explanation;
}

}  // namespace sluice::daemon
