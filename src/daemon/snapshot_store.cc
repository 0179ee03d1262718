#include "sluice/daemon/snapshot_store.h"

#include <algorithm>
#include <utility>

namespace sluice::daemon {

SnapshotStore::SnapshotStore(const backend::Registry& registry,
                             std::span<const backend::Condition> conditions, std::uint32_t workers)
    : held_(workers, std::deque<std::uint64_t>{1}) {
    publications_.push_back(
        {.snapshot = backend::build_snapshot(registry, 1, conditions, 1, nullptr), .topology = nullptr});
}

void SnapshotStore::publish(const backend::Registry& registry,
                            std::span<const backend::Condition> conditions) {
    add(registry, newest().registry, conditions, publications_.back().topology);
}

void SnapshotStore::publish(const backend::Registry& registry, std::span<const backend::Condition> conditions,
                            std::shared_ptr<const worker::Topology> topology) {
    add(registry, newest().registry + 1, conditions, std::move(topology));
}

void SnapshotStore::add(const backend::Registry& registry, std::uint64_t registry_generation,
                        std::span<const backend::Condition> conditions,
                        std::shared_ptr<const worker::Topology> topology) {
    const backend::Snapshot& previous = newest();
    publications_.push_back({.snapshot = backend::build_snapshot(registry, registry_generation, conditions,
                                                                 previous.generation + 1, &previous),
                             .topology = std::move(topology)});
    free_unused();
}

const SnapshotStore::Publication* SnapshotStore::due(std::uint32_t worker) const {
    const auto& held = held_[worker];
    return !held.empty() && held.back() == newest().generation ? nullptr : &publications_.back();
}

void SnapshotStore::sent(std::uint32_t worker) { held_[worker].push_back(newest().generation); }

void SnapshotStore::retired(std::uint32_t worker, std::uint64_t generation) {
    auto& held = held_[worker];
    // Mailboxes keep their order: a worker that gave this one up gave up all before it.
    while (!held.empty() && held.front() <= generation) held.pop_front();
    free_unused();
}

void SnapshotStore::free_unused() {
    std::erase_if(publications_, [this](const Publication& publication) {
        if (publication.snapshot.get() == &newest()) return false;
        return std::ranges::none_of(held_, [&](const auto& held) {
            return std::ranges::find(held, publication.snapshot->generation) != held.end();
        });
    });
}

}  // namespace sluice::daemon
