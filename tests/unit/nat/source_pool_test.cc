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

// As in every process anew: brokers still know connections of the one before.
TEST(SourcePool, LeasesBeginWhereTheyAreToldAndGoAround) {
    const auto ports = [](SourcePool::Options o) {
        SourcePool pool(o);
        std::vector<std::uint16_t> taken;
        std::uint32_t i = 0;
        for (auto lease = pool.acquire(0, IpFamily::V4, i, kStart); lease;
             lease = pool.acquire(0, IpFamily::V4, ++i, kStart)) {
            EXPECT_EQ(pool.find(0, pool.source(*lease)), i);
            taken.push_back(pool.source(*lease).port);
        }
        EXPECT_EQ(taken.size(), pool.usage(0, IpFamily::V4, kStart).capacity);
        return taken;
    };
    using Ports = std::vector<std::uint16_t>;
    SourcePool::Options o = options(1, {2000, 2005});
    for (const auto& [begin, expected] : {std::pair(0, Ports{2000, 2001, 2002, 2003, 2004, 2005}),
                                          std::pair(4, Ports{2004, 2005, 2000, 2001, 2002, 2003}),
                                          std::pair(6 + 5, Ports{2005, 2000, 2001, 2002, 2003, 2004})}) {
        o.begin = static_cast<std::uint64_t>(begin);
        EXPECT_EQ(ports(o), expected);
    }
    o = options(2, {2000, 2005});
    o.begin = 1;
    o.workers = 3;
    for (const auto& [worker, expected] :
         {std::pair(0U, Ports{2004, 2004, 2001, 2001}), std::pair(1U, Ports{2005, 2005, 2002, 2002}),
          std::pair(2U, Ports{2003, 2003, 2000, 2000})}) {
        o.worker = worker;
        EXPECT_EQ(ports(o), expected);
    }
}

TEST(SourcePool, WhereverLeasesBeginTheyRestAndComeBackInTheOrderOfTheirRelease) {
    SourcePool::Options o = options(1, {2000, 2003});
    o.begin = 2;
    SourcePool pool(o);
    std::deque<Lease> leases;
    for (std::uint32_t i = 0; i < 4; ++i) leases.push_back(*pool.acquire(0, IpFamily::V4, i, kStart));
    for (const std::size_t i : {3U, 0U, 2U}) pool.release(leases[i], kStart, {});
    EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 9, kStart + 999ms));
    for (const std::size_t i : {3U, 0U, 2U}) {
        EXPECT_EQ(pool.acquire(0, IpFamily::V4, 9, kStart + 1s), leases[i]);
    }
    EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 9, kStart + 1s));
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

std::vector<IpAddress> range(std::uint8_t first, std::uint8_t last) {
    std::vector<IpAddress> addresses;
    for (int i = first; i <= last; ++i) {
        addresses.push_back(IpAddress::v4(10, 2, 0, static_cast<std::uint8_t>(i)));
    }
    return addresses;
}

using Leases = std::vector<std::pair<Lease, SocketAddress>>;

// Until nothing is left.
Leases acquire_all(SourcePool& pool, Instant now) {
    Leases leases;
    while (const auto lease = pool.acquire(0, IpFamily::V4, static_cast<std::uint32_t>(leases.size()), now)) {
        leases.emplace_back(*lease, pool.source(*lease));
    }
    return leases;
}

TEST(SourcePool, LeasesOfAnAddressNoLongerListedStayAsTheyAre) {
    SourcePool pool(options(2, {2000, 2009}));  // 10.2.0.10 and .11
    const Leases before = acquire_all(pool, kStart);
    ASSERT_EQ(before.size(), 20U);
    const auto position = pool.address_position(IpAddress::v4(10, 2, 0, 10));
    pool.set_addresses(range(11, 12));
    EXPECT_EQ(pool.address_position(IpAddress::v4(10, 2, 0, 10)), position);
    EXPECT_EQ(pool.address_position(IpAddress::v4(10, 2, 0, 12)), 2U);
    for (std::uint32_t i = 0; i < 20; ++i) {
        const auto& [lease, source] = before[i];
        EXPECT_EQ(pool.source(lease), source);
        EXPECT_EQ(pool.connection(lease), i);
        EXPECT_EQ(pool.find(0, source), i);
        EXPECT_EQ(pool.slot_at(*pool.address_position(source.address), source.port), lease.slot);
    }
    const Leases after = acquire_all(pool, kStart);
    ASSERT_EQ(after.size(), 10U);
    for (const auto& [lease, source] : after) EXPECT_EQ(source.address, IpAddress::v4(10, 2, 0, 12));

    const Lease old = before[0].first;
    ASSERT_EQ(before[0].second.address, IpAddress::v4(10, 2, 0, 10));
    pool.release(old, kStart, {.sequence = 5, .timestamp = 6});
    EXPECT_EQ(pool.connection(old), kNoConnection);
    EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 1, kStart + 1h)) << "not given out";
    EXPECT_EQ(pool.source(old), before[0].second);
}

