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
    for (int i = 0; i < 6; ++i)
        ++seen[idle.chooser->choose(Instant{}, *idle.snapshot, 0, std::nullopt, {}).backend];
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

// --- removed and vacant places ---

TEST(Chooser, RemovedAndVacantBackendsAreNeverChosen) {
    for (const auto balance : {config::Balance::Maglev, config::Balance::LeastConnections,
                               config::Balance::TwoChoices, config::Balance::RoundRobin}) {
        Fixture f({100, 100, 100}, balance);
        Registry registry = assign(f.config, nullptr);
        const auto chosen = [&](Standing standing) {
            registry.pools[0].backends[1].standing = standing;
            f.snapshot = build_snapshot(registry, 1, f.conditions, ++f.generation, f.snapshot.get());
            std::array<int, 3> count{};
            for (int i = 0; i < 300; ++i) ++count[f.of(id_of(i))];
            return count;
        };
        EXPECT_GT(chosen(Standing::Active)[1], 50);
        for (const Standing gone : {Standing::Removed, Standing::Vacant}) {
            const auto count = chosen(gone);
            EXPECT_EQ(count[1], 0);
            EXPECT_GT(std::min(count[0], count[2]), 50);
        }
        registry.pools[0].backends[0].standing = Standing::Vacant;
        registry.pools[0].backends[2].standing = Standing::Removed;
        f.snapshot = build_snapshot(registry, 1, f.conditions, ++f.generation, f.snapshot.get());
        EXPECT_EQ(f.chooser->choose(Instant{}, *f.snapshot, 0, 1, {}).outcome, Choice::Outcome::NoneUsable);
    }
}

// A place that is taken again by another broker is that broker's in the hash, too.
TEST(Chooser, TheHashKnowsWhoHasAPlaceNow) {
    Fixture f({100, 100, 100});
    Registry registry = assign(f.config, nullptr);
    config::Config other = f.config;
    other.pools[0].backends[1].name = "elsewhere";
    other.pools[0].backends[1].address = {IpAddress::v4(10, 2, 0, 77), 1883};
    config::Config without = f.config;
    without.pools[0].backends.erase(without.pools[0].backends.begin() + 1);
    registry = assign(without, &registry);
    f.snapshot = build_snapshot(registry, 2, f.conditions, 2, f.snapshot.get());
    Use use{.listeners = {}, .backends = {{0, 0, 0}}, .sources = {{}}};
    ASSERT_TRUE(reclaim(registry, use));
    registry = assign(other, &registry);
    f.snapshot = build_snapshot(registry, 3, f.conditions, 3, f.snapshot.get());
    const auto afresh = build_snapshot(other, f.conditions, 1, nullptr);
    for (int i = 0; i < 1000; ++i) {
        const auto key = balance::key_hash(id_of(i));
        EXPECT_EQ(f.snapshot->pools[0].backends[f.of(id_of(i))].config.name,
                  afresh->pools[0].backends[afresh->pools[0].maglev->lookup(key)].config.name);
    }
}

// The size of the hash table goes by the number of brokers, and another size moves every key.
TEST(Chooser, AWeightOfZeroMovesOnlyItsOwnClientsHoweverManyBrokersThereAre) {
    Fixture f(std::vector<std::uint32_t>(164, 100));
    std::vector<std::uint32_t> before;
    for (int i = 0; i < 5000; ++i) before.push_back(f.of(id_of(i)));
    f.config.pools[0].backends[5].weight = 0;
    f.publish();
    int moved = 0;
    for (int i = 0; i < 5000; ++i) {
        const std::uint32_t was = before[static_cast<std::size_t>(i)];
        if (was != 5 && f.of(id_of(i)) != was) ++moved;
    }
    EXPECT_LE(moved, 5000 * 0.03);
}

// --- slow start ---

