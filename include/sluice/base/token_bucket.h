// A rate with a burst: what an outsider can make Sluice send is bounded by one of these.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sluice/base/time.h"

namespace sluice {

// Takes one token if there is one, of a bucket that gets one every `interval` and holds as many as `span`
// brings. The bucket is kept as the instant at which it would have been empty: one subtraction instead of a
// refill. `now` never runs backwards, and lies after `span`.
inline bool take_token(Instant& empty_at, Instant now, Duration interval, Duration span) {
    empty_at = std::max(empty_at, now - span);
    if (now - empty_at < interval) return false;
    empty_at += interval;
    return true;
}

class TokenBucket {
  public:
    // rate: tokens a second; burst: most tokens saved up, and what is there at the start.
    TokenBucket(std::uint32_t rate, std::uint32_t burst) { set_rate(rate, burst); }

    // What is there stays, as far as the new burst reaches.
    void set_rate(std::uint32_t rate, std::uint32_t burst) {
        interval_ = Duration(1s) / rate;
        span_ = interval_ * burst;
    }
    bool take(Instant now) { return take_token(empty_at_, now, interval_, span_); }

  private:
    Duration interval_{};
    Duration span_{};
    Instant empty_at_ = Instant::min() + 24h * 365;  // far enough from the edge for the subtraction above
};

}  // namespace sluice
