#include "worker/gather_policy.h"

#include <gtest/gtest.h>

namespace sluice::worker {
namespace {

using namespace std::chrono_literals;

class PaceTest : public ::testing::Test {
  protected:
    // So many turns, one each `interval`, of `frames` each; in how many of the last half it paid to wait.
    int waits(int turns, Duration interval, std::uint64_t frames) {
        int count = 0;
        for (int turn = 0; turn < turns; ++turn) {
            now += interval;
            seen += frames;
            if (pace.let_gather(now, seen) && turn >= turns / 2) ++count;
        }
        return count;
    }

    GatherPolicy pace;
    Instant now{1h};
    std::uint64_t seen = 0;
};

TEST_F(PaceTest, FramesThatComeFastGather) {
    EXPECT_EQ(waits(1000, 10us, 1), 500);
    EXPECT_EQ(waits(1000, 50us, 5), 500);
}

TEST_F(PaceTest, FramesThatComeSlowlyAreServedAtOnce) {
    EXPECT_EQ(waits(1000, 50us, 1), 0);
    EXPECT_EQ(waits(1000, 1ms, 1), 0);
}

// However fast they came before.
TEST_F(PaceTest, TheFirstOnesAfterAPauseAreServedAtOnce) {
    waits(1000, 10us, 1);
    now += 1s;
    EXPECT_FALSE(pace.let_gather(now, ++seen));
    EXPECT_EQ(waits(50, 10us, 1), 0) << "not until it is seen that they come fast";
    EXPECT_EQ(waits(1000, 10us, 1), 500);
}

TEST_F(PaceTest, AFullTurnIsFollowedByTheNext) {
    EXPECT_EQ(waits(1000, 50us, 64), 0);
    EXPECT_EQ(waits(1000, 50us, 31), 500);
}

TEST_F(PaceTest, ATurnWithoutFramesIsNoReasonToWait) { EXPECT_EQ(waits(1000, 10us, 0), 0); }

}  // namespace
}  // namespace sluice::worker