// The first backend is in slow start; time goes on in milliseconds.
struct SlowFixture : Fixture {
    SlowFixture(std::size_t backends, double rate, std::uint32_t workers = 1)
        : Fixture(std::vector<std::uint32_t>(backends, 100)) {
        conditions[0].slow_start = {.until = kUntil, .rate = rate};
        publish();
        for (std::uint32_t w = 0; w < workers; ++w) choosers.emplace_back(*load, w, workers);
        for (int i = 0; key == 0; ++i) {
            if (snapshot->pools[0].maglev->lookup(balance::key_hash(id_of(i))) == 0) {
                key = balance::key_hash(id_of(i));
            }
        }
    }
    // A client whose first choice is the slow one.
    Choice client(Instant now, std::uint32_t worker = 0) {
        const Choice c = choosers[worker].choose(now, *snapshot, 0, key, {});
        if (c.outcome == Choice::Outcome::Chosen) {
            choosers[worker].sent(now, snapshot->pools[0].backends[c.backend]);
            if (c.backend == 0) taken.push_back(now);
        }
        return c;
    }
    // The most that the slow one was given within any second.
    std::size_t most_in_a_second() const {
        std::size_t most = 0;
        for (std::size_t i = 0, j = 0; j < taken.size(); ++j) {
            while (taken[j] - taken[i] >= 1s) ++i;
            most = std::max(most, j - i + 1);
        }
        return most;
    }

    static constexpr Instant kFrom{1h};
    static constexpr Instant kUntil = kFrom + 10s;
    std::vector<Chooser> choosers;
    std::uint64_t key = 0;
    std::vector<Instant> taken;
};

TEST(SlowStart, GivesTurnsAtTheRateAndTheRestToOthers) {
    SlowFixture f(3, 50);
    std::size_t others = 0;
    for (Instant now = SlowFixture::kFrom; now < SlowFixture::kUntil; now += 1ms) {
        const Choice c = f.client(now);
        ASSERT_EQ(c.outcome, Choice::Outcome::Chosen);
        ASSERT_TRUE(c.by_key);
        ASSERT_EQ(c.displaced, c.backend != 0);
        others += c.backend == 0 ? 0 : 1;
    }
    EXPECT_EQ(f.taken.size(), 500U);
    EXPECT_EQ(f.most_in_a_second(), 50U);
    EXPECT_EQ(others, 9500U);
}

TEST(SlowStart, WorkersShareTheRate) {
    SlowFixture f(3, 80, 4);
    for (Instant now = SlowFixture::kFrom; now < SlowFixture::kUntil; now += 1ms) {
        for (std::uint32_t w = 0; w < 4; ++w) f.client(now, w);
    }
    EXPECT_EQ(f.taken.size(), 800U);
    EXPECT_EQ(f.most_in_a_second(), 80U);
}

TEST(SlowStart, NobodySavesTurnsUp) {
    SlowFixture f(3, 50);
    for (Instant now = SlowFixture::kFrom; now < SlowFixture::kUntil; now += 100ms) {
        // After a pause, ten at once: one has a turn.
        for (int i = 0; i < 10; ++i) f.client(now);
    }
    EXPECT_EQ(f.taken.size(), 100U);
}

TEST(SlowStart, AheadOfItsPaceWhereThereIsNoOther) {
    SlowFixture alone(1, 10);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(alone.client(SlowFixture::kFrom).backend, 0U);

    // The other one was tried, is down, or is full.
    SlowFixture f(2, 10);
    f.client(SlowFixture::kFrom);
    EXPECT_EQ(f.client(SlowFixture::kFrom).backend, 1U);
    const std::array<std::uint32_t, 1> tried{1};
    EXPECT_EQ(f.choosers[0].choose(SlowFixture::kFrom, *f.snapshot, 0, f.key, tried).backend, 0U);
    f.conditions[1].healthy = false;
    f.publish();
    EXPECT_EQ(f.client(SlowFixture::kFrom).backend, 0U);
    f.conditions[1].healthy = true;
    f.config.pools[0].backends[1].max_connections = 1;
    f.load->add(0, 1, 1, false);
    f.publish();
    EXPECT_EQ(f.client(SlowFixture::kFrom).backend, 0U);
    // But never above its own limit.
    f.config.pools[0].backends[0].max_connections = 1;
    f.load->add(0, 0, 1, false);
    f.publish();
    EXPECT_EQ(f.client(SlowFixture::kFrom).outcome, Choice::Outcome::AllFull);
}

TEST(Remembered, GoesFirstWhateverTheMethodAndTheKeySay) {
    for (const auto balance : {config::Balance::Maglev, config::Balance::LeastConnections,
                               config::Balance::TwoChoices, config::Balance::RoundRobin}) {
        Fixture f({100, 100, 100}, balance);
        for (std::uint32_t b = 0; b < 3; ++b) {
            f.load->add(0, b, 50, false);
            for (int i = 0; i < 20; ++i) {
                const Choice c =
                    f.chooser->choose(Instant{}, *f.snapshot, 0, balance::key_hash(id_of(i)), {}, b);
                EXPECT_EQ(c.outcome, Choice::Outcome::Chosen);
                EXPECT_EQ(c.backend, b);
                EXPECT_TRUE(c.remembered);
                EXPECT_FALSE(c.by_key || c.displaced);
            }
        }
    }
}

