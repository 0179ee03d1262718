// The small languages inside the file's strings.
#include "text.h"

#include <gtest/gtest.h>

#include <array>

namespace sluice::config {
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
        EXPECT_EQ(to_string(*parse_duration(text)), text);
    }
    EXPECT_EQ(to_string(60s), "1m");
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

TEST(PortRange, IsTwoPortsInOrder) {
    EXPECT_EQ(parse_port_range("1024-65535"), (PortRange{1024, 65535}));
    EXPECT_EQ(parse_port_range("80-80"), (PortRange{80, 80}));
    for (const char* text :
         {"", "80", "-", "80-", "-80", "81-80", "0-80", "80-65536", "80-90-91", "80 - 90"}) {
        EXPECT_FALSE(parse_port_range(text)) << text;
    }
    EXPECT_TRUE((PortRange{10, 20}.overlaps({20, 30})));
    EXPECT_FALSE((PortRange{10, 20}.overlaps({21, 30})));
    EXPECT_EQ((PortRange{1024, 65535}.size()), 64512U);
}

TEST(CpuList, TakesNumbersAndRanges) {
    EXPECT_EQ(parse_cpu_list("1-3"), (std::vector{1U, 2U, 3U}));
    EXPECT_EQ(parse_cpu_list("7,0-1"), (std::vector{7U, 0U, 1U}));
    for (const char* text : {"", ",", "1,", "3-1", "1-", "-1", "a", "1024", "0-64", "1;2", "0-4294967295"}) {
        EXPECT_FALSE(parse_cpu_list(text)) << text;
    }
}

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

TEST(Nearest, FindsTheMisspeltWordOnly) {
    static constexpr std::array<std::string_view, 3> kWords{"address", "addresses", "mtu"};
    EXPECT_EQ(nearest("adress", kWords), "address");
    EXPECT_EQ(nearest("adresses", kWords), "addresses");
    EXPECT_EQ(nearest("mut", kWords), "mtu");
    EXPECT_EQ(nearest("mtu", kWords), "mtu");
    EXPECT_FALSE(nearest("zebra", kWords));
    EXPECT_EQ(nearest("addr", kWords), "address");
    EXPECT_FALSE(nearest("add", kWords));
    EXPECT_FALSE(nearest("", kWords));
    EXPECT_FALSE(nearest(std::string(100, 'a'), kWords));
    static constexpr std::array<std::string_view, 1> kShort{"5"};
    EXPECT_FALSE(nearest("4", kShort));
}

}  // namespace
}  // namespace sluice::config
