// Live connections per backend, one row per worker: each worker writes its own row, everybody may read all
// rows. This is the only memory that workers share, and it carries a hint (load), never a decision that must
// be exact.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace sluice::backend {

class LoadTable {
  public:
    LoadTable(std::uint32_t workers, std::uint32_t backends);

    // Called by `worker` alone.
    void add(std::uint32_t worker, std::uint32_t backend, std::int32_t change) {
        auto& cell = cells_[worker * stride_ + backend];
        cell.store(cell.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(change),
                   std::memory_order_relaxed);
    }
    // Sum over all workers.
    std::uint64_t connections(std::uint32_t backend) const;
    std::uint32_t backends() const { return backends_; }

  private:
    std::uint32_t workers_;
    std::uint32_t backends_;
    std::uint32_t stride_;  // row length, rounded up so that rows do not share a cache line
    std::unique_ptr<std::atomic<std::uint32_t>[]> cells_;
};

}  // namespace sluice::backend
