// The real clock and the rests of a worker: the only place in the data plane that asks for the time or gives
// up the CPU.
#pragma once

#include <poll.h>

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/time.h"
#include "sluice/port/port.h"

namespace sluice::worker {

Instant monotonic_now();

// When a worker has had nothing to do for a moment it waits: in poll() on the file descriptors of its queues
// where the ports have some, else in short naps that grow while the quiet lasts.
class Rest {
  public:
    // wake_fd: readable when somebody wants the worker up.
    Rest(std::span<port::Port* const> ports, std::uint16_t queue, int wake_fd);

    void was_busy(Instant now);
    bool is_due(Instant now) const { return now >= busy_ + kLinger; }
    // Returns at `deadline` at the latest, earlier when a frame or a wake-up arrives.
    void until(Instant now, Instant deadline);

  private:
    // A burst is rarely alone: this long a worker looks again before it pays for a system call.
    static constexpr Duration kLinger = 20us;
    static constexpr Duration kShortestNap = 50us;
    static constexpr Duration kLongestNap = 1ms;
    static constexpr Duration kLongestRest = 1s;

    std::vector<pollfd> handles_;  // the last is wake_fd
    bool can_wait_ = true;         // every port can be polled for
    Instant busy_;
    Duration nap_ = kShortestNap;
};

}  // namespace sluice::worker
