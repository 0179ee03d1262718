#include "sluice/port/dpdk_environment.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <optional>
#include <utility>

#include "dpdk_frame_pool.h"
#include "eal_arguments.h"
#include "eal_log.h"

namespace sluice::port {
namespace {

// Worker i is lcore i + 1; lcore 0 is the main thread.
unsigned lcore_of(std::uint32_t worker) { return worker + 1; }

int run_task(void* task) {
    (*static_cast<std::function<void()>*>(task))();
    return 0;
}

// As rte_pktmbuf_pool_create() makes it, but buffer on buffer: otherwise none crosses a page's end, so that
// an ordinary page holds one and wastes the rest, and AF_XDP, which takes the pool for such a row, would
// offer the kernel addresses beyond what it has registered. Where devices see virtual addresses, any row of
// pages is one piece to them. nullptr: no memory, with rte_errno set.
rte_mempool* create_pool(unsigned frames, std::uint16_t room) {
    const unsigned flags = rte_eal_iova_mode() == RTE_IOVA_VA ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0U;
    rte_mempool* pool = rte_mempool_create_empty("sluice_frames", frames, sizeof(rte_mbuf) + room, kPoolCache,
                                                 sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY, flags);
    if (pool == nullptr) return nullptr;
    rte_pktmbuf_pool_private settings{};
    settings.mbuf_data_room_size = room;
    rte_pktmbuf_pool_init(pool, &settings);
    if (const int made = rte_mempool_populate_default(pool); made < 0) {
        rte_mempool_free(pool);
        rte_errno = -made;
        return nullptr;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
    return pool;
}

}  // namespace

struct DpdkEnvironment::Impl {
    EalPlan plan;
    std::vector<char*> argv;  // into plan.arguments; the EAL keeps pointers into both
    std::optional<EalLog> log;
    bool started = false;
    std::optional<DpdkFramePool> pool;
    std::vector<std::function<void()>> tasks;  // by worker

    ~Impl() {
        if (started) rte_eal_mp_wait_lcore();
        if (pool) rte_mempool_free(pool->mempool());
        if (started) rte_eal_cleanup();
    }
};

DpdkEnvironment::DpdkEnvironment(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DpdkEnvironment::~DpdkEnvironment() = default;

std::unique_ptr<DpdkEnvironment> DpdkEnvironment::start(const DpdkOptions& options, std::string& error) {
    auto impl = std::make_unique<Impl>();
    impl->plan = plan_eal(options, machine_facts());
    if (!impl->plan.error.empty()) {
        error = impl->plan.error;
        return nullptr;
    }
    for (std::string& argument : impl->plan.arguments) impl->argv.push_back(argument.data());
    impl->argv.push_back(nullptr);
    impl->log.emplace(options.log);
    if (rte_eal_init(static_cast<int>(impl->plan.arguments.size()), impl->argv.data()) < 0) {
        error = std::string("DPDK does not start: ") + rte_strerror(rte_errno) + ": " + impl->log->take();
        return nullptr;
    }
    impl->started = true;
    impl->tasks.resize(options.workers);

    rte_mempool* mempool = create_pool(static_cast<unsigned>(pool_frames(options)),
                                       static_cast<std::uint16_t>(pool_room(options.mtu) + kHeadroom));
    if (mempool == nullptr) {
        error = "no memory for " + std::to_string(pool_frames(options)) +
                " packet buffers: " + rte_strerror(rte_errno) + ": " + impl->log->take();
        return nullptr;
    }
    impl->pool.emplace(mempool);
    impl->log->pass_on();
    return std::unique_ptr<DpdkEnvironment>(new DpdkEnvironment(std::move(impl)));
}

std::uint32_t DpdkEnvironment::workers() const { return static_cast<std::uint32_t>(impl_->tasks.size()); }
FramePool& DpdkEnvironment::frames() { return *impl_->pool; }
bool DpdkEnvironment::uses_hugepages() const { return impl_->plan.hugepages; }
const std::vector<std::string>& DpdkEnvironment::notes() const { return impl_->plan.notes; }
rte_mempool* DpdkEnvironment::mempool() const { return impl_->pool->mempool(); }

void DpdkEnvironment::launch(std::uint32_t index, std::function<void()> run) {
    impl_->tasks.at(index) = std::move(run);
    rte_eal_remote_launch(run_task, &impl_->tasks[index], lcore_of(index));
}

void DpdkEnvironment::join() { rte_eal_mp_wait_lcore(); }

}  // namespace sluice::port
