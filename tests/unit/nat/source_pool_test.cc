#include "sluice/nat/source_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace sluice::nat {
namespace {

const Instant kStart{Duration(1h)};

SourcePool::Options options(std::size_t addresses, PortRange ports, std::uint32_t backends = 1) {
    SourcePool::Options o;
    IpAddress address = IpAddress::v4(10, 2, 0, 10);
    for (std::size_t i = 0; i < addresses; ++i, address = address.next()) o.addresses.push_back(address);
    o.ports = ports;
    o.backends = backends;
    return o;
}

TEST(SourcePool, TwoAddressesOfAHundredPortsGiveTwoHundredLeases) {
    SourcePool pool(options(2, {2000, 2099}));
    std::set<SocketAddress> seen;
    for (std::uint32_t i = 0; i < 200; ++i) {
        const auto lease = pool.acquire(0, IpFamily::V4, i, kStart);
        ASSERT_TRUE(lease);
        const SocketAddress source = pool.source(*lease);
        EXPECT_TRUE(source.port >= 2000 && source.port <= 2099);
        EXPECT_TRUE(seen.insert(source).second) << source.to_string();
        EXPECT_EQ(pool.find(0, source), i);
        EXPECT_EQ(pool.connection(*lease), i);
    }
    EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 200, kStart)) << "the 201st";
    EXPECT_FALSE(pool.acquire(0, IpFamily::V6, 200, kStart)) << "no IPv6 source";
    EXPECT_FALSE(pool.acquire(1, IpFamily::V4, 200, kStart)) << "no such backend";
    EXPECT_EQ(pool.usage(0, IpFamily::V4, kStart).leased, 200U);
}

TEST(SourcePool, FillsAllAddressesEvenly) {
    SourcePool pool(options(4, {1024, 65535}));
    std::map<IpAddress, int> used;
    for (std::uint32_t i = 0; i < 10'001; ++i) {
        ++used[pool.source(*pool.acquire(0, IpFamily::V4, i, kStart)).address];
        if (i < 3) continue;
        ASSERT_EQ(used.size(), 4U);
        const auto [low, high] = std::minmax_element(
            used.begin(), used.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
        ASSERT_LE(high->second - low->second, 1);
    }
}

TEST(SourcePool, TheSameSourceServesEveryBackendAtOnce) {
    SourcePool pool(options(1, {5000, 5000}, 2));
    const auto first = pool.acquire(0, IpFamily::V4, 7, kStart);
    const auto second = pool.acquire(1, IpFamily::V4, 8, kStart);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(pool.source(*first), pool.source(*second));
    EXPECT_EQ(pool.find(0, pool.source(*first)), 7U);
    EXPECT_EQ(pool.find(1, pool.source(*first)), 8U);
    pool.release(*first, kStart, {});
    EXPECT_EQ(pool.find(0, pool.source(*first)), kNoConnection);
    EXPECT_EQ(pool.find(1, pool.source(*first)), 8U);
}

TEST(SourcePool, AReleasedLeaseRestsThroughItsQuarantine) {
    SourcePool::Options o = options(1, {3000, 3001});
    o.quarantine = 10s;
    SourcePool pool(o);
    const Lease a = *pool.acquire(0, IpFamily::V4, 1, kStart);
    const Lease b = *pool.acquire(0, IpFamily::V4, 2, kStart);
    pool.release(b, kStart + 1s, {});
    pool.release(a, kStart + 2s, {});
    EXPECT_EQ(pool.usage(0, IpFamily::V4, kStart + 2s).quarantined, 2U);
    EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 3, kStart + 11s - 1ns));
    EXPECT_EQ(pool.acquire(0, IpFamily::V4, 3, kStart + 11s), b) << "longest rested first";
    EXPECT_EQ(pool.usage(0, IpFamily::V4, kStart + 11s).quarantined, 1U);
    EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 4, kStart + 12s - 1ns));
    EXPECT_EQ(pool.usage(0, IpFamily::V4, kStart + 12s).quarantined, 0U);
    EXPECT_EQ(pool.acquire(0, IpFamily::V4, 4, kStart + 12s), a);
}

