#include "addressing.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::load {
namespace {

const std::vector<IpAddress> kSources{IpAddress::v4(10, 1, 0, 2), IpAddress::v4(10, 1, 0, 3),
                                      IpAddress::v4(10, 1, 0, 4)};
const std::vector<SocketAddress> kTargets{{IpAddress::v4(10, 1, 0, 1), 1883},
                                          {IpAddress::v4(10, 1, 0, 1), 1884}};

// Every client has a four-tuple of its own, and is found by it.
TEST(Addressing, IsOneToOne) {
    const Addressing addressing(kSources, kTargets, 1024, 1033);
    ASSERT_EQ(addressing.capacity(), 3U * 2U * 10U);
    std::set<FourTuple> seen;
    for (std::uint32_t client = 0; client < addressing.capacity(); ++client) {
        const FourTuple tuple = addressing.tuple(client);
        EXPECT_TRUE(seen.insert(tuple).second) << tuple.to_string();
        EXPECT_EQ(addressing.client(tuple), client);
        EXPECT_EQ(tuple.local.address, addressing.source(client));
        EXPECT_EQ(tuple.remote, addressing.target(client));
    }
}

// Load is even from the first client on: over sources at once, then over targets.
TEST(Addressing, TakesSourcesAndTargetsInTurn) {
    const Addressing addressing(kSources, kTargets, 1024, 65535);
    EXPECT_EQ(addressing.source(0), kSources[0]);
    EXPECT_EQ(addressing.source(2), kSources[2]);
    EXPECT_EQ(addressing.source(3), kSources[0]);
    EXPECT_EQ(addressing.target(2), kTargets[0]);
    EXPECT_EQ(addressing.target(3), kTargets[1]);
    EXPECT_EQ(addressing.target(6), kTargets[0]);
    EXPECT_EQ(addressing.tuple(5).local.port, 1024);
    EXPECT_EQ(addressing.tuple(6).local.port, 1025);
}

// What is no client's is nobody: another address, another target, a port outside the range.
TEST(Addressing, KnowsItsOwnOnly) {
    const Addressing addressing(kSources, kTargets, 1024, 1033);
    const FourTuple good = addressing.tuple(7);
    FourTuple other = good;
    other.local.address = IpAddress::v4(10, 1, 0, 5);
    EXPECT_FALSE(addressing.client(other));
    other = good;
    other.remote.port = 1885;
    EXPECT_FALSE(addressing.client(other));
    other = good;
    other.local.port = 1023;
    EXPECT_FALSE(addressing.client(other));
    other.local.port = 1034;
    EXPECT_FALSE(addressing.client(other));
}

}  // namespace
}  // namespace sluice::load
