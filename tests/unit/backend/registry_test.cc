// Numbers that connections hold stay true, whatever a reload does to the rest.
#include "sluice/backend/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "sluice/base/random.h"

namespace sluice::backend {
namespace {

IpAddress source(unsigned n) { return IpAddress::v4(10, 2, 1, static_cast<std::uint8_t>(n)); }
SocketAddress broker(unsigned n) { return {IpAddress::v4(10, 2, 0, static_cast<std::uint8_t>(n)), 1883}; }
SocketAddress broker6(unsigned n) { return {*IpAddress::parse("fd00::" + std::to_string(n)), 1883}; }

config::Backend backend(const std::string& name, const SocketAddress& address) {
    config::Backend b;
    b.name = name;
    b.address = address;
    return b;
}

config::Pool pool(const std::string& name, std::vector<IpAddress> sources,
                  std::vector<config::Backend> backends) {
    config::Pool p;
    p.name = name;
    p.source_addresses = std::move(sources);
    p.backends = std::move(backends);
    return p;
}

config::Pool brokers(const std::vector<unsigned>& numbers, const std::vector<unsigned>& sources = {1, 2}) {
    config::Pool p = pool("brokers", {}, {});
    for (const unsigned n : sources) p.source_addresses.push_back(source(n));
    for (const unsigned n : numbers) p.backends.push_back(backend("b" + std::to_string(n), broker(n)));
    return p;
}

config::Listener listener(const std::string& name, std::uint16_t port, std::uint32_t pool) {
    config::Listener l;
    l.name = name;
    l.address = {IpAddress::v4(10, 1, 0, 1), port};
    l.pool_index = pool;
    return l;
}

config::Config of(std::vector<config::Pool> pools, std::vector<config::Listener> listeners = {}) {
    config::Config c;
    c.pools = std::move(pools);
    c.listeners = std::move(listeners);
    return c;
}

// Nothing refers to anything.
Use unused(const Registry& registry) {
    Use use;
    use.listeners.resize(registry.listeners.size());
    use.sources.resize(registry.pools.size());
    for (const Registry::Pool& p : registry.pools) use.backends.emplace_back(p.backends.size());
    return use;
}

std::string refusal(const config::Config& config, const Registry& running) {
    try {
        assign(config, &running);
    } catch (const AssignmentError& error) {
        return error.what();
    }
    return "";
}

std::vector<Standing> standings(const Registry::Pool& pool) {
    std::vector<Standing> all;
    for (const Registry::Backend& b : pool.backends) all.push_back(b.standing);
    return all;
}

using enum Standing;

TEST(Registry, AtStartEverythingHasThePlaceOfTheFile) {
    const Registry r = assign(of({brokers({1, 2}), pool("other", {source(9)}, {backend("x", broker(3))})},
                                 {listener("a", 1883, 1), listener("b", 1884, 0)}),
                              nullptr);
    ASSERT_EQ(r.pools.size(), 2U);
    EXPECT_EQ(r.pools[0].backends[0].position, 0U);
    EXPECT_EQ(r.pools[0].backends[1].position, 1U);
    EXPECT_EQ(r.pools[1].backends[0].position, 2U);
    EXPECT_EQ(r.listeners[0].pool, 1U);
    EXPECT_EQ(r.listeners[1].pool, 0U);
    EXPECT_EQ(r.find_pool("other"), 1U);
    EXPECT_EQ(r.find_listener("b"), 1U);
    EXPECT_FALSE(r.find_pool("nobody"));
    EXPECT_FALSE(anything_removed(r));
}

TEST(Registry, AnotherOrderOfSectionsMovesNothing) {
    const config::Pool other = pool("other", {source(9)}, {backend("x", broker(3))});
    const Registry before =
        assign(of({brokers({1, 2}), other}, {listener("a", 1883, 0), listener("b", 1884, 1)}), nullptr);
    const Registry after =
        assign(of({other, brokers({2, 1})}, {listener("b", 1884, 0), listener("a", 1883, 1)}), &before);
    EXPECT_EQ(after.find_pool("brokers"), 0U);
    EXPECT_EQ(after.find_pool("other"), 1U);
    EXPECT_EQ(after.find_listener("a"), 0U);
    EXPECT_EQ(after.listeners[0].pool, 0U);
    EXPECT_EQ(after.listeners[1].pool, 1U);
    for (const unsigned b : {0U, 1U}) {
        EXPECT_EQ(after.pools[0].backends[b].config.address, before.pools[0].backends[b].config.address);
        EXPECT_EQ(after.pools[0].backends[b].position, b);
    }
    EXPECT_FALSE(anything_removed(after));
}

TEST(Registry, ARenamedBackendListenerOrPoolKeepsItsPlace) {
    const Registry before = assign(of({brokers({1, 2})}, {listener("a", 1883, 0)}), nullptr);
    config::Config renamed = of({brokers({1, 2})}, {listener("front", 1883, 0)});
    renamed.pools[0].name = "fleet";
    renamed.pools[0].backends[1].name = "second";
    const Registry after = assign(renamed, &before);
    EXPECT_EQ(after.find_listener("front"), 0U);
    EXPECT_EQ(after.find_pool("fleet"), 0U);
    EXPECT_FALSE(after.find_pool("brokers"));
    ASSERT_EQ(after.pools.size(), 1U);
    ASSERT_EQ(after.pools[0].backends.size(), 2U);
    EXPECT_EQ(after.pools[0].backends[1].config.name, "second");
    EXPECT_EQ(after.pools[0].backends[1].position, 1U);
    EXPECT_FALSE(anything_removed(after));
}

TEST(Registry, ARenamedPoolIsKnownByTheAddressesItHadBeforeToo) {
    Registry r = assign(of({brokers({1, 2}, {1, 2})}), nullptr);
    r = assign(of({brokers({1, 2}, {3})}), &r);
    config::Config renamed = of({brokers({1, 2}, {1, 2})});
    renamed.pools[0].name = "fleet";
    r = assign(renamed, &r);
    EXPECT_EQ(r.find_pool("fleet"), 0U);
    EXPECT_EQ(r.pools[0].retained_sources, (std::vector{source(3)}));
}

// Both had the same source addresses, so these alone do not tell one from the other.
TEST(Registry, TwoRenamedPoolsOfTheSameSourcesAreToldApartByTheirBrokers) {
    const config::Pool x = pool("x", {source(1)}, {backend("b", broker(1))});
    const config::Pool y = pool("y", {source(1)}, {backend("b", broker(2))});
    const Registry before = assign(of({x, y}), nullptr);
    config::Pool x2 = x;
    config::Pool y2 = y;
    x2.name = "x2";
    y2.name = "y2";
    const Registry after = assign(of({y2, x2}), &before);
    EXPECT_EQ(after.find_pool("x2"), 0U);
    EXPECT_EQ(after.find_pool("y2"), 1U);
    EXPECT_FALSE(anything_removed(after));
}

TEST(Registry, AChangedAddressTakesANewPlaceAndTheOldOneStaysWhileItIsUsed) {
    Registry r = assign(of({brokers({1, 2})}, {listener("a", 1883, 0)}), nullptr);
    config::Config moved = of({brokers({1, 2})}, {listener("a", 1884, 0)});
    moved.pools[0].backends[0].address = broker(7);
    r = assign(moved, &r);
    EXPECT_EQ(standings(r.pools[0]), (std::vector{Removed, Active, Active}));
    EXPECT_EQ(r.pools[0].backends[0].config.address, broker(1));
    EXPECT_EQ(r.pools[0].backends[2].config.address, broker(7));
    EXPECT_EQ(r.pools[0].backends[2].position, 2U);
    EXPECT_EQ(r.listeners[0].standing, Removed);
    EXPECT_EQ(r.find_listener("a"), 1U);
    EXPECT_TRUE(anything_removed(r));

    Use use = unused(r);
    use.backends[0][0] = 3;
    use.listeners[0] = 1;
    EXPECT_FALSE(reclaim(r, use));
    use.backends[0][0] = 0;
    EXPECT_TRUE(reclaim(r, use));
    EXPECT_EQ(r.pools[0].backends[0].standing, Vacant);
    EXPECT_EQ(r.listeners[0].standing, Removed);
    use.listeners[0] = 0;
    EXPECT_TRUE(reclaim(r, use));
    EXPECT_EQ(r.listeners[0].standing, Vacant);
    EXPECT_FALSE(anything_removed(r));
    EXPECT_FALSE(reclaim(r, use));
}

TEST(Registry, VacateLeavesWhatIsActiveAlone) {
    Registry r = assign(of({brokers({1, 2})}, {listener("a", 1883, 0)}), nullptr);
    EXPECT_FALSE(reclaim(r, unused(r)));
    EXPECT_EQ(standings(r.pools[0]), (std::vector{Active, Active}));
    EXPECT_EQ(r.listeners[0].standing, Active);
}

TEST(Registry, WhatComesBackTakesItsRemovedPlaceAgain) {
    const Registry first =
        assign(of({brokers({1, 2, 3})}, {listener("a", 1883, 0), listener("b", 1884, 0)}), nullptr);
    const Registry without = assign(of({brokers({1, 3})}, {listener("a", 1883, 0)}), &first);
    EXPECT_EQ(standings(without.pools[0]), (std::vector{Active, Removed, Active}));
    const Registry again = assign(of({brokers({4, 2, 1, 3})}, {listener("b", 1884, 0)}), &without);
    EXPECT_EQ(standings(again.pools[0]), (std::vector{Active, Active, Active, Active}));
    EXPECT_EQ(again.pools[0].backends[1].config.address, broker(2));
    EXPECT_EQ(again.pools[0].backends[1].position, 1U);
    EXPECT_EQ(again.pools[0].backends[3].config.address, broker(4));
    EXPECT_EQ(again.find_listener("b"), 1U);
    EXPECT_EQ(again.listeners[0].standing, Removed);
}

TEST(Registry, ARemovedPoolComesBackToItsPlaceByItsName) {
    const config::Pool other = pool("other", {source(9)}, {backend("x", broker(3))});
    const Registry first = assign(of({brokers({1, 2}), other}), nullptr);
    const Registry without = assign(of({other}), &first);
    EXPECT_EQ(without.pools[0].standing, Removed);
    EXPECT_EQ(standings(without.pools[0]), (std::vector{Removed, Removed}));
    const Registry again = assign(of({other, brokers({2}, {3})}), &without);
    EXPECT_EQ(again.find_pool("brokers"), 0U);
    EXPECT_EQ(standings(again.pools[0]), (std::vector{Removed, Active}));
    EXPECT_EQ(again.pools[0].retained_sources, (std::vector{source(1), source(2)}));
}

TEST(Registry, VacantPlacesAreTakenAgainButThoseOfPools) {
    Registry r = assign(of({brokers({1, 2, 3})}, {listener("a", 1883, 0), listener("b", 1884, 0)}), nullptr);
    r = assign(of({brokers({1, 3})}, {listener("b", 1884, 0)}), &r);
    ASSERT_TRUE(reclaim(r, unused(r)));
    r = assign(of({brokers({1, 3, 9, 8})}, {listener("b", 1884, 0), listener("c", 1885, 0)}), &r);
    ASSERT_EQ(r.pools[0].backends.size(), 4U);
    EXPECT_EQ(r.pools[0].backends[1].config.address, broker(9));
    EXPECT_EQ(r.pools[0].backends[3].config.address, broker(8));
    EXPECT_EQ(r.find_listener("c"), 0U);
    ASSERT_EQ(r.listeners.size(), 2U);

    // Its leases are numbered by its own addresses and ports.
    r = assign(of({pool("other", {source(9)}, {backend("x", broker(1))})}), &r);
    ASSERT_TRUE(reclaim(r, unused(r)));
    EXPECT_EQ(r.pools[0].standing, Vacant);
    r = assign(of({brokers({1})}), &r);
    EXPECT_EQ(r.find_pool("brokers"), 2U);
    EXPECT_EQ(r.pools[1].standing, Removed);
}

TEST(Registry, APositionIsNotTakenAgainAtOnce) {
    Registry r = assign(of({brokers({1, 2})}), nullptr);
    std::set<std::uint32_t> seen{0, 1};
    for (unsigned n = 3; n < 200; ++n) {
        r = assign(of({brokers({1, n})}), &r);
        ASSERT_TRUE(reclaim(r, unused(r)));
        r.each_backend([&](std::uint32_t, std::uint32_t, const Registry::Backend& b) {
            if (b.config.address == broker(n)) {
                EXPECT_TRUE(seen.insert(b.position).second) << n;
            }
            EXPECT_LT(b.position, kMaxBackends);
        });
        ASSERT_EQ(r.pools[0].backends.size(), 3U);
    }
}

TEST(Registry, PositionsGoRoundAndPassOverThoseInUse) {
    Registry r = assign(of({brokers({1, 2})}), nullptr);
    r.next_position = kMaxBackends - 1;
    r = assign(of({brokers({1, 2, 3, 4})}), &r);
    EXPECT_EQ(r.pools[0].backends[2].position, kMaxBackends - 1);
    EXPECT_EQ(r.pools[0].backends[3].position, 2U);
}

TEST(Registry, MoreBackendsThanPositionsAreRefused) {
    config::Config c = of({pool("brokers", {source(1)}, {})});
    for (std::uint32_t n = 0; n < kMaxBackends; ++n) {
        c.pools[0].backends.push_back(
            backend("b" + std::to_string(n), {IpAddress::v4(0x0b000000U + n), 1883}));
    }
    Registry r = assign(c, nullptr);
    config::Config other = c;
    other.pools[0].backends[7].address = broker(1);
    EXPECT_EQ(refusal(other, r),
              "more than 4096 backends, with those that still have connections; wait until they are gone");
    // It is room again once one is gone.
    config::Config fewer = c;
    fewer.pools[0].backends.erase(fewer.pools[0].backends.begin() + 7);
    r = assign(fewer, &r);
    EXPECT_NE(refusal(other, r), "");
    ASSERT_TRUE(reclaim(r, unused(r)));
    EXPECT_EQ(assign(other, &r).pools[0].backends[7].position, 7U);
    c.pools[0].backends.push_back(backend("one-more", broker(2)));
    EXPECT_THROW(assign(c, nullptr), AssignmentError);
}

TEST(Registry, SourcePortsCannotChangeWhileThePoolIsThere) {
    const Registry r = assign(of({brokers({1})}), nullptr);
    config::Config c = of({brokers({1})});
    c.pools[0].source_ports = {2000, 3000};
    EXPECT_NE(refusal(c, r).find("pool brokers: source_ports cannot change"), std::string::npos);
    // By another name it is the same pool.
    c.pools[0].name = "fleet";
    EXPECT_NE(refusal(c, r).find("pool fleet: source_ports cannot change"), std::string::npos);
    c.pools[0].source_addresses = {source(8)};
    EXPECT_EQ(assign(c, &r).find_pool("fleet"), 1U);
}

TEST(Registry, SourceAddressesThatAreTakenAwayAreRetainedUntilUnused) {
    Registry r = assign(of({brokers({1}, {1, 2, 3})}), nullptr);
    r = assign(of({brokers({1}, {3, 4})}), &r);
    EXPECT_EQ(r.pools[0].retained_sources, (std::vector{source(1), source(2)}));
    EXPECT_TRUE(anything_removed(r));
    r = assign(of({brokers({1}, {5, 2})}), &r);
    EXPECT_EQ(r.pools[0].retained_sources, (std::vector{source(1), source(3), source(4)}));
    Use use = unused(r);
    use.sources[0] = {source(3)};
    EXPECT_TRUE(reclaim(r, use));
    EXPECT_EQ(r.pools[0].retained_sources, (std::vector{source(3)}));
    EXPECT_FALSE(reclaim(r, use));
    EXPECT_TRUE(reclaim(r, unused(r)));
    EXPECT_FALSE(anything_removed(r));
}

TEST(Registry, RoutesNameListenersAndPoolsByTheirPlaces) {
    const config::Pool other = pool("other", {source(9)}, {backend("x", broker(3))});
    Registry r = assign(of({brokers({1}), other}, {listener("a", 1883, 0), listener("b", 1884, 1)}), nullptr);
    config::Config c = of({other, brokers({1})}, {listener("b", 1884, 0), listener("a", 1883, 1)});
    c.routes.resize(3);
    c.routes[0].listener = "b";
    c.routes[0].pool_index = 1;
    c.routes[1].pool_index = 0;
    c.routes[2].refuse = config::RouteRefusal::Unavailable;
    r = assign(c, &r);
    ASSERT_EQ(r.routes.size(), 3U);
    EXPECT_EQ(r.routes[0].listener, 1U);
    EXPECT_EQ(r.routes[0].pool, 0U);
    EXPECT_FALSE(r.routes[1].listener);
    EXPECT_EQ(r.routes[1].pool, 1U);
    EXPECT_TRUE(r.routes[2].config.refuse);
    EXPECT_TRUE(assign(of({brokers({1})}), &r).routes.empty());
}

// --- a packet from a broker must name one pool ---

TEST(Registry, ANewPoolMayNotReachABrokerFromWhereARemovedOnesConnectionsDo) {
    const config::Pool other = pool("other", {source(9)}, {backend("x", broker(3))});
    Registry r = assign(of({brokers({1, 2}, {1, 2}), other}), nullptr);
    r = assign(of({other}), &r);
    // The first of them has the old pool's place, and with it the address of the second.
    const config::Config c = of({other, pool("third", {source(2)}, {backend("again", broker(2))}),
                                 pool("fourth", {source(1)}, {backend("anew", broker(1))})});
    const std::string why = refusal(c, r);
    EXPECT_NE(why.find("pool fourth reaches backend anew from source addresses of pool third, whose "
                       "connections are still there"),
              std::string::npos)
        << why;
    EXPECT_EQ(why.find('\n'), std::string::npos);
    ASSERT_TRUE(reclaim(r, unused(r)));
    EXPECT_EQ(assign(c, &r).find_pool("fourth"), 3U);
}

TEST(Registry, NeitherFromWhereAnActivePoolsOldConnectionsDo) {
    const config::Pool other = pool("other", {source(9)}, {backend("x", broker(3))});
    const Registry first = assign(of({brokers({1, 2}, {1, 2}), other}), nullptr);

    // A source address goes from one pool to the other, which has the same broker.
    config::Config c = of({brokers({1, 2}, {1}), other});
    c.pools[1].source_addresses.push_back(source(2));
    c.pools[1].backends.push_back(backend("shared", broker(2)));
    EXPECT_NE(refusal(c, first).find("pool other reaches backend shared"), std::string::npos);
    // In two steps, when the address is no longer used, it may.
    Registry r = assign(of({brokers({1, 2}, {1}), other}), &first);
    EXPECT_NE(refusal(c, r), "");
    ASSERT_TRUE(reclaim(r, unused(r)));
    EXPECT_EQ(refusal(c, r), "");

    // A broker goes from one pool to the other, which has the same source address.
    config::Config d = of({brokers({1}, {1, 2}), other});
    d.pools[1].source_addresses.push_back(source(2));
    d.pools[1].backends.push_back(backend("moved", broker(2)));
    EXPECT_NE(refusal(d, first).find("pool other reaches backend moved"), std::string::npos);
    r = assign(of({brokers({1}, {1, 2}), other}), &first);
    EXPECT_NE(refusal(d, r), "");
    ASSERT_TRUE(reclaim(r, unused(r)));
    EXPECT_EQ(refusal(d, r), "");

    // Another broker, other ports or another family's brokers are nobody's business.
    config::Config e = of({brokers({1}, {1}), other});
    e.pools[1].source_addresses.push_back(source(2));
    e.pools[1].backends.push_back(backend("new", broker(4)));
    EXPECT_EQ(refusal(e, first), "");
    config::Config f = c;
    f.pools[1].backends.pop_back();
    f.pools[1].backends.push_back(backend("new", broker6(2)));
    EXPECT_EQ(refusal(f, first), "");
}

TEST(Registry, ANewListenerMayNotStandWhereOldConnectionsLeaseTheirPorts) {
    const Registry first = assign(of({brokers({1}, {1, 2})}, {listener("a", 1883, 0)}), nullptr);
    config::Config c = of({brokers({1}, {1})}, {listener("a", 1883, 0), listener("b", 1884, 0)});
    c.listeners[1].address.address = source(2);
    EXPECT_NE(refusal(c, first).find("listener b"), std::string::npos);
    Registry r = assign(of({brokers({1}, {1})}, {listener("a", 1883, 0)}), &first);
    EXPECT_NE(refusal(c, r), "");
    ASSERT_TRUE(reclaim(r, unused(r)));
    EXPECT_EQ(refusal(c, r), "");

    // And no pool may lease ports where a removed listener's connections are.
    config::Config d = of({brokers({1}, {1})}, {listener("a", 1883, 0)});
    d.listeners[0].address.address = source(7);
    Registry s = assign(d, &r);
    config::Config e = of({brokers({1}, {1, 7})}, {listener("a", 1883, 0)});
    EXPECT_NE(refusal(e, s).find("pool brokers"), std::string::npos);
    ASSERT_TRUE(reclaim(s, unused(s)));  // the first listener a
    s = assign(of({brokers({1}, {1})}, {listener("a", 1883, 0)}), &s);
    EXPECT_NE(refusal(e, s), "");
    ASSERT_TRUE(reclaim(s, unused(s)));
    EXPECT_EQ(refusal(e, s), "");
}

TEST(Registry, ThePlacesOfSourceAddressesAreNotWithoutEnd) {
    config::Config c = of({pool("brokers", {}, {backend("b", broker(1))})});
    const auto sources = [&](std::uint32_t from) {
        c.pools[0].source_addresses.clear();
        for (std::uint32_t n = 0; n < 4096; ++n) {
            c.pools[0].source_addresses.push_back(IpAddress::v4(0x0a000000U + from * 4096 + n));
        }
    };
    sources(0);
    Registry r = assign(c, nullptr);
    // 64,512 ports each: 16 times 4096 addresses fit 32 bits, and no more.
    for (std::uint32_t n = 1; n < 16; ++n) {
        sources(n);
        r = assign(c, &r);
        ASSERT_TRUE(reclaim(r, unused(r)));
    }
    sources(16);
    EXPECT_NE(refusal(c, r).find("pool brokers: too many source addresses"), std::string::npos);
    sources(3);
    EXPECT_EQ(refusal(c, r), "");
}

// --- whatever comes in whatever order ---

// What a connection remembers, and what must therefore stay as it is.
struct Lease {
    std::uint32_t pool = 0;
    std::uint32_t backend = 0;
    std::uint32_t position = 0;
    SocketAddress broker;
    IpAddress source;
    std::uint32_t listener = 0;
    SocketAddress at;
};

config::Config random_config(SplitMix64& random) {
    config::Config c;
    const auto pools = 1 + random.below(3);
    for (std::uint64_t p = 0; p < pools; ++p) {
        c.pools.push_back(pool("p" + std::to_string(p + random.below(2) * 3), {}, {}));
    }
    for (unsigned s = 0; s < 10; ++s) {
        if (random.below(4) != 0) c.pools[random.below(pools)].source_addresses.push_back(source(s));
    }
    for (config::Pool& p : c.pools) {
        for (unsigned b = 0; b < 6; ++b) {
            if (random.below(2) != 0) p.backends.push_back(backend("b" + std::to_string(b), broker(b)));
        }
        for (std::size_t i = p.backends.size(); i > 1; --i) {
            std::swap(p.backends[i - 1], p.backends[random.below(i)]);
        }
    }
    for (std::uint16_t l = 0; l < 4; ++l) {
        if (random.below(2) == 0) continue;
        c.listeners.push_back(listener("l" + std::to_string(l), static_cast<std::uint16_t>(1883 + l),
                                       static_cast<std::uint32_t>(random.below(pools))));
    }
    return c;
}

void expect_seated(const config::Config& c, const Registry& r) {
    std::size_t active = 0;
    for (const config::Pool& p : c.pools) {
        const auto place = r.find_pool(p.name);
        ASSERT_TRUE(place);
        EXPECT_EQ(r.pools[*place].config.source_addresses, p.source_addresses);
        for (const config::Backend& b : p.backends) {
            EXPECT_EQ(std::ranges::count_if(
                          r.pools[*place].backends,
                          [&](const Registry::Backend& o) { return o.standing == Active && o.config == b; }),
                      1);
            ++active;
        }
        for (const IpAddress& a : r.pools[*place].retained_sources) {
            EXPECT_EQ(std::ranges::count(p.source_addresses, a), 0);
        }
    }
    r.each_backend([&](std::uint32_t, std::uint32_t, const Registry::Backend& b) {
        if (b.standing == Active) --active;
    });
    EXPECT_EQ(active, 0U);
    EXPECT_EQ(std::ranges::count(r.listeners, Active, &Registry::Listener::standing),
              static_cast<std::ptrdiff_t>(c.listeners.size()));
    for (const config::Listener& l : c.listeners) {
        const auto place = r.find_listener(l.name);
        ASSERT_TRUE(place);
        EXPECT_EQ(r.listeners[*place].config.address, l.address);
        EXPECT_EQ(r.pools[r.listeners[*place].pool].config.name, c.pools[l.pool_index].name);
    }
}

void expect_sound(const Registry& r) {
    std::set<std::uint32_t> positions;
    std::map<std::pair<IpAddress, SocketAddress>, std::uint32_t> tuples;
    r.each_backend([&](std::uint32_t p, std::uint32_t, const Registry::Backend& b) {
        EXPECT_TRUE(positions.insert(b.position).second);
        EXPECT_LT(b.position, kMaxBackends);
        for (const auto* list : {&r.pools[p].config.source_addresses, &r.pools[p].retained_sources}) {
            for (const IpAddress& s : *list) {
                EXPECT_TRUE(tuples.try_emplace({s, b.config.address}, p).second)
                    << s.to_string() << " to " << b.config.address.to_string();
            }
        }
    });
}

void expect_kept(const Registry& r, const std::vector<Lease>& leases) {
    for (const Lease& l : leases) {
        const Registry::Pool& p = r.pools[l.pool];
        const Registry::Backend& b = p.backends[l.backend];
        EXPECT_NE(p.standing, Vacant);
        EXPECT_NE(b.standing, Vacant);
        EXPECT_EQ(b.position, l.position);
        EXPECT_EQ(b.config.address, l.broker);
        EXPECT_TRUE(std::ranges::count(p.config.source_addresses, l.source) +
                        std::ranges::count(p.retained_sources, l.source) ==
                    1);
        EXPECT_NE(r.listeners[l.listener].standing, Vacant);
        EXPECT_EQ(r.listeners[l.listener].config.address, l.at);
    }
}

void connect(const Registry& r, std::vector<Lease>& leases, SplitMix64& random) {
    r.each_backend([&](std::uint32_t p, std::uint32_t b, const Registry::Backend& backend) {
        const auto& sources = r.pools[p].config.source_addresses;
        if (backend.standing != Active || sources.empty() || random.below(3) != 0) return;
        const auto at = static_cast<std::uint32_t>(random.below(r.listeners.size() + 1));
        if (at == r.listeners.size() || r.listeners[at].standing != Active) return;
        leases.push_back({p, b, backend.position, backend.config.address,
                          sources[random.below(sources.size())], at, r.listeners[at].config.address});
    });
}

Use use_of(const Registry& r, const std::vector<Lease>& leases) {
    Use use = unused(r);
    for (const Lease& l : leases) {
        ++use.listeners[l.listener];
        ++use.backends[l.pool][l.backend];
        use.sources[l.pool].push_back(l.source);
    }
    return use;
}

TEST(Registry, ThousandsOfRandomReloadsMoveNoConnection) {
    int taken = 0;
    int refused = 0;
    int vacated = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        SplitMix64 random(seed);
        std::vector<Lease> leases;
        config::Config config = random_config(random);
        Registry r = assign(config, nullptr);
        for (int step = 0; step < 150 && !testing::Test::HasFailure(); ++step) {
            connect(r, leases, random);
            // Most connections end between two reloads, all of them sometimes.
            const std::uint64_t ends = random.below(10);
            std::erase_if(leases, [&](const Lease&) { return random.below(9) < ends; });
            const config::Config next = random_config(random);
            const Registry before = r;
            try {
                r = assign(next, &before);
                config = next;
                ++taken;
            } catch (const AssignmentError&) {
                ++refused;
            }
            expect_seated(config, r);
            expect_sound(r);
            expect_kept(r, leases);
            vacated += reclaim(r, use_of(r, leases)) ? 1 : 0;
            expect_seated(config, r);
            expect_sound(r);
            expect_kept(r, leases);
        }
    }
    EXPECT_GT(taken, 500);
    EXPECT_GT(refused, 20);
    EXPECT_GT(vacated, 300);
}

}  // namespace
}  // namespace sluice::backend