TEST(SourcePool, RemembersWhereTheLastConnectionOfALeaseEndedForFiveMinutes) {
    SourcePool pool(options(1, {3000, 3000}));
    const Lease lease = *pool.acquire(0, IpFamily::V4, 1, kStart);
    EXPECT_EQ(pool.last_use(lease, kStart), std::nullopt) << "never used";
    pool.release(lease, kStart, {.sequence = 0xfffffff0, .timestamp = 77});
    ASSERT_EQ(pool.acquire(0, IpFamily::V4, 2, kStart + 1s), lease);
    EXPECT_EQ(pool.last_use(lease, kStart + 5min), (LastUse{.sequence = 0xfffffff0, .timestamp = 77}));
    EXPECT_EQ(pool.last_use(lease, kStart + 5min + 1ns), std::nullopt);
}

TEST(SourcePool, ALeaseMayStandForAnotherName) {
    SourcePool pool(options(1, {3000, 3001}));
    const Lease lease = *pool.acquire(0, IpFamily::V4, 1, kStart);
    pool.rename(lease, 0x40000007);
    EXPECT_EQ(pool.connection(lease), 0x40000007U);
    EXPECT_EQ(pool.find(0, pool.source(lease)), 0x40000007U);
    pool.release(lease, kStart, {});
    EXPECT_EQ(pool.connection(lease), kNoConnection);
}

// What packets in bursts do step by step is what find() does at once.
TEST(SourcePool, SlotAtAgreesWithFind) {
    for (const std::uint32_t workers : {1U, 3U}) {
        SourcePool::Options o = options(3, {2000, 2010});
        o.worker = workers - 1;
        o.workers = workers;
        SourcePool pool(o);
        std::uint32_t name = 0;
        while (pool.acquire(0, IpFamily::V4, name, kStart)) ++name;
        for (const IpAddress& address : o.addresses) {
            const auto position = pool.address_position(address);
            ASSERT_TRUE(position);
            for (std::uint16_t port = 1998; port < 2014; ++port) {
                const Lease lease{0, pool.slot_at(*position, port)};
                EXPECT_EQ(pool.connection(lease), pool.find(0, {address, port})) << port;
                if (lease.slot == kNoSlot) continue;
                EXPECT_EQ(pool.source(lease), (SocketAddress{address, port}));
            }
        }
        EXPECT_EQ(pool.address_position(IpAddress::v4(9, 9, 9, 9)), std::nullopt);
    }
}

TEST(SourcePool, FreshSlotsComeBeforeRestedOnes) {
    SourcePool pool(options(1, {3000, 3002}));
    const Lease a = *pool.acquire(0, IpFamily::V4, 1, kStart);
    pool.release(a, kStart, {});
    EXPECT_NE(pool.acquire(0, IpFamily::V4, 1, kStart + 1h), a);
    EXPECT_NE(pool.acquire(0, IpFamily::V4, 1, kStart + 1h), a);
    EXPECT_EQ(pool.acquire(0, IpFamily::V4, 1, kStart + 1h), a);
}

TEST(SourcePool, ReleasingTwiceOrWhatWasNeverLeasedChangesNothing) {
    SourcePool pool(options(1, {3000, 3009}));
    const Lease a = *pool.acquire(0, IpFamily::V4, 1, kStart);
    pool.release(a, kStart, {});
    pool.release(a, kStart, {});
    pool.release({0, 9}, kStart, {});
    pool.release({0, 10}, kStart, {});
    pool.release({5, 0}, kStart, {});
    const SourcePool::Usage usage = pool.usage(0, IpFamily::V4, kStart);
    EXPECT_EQ(usage.capacity, 10U);
    EXPECT_EQ(usage.leased, 0U);
    EXPECT_EQ(usage.quarantined, 1U);
}

