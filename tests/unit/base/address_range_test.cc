#include "sluice/base/address_range.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(AddressRange, ExpandsWithinABound) {
    const auto range = parse_address_range("10.0.0.254-10.0.1.1");
    ASSERT_TRUE(range);
    const auto all = expand(*range, 4);
    ASSERT_TRUE(all);
    EXPECT_EQ(all->size(), 4U);
    EXPECT_EQ(all->at(2), IpAddress::v4(10, 0, 1, 0));
    EXPECT_FALSE(expand(*range, 3));
    EXPECT_EQ(expand(*parse_address_range("fd00::1"), 1)->size(), 1U);
    EXPECT_EQ(expand(*parse_address_range("255.255.255.255"), 9)->size(), 1U);
    EXPECT_FALSE(expand(*parse_address_range("::1-ffff::"), 4096));
}

}  // namespace
}  // namespace sluice