TEST(Remembered, ButNotWhereItCannotBeTaken) {
    const std::array<std::uint32_t, 1> tried{0};
    const auto passed_over = [](Fixture& f, std::span<const std::uint32_t> tried) {
        f.publish();
        const Choice c = f.chooser->choose(Instant{}, *f.snapshot, 0, balance::key_hash("x"), tried, 0);
        return c.outcome == Choice::Outcome::Chosen && c.backend == 1 && !c.remembered;
    };
    Fixture down({100, 100});
    down.conditions[0].healthy = false;
    EXPECT_TRUE(passed_over(down, {}));
    Fixture drained({100, 100});
    drained.config.pools[0].backends[0].state = config::BackendState::Drain;
    EXPECT_TRUE(passed_over(drained, {}));
    Fixture in_maintenance({100, 100});
    in_maintenance.config.pools[0].backends[0].state = config::BackendState::Maintenance;
    EXPECT_TRUE(passed_over(in_maintenance, {}));
    Fixture weightless({0, 100});
    EXPECT_TRUE(passed_over(weightless, {}));
    Fixture full({100, 100});
    full.config.pools[0].backends[0].max_connections = 5;
    full.load->add(1, 0, 5, false);
    EXPECT_TRUE(passed_over(full, {}));
    Fixture was_tried({100, 100});
    EXPECT_TRUE(passed_over(was_tried, tried));
}

// A bound on load and the pace of a slow start are for those who could be elsewhere as well.
TEST(Remembered, NeitherBoundNorPaceKeepItAway) {
    SlowFixture f(2, 10);
    f.config.pools[0].bounded_load = 1;
    f.load->add(0, 0, 500, false);
    f.publish();
    for (int i = 0; i < 5; ++i) {
        const Choice c = f.chooser->choose(SlowFixture::kFrom, *f.snapshot, 0, std::nullopt, {}, 0);
        EXPECT_EQ(c.backend, 0U);
        f.chooser->sent(SlowFixture::kFrom, f.snapshot->pools[0].backends[0]);
    }
}

// It is the address that a broker is known by.
TEST(Remembered, ABrokerKeepsItsMarkByAnyNameAndInAnyPlace) {
    Fixture f({100, 100, 100});
    const Pool& pool = f.snapshot->pools[0];
    for (std::uint32_t i = 0; i < 3; ++i) {
        EXPECT_EQ(pool.find(pool.backends[i].mark), i);
        EXPECT_EQ(pool.backends[i].mark, mark_of(pool.backends[i].config.address));
    }
    std::vector<std::uint32_t> marks;
    for (const Backend& b : pool.backends) marks.push_back(b.mark);
    auto& backends = f.config.pools[0].backends;
    backends[0].name = "another";
    std::ranges::reverse(backends);
    f.publish();
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(f.snapshot->pools[0].find(marks[i]), 2 - i);
    backends.pop_back();
    f.publish();
    EXPECT_EQ(f.snapshot->pools[0].find(marks[0]), std::nullopt);
    // Another port of the same host is another broker, and so is another family.
    EXPECT_NE(mark_of(*SocketAddress::parse("10.2.0.2:1883")),
              mark_of(*SocketAddress::parse("10.2.0.2:1884")));
    EXPECT_NE(mark_of(*SocketAddress::parse("10.2.0.2:1883")),
              mark_of(*SocketAddress::parse("[fd00::2]:1883")));
}

TEST(SlowStart, IsOverAtItsTime) {
    SlowFixture f(2, 10);
    f.client(SlowFixture::kUntil - 1ms);
    EXPECT_EQ(f.client(SlowFixture::kUntil - 1ms).backend, 1U);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(f.client(SlowFixture::kUntil).backend, 0U);
}

TEST(SlowStart, EveryMethodKeepsThePace) {
    for (const auto balance :
         {config::Balance::LeastConnections, config::Balance::TwoChoices, config::Balance::RoundRobin}) {
        SlowFixture f(3, 50);
        f.config.pools[0].balance = balance;
        f.publish();
        for (Instant now = SlowFixture::kFrom; now < SlowFixture::kUntil; now += 1ms) f.client(now);
        EXPECT_LE(f.most_in_a_second(), 50U);
        EXPECT_GT(f.taken.size(), 400U);
    }
}

}  // namespace
}  // namespace sluice::backend