TEST(SourcePool, AnAddressListedAgainGoesOnWhereItWas) {
    SourcePool::Options o = options(1, {2000, 2002});
    o.quarantine = 10s;
    SourcePool pool(o);
    const Leases before = acquire_all(pool, kStart);
    pool.set_addresses({});
    pool.release(before[1].first, kStart + 1s, {.sequence = 5, .timestamp = 6});
    EXPECT_EQ(pool.usage(0, IpFamily::V4, kStart + 1s).capacity, 2U) << "what is still leased";
    pool.set_addresses(o.addresses);
    EXPECT_FALSE(pool.acquire(0, IpFamily::V4, 7, kStart + 11s - 1ns)) << "leased or in quarantine";
    ASSERT_EQ(pool.acquire(0, IpFamily::V4, 7, kStart + 11s), before[1].first);
    EXPECT_EQ(pool.last_use(before[1].first, kStart + 11s), (LastUse{.sequence = 5, .timestamp = 6}));
    EXPECT_EQ(pool.usage(0, IpFamily::V4, kStart + 11s).leased, 3U);
}

TEST(SourcePool, ANewAddressCatchesUpWithTheOthersAndThenAllAreFilledEvenly) {
    SourcePool pool(options(3, {1024, 65535}));
    for (std::uint32_t i = 0; i < 300; ++i) ASSERT_TRUE(pool.acquire(0, IpFamily::V4, i, kStart));
    pool.set_addresses(range(10, 13));
    for (std::uint32_t i = 0; i < 100; ++i) ASSERT_TRUE(pool.acquire(0, IpFamily::V4, i, kStart));
    for (const auto& a : pool.usage_by_address(0, kStart)) EXPECT_EQ(a.leased, 100U);
    for (std::uint32_t i = 0; i < 402; ++i) ASSERT_TRUE(pool.acquire(0, IpFamily::V4, i, kStart));
    for (const auto& a : pool.usage_by_address(0, kStart)) EXPECT_TRUE(a.leased == 200 || a.leased == 201);
}

TEST(SourcePool, AFullAddressLeavesTheRestToTheOthers) {
    SourcePool pool(options(2, {2000, 2009}));
    Leases leases = acquire_all(pool, kStart);
    // All of the first address is leased, nothing of the second: the mean alone would choose the second for
    // ever, but then it is full too.
    for (const auto& [lease, source] : leases) {
        if (source.address == IpAddress::v4(10, 2, 0, 11)) pool.release(lease, kStart, {});
    }
    EXPECT_EQ(acquire_all(pool, kStart + 1h).size(), 10U);
    for (const auto& [lease, source] : leases) {
        if (source.address == IpAddress::v4(10, 2, 0, 10)) pool.release(lease, kStart + 1h, {});
    }
    EXPECT_EQ(acquire_all(pool, kStart + 2h).size(), 10U);
}

TEST(SourcePool, TellsTheUseOfEachAddress) {
    SourcePool::Options o = options(2, {2000, 2009}, 2);
    o.addresses.push_back(*IpAddress::parse("fd00::1"));
    SourcePool pool(o);
    const Lease a = *pool.acquire(0, IpFamily::V4, 1, kStart);
    const Lease b = *pool.acquire(0, IpFamily::V4, 2, kStart);
    ASSERT_TRUE(pool.acquire(0, IpFamily::V6, 3, kStart));
    pool.release(b, kStart, {});
    auto uses = pool.usage_by_address(0, kStart);
    ASSERT_EQ(uses.size(), 3U);
    EXPECT_EQ(uses[0].address, pool.source(a).address);
    EXPECT_EQ(uses[0].capacity, 10U);
    EXPECT_EQ(uses[0].leased, 1U);
    EXPECT_EQ(uses[1].leased, 0U);
    EXPECT_EQ(uses[1].quarantined, 1U);
    EXPECT_EQ(uses[2].address, o.addresses[2]);
    EXPECT_EQ(uses[2].leased, 1U);
    EXPECT_EQ(pool.usage_by_address(0, kStart + 1s)[1].quarantined, 0U);

    pool.set_addresses({});
    uses = pool.usage_by_address(0, kStart);
    ASSERT_EQ(uses.size(), 2U) << "those with leases in use";
    EXPECT_FALSE(uses[0].active);
    EXPECT_EQ(uses[0].capacity, 1U);
    EXPECT_EQ(uses[0].leased, 1U);
    EXPECT_FALSE(pool.idle(0));
    pool.release(a, kStart, {});
    EXPECT_EQ(pool.usage_by_address(0, kStart).size(), 1U);
    EXPECT_TRUE(pool.usage_by_address(1, kStart).empty());
    EXPECT_TRUE(pool.usage_by_address(2, kStart).empty()) << "no such backend";
}

