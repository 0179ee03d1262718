#include "sluice/backend/health_tracker.h"

#include <gtest/gtest.h>

namespace sluice::backend {
namespace {

config::Config two_backends(config::HealthType type) {
    config::Config config;
    config::Pool pool;
    pool.health.type = type;
    pool.health.rise = 2;
    pool.health.fall = 3;
    pool.backends.resize(2);
    config.pools.push_back(pool);
    return config;
}

constexpr Offer kOffer{.mss = 1460, .window = 5000, .window_scale = 7, .sack = true, .timestamps = true};
const Instant kNow = Instant{} + 10s;

TEST(HealthTracker, FallsAfterThreeFailuresInARowAndRisesAfterTwoSuccesses) {
    HealthTracker t(two_backends(config::HealthType::Tcp));
    EXPECT_TRUE(t.view(0).healthy);
    EXPECT_FALSE(t.on_probe(0, ProbeFailure::Silent, {}, {}, kNow));
    EXPECT_FALSE(t.on_probe(0, ProbeFailure::Refused, {}, {}, kNow));
    EXPECT_TRUE(t.on_probe(0, ProbeFailure::Refused, {}, {}, kNow));
    EXPECT_FALSE(t.view(0).healthy);
    EXPECT_EQ(t.view(0).last_failure.failure, ProbeFailure::Refused);
    EXPECT_EQ(t.view(0).since, kNow);
    EXPECT_TRUE(t.view(1).healthy);

    t.on_probe(0, ProbeFailure::None, kOffer, 1ms, kNow + 1s);
    EXPECT_FALSE(t.view(0).healthy);
    EXPECT_TRUE(t.on_probe(0, ProbeFailure::None, kOffer, 1ms, kNow + 2s));
    EXPECT_TRUE(t.view(0).healthy);
    EXPECT_EQ(t.view(0).latency, Duration(1ms));
}

TEST(HealthTracker, ASuccessInterruptsTheRow) {
    HealthTracker t(two_backends(config::HealthType::Tcp));
    for (int i = 0; i < 10; ++i) {
        EXPECT_FALSE(t.on_probe(0, ProbeFailure::Silent, {}, {}, kNow));
        EXPECT_FALSE(t.on_attempt_failed(0, ProbeFailure::Refused, kNow));
        t.on_attempt_succeeded(0);
    }
    EXPECT_TRUE(t.view(0).healthy);
}

TEST(HealthTracker, FailedAttemptsCountLikeProbesButNeverWithoutProbes) {
    HealthTracker probed(two_backends(config::HealthType::Tcp));
    HealthTracker unprobed(two_backends(config::HealthType::None));
    bool fell = false;
    for (int i = 0; i < 3; ++i) {
        fell = probed.on_attempt_failed(0, ProbeFailure::Silent, kNow);
        EXPECT_FALSE(unprobed.on_attempt_failed(0, ProbeFailure::Silent, kNow));
    }
    EXPECT_TRUE(fell);
    EXPECT_TRUE(unprobed.view(0).healthy);
}

TEST(HealthTracker, AChangedOfferIsNews) {
    HealthTracker t(two_backends(config::HealthType::Tcp));
    EXPECT_TRUE(t.on_probe(0, ProbeFailure::None, kOffer, {}, kNow));
    EXPECT_FALSE(t.on_probe(0, ProbeFailure::None, kOffer, {}, kNow));
    Offer without_sack = kOffer;
    without_sack.sack = false;
    EXPECT_TRUE(t.on_probe(0, ProbeFailure::None, without_sack, {}, kNow));
    EXPECT_EQ(t.conditions()[0].offer, without_sack);
}

// --- reload ---

config::Config with_addresses(config::HealthType type, const std::vector<std::uint8_t>& brokers) {
    config::Config config = two_backends(type);
    config.pools[0].name = "brokers";
    config.pools[0].backends.clear();
    for (const std::uint8_t n : brokers) {
        config::Backend b;
        b.name = "b" + std::to_string(n);
        b.address = {IpAddress::v4(10, 2, 0, n), 1883};
        config.pools[0].backends.push_back(b);
    }
    return config;
}

TEST(HealthTracker, WhatAReloadBringsIsDownUntilItsFirstGoodProbe) {
    Registry registry = assign(with_addresses(config::HealthType::Tcp, {1, 2}), nullptr);
    HealthTracker t(registry, kNow);
    registry = assign(with_addresses(config::HealthType::Tcp, {3, 1, 2}), &registry);
    t.use(registry, kNow + 1s);
    EXPECT_TRUE(t.view(0).healthy);
    EXPECT_TRUE(t.view(1).healthy);
    EXPECT_FALSE(t.view(2).healthy);
    EXPECT_EQ(t.view(2).since, kNow + 1s);
    EXPECT_FALSE(t.conditions()[2].healthy);
    EXPECT_TRUE(t.on_probe(2, ProbeFailure::None, kOffer, 1ms, kNow + 2s));
    EXPECT_TRUE(t.view(2).healthy);
    EXPECT_EQ(t.view(2).since, kNow + 2s);

    // One that failed first has to prove itself as any other.
    registry = assign(with_addresses(config::HealthType::Tcp, {3, 1, 2, 4}), &registry);
    t.use(registry, kNow + 3s);
    EXPECT_FALSE(t.on_probe(3, ProbeFailure::Silent, {}, {}, kNow + 4s));
    EXPECT_FALSE(t.view(3).healthy);
    t.on_probe(3, ProbeFailure::None, kOffer, 1ms, kNow + 5s);
    EXPECT_FALSE(t.view(3).healthy);
    EXPECT_TRUE(t.on_probe(3, ProbeFailure::None, kOffer, 1ms, kNow + 6s));
}

TEST(HealthTracker, WhoStaysStaysAsHeWas) {
    Registry registry = assign(with_addresses(config::HealthType::Tcp, {1, 2}), nullptr);
    HealthTracker t(registry, kNow);
    for (int i = 0; i < 3; ++i) t.on_probe(0, ProbeFailure::Refused, {}, {}, kNow);
    t.on_probe(1, ProbeFailure::None, kOffer, 5ms, kNow);
    t.on_probe(1, ProbeFailure::Silent, {}, {}, kNow);
    t.start_slowly(1, {.until = kNow + 30s, .rate = 20});

    config::Config next = with_addresses(config::HealthType::Tcp, {2, 1});
    next.pools[0].health.fall = 2;
    next.pools[0].health.rise = 1;
    registry = assign(next, &registry);
    t.use(registry, kNow + 10s);
    EXPECT_FALSE(t.view(0).healthy);
    EXPECT_EQ(t.view(0).since, kNow);
    EXPECT_EQ(t.view(0).failures, 3U);
    EXPECT_EQ(t.view(1).latency, Duration(5ms));
    EXPECT_EQ(t.conditions()[1].offer, kOffer);
    EXPECT_EQ(t.conditions()[1].slow_start, (SlowStart{kNow + 30s, 20}));
    // By the new limits.
    EXPECT_TRUE(t.on_probe(1, ProbeFailure::Silent, {}, {}, kNow + 11s));
    EXPECT_TRUE(t.on_probe(0, ProbeFailure::None, kOffer, 1ms, kNow + 11s));
}

TEST(HealthTracker, AChangedAddressIsANewBroker) {
    Registry registry = assign(with_addresses(config::HealthType::Tcp, {1, 2}), nullptr);
    HealthTracker t(registry, kNow);
    t.on_probe(1, ProbeFailure::None, kOffer, 5ms, kNow);
    config::Config next = with_addresses(config::HealthType::Tcp, {1, 7});
    next.pools[0].backends[1].name = "b2";
    registry = assign(next, &registry);
    t.use(registry, kNow + 1s);
    EXPECT_TRUE(t.view(1).healthy);  // the old one, as long as connections are there
    EXPECT_FALSE(t.view(2).healthy);
    EXPECT_FALSE(t.view(2).probed);
    EXPECT_FALSE(t.conditions()[2].offer);
}

TEST(HealthTracker, WithoutProbesEverybodyIsUpAtOnce) {
    Registry registry = assign(with_addresses(config::HealthType::Tcp, {1, 2}), nullptr);
    HealthTracker t(registry, kNow);
    for (int i = 0; i < 3; ++i) t.on_probe(0, ProbeFailure::Refused, {}, {}, kNow);
    registry = assign(with_addresses(config::HealthType::None, {1, 2, 3}), &registry);
    t.use(registry, kNow + 1s);
    for (const std::uint32_t b : {0U, 1U, 2U}) EXPECT_TRUE(t.view(b).healthy) << b;
    EXPECT_EQ(t.view(0).since, kNow + 1s);
    // And with probes again it has nothing to prove first.
    registry = assign(with_addresses(config::HealthType::Tcp, {1, 2, 3}), &registry);
    t.use(registry, kNow + 2s);
    EXPECT_TRUE(t.view(0).healthy);
}

TEST(HealthTracker, AVacantPlacesNextOwnerInheritsNothing) {
    Registry registry = assign(with_addresses(config::HealthType::Tcp, {1, 2}), nullptr);
    HealthTracker t(registry, kNow);
    for (int i = 0; i < 3; ++i) t.on_probe(1, ProbeFailure::Refused, {}, {}, kNow);
    registry = assign(with_addresses(config::HealthType::Tcp, {1}), &registry);
    t.use(registry, kNow);
    EXPECT_FALSE(t.view(1).healthy);
    ASSERT_TRUE(reclaim(registry, {.listeners = {}, .backends = {{0, 0}}, .sources = {{}}}));
    t.use(registry, kNow);
    registry = assign(with_addresses(config::HealthType::Tcp, {1, 2}), &registry);
    t.use(registry, kNow + 5s);
    const std::uint32_t position = registry.pools[0].backends[1].position;
    EXPECT_EQ(position, 2U);
    EXPECT_FALSE(t.view(position).probed);
    EXPECT_EQ(t.view(position).failures, 0U);
}

TEST(Snapshot, OffersClientsOnlyWhatEveryUsableBrokerAccepts) {
    const config::Config config = two_backends(config::HealthType::Tcp);
    std::vector<Condition> conditions(2);
    EXPECT_TRUE(build_snapshot(config, conditions, 1, nullptr)->pools[0].offer.sack);
    conditions[0].offer = kOffer;
    conditions[1].offer =
        Offer{.mss = 1400, .window = 9000, .window_scale = 2, .sack = true, .timestamps = false};
    const auto both = build_snapshot(config, conditions, 2, nullptr);
    EXPECT_EQ(both->pools[0].offer,
              (Offer{.mss = 1400, .window = 5000, .window_scale = 2, .sack = true, .timestamps = false}));
    // A broker that is down has no say.
    conditions[1].healthy = false;
    EXPECT_EQ(build_snapshot(config, conditions, 3, both.get())->pools[0].offer, kOffer);
}

TEST(Snapshot, SharesTheHashTableWithItsPredecessor) {
    const config::Config config = two_backends(config::HealthType::Tcp);
    const std::vector<Condition> conditions(2);
    const auto first = build_snapshot(config, conditions, 1, nullptr);
    EXPECT_EQ(build_snapshot(config, conditions, 2, first.get())->pools[0].maglev, first->pools[0].maglev);
}

// A client's pool is known only when its CONNECT is, and its options were agreed on before.
TEST(Snapshot, AListenerOffersWhatAllPoolsAcceptThatItMayLeadTo) {
    config::Config config = two_backends(config::HealthType::Tcp);
    config.pools[0].name = "first";
    config.pools[0].backends.resize(1);
    config.pools.push_back(config.pools[0]);
    config.pools[1].name = "second";
    config.pools.push_back(config.pools[0]);
    config.pools[2].name = "third";
    config.listeners.resize(2);
    config.listeners[0].name = "a";
    config.listeners[1].name = "b";
    config.listeners[1].address.port = 1;
    config.routes.resize(3);
    config.routes[0].listener = "a";
    config.routes[0].pool_index = 1;
    config.routes[1].pool_index = 2;
    config.routes[1].refuse = config::RouteRefusal::Unavailable;
    config.routes[2].listener = "b";
    config.routes[2].refuse = config::RouteRefusal::Unavailable;
    std::vector<Condition> conditions(3);
    conditions[0].offer = kOffer;
    conditions[1].offer =
        Offer{.mss = 1300, .window = 4000, .window_scale = 9, .sack = false, .timestamps = true};
    conditions[2].offer =
        Offer{.mss = 500, .window = 100, .window_scale = 1, .sack = false, .timestamps = false};
    const auto snapshot = build_snapshot(config, conditions, 1, nullptr);
    EXPECT_EQ(snapshot->listeners[0].offer,
              (Offer{.mss = 1300, .window = 4000, .window_scale = 7, .sack = false, .timestamps = true}));
    EXPECT_EQ(snapshot->listeners[1].offer, kOffer);
    // A route for all listeners counts for each.
    config.routes[1].refuse.reset();
    const auto wider = build_snapshot(config, conditions, 2, snapshot.get());
    EXPECT_EQ(
        wider->listeners[1].offer,
        (Offer{
            .mss = 500, .window = kSmallestWindow, .window_scale = 1, .sack = false, .timestamps = false}));
    // A pool that nothing is known of constrains nothing but the scale and the window.
    conditions[2].offer.reset();
    const auto unknown = build_snapshot(config, conditions, 3, wider.get());
    Offer bounded = kOffer;
    bounded.window = kUnlearnedWindow;
    EXPECT_EQ(unknown->listeners[1].offer, bounded);
}

TEST(Listener, AdmitsByAllowAndDeny) {
    Listener l;
    l.config.allow = {*IpPrefix::parse("10.0.0.0/8")};
    l.config.deny = {*IpPrefix::parse("10.9.0.0/16")};
    EXPECT_TRUE(l.admits(*IpAddress::parse("10.1.2.3")));
    EXPECT_FALSE(l.admits(*IpAddress::parse("10.9.2.3")));
    EXPECT_FALSE(l.admits(*IpAddress::parse("192.0.2.1")));
    l.config.allow.clear();
    EXPECT_TRUE(l.admits(*IpAddress::parse("192.0.2.1")));
}

}  // namespace
}  // namespace sluice::backend
