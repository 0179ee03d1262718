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
#include "sluice/config/model.h"

namespace sluice::daemon {

class SnapshotStore {
  public:
    // Makes the first snapshot and counts it as sent to every worker, because workers are built with it.
    // config is borrowed and outlives the store.
    SnapshotStore(const config::Config& config, std::span<const backend::Condition> conditions,
                  std::uint32_t workers);

    const backend::Snapshot& newest() const { return *snapshots_.back(); }
    void publish(std::span<const backend::Condition> conditions);

    // What the worker is to be sent next; nullptr when it has the newest. A worker that was slow is given the
    // newest and never sees those between.
    const backend::Snapshot* due(std::uint32_t worker) const;
    // due(worker) is in the worker's mailbox.
    void sent(std::uint32_t worker);
    // The worker has taken a newer snapshot than this one.
    void retired(std::uint32_t worker, std::uint64_t generation);

    std::size_t kept() const { return snapshots_.size(); }

  private:
    void free_unused();

    const config::Config& config_;
    std::deque<std::unique_ptr<const backend::Snapshot>> snapshots_;  // by generation, newest last
    std::vector<std::deque<std::uint64_t>> held_;  // by worker: generations sent and not retired, in order
};

}  // namespace sluice::daemon
