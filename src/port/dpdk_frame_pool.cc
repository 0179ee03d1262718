#include "dpdk_frame_pool.h"

#include <algorithm>
#include <array>

#include "mbuf_frames.h"

namespace sluice::port {
namespace {

constexpr std::size_t kBatch = 64;

}  // namespace

std::size_t DpdkFramePool::allocate(std::span<Frame> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        std::array<rte_mbuf*, kBatch> mbufs;
        std::size_t n = std::min(out.size() - done, kBatch);
        // A bulk is all or nothing: near exhaustion the rest is found one by one.
        if (rte_pktmbuf_alloc_bulk(mempool_, mbufs.data(), static_cast<unsigned>(n)) != 0) {
            mbufs[0] = rte_pktmbuf_alloc(mempool_);
            if (mbufs[0] == nullptr) break;
            n = 1;
        }
        for (std::size_t i = 0; i < n; ++i) out[done++] = to_frame(mbufs[i], 0);
    }
    return done;
}

void DpdkFramePool::release(std::span<const Frame> frames) {
    while (!frames.empty()) {
        std::array<rte_mbuf*, kBatch> mbufs;
        const std::size_t n = std::min(frames.size(), kBatch);
        for (std::size_t i = 0; i < n; ++i) mbufs[i] = mbuf_of(frames[i]);
        rte_pktmbuf_free_bulk(mbufs.data(), static_cast<unsigned>(n));
        frames = frames.subspan(n);
    }
}

std::size_t DpdkFramePool::available() const { return rte_mempool_avail_count(mempool_); }

std::size_t DpdkFramePool::capacity() const { return mempool_->size; }

}  // namespace sluice::port
