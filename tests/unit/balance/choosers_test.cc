#include "sluice/balance/choosers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace sluice::balance {
namespace {

using Candidates = std::vector<Candidate>;

Candidate up(std::uint32_t weight, std::uint64_t connections = 0) { return {weight, connections, true}; }
Candidate down(std::uint32_t weight) { return {weight, 0, false}; }

TEST(LeastConnections, ComparesPerWeight) {
    EXPECT_EQ(least_connections(Candidates{up(100, 10), up(100, 9), up(100, 11)}, 0), 1U);
    EXPECT_EQ(least_connections(Candidates{up(100, 10), up(300, 29), up(50, 6)}, 0), 1U);
    EXPECT_EQ(least_connections(
                  Candidates{up(4'000'000'000, std::uint64_t{1} << 62U), up(1, std::uint64_t{1} << 62U)}, 0),
              0U)
        << "no overflow";
}

TEST(LeastConnections, TiesGoToTheOneAfterTheRotor) {
    const Candidates idle{up(1), up(1), up(1)};
    EXPECT_EQ(least_connections(idle, 0), 1U);
    EXPECT_EQ(least_connections(idle, 1), 2U);
    EXPECT_EQ(least_connections(idle, 2), 0U);
    EXPECT_EQ(least_connections(idle, 0xffffffff), 1U) << "any rotor is good: 0xffffffff modulo 3 is 0";
    const Candidates weighted{up(1, 1), up(2, 2), up(3, 4)};
    EXPECT_EQ(least_connections(weighted, 1), 0U);
    EXPECT_EQ(least_connections(weighted, 0), 1U);
}

TEST(LeastConnections, LeavesOutWhatMayNotBeChosen) {
    EXPECT_EQ(least_connections(Candidates{down(1), up(0), up(1, 1000)}, 0), 2U);
    EXPECT_EQ(least_connections(Candidates{down(1), up(0)}, 0), kNoChoice);
    EXPECT_EQ(least_connections(Candidates{}, 5), kNoChoice);
}

// Following the choice fills every candidate in proportion to its weight.
TEST(LeastConnections, FillsInProportion) {
    Candidates pool{up(1), up(2), up(3)};
    std::uint32_t rotor = 0;
    for (int i = 0; i < 6000; ++i) {
        rotor = least_connections(pool, rotor);
        ++pool[rotor].connections;
    }
    for (const Candidate& c : pool) EXPECT_NEAR(static_cast<double>(c.connections), 1000.0 * c.weight, 1);
}

TEST(TwoChoices, NeverPicksWhatMayNotBeChosenAndReachesAllOthers) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 2000; ++round) {
        Candidates pool(1 + random() % 6);
        bool any = false;
        for (Candidate& c : pool) {
            c = {static_cast<std::uint32_t>(random() % 4), random() % 10, random() % 3 != 0};
            any = any || (c.eligible && c.weight != 0);
        }
        for (const std::uint64_t draw : {random(), std::uint64_t{0}, ~std::uint64_t{0}}) {
            const std::uint32_t choice = two_choices(pool, draw);
            ASSERT_EQ(choice != kNoChoice, any);
            if (any) {
                ASSERT_TRUE(pool[choice].eligible && pool[choice].weight != 0);
            }
        }
    }
}

TEST(TwoChoices, TheLessLoadedOfTwoDistinctWins) {
    std::mt19937_64 random(2);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(two_choices(Candidates{up(1, 5), up(1, 4)}, random()), 1U) << "both are always drawn";
        EXPECT_NE(two_choices(Candidates{up(1, 5), up(1, 9), up(1, 4)}, random()), 1U)
            << "the worst never wins";
        EXPECT_EQ(two_choices(Candidates{up(1, 5), down(9)}, random()), 0U);
    }
}

TEST(TwoChoices, DrawsByWeightAndKeepsAnIdlePoolEven) {
    std::mt19937_64 random(3);
    Candidates pool{up(100), up(200), up(300), up(100)};
    for (int i = 0; i < 70'000; ++i) ++pool[two_choices(pool, random())].connections;
    for (const Candidate& c : pool)
        EXPECT_NEAR(static_cast<double>(c.connections), 100.0 * c.weight, c.weight);
}

TEST(RoundRobin, TakesTurnsSmoothlyByWeight) {
    RoundRobin robin;
    const Candidates pool{up(5), up(1), up(1)};
    std::vector<std::uint32_t> turns;
    for (int i = 0; i < 14; ++i) turns.push_back(robin.next(pool));
    EXPECT_EQ(turns, (std::vector<std::uint32_t>{0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0}));
}

// At any moment each candidate has had its share of turns, give or take few.
TEST(RoundRobin, StaysWithinItsShareAtAnyMoment) {
    RoundRobin robin;
    const Candidates pool{up(7), up(3), up(11), up(1), up(1)};
    std::vector<double> count(pool.size());
    for (int turn = 1; turn <= 2300; ++turn) {
        ++count[robin.next(pool)];
        for (std::size_t i = 0; i < pool.size(); ++i) {
            ASSERT_LT(std::abs(count[i] - turn * pool[i].weight / 23.0), 2.0);
        }
    }
    for (std::size_t i = 0; i < pool.size(); ++i) EXPECT_EQ(count[i], 100.0 * pool[i].weight);
}

TEST(RoundRobin, LeavesOutWhatMayNotBeChosenAndTakesItBack) {
    RoundRobin robin;
    EXPECT_EQ(robin.next(Candidates{}), kNoChoice);
    EXPECT_EQ(robin.next(Candidates{down(1), up(0)}), kNoChoice);
    Candidates pool{up(1), up(1), up(1)};
    for (int i = 0; i < 10; ++i) robin.next(pool);
    pool[1].eligible = false;
    std::vector<int> count(4);
    for (int i = 0; i < 100; ++i) ++count[robin.next(pool)];
    EXPECT_EQ(count[1], 0);
    EXPECT_NEAR(count[0], 50, 1);
    pool[1].eligible = true;
    pool.push_back(up(1));
    for (int i = 0; i < 400; ++i) ++count[robin.next(pool)];
    EXPECT_NEAR(count[0], 150, 2);
    EXPECT_NEAR(count[1], 100, 2) << "no rush for the one that returned";
    EXPECT_NEAR(count[3], 100, 2);
}

TEST(WithinBound, IsTheCeilingOfTheWeightedMean) {
    // Ten connections and the new one over four: 1.25 x 11 / 4 = 3.4.
    const Candidates pool{up(1, 4), up(1, 3), up(1, 2), up(1, 1)};
    EXPECT_FALSE(within_bound(pool, 0, 1.25));
    EXPECT_TRUE(within_bound(pool, 1, 1.25));
    EXPECT_FALSE(within_bound(pool, 1, 1.0)) << "ceil(2.75) = 3";
    EXPECT_TRUE(within_bound(pool, 2, 1.0));
    const Candidates weighted{up(3, 30), up(1, 10)};
    EXPECT_TRUE(within_bound(weighted, 0, 1.0)) << "ceil(30.75) = 31";
    EXPECT_TRUE(within_bound(weighted, 1, 1.0)) << "ceil(10.25) = 11";
}

TEST(WithinBound, SwitchedOffOrNotEligible) {
    const Candidates pool{up(1, 1000), up(1, 0), down(1)};
    EXPECT_TRUE(within_bound(pool, 0, 0));
    EXPECT_TRUE(within_bound(pool, 0, -1));
    EXPECT_TRUE(within_bound(pool, 0, std::numeric_limits<double>::infinity()));
    EXPECT_TRUE(within_bound(pool, 0, std::numeric_limits<double>::quiet_NaN()));
    EXPECT_TRUE(within_bound(pool, 2, 0));
    EXPECT_FALSE(within_bound(pool, 2, 1.25)) << "not eligible";
    EXPECT_FALSE(within_bound(pool, 0, 1.25));
}

// Whoever is within the bound may always take one more without leaving it, and somebody always is.
TEST(WithinBound, SomebodyCanAlwaysTakeOneMoreAndNobodyExceeds) {
    std::mt19937_64 random(4);
    for (const double factor : {1.0, 1.1, 1.25, 2.0}) {
        Candidates pool{up(100), up(50), up(25), up(1), up(300)};
        for (std::uint64_t placed = 0; placed < 3000; ++placed) {
            std::vector<std::uint32_t> open;
            for (std::uint32_t i = 0; i < pool.size(); ++i) {
                if (within_bound(pool, i, factor)) open.push_back(i);
            }
            ASSERT_FALSE(open.empty());
            const std::uint32_t choice = open[random() % 4 == 0 ? random() % open.size() : 0];
            ++pool[choice].connections;
            const double bound =
                std::ceil(factor * static_cast<double>(placed + 1) * pool[choice].weight / 476);
            ASSERT_LE(static_cast<double>(pool[choice].connections), bound);
        }
    }
}

}  // namespace
}  // namespace sluice::balance
