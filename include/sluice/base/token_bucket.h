// A rate with a burst: what an outsider can make Sluice send is bounded by one of these.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sluice/base/time.h"

namespace sluice {

class TokenBucket {
  public:
    // rate: tokens a second; burst: most tokens saved up, and what is there at the start.
    TokenBucket(std::uint32_t rate, std::uint32_t burst)
        : interval_(Duration(1s) / rate), span_(interval_ * burst) {}

    // Takes one token if there is one. `now` never runs backwards.
    bool take(Instant now) {
        // The bucket is kept as the instant at which it would have been empty: one subtraction instead of a
        // refill.
        empty_at_ = std::max(empty_at_, now - span_);
        if (now - empty_at_ < interval_) return false;
        empty_at_ += interval_;
        return true;
    }

  private:
    Duration interval_;
    Duration span_;
    Instant empty_at_ = Instant::min() + 24h * 365;  // far enough from the edge for the subtraction above
};

}  // namespace sluice
