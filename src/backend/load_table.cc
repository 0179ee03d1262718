#include "sluice/backend/load_table.h"

namespace sluice::backend {
namespace {

constexpr std::uint32_t kCellsPerCacheLine = 64 / (2 * sizeof(std::atomic<std::uint32_t>));

constexpr std::uint32_t round_up(std::uint32_t n) {
    return (n + kCellsPerCacheLine - 1) / kCellsPerCacheLine * kCellsPerCacheLine;
}

}  // namespace

LoadTable::LoadTable(std::uint32_t workers, std::uint32_t backends)
    : workers_(workers),
      backends_(backends),
      stride_(round_up(backends)),
      cells_(std::make_unique<Cell[]>(workers * stride_)) {}

std::uint64_t LoadTable::connections(std::uint32_t backend) const {
    std::uint64_t sum = 0;
    for (std::uint32_t w = 0; w < workers_; ++w) sum += connections(w, backend);
    return sum;
}

std::uint64_t LoadTable::transient(std::uint32_t backend) const {
    std::uint64_t sum = 0;
    for (std::uint32_t w = 0; w < workers_; ++w) sum += transient(w, backend);
    return sum;
}

std::uint32_t LoadTable::transient(std::uint32_t worker, std::uint32_t backend) const {
    const Cell& cell = cells_[worker * stride_ + backend];
    const std::uint32_t all = cell.connections.load(std::memory_order_relaxed);
    const std::uint32_t persistent = cell.persistent.load(std::memory_order_relaxed);
    // Read one after the other while their writer goes on.
    return all > persistent ? all - persistent : 0;
}

}  // namespace sluice::backend
