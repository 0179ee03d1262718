#include "sluice/base/address.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(IpAddress, ReadsBothFamiliesAndPrintsThemBack) {
    for (const char* text :
         {"10.1.0.1", "255.255.255.255", "0.0.0.0", "fd00:1::1", "::", "::1", "2001:db8::ff"}) {
        const auto a = IpAddress::parse(text);
        ASSERT_TRUE(a) << text;
        EXPECT_EQ(a->to_string(), text);
    }
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
    for (const char* text :
         {"", "10.1.0", "10.1.0.256", "10.1.0.1 ", "fd00::g", "::ffff:1.2.3.4", "10.1.0.1:80"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
}

TEST(IpAddress, KnowsItsFamilyAndBytes) {
    const auto a = IpAddress::v4(10, 1, 2, 3);
    EXPECT_TRUE(a.is_v4());
    EXPECT_EQ(a.wire_bytes().size(), 4U);
    EXPECT_EQ(a.v4_value(), 0x0a010203U);
    EXPECT_EQ(IpAddress::v4(0x0a010203U), a);
    EXPECT_EQ(IpAddress::parse("fd00::1")->wire_bytes().size(), 16U);
}

TEST(IpAddress, NextCarriesWithinTheFamily) {
    EXPECT_EQ(IpAddress::parse("10.1.0.255")->next(), *IpAddress::parse("10.1.1.0"));
    EXPECT_EQ(IpAddress::parse("255.255.255.255")->next(), *IpAddress::parse("0.0.0.0"));
    EXPECT_EQ(IpAddress::parse("fd00::ffff")->next(), *IpAddress::parse("fd00::1:0"));
}

TEST(IpAddress, Classifies) {
    EXPECT_TRUE(IpAddress::parse("224.0.0.1")->is_multicast());
    EXPECT_TRUE(IpAddress::parse("ff02::1")->is_multicast());
    EXPECT_TRUE(IpAddress::parse("127.1.2.3")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("fe80::1")->is_link_local());
    EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
    EXPECT_TRUE(IpAddress{}.is_unspecified());
    EXPECT_FALSE(IpAddress::parse("10.0.0.1")->is_multicast());
}

TEST(IpPrefix, ContainsByBits) {
    const auto p = IpPrefix::parse("10.1.3.0/23");
    ASSERT_TRUE(p);
    EXPECT_TRUE(p->contains(*IpAddress::parse("10.1.2.255")));
    EXPECT_FALSE(p->contains(*IpAddress::parse("10.1.4.0")));
    EXPECT_FALSE(p->contains(*IpAddress::parse("fd00::1")));
    EXPECT_TRUE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("8.8.8.8")));
    EXPECT_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("fd00::1")));
    EXPECT_TRUE(IpPrefix::parse("fd00:1::/64")->contains(*IpAddress::parse("fd00:1::ffff")));
    EXPECT_EQ(IpPrefix::parse("10.1.0.9")->length, 32);
    EXPECT_EQ(IpPrefix::parse("10.1.0.9/24")->broadcast(), IpAddress::parse("10.1.0.255"));
    EXPECT_FALSE(IpPrefix::parse("10.1.0.9/33"));
    EXPECT_FALSE(IpPrefix::parse("10.1.0.9/"));
}

TEST(SocketAddress, ReadsAndPrints) {
    for (const char* text : {"10.1.0.1:1883", "[fd00::1]:8883"}) {
        const auto s = SocketAddress::parse(text);
        ASSERT_TRUE(s) << text;
        EXPECT_EQ(s->to_string(), text);
    }
    for (const char* text :
         {"10.1.0.1", "10.1.0.1:0", "10.1.0.1:65536", "fd00::1:1883", "[10.1.0.1]:1", ":1883"}) {
        EXPECT_FALSE(SocketAddress::parse(text)) << text;
    }
}

TEST(MacAddress, ReadsAndPrints) {
    const auto mac = parse_mac("02:00:5e:10:00:fF");
    ASSERT_TRUE(mac);
    EXPECT_EQ(to_string(*mac), "02:00:5e:10:00:ff");
    EXPECT_FALSE(mac->is_multicast());
    EXPECT_TRUE(kBroadcastMac.is_multicast());
    EXPECT_FALSE(parse_mac("02:00:5e:10:00"));
    EXPECT_FALSE(parse_mac("02-00-5e-10-00-ff"));
    EXPECT_FALSE(parse_mac("02:00:5e:10:00:g0"));
}

}  // namespace
}  // namespace sluice