TEST(SourcePool, FindKnowsOnlyItsOwnAddressesAndPorts) {
    SourcePool::Options o = options(3, {1000, 1999});
    o.worker = 1;
    o.workers = 4;
    SourcePool pool(o);
    for (std::uint32_t i = 0; i < 750; ++i) ASSERT_TRUE(pool.acquire(0, IpFamily::V4, i, kStart));
    const auto find = [&](const char* text) { return pool.find(0, *SocketAddress::parse(text)); };
    EXPECT_NE(find("10.2.0.10:1001"), kNoConnection);
    EXPECT_NE(find("10.2.0.12:1997"), kNoConnection);
    EXPECT_EQ(find("10.2.0.10:1000"), kNoConnection) << "another worker's";
    EXPECT_EQ(find("10.2.0.10:1999"), kNoConnection);
    EXPECT_EQ(find("10.2.0.10:997"), kNoConnection) << "below the range";
    EXPECT_EQ(find("10.2.0.10:2001"), kNoConnection) << "above the range";
    EXPECT_EQ(find("10.2.0.10:65533"), kNoConnection);
    EXPECT_EQ(find("10.2.0.13:1001"), kNoConnection) << "not a source address";
    EXPECT_EQ(find("[fd00::1]:1001"), kNoConnection);
    EXPECT_EQ(pool.find(1, *SocketAddress::parse("10.2.0.10:1001")), kNoConnection) << "no such backend";
}

TEST(SourcePool, WorkersSharePortsWithoutOverlap) {
    for (const std::uint32_t workers : {1U, 2U, 3U, 7U, 16U}) {
        std::vector<int> taken(65536);
        std::uint64_t capacity = 0;
        for (std::uint32_t worker = 0; worker < workers; ++worker) {
            SourcePool::Options o = options(1, {1024, 65535});
            o.worker = worker;
            o.workers = workers;
            SourcePool pool(o);
            const std::uint64_t mine = pool.usage(0, IpFamily::V4, kStart).capacity;
            capacity += mine;
            for (std::uint64_t i = 0; i < mine; ++i) {
                const auto lease = pool.acquire(0, IpFamily::V4, 1, kStart);
                ASSERT_TRUE(lease);
                const std::uint16_t port = pool.source(*lease).port;
                EXPECT_EQ(port % workers, worker);
                ++taken[port];
            }
            EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 1, kStart));
        }
        EXPECT_EQ(capacity, 64512U);
        EXPECT_TRUE(std::all_of(taken.begin(), taken.begin() + 1024, [](int n) { return n == 0; }));
        EXPECT_TRUE(std::all_of(taken.begin() + 1024, taken.end(), [](int n) { return n == 1; }));
    }
}

TEST(SourcePool, EmptyAndOddRanges) {
    EXPECT_EQ(SourcePool(options(2, {10, 9})).usage(0, IpFamily::V4, kStart).capacity, 0U);
    EXPECT_EQ(SourcePool(options(0, {1024, 65535})).usage(0, IpFamily::V4, kStart).capacity, 0U);
    EXPECT_EQ(SourcePool(options(0, {1024, 65535})).find(0, {IpAddress::v4(1U), 1024}), kNoConnection);
    EXPECT_EQ(SourcePool(options(1, {0, 65535})).usage(0, IpFamily::V4, kStart).capacity, 65535U)
        << "not port 0";
    SourcePool::Options o = options(1, {65535, 65535});
    o.workers = 2;
    EXPECT_EQ(SourcePool(o).usage(0, IpFamily::V4, kStart).capacity, 0U) << "an odd port, worker 0";
    o.addresses.push_back(o.addresses[0]);
    o.worker = 1;
    EXPECT_EQ(SourcePool(o).usage(0, IpFamily::V4, kStart).capacity, 1U) << "a repeated address";
}

TEST(SourcePool, FamiliesAreApart) {
    SourcePool::Options o = options(2, {100, 101});
    o.addresses.insert(o.addresses.begin(), *IpAddress::parse("fd00::1"));
    SourcePool pool(o);
    for (std::uint32_t i = 0; i < 4; ++i) {
        const auto lease = pool.acquire(0, IpFamily::V4, i, kStart);
        ASSERT_TRUE(lease);
        EXPECT_TRUE(pool.source(*lease).address.is_v4());
        EXPECT_EQ(pool.find(0, pool.source(*lease)), i);
    }
    EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 4, kStart));
    const auto six = pool.acquire(0, IpFamily::V6, 9, kStart);
    ASSERT_TRUE(six);
    EXPECT_EQ(pool.source(*six), *SocketAddress::parse("[fd00::1]:100"));
    EXPECT_EQ(pool.find(0, pool.source(*six)), 9U);
    EXPECT_EQ(pool.usage(0, IpFamily::V6, kStart).capacity, 2U);
    pool.release(*six, kStart, {});
    EXPECT_EQ(pool.usage(0, IpFamily::V6, kStart).quarantined, 1U);
    EXPECT_EQ(pool.usage(0, IpFamily::V4, kStart).quarantined, 0U);
}

