#include "sluice/daemon/shortages.h"

#include <gtest/gtest.h>

namespace sluice::daemon {
namespace {

TEST(Shortages, BeginAboveNineTenths) {
    Shortages shortages;
    const Instant now{1h};
    EXPECT_FALSE(shortages.due(now, 0, 0, 0));
    EXPECT_FALSE(shortages.due(now, 0, 900, 1000));
    EXPECT_TRUE(shortages.due(now, 0, 901, 1000));
    EXPECT_TRUE(shortages.due(now, 1, 4, 4));
}

TEST(Shortages, AreToldOnceInTenMinutesForEachBroker) {
    Shortages shortages;
    const Instant now{1h};
    EXPECT_TRUE(shortages.due(now, 0, 95, 100));
    EXPECT_FALSE(shortages.due(now + 1s, 0, 100, 100));
    EXPECT_TRUE(shortages.due(now + 1s, 7, 100, 100));
    EXPECT_FALSE(shortages.due(now + 10min - 1s, 0, 100, 100));
    EXPECT_TRUE(shortages.due(now + 10min, 0, 100, 100));
    EXPECT_FALSE(shortages.due(now + 11min, 0, 100, 100));
    EXPECT_FALSE(shortages.due(now + 20min, 0, 90, 100));
    EXPECT_TRUE(shortages.due(now + 20min, 0, 91, 100));
}

TEST(Shortages, TheTextSaysWhatToDo) {
    EXPECT_EQ(Shortages::text("brokers", "b1 (10.2.0.2:1883)", 60000, 64512),
              "pool brokers: 60000 of the 64512 source ports towards broker b1 (10.2.0.2:1883) are in use; "
              "without a free one its clients go to other brokers or are refused: give the pool more "
              "source_addresses");
}

}  // namespace
}  // namespace sluice::daemon