TEST(SourcePool, ABackendIsIdleWhenNothingIsLeasedTowardsIt) {
    SourcePool pool(options(1, {2000, 2009}, 2));
    const Lease lease = *pool.acquire(1, IpFamily::V4, 1, kStart);
    EXPECT_TRUE(pool.idle(0));
    EXPECT_FALSE(pool.idle(1));
    pool.release(lease, kStart, {});
    EXPECT_TRUE(pool.idle(1));
    EXPECT_TRUE(pool.idle(7)) << "no such backend";
}

TEST(SourcePool, TooManyAddressesAreRefusedAndChangeNothing) {
    SourcePool pool(options(1, {1024, 65535}));
    const Lease lease = *pool.acquire(0, IpFamily::V4, 1, kStart);
    std::vector<IpAddress> many;
    for (std::uint32_t i = 0; i < 66'576; ++i) many.push_back(IpAddress::v4(0x0b000000 + i));
    EXPECT_THROW(pool.set_addresses(many), std::length_error);
    EXPECT_EQ(pool.connection(lease), 1U);
    EXPECT_EQ(pool.address_position(many[0]), std::nullopt);
    EXPECT_EQ(pool.usage(0, IpFamily::V4, kStart).capacity, 64512U);
    EXPECT_TRUE(pool.acquire(0, IpFamily::V4, 2, kStart));
}

// Against a model that knows each tuple alone: addresses come and go while leases are taken and given back.
TEST(SourcePool, RandomChangesOfAddressesKeepEveryLease) {
    constexpr std::uint32_t kPorts = 20;
    SourcePool::Options o = options(3, {2000, 2000 + kPorts - 1}, 2);
    o.quarantine = 5ms;
    SourcePool pool(o);
    std::mt19937_64 random(2);
    struct Tuple {
        std::uint32_t connection = kNoConnection;
        Lease lease;
        Instant usable = kStart;  // the end of its quarantine
    };
    std::map<std::pair<std::uint32_t, SocketAddress>, Tuple> tuples;  // those that were ever leased
    std::vector<std::pair<std::uint32_t, SocketAddress>> live;
    std::set<IpAddress> listed(o.addresses.begin(), o.addresses.end());
    std::map<IpAddress, std::uint32_t> positions;
    Instant now = kStart;
    for (std::uint32_t turn = 0; turn < 15'000; ++turn) {
        now += Duration(static_cast<std::int64_t>(random() % 200'000));
        if (turn % 250 == 249) {
            std::vector<IpAddress> all = range(10, 19);
            std::shuffle(all.begin(), all.end(), random);
            all.resize(random() % 8);
            pool.set_addresses(all);
            listed = {all.begin(), all.end()};
            for (const IpAddress& address : all) {
                const std::uint32_t position = *pool.address_position(address);
                ASSERT_EQ(positions.emplace(address, position).first->second, position);
            }
            for (const auto& key : live) {
                const Tuple& tuple = tuples.at(key);
                ASSERT_EQ(pool.connection(tuple.lease), tuple.connection);
                ASSERT_EQ(pool.source(tuple.lease), key.second);
            }
        } else if (live.empty() || random() % 100 < 52) {
            const auto backend = static_cast<std::uint32_t>(random() % 2);
            std::size_t usable = listed.size() * kPorts;
            for (const auto& [key, tuple] : tuples) {
                if (key.first != backend || !listed.contains(key.second.address)) continue;
                if (tuple.connection != kNoConnection || tuple.usable > now) --usable;
            }
            const auto use = pool.usage(backend, IpFamily::V4, now);
            ASSERT_EQ(use.capacity - use.leased - use.quarantined, usable);
            const auto lease = pool.acquire(backend, IpFamily::V4, turn, now);
            ASSERT_EQ(lease.has_value(), usable > 0);
            if (!lease) continue;
            const auto key = std::pair(backend, pool.source(*lease));
            ASSERT_TRUE(listed.contains(key.second.address));
            Tuple& tuple = tuples[key];
            ASSERT_EQ(tuple.connection, kNoConnection) << "leased twice";
            ASSERT_LE(tuple.usable, now);
            tuple.connection = turn;
            tuple.lease = *lease;
            live.push_back(key);
        } else {
            std::swap(live[random() % live.size()], live.back());
            Tuple& tuple = tuples.at(live.back());
            ASSERT_EQ(pool.find(live.back().first, live.back().second), tuple.connection);
            pool.release(tuple.lease, now, {});
            tuple.connection = kNoConnection;
            tuple.usable = now + o.quarantine;
            live.pop_back();
        }
    }
    EXPECT_EQ(positions.size(), 10U);
}

}  // namespace
}  // namespace sluice::nat
