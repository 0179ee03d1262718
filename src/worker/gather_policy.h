// When a worker does better to let frames gather before it looks again: what a turn costs besides its frames
// (a system call for each port's burst, waking up) is then shared by more of them. Network cards do the same
// with their interrupts.
#pragma once

#include <cstdint>

#include "sluice/base/time.h"

namespace sluice::worker {

class GatherPolicy {
  public:
    // After each turn that had something to do. frames: received since the start. True when it pays to wait
    // for more: they come fast, and yet this turn found few.
    bool let_gather(Instant now, std::uint64_t frames) {
        const std::uint64_t found = frames - seen_;
        seen_ = frames;
        if (const Duration past = now - window_began_; past >= kWindow) {
            fast_ = frames - window_frames_ >= static_cast<std::uint64_t>(past / kFast);
            window_began_ = now;
            window_frames_ = frames;
        }
        return fast_ && found < kMany;
    }

  private:
    static constexpr Duration kWindow = std::chrono::milliseconds(1);
    static constexpr Duration kFast = std::chrono::microseconds(20);  // from frame to frame, at most
    static constexpr std::uint64_t kMany = 32;                        // more are waiting already

    std::uint64_t seen_ = 0;
    std::uint64_t window_frames_ = 0;
    Instant window_began_;
    bool fast_ = false;
};

}  // namespace sluice::worker
