// What the balancer is to do, and what is known of its brokers. It owns the configuration in force with what
// the operator has changed since, the registry, the topology, the brokers' health and load, and the snapshots
// that are made of all this for the workers. It is complete when it is built, before any worker is, and
// nothing of it runs: time comes in as an argument, and who has the workers (Controller) tells it what they
// report and sends them what store() says is due.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/admin/view.h"
#include "sluice/backend/health_tracker.h"
#include "sluice/backend/load_table.h"
#include "sluice/backend/registry.h"
#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/config/model.h"
#include "sluice/daemon/snapshot_store.h"
#include "sluice/worker/messages.h"
#include "sluice/worker/topology.h"

namespace sluice::daemon {

class BalancerState {
  public:
    // topology: of this configuration; the state's own follows the registry from then on.
    BalancerState(config::Config config, const worker::Topology& topology, Instant now);
    BalancerState(const BalancerState&) = delete;
    BalancerState& operator=(const BalancerState&) = delete;

    // The one in force: the file's, with what the operator has changed since. [runtime] and [[port]] never
    // change.
    const config::Config& config() const { return config_; }
    const config::Config& file() const { return file_; }  // as it was read last
    const backend::Registry& registry() const { return registry_; }
    const worker::Topology& topology() const { return *topology_; }
    const backend::HealthTracker& health() const { return health_; }
    const backend::Snapshot& snapshot() const { return store_.newest(); }
    backend::LoadTable& load() { return load_; }
    const backend::LoadTable& load() const { return load_; }
    SnapshotStore& store() { return store_; }

    // --- what workers report ---
    // The result of a probe or of a client's attempt. Logs a broker that went up or down.
    void on_health(const worker::Event& event, Instant now);
    // Publishes a snapshot if a broker's condition has changed since the last one.
    void publish_changes();
    // Gives up the places of what was removed and is used no more (backend::reclaim()).
    void reclaim(const backend::Use& use, Instant now);

    // --- another configuration; each throws admin::Refused and has changed nothing then ---
    // What would be in force after `file`: the operator's states go over a reload, where the file still says
    // what it said before about the backend.
    config::Config wanted_by(config::Config file) const;
    // Of the pools that choose by hash, before or afterwards: how many clients would move.
    std::vector<admin::ReloadReport::Move> moves_to(const config::Config& wanted) const;
    // Goes over to wanted_by(file). A state that the file sets anew replaces the operator's.
    void adopt_file(config::Config file, Instant now);
    // backend: NAME or POOL/NAME.
    void set_state(const std::string& backend, admin::Wish wish, Instant now);
    void set_weight(const std::string& backend, std::uint32_t weight, Instant now);
    void add_backend(const std::string& pool, const std::string& name, const SocketAddress& address,
                     std::uint32_t weight, Instant now);
    void remove_backend(const std::string& backend, Instant now);

  private:
    // balancer_state.cc
    void log_health(std::uint32_t backend, bool was_healthy) const;
    void start_slowly(std::uint32_t backend, Instant now);
    void use_registry(Instant now);
    // reconfiguration.cc
    backend::Registry assigned(const config::Config& wanted) const;
    std::vector<std::uint32_t> returning_in(const backend::Registry& next) const;
    void go_over_to(config::Config wanted, Instant now);
    struct BackendPlace {
        std::size_t pool = 0;
        std::size_t backend = 0;  // index in the pool
    };
    BackendPlace find_backend(const std::string& name) const;  // in config_

    config::Config file_;
    config::Config config_;
    // States that the operator asked for, by names of pool and backend.
    std::map<std::pair<std::string, std::string>, config::BackendState> wishes_;
    backend::LoadTable load_;
    backend::Registry registry_;
    std::shared_ptr<const worker::Topology> topology_;
    backend::HealthTracker health_;
    SnapshotStore store_;
    bool snapshot_due_ = false;  // a broker's condition has changed
};

}  // namespace sluice::daemon
