// From what a client says of itself to the pool that serves it, and to the key that picks its broker there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sluice/backend/snapshot.h"

namespace sluice::backend {

// Who asks. Texts are borrowed.
struct ClientFacts {
    std::uint32_t listener = 0;
    mqtt::Version version = mqtt::Version::V311;
    std::string_view client_id;
    std::optional<std::string_view> username;
    IpAddress address;
};

struct Routed {
    std::uint32_t pool = 0;                      // unless refused
    std::optional<config::RouteRefusal> refuse;  // what the client is told instead
    std::optional<std::uint32_t> route;          // that decided; nullopt: none fits, the listener's pool
};
Routed route(const Snapshot& snapshot, const ClientFacts& client);
// Whether all conditions of the route hold for the client.
bool fits(const Route& route, const ClientFacts& client);

// The hash of the pool's balancing key; nullopt when the client has none: an empty one, or a client ID that
// hash_pattern does not fit or captures nothing of.
std::optional<std::uint64_t> balancing_key(const Pool& pool, const ClientFacts& client);

}  // namespace sluice::backend
