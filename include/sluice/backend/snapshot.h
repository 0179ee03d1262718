// What workers know of listeners, pools and brokers: an immutable picture that control builds from the
// configuration and the brokers' health, and hands to every worker. Workers name things by index, never by
// pointer, so a newer picture can replace it between two packets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <re2/re2.h>

#include "sluice/backend/registry.h"
#include "sluice/balance/maglev.h"
#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/config/model.h"

namespace sluice::backend {

// What a broker's SYN-ACK offered to a probe. Listeners offer clients no more than every usable broker of the
// pool accepts, because a splice cannot add an option that one leg lacks.
struct Offer {
    std::uint16_t mss = 0;  // bytes; 0: not learned yet
    // Bytes that it takes before it has read anything: the SYN-ACK's window. As what clients are offered it
    // is what they are promised from the beginning of their stream; see kUnlearnedWindow.
    std::uint16_t window = 0;
    std::optional<std::uint8_t> window_scale;
    bool sack = false;
    bool timestamps = false;

    friend bool operator==(const Offer&, const Offer&) = default;
};

// What clients may send while no window of a broker is known: as much as one of the smallest hosts that serve
// MQTT takes.
inline constexpr std::uint16_t kUnlearnedWindow = 2048;
// What they may send at least: a window of 0 in a SYN-ACK would let no CONNECT come, of which all else hangs.
inline constexpr std::uint16_t kSmallestWindow = 536;

// A broker that has returned takes clients at this pace until it has its share of them.
struct SlowStart {
    Instant until;    // from then on as many as come; the time line's origin: none is under way
    double rate = 0;  // connects a second, over all workers

    friend bool operator==(const SlowStart&, const SlowStart&) = default;
};

// In each of these, what is asked most comes first, and the configuration's own struct last.
struct Backend {
    std::uint32_t position = 0;  // its number over all pools, below kMaxBackends (see LoadTable)
    std::uint32_t mark = 0;      // mark_of(config.address)
    Standing standing = Standing::Active;
    bool healthy = true;
    SlowStart slow_start;
    std::optional<Offer> offer;
    config::Backend config;

    // May it be given new clients?
    bool usable() const {
        return healthy && standing == Standing::Active && config.state == config::BackendState::Up &&
               config.weight != 0;
    }
};

// A compiled pattern, shared between snapshots; null: none.
using Pattern = std::shared_ptr<const re2::RE2>;

// By what a session's broker is remembered: of its address, so that it is the same one under another name, in
// another pool, or when it is taken back after it was removed.
std::uint32_t mark_of(const SocketAddress& address);

struct Pool {
    Standing standing = Standing::Active;
    std::vector<Backend> backends;  // by their place in the registry, vacant ones included
    // Over all active backends, healthy or not: a lookup passes over unusable ones, so that
    // a broker that fails moves nobody else's clients, and its own come back to it. Shared between snapshots
    // as long as names and weights stay.
    std::shared_ptr<const balance::Maglev> maglev;
    Pattern hash_pattern;  // what its first group captures of the client ID is the key; null: all of it
    // The common offer of all usable backends; options that were never learned are offered.
    Offer offer;
    std::vector<IpAddress> retained_sources;  // from which connections may still lead, but no new ones
    config::Pool config;                      // its backends are those above

    // The index of the active backend with this mark.
    std::optional<std::uint32_t> find(std::uint32_t mark) const;
};

struct Listener {
    std::uint32_t pool = 0;  // in Snapshot::pools
    Standing standing = Standing::Active;
    // What its clients are offered: the common offer of the pools that they may be led to.
    Offer offer;
    config::Listener config;

    // allow and not deny; an empty allow list admits everybody.
    bool admits(const IpAddress& client) const;
};

// The conditions that lead a client to a pool; those that are absent hold for every client.
struct Route {
    std::optional<std::uint32_t> listener;
    std::uint32_t pool = 0;     // in Snapshot::pools; unless it refuses
    Pattern client_id_pattern;  // found anywhere in the client ID
    config::Route config;
};

// Listeners, pools and backends are numbered as in the registry.
struct Snapshot {
    std::uint64_t generation = 0;
    std::uint64_t registry = 0;  // changes with the places in it and their addresses
    std::vector<Listener> listeners;
    std::vector<Route> routes;    // the first that fits decides
    bool connection_log = false;  // workers tell of connections that ended
    // Bytes that all workers together may hold for clients that no broker has accepted yet.
    std::uint64_t connect_memory = 0;
    std::vector<Pool> pools;
};

// What control knows of one backend beside its configuration.
struct Condition {
    bool healthy = true;
    SlowStart slow_start;
    std::optional<Offer> offer;
};

// conditions: by position; those beyond its end are as of a backend that nothing is known of. previous: the
// snapshot before this one, whose hash tables are shared where they can be, or nullptr.
std::unique_ptr<const Snapshot> build_snapshot(const Registry& registry, std::uint64_t registry_generation,
                                               std::span<const Condition> conditions,
                                               std::uint64_t generation, const Snapshot* previous);

// Of a configuration that no other one has come before.
std::unique_ptr<const Snapshot> build_snapshot(const config::Config& config,
                                               std::span<const Condition> conditions,
                                               std::uint64_t generation, const Snapshot* previous);

}  // namespace sluice::backend
