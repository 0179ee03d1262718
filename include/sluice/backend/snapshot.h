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

#include "sluice/balance/maglev.h"
#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/config/model.h"

namespace sluice::backend {

// What a broker's SYN-ACK offered to a probe. Listeners offer clients no more than every usable broker of the
// pool accepts, because a splice cannot add an option that one leg lacks.
struct Offer {
    std::uint16_t mss = 0;  // bytes; 0: not learned yet
    std::optional<std::uint8_t> window_scale;
    bool sack = false;
    bool timestamps = false;

    friend bool operator==(const Offer&, const Offer&) = default;
};

struct Backend {
    std::string name;
    SocketAddress address;
    std::uint32_t weight = 0;
    std::uint32_t max_connections = 0;  // 0: no limit
    config::BackendState configured = config::BackendState::Up;
    bool healthy = true;
    std::optional<Offer> offer;

    // May it be given new clients?
    bool usable() const { return healthy && configured == config::BackendState::Up && weight != 0; }
};

struct Pool {
    std::string name;
    config::Balance balance = config::Balance::Maglev;
    config::HashKey hash_key = config::HashKey::ClientId;
    double bounded_load = 0;
    std::uint32_t retries = 0;
    Duration attempt_timeout{0};
    config::Health health;
    std::vector<Backend> backends;
    std::uint32_t first_backend =
        0;  // position of backends[0] among all backends of all pools (see LoadTable)
    // Over all configured backends of weight > 0, healthy or not: a lookup passes over unusable ones, so that
    // a broker that fails moves nobody else's clients, and its own come back to it. Shared between snapshots
    // of one configuration.
    std::shared_ptr<const balance::Maglev> maglev;
    // The common offer of all usable backends; options that were never learned are offered.
    Offer offer;
};

struct Listener {
    std::string name;
    SocketAddress address;
    std::uint32_t pool = 0;
    Duration connect_timeout{0};
    std::size_t max_connect_size = 0;
    std::uint32_t connect_window = 0;
    std::vector<IpPrefix> allow;
    std::vector<IpPrefix> deny;
    std::uint32_t max_connections = 0;
    std::uint32_t half_open = 0;
    Duration idle_timeout{0};

    // allow and not deny; an empty allow list admits everybody.
    bool admits(const IpAddress& client) const;
};

struct Snapshot {
    std::uint64_t generation = 0;
    std::vector<Listener> listeners;
    std::vector<Pool> pools;
    std::uint32_t backend_count = 0;  // over all pools
};

// What control knows of one backend beside its configuration.
struct Condition {
    bool healthy = true;
    std::optional<Offer> offer;
};

// conditions: one entry per backend in configuration order over all pools. previous: a snapshot of the same
// configuration whose hash tables are shared, or nullptr.
std::unique_ptr<const Snapshot> build_snapshot(const config::Config& config,
                                               std::span<const Condition> conditions,
                                               std::uint64_t generation, const Snapshot* previous);

}  // namespace sluice::backend
