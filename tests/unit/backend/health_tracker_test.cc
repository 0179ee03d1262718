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

constexpr Offer kOffer{.mss = 1460, .window_scale = 7, .sack = true, .timestamps = true};
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

TEST(Snapshot, OffersClientsOnlyWhatEveryUsableBrokerAccepts) {
    const config::Config config = two_backends(config::HealthType::Tcp);
    std::vector<Condition> conditions(2);
    EXPECT_TRUE(build_snapshot(config, conditions, 1, nullptr)->pools[0].offer.sack);
    conditions[0].offer = kOffer;
    conditions[1].offer = Offer{.mss = 1400, .window_scale = 2, .sack = true, .timestamps = false};
    const auto both = build_snapshot(config, conditions, 2, nullptr);
    EXPECT_EQ(both->pools[0].offer,
              (Offer{.mss = 1400, .window_scale = 2, .sack = true, .timestamps = false}));
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

TEST(Listener, AdmitsByAllowAndDeny) {
    Listener l;
    l.allow = {*IpPrefix::parse("10.0.0.0/8")};
    l.deny = {*IpPrefix::parse("10.9.0.0/16")};
    EXPECT_TRUE(l.admits(*IpAddress::parse("10.1.2.3")));
    EXPECT_FALSE(l.admits(*IpAddress::parse("10.9.2.3")));
    EXPECT_FALSE(l.admits(*IpAddress::parse("192.0.2.1")));
    l.allow.clear();
    EXPECT_TRUE(l.admits(*IpAddress::parse("192.0.2.1")));
}

}  // namespace
}  // namespace sluice::backend
