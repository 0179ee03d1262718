// Initial sequence numbers and timestamp offsets (RFC 6528, RFC 7323 section 5.4).
#include "sluice/tcp/isn.h"

#include <gtest/gtest.h>

namespace sluice::tcp {
namespace {

FourTuple tuple(std::uint16_t port) {
    return {.local = {IpAddress::v4(10, 0, 0, 1), 1883}, .remote = {IpAddress::v4(10, 0, 0, 2), port}};
}

constexpr SipKey kKey{1, 2};
constexpr Instant kNow{100h};

TEST(Isn, AdvancesEveryFourMicroseconds) {
    const Seq first = initial_sequence(kKey, tuple(1), kNow);
    EXPECT_EQ(initial_sequence(kKey, tuple(1), kNow), first);
    EXPECT_EQ(initial_sequence(kKey, tuple(1), kNow + 4us).since(first), 1U);
    EXPECT_EQ(initial_sequence(kKey, tuple(1), kNow + 1s).since(first), 250'000U);
}

TEST(Isn, EveryPartOfTheTupleAndTheKeyMatters) {
    const FourTuple base = tuple(1);
    FourTuple swapped{.local = base.remote, .remote = base.local};
    FourTuple other_local = base;
    other_local.local.port = 1884;
    FourTuple other_remote = base;
    other_remote.remote.address = IpAddress::v4(10, 0, 0, 3);
    const Seq first = initial_sequence(kKey, base, kNow);
    for (const FourTuple& other : {tuple(2), swapped, other_local, other_remote}) {
        EXPECT_NE(initial_sequence(kKey, other, kNow), first);
        EXPECT_NE(timestamp_offset(kKey, other), timestamp_offset(kKey, base));
    }
    EXPECT_NE(initial_sequence({1, 3}, base, kNow), first);
    EXPECT_NE(timestamp_offset({1, 3}, base), timestamp_offset(kKey, base));
}

TEST(Isn, TimestampOffsetDoesNotTellTheSequence) {
    EXPECT_NE(timestamp_offset(kKey, tuple(1)), initial_sequence(kKey, tuple(1), Instant{}).value());
}

// RFC 6191: a tuple starts again past everything that it has used, wherever the clocks stand by then.
TEST(Isn, ATupleUsedAgainStartsLater) {
    const Seq last(0xfffffff0);
    EXPECT_EQ(sequence_after(last, last.advance(1'000'000)), last.advance(1'000'000)) << "the clock is ahead";
    for (const std::uint32_t behind : {0U, 1U, 1000U, 0x7fff0000U}) {
        EXPECT_TRUE(sequence_after(last, last.retreat(behind)).after(last.advance(0xffff))) << behind;
    }
}

TEST(Isn, TimestampsOfATupleUsedAgainGoOn) {
    const std::uint32_t clock = milliseconds32(kNow);
    EXPECT_EQ(timestamp_offset_after(clock - 1, kNow), 0U);
    EXPECT_EQ(timestamp_offset_after(clock, kNow), 1U);
    EXPECT_EQ(timestamp_offset_after(clock + 500'000'000, kNow), 500'000'001U) << "a clock of microseconds";
    EXPECT_EQ(clock + timestamp_offset_after(0xffffffff, Instant(clock * 1ms)), clock) << "wrapped around";
}

}  // namespace
}  // namespace sluice::tcp
