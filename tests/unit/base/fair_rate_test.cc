#include "sluice/base/fair_rate.h"

#include <gtest/gtest.h>

#include <array>

namespace sluice {
namespace {

const SipKey kKey{1, 2};
const Instant kStart{Duration(1h)};

IpAddress host(std::uint32_t number) { return IpAddress::v4(0x0a000000U + number); }
IpAddress network(std::uint8_t number, std::uint8_t interface) {
    std::array<std::byte, 16> bytes{std::byte{0x20}, std::byte{0x01}};
    bytes[7] = std::byte{number};
    bytes[15] = std::byte{interface};
    return IpAddress::v6(bytes);
}

// How many of so many questions at once are answered.
template <typename Who>
int taken(FairRate& rate, Instant now, int questions, Who&& who) {
    int n = 0;
    for (int i = 0; i < questions; ++i) n += rate.take(now, who(i)) ? 1 : 0;
    return n;
}

TEST(FairRate, OneAloneHasTheCommonHalfAndItsShares) {
    FairRate rate(kKey, 20'480);
    const auto same = [](int) { return host(1); };
    EXPECT_EQ(taken(rate, kStart, 20'000, same), 10'240 + 2 * 10);
    EXPECT_EQ(taken(rate, kStart, 100, same), 0);
    EXPECT_EQ(taken(rate, kStart + 500ms, 20'000, same), (10'240 + 2 * 10) / 2);
    EXPECT_EQ(taken(rate, kStart + 10s, 20'000, same), 10'240 + 2 * 10) << "a second's worth is saved up";
}

TEST(FairRate, AllTogetherGetNoMoreThanTheRate) {
    FairRate rate(kKey, 20'480);
    const auto any = [](int i) { return host(static_cast<std::uint32_t>(i)); };
    EXPECT_EQ(taken(rate, kStart, 100'000, any), 20'480);
    Instant now = kStart;
    int in_a_second = 0;
    for (int i = 0; i < 100; ++i) {
        in_a_second += taken(rate, now += 10ms, 2000, [&](int n) { return any(2000 * i + n); });
    }
    EXPECT_LE(in_a_second, 20'480);
    EXPECT_GE(in_a_second, 20'000);
}

TEST(FairRate, WhoAsksWithoutEndTakesNothingFromTheOthers) {
    FairRate rate(kKey, 20'480);
    int refused = 0;
    Instant now = kStart;
    for (std::uint32_t i = 0; i < 1000; ++i, now += 1ms) {
        taken(rate, now, 200, [](int n) { return host(static_cast<std::uint32_t>(n % 10)); });
        refused += rate.take(now, host(1000 + i)) ? 0 : 1;
    }
    EXPECT_LE(refused, 3) << "both of whose shares are also those of the ten";
}

TEST(FairRate, AnIpv6AddressCountsAsItsNetwork) {
    FairRate rate(kKey, 20'480);
    EXPECT_EQ(taken(rate, kStart, 20'000, [](int i) { return network(1, static_cast<std::uint8_t>(i)); }),
              10'240 + 2 * 10);
    EXPECT_TRUE(rate.take(kStart, network(2, 1)));
}

TEST(FairRate, ALowRateStillHasSomethingForEverybody) {
    FairRate rate(kKey, 2);
    EXPECT_TRUE(rate.take(kStart, host(1)));
    EXPECT_GE(taken(rate, kStart, 1000, [](int i) { return host(static_cast<std::uint32_t>(i)); }), 500);
}

TEST(FairRate, AnotherRateHoldsFromNowOn) {
    FairRate rate(kKey, 2048);
    const auto same = [](int) { return host(1); };
    rate.set_rate(20'480);
    EXPECT_EQ(taken(rate, kStart, 20'000, same), 10'240 + 2 * 10);
    rate.set_rate(2048);
    EXPECT_EQ(taken(rate, kStart + 1s, 20'000, same), 1024 + 2);
}

}  // namespace
}  // namespace sluice
