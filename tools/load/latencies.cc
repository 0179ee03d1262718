#include "latencies.h"

#include <boost/histogram.hpp>

#include <algorithm>
#include <cmath>

namespace sluice::load {
namespace {

namespace bh = boost::histogram;

// In microseconds.
constexpr double kShortest = 1;
constexpr double kLongest = 3.6e9;
constexpr double kStep = 1.01;

using Axis = bh::axis::regular<double, bh::axis::transform::log>;
using Histogram = bh::histogram<std::tuple<Axis>, bh::dense_storage<std::uint64_t>>;

Histogram empty() {
    const auto bins = static_cast<unsigned>(std::ceil(std::log(kLongest / kShortest) / std::log(kStep)));
    return bh::make_histogram_with(bh::dense_storage<std::uint64_t>(), Axis(bins, kShortest, kLongest));
}

}  // namespace

struct LatencyHistogram::Bins {
    Histogram histogram = empty();
};

LatencyHistogram::LatencyHistogram() : bins_(std::make_unique<Bins>()) {}
LatencyHistogram::~LatencyHistogram() = default;
LatencyHistogram::LatencyHistogram(LatencyHistogram&&) noexcept = default;
LatencyHistogram& LatencyHistogram::operator=(LatencyHistogram&&) noexcept = default;

void LatencyHistogram::add(Duration latency) {
    latency = std::max(latency, Duration::zero());
    bins_->histogram(std::chrono::duration<double, std::micro>(latency).count());
    ++count_;
    sum_ += latency;
    largest_ = std::max(largest_, latency);
}

Duration LatencyHistogram::mean() const {
    return count_ == 0 ? Duration::zero() : sum_ / static_cast<std::int64_t>(count_);
}

Duration LatencyHistogram::percentile(double share) const {
    if (count_ == 0) return Duration::zero();
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    // The bins before the first and behind the last one hold what is below and above all of them.
    const Axis& axis = bins_->histogram.axis<0>();
    for (int bin = -1; bin <= axis.size(); ++bin) {
        seen += bins_->histogram.at(bin);
        if (seen < std::max<std::uint64_t>(wanted, 1)) continue;
        if (bin == axis.size()) break;
        const std::chrono::duration<double, std::micro> edge(axis.value(bin + 1));
        return std::min(std::chrono::duration_cast<Duration>(edge), largest_);
    }
    return largest_;
}

}  // namespace sluice::load
