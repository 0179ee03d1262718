// How long things took: a histogram with bins of 1 % of their value, from a microsecond to an hour, so that
// millions of values take a few kilobytes and any percentile can be asked for.
#pragma once

#include <cstdint>
#include <memory>

#include "sluice/base/time.h"

namespace sluice::load {

class LatencyHistogram {
  public:
    LatencyHistogram();
    ~LatencyHistogram();
    LatencyHistogram(LatencyHistogram&&) noexcept;
    LatencyHistogram& operator=(LatencyHistogram&&) noexcept;

    // A negative one, of two clocks that differ, counts as the shortest.
    void add(Duration latency);

    std::uint64_t count() const { return count_; }
    // Zero without values. The largest is exact.
    Duration mean() const;
    Duration largest() const { return largest_; }
    // The value that the share (0 to 1) of all values does not exceed, at most 1 % too large. Zero without
    // values.
    Duration percentile(double share) const;

  private:
    struct Bins;
    std::unique_ptr<Bins> bins_;
    std::uint64_t count_ = 0;
    Duration sum_{0};
    Duration largest_{0};
};

}  // namespace sluice::load
