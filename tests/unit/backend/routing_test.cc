// From what a client says of itself to its pool and its key.
#include "sluice/backend/routing.h"

#include <gtest/gtest.h>

namespace sluice::backend::routing_test {
namespace {

using mqtt::Version;

// Listeners "a" (of pool 0) and "b" (of pool 1); routes lead to pool 2 unless a test says otherwise.
struct Fixture {
    Fixture() {
        for (const char* const name : {"first", "second", "routed"}) {
            config::Pool pool;
            pool.name = name;
            config.pools.push_back(pool);
        }
        for (std::uint16_t i = 0; i < 2; ++i) {
            config::Listener listener;
            listener.name = i == 0 ? "a" : "b";
            listener.address = {IpAddress::v4(10, 1, 0, 1), static_cast<std::uint16_t>(1883 + i)};
            listener.pool_index = i;
            config.listeners.push_back(listener);
        }
        client.client_id = "plant-7/sensor-1";
        client.username = "alice";
        client.address = *IpAddress::parse("10.1.2.3");
    }
    config::Route& add() {
        config.routes.emplace_back().pool_index = 2;
        return config.routes.back();
    }
    Routed routed() const { return route(*build_snapshot(config, {}, 1, nullptr), client); }
    bool fits() const { return routed().route.has_value(); }

