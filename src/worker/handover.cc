#include "sluice/worker/handover.h"

#include <unistd.h>

namespace sluice::worker {

HandoverRings::HandoverRings(std::uint32_t workers, std::size_t capacity)
    : workers_(workers), doorbells_(std::make_unique<Doorbell[]>(workers)) {
    rings_.resize(std::size_t{workers} * workers);
    news_.resize(std::size_t{workers} * workers);
    for (std::uint32_t from = 0; from < workers; ++from) {
        for (std::uint32_t to = 0; to < workers; ++to) {
            if (from == to) continue;
            rings_[from * workers + to] = std::make_unique<Mailbox<port::Frame>>(capacity);
            news_[from * workers + to] = std::make_unique<Mailbox<session::Stay>>(capacity);
        }
    }
}

void HandoverRings::set_doorbell(std::uint32_t worker, int event_fd) {
    doorbells_[worker].event_fd.store(event_fd);
}

// Sequentially consistent on purpose: "I rest" and "I looked once more" here, "it is sent" and "does it
// rest?" there must not pass each other.
void HandoverRings::about_to_rest(std::uint32_t worker) { doorbells_[worker].resting.store(true); }

void HandoverRings::awake(std::uint32_t worker) { doorbells_[worker].resting.store(false); }

void HandoverRings::wake_if_resting(std::uint32_t worker) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    Doorbell& doorbell = doorbells_[worker];
    if (!doorbell.resting.load() || doorbell.event_fd.load() < 0) return;
    const std::uint64_t one = 1;
    // A full eventfd is readable already, so a failed write loses nothing.
    [[maybe_unused]] const auto written = write(doorbell.event_fd.load(), &one, sizeof one);
}

}  // namespace sluice::worker
