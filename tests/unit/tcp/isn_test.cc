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

}  // namespace
}  // namespace sluice::tcp
