// Congestion window: slow start, CUBIC's curve, its Reno-friendly region, and the reductions.
#include "congestion.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sluice::tcp {
namespace {

constexpr std::uint32_t kMss = 1000;

// Acknowledges one full window in steps of one segment, spread over one round trip.
void round_trip(CongestionControl& cc, Instant& now, Duration rtt) {
    const std::uint32_t segments = cc.window() / kMss;
    for (std::uint32_t i = 0; i < segments; ++i) {
        now += rtt / segments;
        cc.acknowledged(now, kMss, cc.window(), rtt);
    }
}

TEST(Congestion, InitialWindow) {
    CongestionControl cc;
    cc.start(1460, false);
    EXPECT_EQ(cc.window(), 14600U);
    cc.start(536, false);
    EXPECT_EQ(cc.window(), 5360U);
    cc.start(9000, false);
    EXPECT_EQ(cc.window(), 18000U);
    cc.start(1460, true);  // RFC 5681 section 3.1: the SYN was lost
    EXPECT_EQ(cc.window(), 1460U);
}

TEST(Congestion, SlowStartDoublesARoundTripWhileUsed) {
    CongestionControl cc;
    cc.start(kMss, false);
    Instant now{1h};
    EXPECT_TRUE(cc.slow_start());
    round_trip(cc, now, 100ms);
    EXPECT_EQ(cc.window(), 20 * kMss);
    cc.acknowledged(now, kMss, kMss, 100ms);  // one segment in flight proves nothing
    EXPECT_EQ(cc.window(), 20 * kMss);
    cc.acknowledged(now, 15 * kMss, 20 * kMss, 100ms);  // one ACK for much opens by two segments
    EXPECT_EQ(cc.window(), 22 * kMss);
}

TEST(Congestion, LossReducesByBetaAndConvergesFast) {
    CongestionControl cc;
    cc.start(kMss, false);
    Instant now{1h};
    for (int i = 0; i < 4; ++i) round_trip(cc, now, 100ms);
    ASSERT_EQ(cc.window(), 160 * kMss);
    cc.lost(cc.window());
    EXPECT_EQ(cc.window(), 112 * kMss);
    EXPECT_EQ(cc.threshold(), 112 * kMss);
    // The way back to W_max = 160 takes K = cbrt(48 / 0.4) = 4.9 s.
    for (int i = 0; i < 45; ++i) round_trip(cc, now, 100ms);
    EXPECT_GT(cc.window(), 150 * kMss);
    EXPECT_LE(cc.window(), 161 * kMss);
    // A loss below W_max gives way: the next plateau is lower than the last (section 4.7).
    const double before = cc.window() / 1000.0;
    cc.lost(cc.window());
    const double plateau = before * 0.85;
    const double k = std::cbrt((plateau - before * 0.7) / 0.4);
    const Instant start = now;
    while (now - start < std::chrono::duration<double>(k)) round_trip(cc, now, 100ms);
    EXPECT_NEAR(cc.window() / 1000.0, plateau, 3.0);
}

TEST(Congestion, GrowsBeyondThePlateau) {
    CongestionControl cc;
    cc.start(kMss, false);
    Instant now{1h};
    for (int i = 0; i < 4; ++i) round_trip(cc, now, 100ms);
    cc.lost(cc.window());
    for (int i = 0; i < 100; ++i) round_trip(cc, now, 100ms);
    // W_cubic(10 s) = 0.4 * (10 - 4.93)^3 + 160 = 212.
    EXPECT_NEAR(cc.window() / 1000.0, 212.0, 8.0);
}

TEST(Congestion, ShortRoundTripsAreRenoFriendly) {
    CongestionControl cc;
    cc.start(kMss, false);
    Instant now{1h};
    cc.lost(10 * kMss);
    ASSERT_EQ(cc.window(), 7 * kMss);
    // Over 1 ms CUBIC alone would stand still; Reno with alpha = 9/17 gains about that much a round trip
    // until the old window is reached, then one segment.
    for (int i = 0; i < 20; ++i) round_trip(cc, now, 1ms);
    EXPECT_GT(cc.window(), 15 * kMss);
    EXPECT_LT(cc.window(), 30 * kMss);
}

TEST(Congestion, TimeoutFallsToOneSegmentAndHoldsTheThreshold) {
    CongestionControl cc;
    cc.start(kMss, false);
    cc.timed_out(10 * kMss, false);
    EXPECT_EQ(cc.window(), kMss);
    EXPECT_EQ(cc.threshold(), 7 * kMss);
    cc.timed_out(kMss, true);
    EXPECT_EQ(cc.threshold(), 7 * kMss);
    cc.timed_out(kMss, false);
    EXPECT_EQ(cc.threshold(), 2 * kMss);
}

TEST(Congestion, IdleAndUnusedTimeDoNotGrow) {
    CongestionControl cc;
    cc.start(kMss, false);
    Instant now{1h};
    for (int i = 0; i < 4; ++i) round_trip(cc, now, 100ms);
    cc.lost(cc.window());
    round_trip(cc, now, 100ms);
    const std::uint32_t window = cc.window();
    for (int i = 0; i < 100; ++i) {  // ten seconds of single segments
        now += 100ms;
        cc.acknowledged(now, kMss, kMss, 100ms);
    }
    EXPECT_EQ(cc.window(), window);
    round_trip(cc, now, 100ms);
    EXPECT_LT(cc.window(), window + 10 * kMss);
    cc.restart_after_idle();
    EXPECT_EQ(cc.window(), 10 * kMss);
}

TEST(Congestion, NeverBelowOneSegmentNorBeyondWhatWindowsCanSay) {
    CongestionControl cc;
    cc.start(kMss, true);
    cc.change_mss(1400);
    EXPECT_EQ(cc.window(), 1400U);
    Instant now{1h};
    for (int i = 0; i < 4'000'000 && cc.window() < 1U << 30; ++i)
        cc.acknowledged(now, 2800, cc.window(), 1ms);
    EXPECT_EQ(cc.window(), 1U << 30);
}

}  // namespace
}  // namespace sluice::tcp
