// When and how a worker waits: the only place in the data plane that gives up the CPU.
#pragma once

#include <poll.h>

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/time.h"
#include "sluice/port/port.h"
#include "worker/gather_policy.h"

namespace sluice::worker {

// When a worker has nothing to do it waits: in poll() on the file descriptors of its queues where the ports
// have some, else, after a moment, in short naps that grow while the quiet lasts. Ports that poll() knows
// cost a system call or two for each burst, so there it also waits for bursts to become larger.
class IdlePolicy {
  public:
    // wake_fd: readable when somebody wants the worker up.
    IdlePolicy(std::span<port::Port* const> ports, std::uint16_t queue, int wake_fd);

    // frames: received since the start. Where frames come fast, the worker is given back a little later.
    void was_busy(Instant now, std::uint64_t frames);
    bool is_due(Instant now) const { return can_wait_ || now >= busy_ + kLinger; }
    // Returns at `deadline` at the latest, earlier when a frame or a wake-up arrives.
    void until(Instant now, Instant deadline);

  private:
    // A burst is rarely alone: this long a worker looks again before it naps.
    static constexpr Duration kLinger = 20us;
    static constexpr Duration kGather = 100us;
    static constexpr Duration kShortestNap = 50us;
    static constexpr Duration kLongestNap = 1ms;
    static constexpr Duration kLongestRest = 1s;

    std::vector<pollfd> handles_;  // the last is wake_fd
    bool can_wait_ = true;         // every port can be polled for
    GatherPolicy gather_;
    Instant busy_;
    Duration nap_ = kShortestNap;
};

}  // namespace sluice::worker