    config::Config config;
    ClientFacts client;
};

TEST(Routing, WithoutARouteTheListenerDecides) {
    Fixture f;
    EXPECT_EQ(f.routed().pool, 0U);
    EXPECT_FALSE(f.routed().route);
    f.client.listener = 1;
    EXPECT_EQ(f.routed().pool, 1U);
}

TEST(Routing, ARouteWithoutConditionsIsForEveryClient) {
    Fixture f;
    f.add();
    EXPECT_EQ(f.routed().pool, 2U);
    EXPECT_EQ(f.routed().route, 0U);
    EXPECT_FALSE(f.routed().refuse);
    f.client = {};
    EXPECT_TRUE(f.fits());
}

TEST(Routing, ByListener) {
    Fixture f;
    f.add().listener = "b";
    EXPECT_FALSE(f.fits());
    f.client.listener = 1;
    EXPECT_TRUE(f.fits());
}

TEST(Routing, ByPrefixOfTheClientId) {
    Fixture f;
    f.add().client_id_prefix = "plant-7/";
    EXPECT_TRUE(f.fits());
    for (const char* const other : {"plant-7", "plant-70/x", "xplant-7/", ""}) {
        f.client.client_id = other;
        EXPECT_FALSE(f.fits()) << other;
    }
    f.client.client_id = "plant-7/";
    EXPECT_TRUE(f.fits());
}

TEST(Routing, ByPatternAnywhereInTheClientId) {
    Fixture f;
    f.add().client_id_pattern = "sensor-[0-9]+$";
    EXPECT_TRUE(f.fits());
    f.client.client_id = "plant-7/sensor-x";
    EXPECT_FALSE(f.fits());
    f.client.client_id = "";
    EXPECT_FALSE(f.fits());
    f.config.routes[0].client_id_pattern = "^$";
    EXPECT_TRUE(f.fits());
}

TEST(Routing, ByUsername) {
    Fixture f;
    f.add().username = "alice";
    EXPECT_TRUE(f.fits());
    f.client.username = "alic";
    EXPECT_FALSE(f.fits());
    f.client.username = "";
    EXPECT_FALSE(f.fits());
    f.client.username.reset();
    EXPECT_FALSE(f.fits());
    // The empty one is for those who give none.
    f.config.routes[0].username = "";
    EXPECT_TRUE(f.fits());
    f.client.username = "";
    EXPECT_TRUE(f.fits());
    f.client.username = "alice";
    EXPECT_FALSE(f.fits());
}

TEST(Routing, ByVersion) {
    Fixture f;
    f.add().versions = {Version::V31, Version::V5};
    EXPECT_FALSE(f.fits());
    f.client.version = Version::V5;
    EXPECT_TRUE(f.fits());
    f.client.version = Version::V31;
    EXPECT_TRUE(f.fits());
}

TEST(Routing, ByNetworkOfEitherFamily) {
    Fixture f;
    f.add().networks = {*IpPrefix::parse("10.1.2.0/24"), *IpPrefix::parse("fd00:7::/64")};
    EXPECT_TRUE(f.fits());
    f.client.address = *IpAddress::parse("10.1.3.3");
    EXPECT_FALSE(f.fits());
    f.client.address = *IpAddress::parse("fd00:7::1");
    EXPECT_TRUE(f.fits());
    f.client.address = *IpAddress::parse("fd00:8::1");
    EXPECT_FALSE(f.fits());
}

// Each condition is broken in turn; only all together fit.
TEST(Routing, AllConditionsOfARouteMustHold) {
    Fixture f;
    config::Route& all = f.add();
    all.listener = "b";
    all.client_id_prefix = "plant-7/";
    all.client_id_pattern = "sensor";
    all.username = "alice";
    all.versions = {Version::V5};
    all.networks = {*IpPrefix::parse("10.0.0.0/8")};
    f.client.listener = 1;
    f.client.version = Version::V5;
    ASSERT_TRUE(f.fits());
    const ClientFacts good = f.client;
    const auto breaks = [&](auto&& change) {
        f.client = good;
        change(f.client);
        return !f.fits();
    };
    EXPECT_TRUE(breaks([](ClientFacts& c) { c.listener = 0; }));
    EXPECT_TRUE(breaks([](ClientFacts& c) { c.client_id = "plant-8/sensor"; }));
    EXPECT_TRUE(breaks([](ClientFacts& c) { c.client_id = "plant-7/pump"; }));
    EXPECT_TRUE(breaks([](ClientFacts& c) { c.username = "bob"; }));
    EXPECT_TRUE(breaks([](ClientFacts& c) { c.version = Version::V311; }));
    EXPECT_TRUE(breaks([](ClientFacts& c) { c.address = *IpAddress::parse("11.0.0.1"); }));
}

TEST(Routing, TheFirstThatFitsDecides) {
    Fixture f;
    f.add().client_id_prefix = "nobody";
    f.add().pool_index = 1;
    f.add();
    EXPECT_EQ(f.routed().route, 1U);
    EXPECT_EQ(f.routed().pool, 1U);
    std::swap(f.config.routes[1], f.config.routes[2]);
    EXPECT_EQ(f.routed().pool, 2U);
}

TEST(Routing, ARouteMayRefuse) {
    Fixture f;
    config::Route& r = f.add();
    r.username = "mallory";
    r.refuse = config::RouteRefusal::NotAuthorized;
    f.add().refuse = config::RouteRefusal::Unavailable;
    EXPECT_EQ(f.routed().refuse, config::RouteRefusal::Unavailable);
    EXPECT_EQ(f.routed().route, 1U);
    f.client.username = "mallory";
    EXPECT_EQ(f.routed().refuse, config::RouteRefusal::NotAuthorized);
    EXPECT_EQ(f.routed().route, 0U);
}

TEST(Routing, PatternsAreSharedBetweenSnapshotsWhileTheyStay) {
    Fixture f;
    f.add().client_id_pattern = "sensor";
    f.config.pools[0].hash_pattern = "^([^/]+)/";
    const auto first = build_snapshot(f.config, {}, 1, nullptr);
    const auto second = build_snapshot(f.config, {}, 2, first.get());
    EXPECT_EQ(first->routes[0].client_id_pattern, second->routes[0].client_id_pattern);
    EXPECT_EQ(first->pools[0].hash_pattern, second->pools[0].hash_pattern);
    f.config.routes[0].client_id_pattern = "pump";
    f.config.pools[0].hash_pattern = "^([^-]+)-";
    const auto third = build_snapshot(f.config, {}, 3, second.get());
    EXPECT_EQ(third->routes[0].client_id_pattern->pattern(), "pump");
    EXPECT_EQ(third->pools[0].hash_pattern->pattern(), "^([^-]+)-");
}

// --- the balancing key ---

std::optional<std::uint64_t> key(const Fixture& f) {
    return balancing_key(build_snapshot(f.config, {}, 1, nullptr)->pools[0], f.client);
}

TEST(BalancingKey, IsTheWholeClientId) {
    Fixture f;
    EXPECT_EQ(key(f), balance::key_hash("plant-7/sensor-1"));
    f.client.client_id = "";
    EXPECT_FALSE(key(f));
}

TEST(BalancingKey, IsWhatTheFirstGroupOfThePatternCaptures) {
    Fixture f;
    f.config.pools[0].hash_pattern = "^([^/]+)/(.*)$";
    EXPECT_EQ(key(f), balance::key_hash("plant-7"));
    f.client.client_id = "plant-7/another";
    EXPECT_EQ(key(f), balance::key_hash("plant-7"));
    f.config.pools[0].hash_pattern = "([0-9]+)";  // found anywhere
    EXPECT_EQ(key(f), balance::key_hash("7"));
}

TEST(BalancingKey, IsNoneWhereThePatternDoesNotFitOrCapturesNothing) {
    Fixture f;
    f.config.pools[0].hash_pattern = "^([^/]*)/";
    f.client.client_id = "no slash";
    EXPECT_FALSE(key(f));
    f.client.client_id = "/sensor-1";
    EXPECT_FALSE(key(f));
    f.config.pools[0].hash_pattern = "(plant)|sensor";  // fits, without the group
    f.client.client_id = "sensor-1";
    EXPECT_FALSE(key(f));
    f.client.client_id = "";
    EXPECT_FALSE(key(f));
}

TEST(BalancingKey, IsTheUsernameOrNone) {
    Fixture f;
    f.config.pools[0].hash_key = config::HashKey::Username;
    EXPECT_EQ(key(f), balance::key_hash("alice"));
    f.client.username = "";
    EXPECT_FALSE(key(f));
    f.client.username.reset();
    EXPECT_FALSE(key(f));
}

TEST(BalancingKey, IsTheClientsAddressOfEitherFamily) {
    Fixture f;
    f.config.pools[0].hash_key = config::HashKey::ClientIp;
    EXPECT_EQ(key(f), balance::key_hash(std::string_view("\x0a\x01\x02\x03", 4)));
    const auto v4 = key(f);
    f.client.client_id = "another";
    EXPECT_EQ(key(f), v4);
    f.client.address = *IpAddress::parse("fd00::1");
    EXPECT_TRUE(key(f));
    EXPECT_NE(key(f), v4);
}

}  // namespace
}  // namespace sluice::backend::routing_test
