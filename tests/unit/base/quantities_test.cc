#include "sluice/base/quantities.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Duration, IsAWholeNumberAndAUnit) {
    EXPECT_EQ(parse_duration("500ms"), 500ms);
    EXPECT_EQ(parse_duration("10s"), 10s);
    EXPECT_EQ(parse_duration("2 m"), 2min);
    EXPECT_EQ(parse_duration("1h"), 1h);
    EXPECT_EQ(parse_duration("365d"), 24h * 365);
    EXPECT_EQ(parse_duration("0s"), 0s);
    for (const char* text : {"", "10", "s", "-1s", "+1s", "1.5s", "1S", "1s ", " 1s", "1  s", "1m30s", "1us",
                             "106752d", "18446744073709551616s", "0x1s"}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
}

TEST(Duration, PrintsInTheLargestExactUnit) {
    for (const char* text : {"0s", "1ms", "1500ms", "10s", "90s", "2m", "1h", "36h", "1d"}) {
        EXPECT_EQ(duration_to_string(*parse_duration(text)), text);
    }
    EXPECT_EQ(duration_to_string(60s), "1m");
}

TEST(Size, KnowsPowersOfTenAndOfTwo) {
    EXPECT_EQ(parse_size("64B"), 64U);
    EXPECT_EQ(parse_size("64KB"), 64'000U);
    EXPECT_EQ(parse_size("64KiB"), 65'536U);
    EXPECT_EQ(parse_size("1 MiB"), 1'048'576U);
    EXPECT_EQ(parse_size("2GB"), 2'000'000'000U);
    for (const char* text : {"", "64", "64k", "64kb", "KiB", "-1B", "1.5MiB", "17179869184GiB"}) {
        EXPECT_FALSE(parse_size(text)) << text;
    }
    EXPECT_EQ(size_to_string(65536), "64KiB");
    EXPECT_EQ(size_to_string(64), "64B");
    EXPECT_EQ(size_to_string(0), "0B");
}

}  // namespace
}  // namespace sluice
