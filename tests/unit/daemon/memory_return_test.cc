#include "sluice/daemon/memory_return.h"

#include <gtest/gtest.h>

namespace sluice::daemon {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

TEST(MemoryReturn, IsDueWhenMuchHasBeenLetGoOf) {
    MemoryReturn memory;
    Instant now{1h};
    EXPECT_FALSE(memory.due(now, 200 * kMiB));
    EXPECT_FALSE(memory.due(now += 1s, 101 * kMiB));
    EXPECT_TRUE(memory.due(now += 1s, 90 * kMiB));
    EXPECT_FALSE(memory.due(now += 1s, 90 * kMiB));
}

TEST(MemoryReturn, IsNotDueForLittle) {
    MemoryReturn memory;
    EXPECT_FALSE(memory.due(Instant{1h}, 15 * kMiB));
    EXPECT_FALSE(memory.due(Instant{2h}, 0));
}

TEST(MemoryReturn, ComesOnceInAWhileAndForgetsNothingMeanwhile) {
    MemoryReturn memory;
    Instant now{1h};
    EXPECT_FALSE(memory.due(now, 100 * kMiB));
    EXPECT_TRUE(memory.due(now += 1s, 0));
    EXPECT_FALSE(memory.due(now += 1s, 100 * kMiB));
    EXPECT_FALSE(memory.due(now += 1s, 0));
    EXPECT_TRUE(memory.due(now += MemoryReturn::kInterval, 0));
    EXPECT_FALSE(memory.due(now += MemoryReturn::kInterval, 0));
}

}  // namespace
}  // namespace sluice::daemon
