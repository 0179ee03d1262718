// Which snapshots exist and who may still look at them. A snapshot lives from its publication until a newer
// one has been published and every worker that was sent it has said that it is retired. Pure bookkeeping: it
// sends nothing itself.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "sluice/backend/snapshot.h"
#include "sluice/worker/topology.h"

namespace sluice::daemon {

class SnapshotStore {
  public:
    // What a worker is sent.
    struct Publication {
        std::unique_ptr<const backend::Snapshot> snapshot;
        std::shared_ptr<const worker::Topology> topology;  // that goes with its registry
    };

    // Makes the first snapshot and counts it as sent to every worker, because workers are built with it.
    SnapshotStore(const backend::Registry& registry, std::span<const backend::Condition> conditions,
                  std::uint32_t workers);

    const backend::Snapshot& newest() const { return *publications_.back().snapshot; }
    // The same registry in other conditions.
    void publish(const backend::Registry& registry, std::span<const backend::Condition> conditions);
    // Another registry, with the topology of its addresses.
    void publish(const backend::Registry& registry, std::span<const backend::Condition> conditions,
                 std::shared_ptr<const worker::Topology> topology);

    // What the worker is to be sent next; nullptr when it has the newest. A worker that was slow is given the
    // newest and never sees those between.
    const Publication* due(std::uint32_t worker) const;
    // due(worker) is in the worker's mailbox.
    void sent(std::uint32_t worker);
    // The worker has taken a newer snapshot than this one.
    void retired(std::uint32_t worker, std::uint64_t generation);

    std::size_t kept() const { return publications_.size(); }

  private:
    void add(const backend::Registry& registry, std::uint64_t registry_generation,
             std::span<const backend::Condition> conditions,
             std::shared_ptr<const worker::Topology> topology);
    void free_unused();

    std::deque<Publication> publications_;         // by generation, newest last
    std::vector<std::deque<std::uint64_t>> held_;  // by worker: generations sent and not retired, in order
};

}  // namespace sluice::daemon
