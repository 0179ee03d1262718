// The small languages inside the file's strings.
#include "text.h"

#include <gtest/gtest.h>

#include <array>

namespace sluice::config {
namespace {

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
