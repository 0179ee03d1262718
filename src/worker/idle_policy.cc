#include "worker/idle_policy.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace sluice::worker {

IdlePolicy::IdlePolicy(std::span<port::Port* const> ports, std::uint16_t queue, int wake_fd) {
    for (const port::Port* const port : ports) {
        if (queue >= port->info().rx_queues) continue;  // nothing ever arrives there
        const std::vector<int> fds = port->wait_handles(queue);
        can_wait_ = can_wait_ && !fds.empty();
        for (const int fd : fds) handles_.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
    handles_.push_back({.fd = wake_fd, .events = POLLIN, .revents = 0});
    // Else the kernel adds up to 50 us to every rest.
    prctl(PR_SET_TIMERSLACK, 1000);
}

void IdlePolicy::was_busy(Instant now, std::uint64_t frames) {
    busy_ = now;
    nap_ = kShortestNap;
    if (!can_wait_ || !gather_.let_gather(now, frames)) return;
    const timespec gather{.tv_sec = 0, .tv_nsec = kGather.count()};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &gather, nullptr);
}

void IdlePolicy::until(Instant now, Instant deadline) {
    Duration limit = kLongestRest;
    if (!can_wait_) {
        limit = nap_;
        nap_ = std::min(nap_ * 2, kLongestNap);
    }
    const Duration rest = deadline <= now ? Duration::zero() : std::min(deadline - now, limit);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(rest);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (rest - seconds).count()};
    if (ppoll(handles_.data(), handles_.size(), &timeout, nullptr) <= 0) return;
    if ((handles_.back().revents & POLLIN) != 0) {
        std::uint64_t rings = 0;
        [[maybe_unused]] const auto n = read(handles_.back().fd, &rings, sizeof rings);
    }
    for (const pollfd& handle : handles_) {
        if ((handle.revents & POLLERR) == 0) continue;
        // An interface that went down leaves an error on its socket, and poll() returns at once until it is
        // fetched.
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(handle.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
}

}  // namespace sluice::worker
