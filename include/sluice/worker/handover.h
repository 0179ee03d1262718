// What workers send each other: frames, from the one that received them to the one that owns them, and what
// was learned of sessions; and the doorbells that wake a resting worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "sluice/base/mailbox.h"
#include "sluice/port/frame.h"
#include "sluice/session/whereabouts.h"

namespace sluice::worker {

class HandoverRings {
  public:
    // capacity: frames, or news of sessions, that each ring holds. With one worker there are no rings.
    HandoverRings(std::uint32_t workers, std::size_t capacity);

    std::uint32_t workers() const { return workers_; }
    // One producer (`from`) and one consumer (`to`); from != to.
    Mailbox<port::Frame>& ring(std::uint32_t from, std::uint32_t to) { return *rings_[from * workers_ + to]; }
    // Likewise. A resting worker needs no doorbell for these before the ring is half full: it takes them
    // before the next frame.
    Mailbox<session::Stay>& news(std::uint32_t from, std::uint32_t to) {
        return *news_[from * workers_ + to];
    }

    // --- resting ---
    // The eventfd that wakes `worker`; set before its loop starts, not owned, -1 for none.
    void set_doorbell(std::uint32_t worker, int event_fd);
    // Said by the worker itself around a rest. After about_to_rest() it must look at its rings once more,
    // because what was sent before that call rang no doorbell.
    void about_to_rest(std::uint32_t worker);
    void awake(std::uint32_t worker);
    // To be called after putting something for `worker` into a ring or mailbox.
    void wake_if_resting(std::uint32_t worker);

  private:
    struct alignas(64) Doorbell {
        std::atomic<bool> resting{false};
        std::atomic<int> event_fd{-1};
    };
    std::uint32_t workers_;
    std::vector<std::unique_ptr<Mailbox<port::Frame>>> rings_;
    std::vector<std::unique_ptr<Mailbox<session::Stay>>> news_;
    std::unique_ptr<Doorbell[]> doorbells_;
};

}  // namespace sluice::worker
