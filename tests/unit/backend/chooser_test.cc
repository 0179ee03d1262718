// The choice of a broker: by key, by load, around what is down, full or tried.
#include "sluice/backend/chooser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>

namespace sluice::backend {
namespace {

struct Fixture {
    explicit Fixture(std::vector<std::uint32_t> weights, config::Balance balance = config::Balance::Maglev) {
        config::Pool pool;
        pool.name = "brokers";
        pool.balance = balance;
        for (std::size_t i = 0; i < weights.size(); ++i) {
            config::Backend b;
            b.name = "broker-" + std::to_string(i + 1);
            b.address = {IpAddress::v4(10, 2, 0, static_cast<std::uint8_t>(2 + i)), 1883};
            b.weight = weights[i];
            pool.backends.push_back(b);
        }
        config.pools.push_back(pool);
        conditions.resize(weights.size());
        load = std::make_unique<LoadTable>(2, static_cast<std::uint32_t>(weights.size()));
        chooser = std::make_unique<Chooser>(*load, 7);
        publish();
    }
    void publish() { snapshot = build_snapshot(config, conditions, ++generation, snapshot.get()); }
    std::uint32_t of(const std::string& id) {
        const Choice c = chooser->choose(Instant{}, *snapshot, 0, balance::key_hash(id), {});
        EXPECT_EQ(c.outcome, Choice::Outcome::Chosen);
        return c.backend;
    }

