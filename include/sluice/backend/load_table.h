// Live connections per backend, one row per worker: each worker writes its own row, everybody may read all
// rows. It carries a hint (load), never a decision that must be exact. Backends are named by their position
// over all pools.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::backend {

class LoadTable {
  public:
    LoadTable(std::uint32_t workers, std::uint32_t backends);

    // Called by `worker` alone. persistent: the session outlives its connections, so that it is ended last
    // where connections are ended.
    void add(std::uint32_t worker, std::uint32_t backend, std::int32_t change, bool persistent) {
        Cell& cell = cells_[worker * stride_ + backend];
        bump(cell.connections, change);
        if (persistent) bump(cell.persistent, change);
    }
    // Sum over all workers.
    std::uint64_t connections(std::uint32_t backend) const;
    // Of these, those of sessions that end with their connection.
    std::uint64_t transient(std::uint32_t backend) const;
    std::uint32_t transient(std::uint32_t worker, std::uint32_t backend) const;
    std::uint32_t connections(std::uint32_t worker, std::uint32_t backend) const {
        return cells_[worker * stride_ + backend].connections.load(std::memory_order_relaxed);
    }
    std::uint32_t backends() const { return backends_; }

  private:
    struct Cell {
        std::atomic<std::uint32_t> connections;
        std::atomic<std::uint32_t> persistent;
    };
    static void bump(std::atomic<std::uint32_t>& value, std::int32_t change) {
        value.store(value.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(change),
                    std::memory_order_relaxed);
    }

    std::uint32_t workers_;
    std::uint32_t backends_;
    std::size_t stride_;  // row length, rounded up so that rows do not share a cache line
    std::unique_ptr<Cell[]> cells_;
};

}  // namespace sluice::backend
