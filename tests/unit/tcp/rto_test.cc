// Retransmission time-out against the arithmetic of RFC 6298.
#include "rto.h"

#include <gtest/gtest.h>

namespace sluice::tcp {
namespace {

TEST(Rto, FirstSampleThenSmoothing) {
    RetransmissionTimer rto(1s, 200ms, 60s);
    EXPECT_EQ(rto.value(), 1s);
    EXPECT_FALSE(rto.measured());
    rto.sample(100ms);  // SRTT = 100, RTTVAR = 50
    EXPECT_EQ(rto.smoothed(), 100ms);
    EXPECT_EQ(rto.value(), 300ms);
    rto.sample(180ms);  // RTTVAR = 3/4 * 50 + 1/4 * 80 = 57.5, SRTT = 7/8 * 100 + 1/8 * 180 = 110
    EXPECT_EQ(rto.smoothed(), 110ms);
    EXPECT_EQ(rto.value(), 340ms);
}

TEST(Rto, StaysWithinItsBounds) {
    RetransmissionTimer rto(1s, 200ms, 60s);
    for (int i = 0; i < 100; ++i) rto.sample(1us);
    EXPECT_EQ(rto.value(), 200ms);
    for (int i = 0; i < 100; ++i) rto.sample(90s);
    EXPECT_EQ(rto.value(), 60s);
    EXPECT_EQ(RetransmissionTimer(90s, 1s, 60s).value(), 60s);
}

TEST(Rto, BacksOffToTheMaximumAndCollapsesWithASample) {
    RetransmissionTimer rto(1s, 200ms, 5s);
    rto.back_off();
    EXPECT_EQ(rto.value(), 2s);
    rto.back_off();
    rto.back_off();
    EXPECT_EQ(rto.value(), 5s);
    rto.sample(100ms);
    EXPECT_EQ(rto.value(), 300ms);
}

TEST(Rto, LostHandshakeStartsAtThreeSeconds) {
    RetransmissionTimer rto(1s, 200ms, 60s);
    rto.back_off();
    rto.distrust_handshake();
    EXPECT_EQ(rto.value(), 3s);
    for (int i = 0; i < 4; ++i) rto.back_off();
    rto.distrust_handshake();  // anew, whatever it was backed off to
    EXPECT_EQ(rto.value(), 3s);
    RetransmissionTimer cautious(5s, 200ms, 60s);
    cautious.distrust_handshake();
    EXPECT_EQ(cautious.value(), 5s);
    RetransmissionTimer measured(1s, 200ms, 60s);
    measured.sample(100ms);  // a timestamp told the retransmission apart
    measured.distrust_handshake();
    EXPECT_EQ(measured.value(), 300ms);
}

TEST(Rto, ManySamplesARoundTripWeighLess) {
    RetransmissionTimer one(1s, 1ms, 60s);
    RetransmissionTimer many(1s, 1ms, 60s);
    one.sample(100ms);
    many.sample(100ms);
    one.sample(110ms);
    for (int i = 0; i < 10; ++i) many.sample(110ms, 10);
    EXPECT_NEAR(static_cast<double>(many.smoothed().count()), static_cast<double>(one.smoothed().count()),
                1e5);
    EXPECT_NEAR(static_cast<double>(many.value().count()), static_cast<double>(one.value().count()), 5e6);
}

TEST(Rto, GrowingQueueIsNotMistakenForLoss) {
    // 1000 samples in one round trip, each a little later than the one before.
    RetransmissionTimer rto(1s, 1ms, 60s);
    for (int i = 0; i < 20'000; ++i) rto.sample(100ms, 1000);
    EXPECT_LT(rto.value(), 110ms);
    Duration rtt = 100ms;
    for (int i = 0; i < 1000; ++i) rto.sample(rtt += 200us, 1000);
    EXPECT_GT(rto.value(), 2 * rtt);
}

}  // namespace
}  // namespace sluice::tcp
