// Sequence numbers across the wrap.
#include "sluice/tcp/seq.h"

#include <gtest/gtest.h>

namespace sluice::tcp {
namespace {

TEST(Seq, OrderCrossesZero) {
    const Seq high(0xfffffff0U);
    const Seq low(0x10U);
    EXPECT_TRUE(high.before(low));
    EXPECT_TRUE(low.after(high));
    EXPECT_FALSE(low.before(high));
    EXPECT_TRUE(high.at_or_before(high));
    EXPECT_FALSE(high.before(high));
    EXPECT_EQ(low.since(high), 0x20U);
    EXPECT_EQ(high.advance(0x20), low);
    EXPECT_EQ(low.retreat(0x20), high);
    EXPECT_EQ(later(high, low), low);
}

TEST(Seq, WindowCrossesZero) {
    const Seq start(0xffffff00U);
    EXPECT_TRUE(start.in_window(start, 1));
    EXPECT_FALSE(start.in_window(start, 0));
    EXPECT_TRUE(Seq(0xff).in_window(start, 0x200));
    EXPECT_FALSE(Seq(0x100).in_window(start, 0x200));
    EXPECT_FALSE(start.retreat(1).in_window(start, 0x200));
}

}  // namespace
}  // namespace sluice::tcp
