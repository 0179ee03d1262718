// The pool of mbufs that all DPDK ports share. Safe from every worker and the main thread at once; each EAL
// thread has its own cache of buffers in front of it.
#pragma once

#include "sluice/port/frame.h"

struct rte_mempool;

namespace sluice::port {

class DpdkFramePool final : public FramePool {
  public:
    // mempool: of mbufs with kHeadroom; not owned.
    explicit DpdkFramePool(rte_mempool* mempool) : mempool_(mempool) {}

    std::size_t allocate(std::span<Frame> out) override;
    void release(std::span<const Frame> frames) override;
    std::size_t available() const override;
    std::size_t capacity() const override;
    rte_mempool* mempool() const { return mempool_; }

  private:
    rte_mempool* const mempool_;
};

}  // namespace sluice::port
