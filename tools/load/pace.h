// How many things are due by now at a steady rate.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "sluice/base/time.h"

namespace sluice::load {

class Pace {
  public:
    // rate: things a second; 0: as many as one likes.
    explicit Pace(double rate = 0) : rate_(rate) {}

    bool flat_out() const { return rate_ <= 0; }
    void start(Instant now) {
        started_ = now;
        done_ = 0;
    }
    // Due now and not yet done. What could not be done in time is caught up, but at most a tenth of a second
    // of it: a stalled balancer shall not be punished by a burst that nobody asked for.
    std::uint64_t due(Instant now) {
        if (flat_out()) return std::numeric_limits<std::uint64_t>::max();
        const double total = rate_ * std::chrono::duration<double>(now - started_).count();
        const double behind = total - static_cast<double>(done_);
        const double most = std::max(1.0, rate_ / 10);
        if (behind > most) {
            // Start anew from here, so that the rate stays what it is.
            done_ = 0;
            started_ =
                now - std::chrono::duration_cast<Duration>(std::chrono::duration<double>(most / rate_));
            return static_cast<std::uint64_t>(most);
        }
        return behind < 1 ? 0 : static_cast<std::uint64_t>(behind);
    }
    void did(std::uint64_t count = 1) { done_ += count; }
    // When the next one is due.
    Instant next() const {
        if (flat_out()) return started_;
        return started_ + std::chrono::duration_cast<Duration>(
                              std::chrono::duration<double>(static_cast<double>(done_ + 1) / rate_));
    }

  private:
    double rate_;
    Instant started_{};
    std::uint64_t done_ = 0;
};

}  // namespace sluice::load
