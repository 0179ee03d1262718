#include "latencies.h"

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

// A percentile is never too small, and at most 1 % too large.
TEST(LatencyHistogram, PercentilesAreWithinAPercent) {
    LatencyHistogram latencies;
    for (int i = 1; i <= 100'000; ++i) latencies.add(std::chrono::microseconds(i * 10));
    EXPECT_EQ(latencies.count(), 100'000U);
    for (const double share : {0.01, 0.1, 0.5, 0.9, 0.99, 0.999}) {
        const double exact = share * 1e6;
        const double found = std::chrono::duration<double, std::micro>(latencies.percentile(share)).count();
        EXPECT_GE(found, exact - 10) << share;
        EXPECT_LE(found, exact * 1.0101 + 10) << share;
    }
    EXPECT_EQ(latencies.percentile(1), 1s);
    EXPECT_EQ(latencies.largest(), 1s);
    EXPECT_NEAR(std::chrono::duration<double>(latencies.mean()).count(), 0.500005, 1e-6);
}

TEST(LatencyHistogram, KnowNothingAtFirst) {
    const LatencyHistogram latencies;
    EXPECT_EQ(latencies.count(), 0U);
    EXPECT_EQ(latencies.percentile(0.5), Duration::zero());
    EXPECT_EQ(latencies.mean(), Duration::zero());
}

// What is below and above all bins is counted at their ends.
TEST(LatencyHistogram, TakeAnyValue) {
    LatencyHistogram latencies;
    latencies.add(-1s);
    latencies.add(10ns);
    EXPECT_LE(latencies.percentile(1), 1us);
    latencies.add(24h);
    EXPECT_EQ(latencies.percentile(1), 24h);
    EXPECT_LE(latencies.percentile(0.5), 1us);
}

}  // namespace
}  // namespace sluice::load