TEST(SourcePool, GrowsByBackendsWithoutDisturbingLeases) {
    SourcePool pool(options(1, {100, 199}));
    const Lease lease = *pool.acquire(0, IpFamily::V4, 5, kStart);
    pool.grow(3);
    pool.grow(2);
    EXPECT_EQ(pool.backends(), 3U);
    EXPECT_EQ(pool.connection(lease), 5U);
    EXPECT_TRUE(pool.acquire(2, IpFamily::V4, 6, kStart));
}

// Twenty-four addresses towards six backends: nine million leases, none of which is touched before its time.
TEST(SourcePool, AFullSizePoolIsMadeAtOnce) {
    SourcePool pool(options(24, {1024, 65535}, 6));
    EXPECT_EQ(pool.usage(5, IpFamily::V4, kStart).capacity, 24U * 64512U);
    const auto lease = pool.acquire(5, IpFamily::V4, 1, kStart);
    EXPECT_EQ(pool.find(5, pool.source(*lease)), 1U);
}

// 100,000 cycles in random order: no two live leases share a tuple, none comes back before its quarantine is
// over, find() agrees with what is leased, and at the end everything is given back.
TEST(SourcePool, RandomUseGivesEverythingBack) {
    SourcePool::Options o = options(3, {1024, 1123}, 3);
    o.quarantine = 50ms;
    o.addresses.push_back(*IpAddress::parse("fd00::1"));
    SourcePool pool(o);
    std::mt19937_64 random(1);
    struct Live {
        Lease lease;
        IpFamily family;
        std::uint32_t connection;
    };
    std::vector<Live> live;
    std::map<std::pair<std::uint32_t, SocketAddress>, std::uint32_t> owners;
    std::map<std::pair<std::uint32_t, SocketAddress>, Instant> released;
    Instant now = kStart;
    std::uint32_t acquired = 0;
    while (acquired < 100'000) {
        now += Duration(static_cast<std::int64_t>(random() % 400'000));
        const bool filling = acquired / 10'000 % 2 == 0;
        if (random() % 100 < (filling ? 60U : 45U) || live.empty()) {
            const auto backend = static_cast<std::uint32_t>(random() % 3);
            const IpFamily family = random() % 4 == 0 ? IpFamily::V6 : IpFamily::V4;
            const auto before = pool.usage(backend, family, now);
            const auto lease = pool.acquire(backend, family, acquired, now);
            ASSERT_EQ(lease.has_value(), before.leased + before.quarantined < before.capacity);
            if (!lease) {
                ++acquired;
                continue;
            }
            const auto key = std::pair(backend, pool.source(*lease));
            ASSERT_EQ(key.second.address.family(), family);
            ASSERT_TRUE(owners.emplace(key, acquired).second) << "leased twice";
            if (released.contains(key)) {
                ASSERT_GE(now - released.at(key), o.quarantine);
            }
            live.push_back({*lease, family, acquired++});
        } else {
            std::swap(live[random() % live.size()], live.back());
            const auto key = std::pair(live.back().lease.backend, pool.source(live.back().lease));
            ASSERT_EQ(pool.find(key.first, key.second), live.back().connection);
            pool.release(live.back().lease, now, {});
            ASSERT_EQ(pool.find(key.first, key.second), kNoConnection);
            released[key] = now;
            owners.erase(key);
            live.pop_back();
        }
    }
    for (const Live& l : live) pool.release(l.lease, now, {});
    for (std::uint32_t backend = 0; backend < 3; ++backend) {
        EXPECT_EQ(pool.usage(backend, IpFamily::V4, now).leased, 0U);
        EXPECT_EQ(pool.usage(backend, IpFamily::V4, now + 1s).quarantined, 0U);
        for (std::uint32_t i = 0; i < 300; ++i) {
            ASSERT_TRUE(pool.acquire(backend, IpFamily::V4, i, now + 1s)) << "lost " << i;
        }
    }
}

}  // namespace
}  // namespace sluice::nat
