#include "sluice/backend/routing.h"

#include <algorithm>

namespace sluice::backend {
namespace {

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

std::string_view captured(std::string_view client_id, const re2::RE2& pattern) {
    re2::StringPiece group;
    if (!re2::RE2::PartialMatch(piece(client_id), pattern, &group)) return {};
    return {group.data(), group.size()};
}

std::optional<std::uint64_t> hash_of(std::string_view key) {
    return key.empty() ? std::nullopt : std::optional(balance::key_hash(key));
}

}  // namespace

bool fits(const Route& route, const ClientFacts& client) {
    const config::Route& asked = route.config;
    if (route.listener && *route.listener != client.listener) return false;
    if (!client.client_id.starts_with(asked.client_id_prefix)) return false;
    if (asked.username && *asked.username != client.username.value_or("")) return false;
    if (!asked.versions.empty() &&
        std::ranges::find(asked.versions, client.version) == asked.versions.end()) {
        return false;
    }
    if (!asked.networks.empty() && std::ranges::none_of(asked.networks, [&](const IpPrefix& network) {
            return network.contains(client.address);
        })) {
        return false;
    }
    // The dearest one last.
    return !route.client_id_pattern ||
           re2::RE2::PartialMatch(piece(client.client_id), *route.client_id_pattern);
}

Routed route(const Snapshot& snapshot, const ClientFacts& client) {
    for (std::uint32_t i = 0; i < snapshot.routes.size(); ++i) {
        const Route& route = snapshot.routes[i];
        if (fits(route, client)) return {.pool = route.pool, .refuse = route.config.refuse, .route = i};
    }
    return {.pool = snapshot.listeners[client.listener].pool, .refuse = {}, .route = {}};
}

std::optional<std::uint64_t> balancing_key(const Pool& pool, const ClientFacts& client) {
    switch (pool.config.hash_key) {
        case config::HashKey::ClientId:
            return hash_of(pool.hash_pattern ? captured(client.client_id, *pool.hash_pattern)
                                             : client.client_id);
        case config::HashKey::Username: return hash_of(client.username.value_or(""));
        case config::HashKey::ClientIp: return balance::key_hash(as_text(client.address.wire_bytes()));
    }
    return std::nullopt;
}

}  // namespace sluice::backend