    config::Config config;
    std::vector<Condition> conditions;
    std::unique_ptr<LoadTable> load;
    std::unique_ptr<const Snapshot> snapshot;
    std::unique_ptr<Chooser> chooser;
    std::uint64_t generation = 0;
};

std::string id_of(int i) { return "device-" + std::to_string(i); }

TEST(Chooser, SpreadsTenThousandIdsWithinFivePercentOfAThird) {
    Fixture f({100, 100, 100});
    std::array<int, 3> count{};
    for (int i = 0; i < 10'000; ++i) ++count[f.of(id_of(i))];
    for (const int n : count) EXPECT_NEAR(n, 10'000 / 3.0, 10'000 / 3.0 * 0.05);
}

TEST(Chooser, KeepsWeightsWithinFivePercent) {
    Fixture f({100, 200, 300});
    std::array<int, 3> count{};
    constexpr int kIds = 60'000;
    for (int i = 0; i < kIds; ++i) ++count[f.of(id_of(i))];
    for (int b = 0; b < 3; ++b) EXPECT_NEAR(count[b], kIds * (b + 1) / 6.0, kIds * (b + 1) / 6.0 * 0.05);
}

TEST(Chooser, ABrokerThatFailsMovesOnlyItsOwnClientsAndTheyComeBack) {
    Fixture f({100, 100, 100});
    std::vector<std::uint32_t> before;
    for (int i = 0; i < 10'000; ++i) before.push_back(f.of(id_of(i)));
    f.conditions[1].healthy = false;
    f.publish();
    std::array<int, 3> received{};
    for (int i = 0; i < 10'000; ++i) {
        const std::uint32_t now = f.of(id_of(i));
        if (before[static_cast<std::size_t>(i)] != 1) {
            EXPECT_EQ(now, before[static_cast<std::size_t>(i)]);
        } else {
            ASSERT_NE(now, 1U);
            ++received[now];
        }
    }
    // Its share is split, not dumped on one neighbor.
    EXPECT_NEAR(received[0], received[2], (received[0] + received[2]) * 0.1);
    f.conditions[1].healthy = true;
    f.publish();
    for (int i = 0; i < 10'000; ++i) EXPECT_EQ(f.of(id_of(i)), before[static_cast<std::size_t>(i)]);
}

TEST(Chooser, ABrokerTakenOutOfTheConfigurationMovesAtMostTwoPercentOfTheOthersClients) {
    Fixture all({100, 100, 100});
    Fixture two({100, 100, 100});
    two.config.pools[0].backends.erase(two.config.pools[0].backends.begin() + 1);
    two.conditions.resize(2);
    two.snapshot = build_snapshot(two.config, two.conditions, 2, nullptr);
    int others = 0;
    int moved = 0;
    for (int i = 0; i < 10'000; ++i) {
        const std::string before = all.config.pools[0].backends[all.of(id_of(i))].name;
        if (before == "broker-2") continue;
        ++others;
        if (two.config.pools[0].backends[two.of(id_of(i))].name != before) ++moved;
    }
    EXPECT_LE(moved, others * 0.02);
}

TEST(Chooser, PassesOverWhatWasTriedUntilNothingIsLeft) {
    Fixture f({100, 100, 100});
    const auto key = balance::key_hash("device");
    std::vector<std::uint32_t> tried;
    for (int i = 0; i < 3; ++i) {
        const Choice c = f.chooser->choose(Instant{}, *f.snapshot, 0, key, tried);
        ASSERT_EQ(c.outcome, Choice::Outcome::Chosen);
        EXPECT_EQ(std::ranges::find(tried, c.backend), tried.end());
        EXPECT_EQ(c.displaced, i != 0);
        EXPECT_TRUE(c.by_key);
        tried.push_back(c.backend);
    }
    EXPECT_EQ(f.chooser->choose(Instant{}, *f.snapshot, 0, key, tried).outcome, Choice::Outcome::NoneUsable);
}

TEST(Chooser, AnEmptyKeyFallsBackToTheLeastLoadedBroker) {
    Fixture f({100, 100, 100});
    f.load->add(0, 0, 5, false);
    f.load->add(1, 2, 5, false);
    const Choice c = f.chooser->choose(Instant{}, *f.snapshot, 0, std::nullopt, {});
    EXPECT_EQ(c.backend, 1U);
    EXPECT_FALSE(c.by_key);
    // In an idle pool the turns rotate instead of piling up on the first.
    Fixture idle({100, 100, 100});
    std::map<std::uint32_t, int> seen;
    for (int i = 0; i < 6; ++i) ++seen[idle.chooser->choose(Instant{}, *idle.snapshot, 0, std::nullopt, {}).backend];
    EXPECT_EQ(seen.size(), 3U);
}

TEST(Chooser, DrainedBrokersAndThoseOfWeightZeroTakeNothing) {
    Fixture f({100, 100, 0});
    f.config.pools[0].backends[1].state = config::BackendState::Drain;
    f.publish();
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(f.of(id_of(i)), 0U);
}

TEST(Chooser, SaysWhenAllAreFull) {
    Fixture f({100, 100});
    for (auto& b : f.config.pools[0].backends) b.max_connections = 2;
    f.publish();
    f.load->add(0, 0, 2, false);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(f.of(id_of(i)), 1U);
    f.load->add(0, 1, 1, false);
    f.load->add(1, 1, 1, false);
    EXPECT_EQ(f.chooser->choose(Instant{}, *f.snapshot, 0, 1, {}).outcome, Choice::Outcome::AllFull);
}

TEST(Chooser, BoundedLoadSendsTheExcessOnward) {
    Fixture f({100, 100, 100});
    f.config.pools[0].bounded_load = 1.25;
    f.publish();
    std::string mine;
    for (int i = 0; mine.empty(); ++i) {
        if (f.of(id_of(i)) == 0) mine = id_of(i);
    }
    f.load->add(0, 0, 100, false);
    EXPECT_NE(f.of(mine), 0U);
    f.load->add(0, 1, 100, false);
    f.load->add(0, 2, 100, false);
    EXPECT_EQ(f.of(mine), 0U);
}

TEST(Chooser, RoundRobinTakesTurnsByWeight) {
    Fixture f({100, 200}, config::Balance::RoundRobin);
    std::array<int, 2> count{};
    for (int i = 0; i < 300; ++i) ++count[f.of(id_of(i))];
    EXPECT_EQ(count[0], 100);
    EXPECT_EQ(count[1], 200);
}

TEST(Chooser, TwoChoicesKeepsLoadsClose) {
    Fixture f({100, 100, 100, 100}, config::Balance::TwoChoices);
    for (int i = 0; i < 4000; ++i) f.load->add(0, f.of(id_of(i)), 1, false);
    for (std::uint32_t b = 0; b < 4; ++b) EXPECT_NEAR(static_cast<double>(f.load->connections(b)), 1000, 50);
}

}  // namespace
}  // namespace sluice::backend
