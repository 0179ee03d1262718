#include "router.h"

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

// The examples of MQTT 5 section 4.7.
TEST(Filter, TakesTopicsAsTheStandardSays) {
    EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
    EXPECT_TRUE(matches("sport/#", "sport"));
    EXPECT_TRUE(matches("#", "a/b/c"));
    EXPECT_TRUE(matches("sport/tennis/+", "sport/tennis/player1"));
    EXPECT_FALSE(matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    EXPECT_FALSE(matches("sport/+", "sport"));
    EXPECT_TRUE(matches("sport/+", "sport/"));
    EXPECT_TRUE(matches("+/+", "/finance"));
    EXPECT_TRUE(matches("/+", "/finance"));
    EXPECT_FALSE(matches("+", "/finance"));
    EXPECT_FALSE(matches("#", "$SYS/x"));
    EXPECT_FALSE(matches("+/monitor", "$SYS/monitor"));
    EXPECT_TRUE(matches("$SYS/#", "$SYS/x"));
    EXPECT_TRUE(matches("a/b", "a/b"));
    EXPECT_FALSE(matches("a/b", "a/b/c"));
    EXPECT_FALSE(matches("a/b", "A/b"));
}

TEST(Router, GivesEachConnectionOneCopy) {
    Router router;
    router.subscribe(1, "a/b", 0);
    router.subscribe(1, "a/+", 2);
    router.subscribe(2, "a/#", 1);
    router.subscribe(3, "c", 1);
    const auto& targets = router.targets("a/b");
    ASSERT_EQ(targets.size(), 2U);
    EXPECT_EQ(targets[0].connection, 1U);
    EXPECT_EQ(targets[0].qos, 2) << "the highest of its filters";
    EXPECT_EQ(targets[1].connection, 2U);
    EXPECT_EQ(targets[1].qos, 1);
    EXPECT_TRUE(router.targets("b").empty());
}

TEST(Router, ForgetsWhatIsOver) {
    Router router;
    router.subscribe(1, "a", 0);
    router.subscribe(1, "a", 1);
    EXPECT_EQ(router.size(), 1U) << "the same filter again";
    EXPECT_EQ(router.targets("a")[0].qos, 1);
    router.subscribe(1, "b/#", 1);
    router.subscribe(2, "a", 1);
    router.unsubscribe(1, "a");
    router.unsubscribe(1, "never");
    router.unsubscribe(2, "b/#");
    EXPECT_EQ(router.targets("a").size(), 1U);
    router.forget(1);
    router.forget(7);
    EXPECT_TRUE(router.targets("b/x").empty());
    EXPECT_EQ(router.size(), 1U);
}

}  // namespace
}  // namespace sluice::load
