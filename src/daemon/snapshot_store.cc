#include "sluice/daemon/snapshot_store.h"

#include <algorithm>

namespace sluice::daemon {

SnapshotStore::SnapshotStore(const config::Config& config, std::span<const backend::Condition> conditions,
                             std::uint32_t workers)
    : config_(config), held_(workers, std::deque<std::uint64_t>{1}) {
    snapshots_.push_back(backend::build_snapshot(config_, conditions, 1, nullptr));
}

void SnapshotStore::publish(std::span<const backend::Condition> conditions) {
    const backend::Snapshot& previous = newest();
    snapshots_.push_back(backend::build_snapshot(config_, conditions, previous.generation + 1, &previous));
    free_unused();
}

const backend::Snapshot* SnapshotStore::due(std::uint32_t worker) const {
    const auto& held = held_[worker];
    return !held.empty() && held.back() == newest().generation ? nullptr : &newest();
}

void SnapshotStore::sent(std::uint32_t worker) { held_[worker].push_back(newest().generation); }

void SnapshotStore::retired(std::uint32_t worker, std::uint64_t generation) {
    auto& held = held_[worker];
    // Mailboxes keep their order: whoever gave this one up gave up all before it.
    while (!held.empty() && held.front() <= generation) held.pop_front();
    free_unused();
}

void SnapshotStore::free_unused() {
    std::erase_if(snapshots_, [this](const auto& snapshot) {
        if (snapshot.get() == &newest()) return false;
        return std::ranges::none_of(held_, [&](const auto& held) {
            return std::ranges::find(held, snapshot->generation) != held.end();
        });
    });
}

}  // namespace sluice::daemon
