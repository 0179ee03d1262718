#include "sluice/balance/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::balance {
namespace {

// The names outlive every target that borrows them.
std::string_view name(std::size_t i) {
    static std::deque<std::string> names;
    while (names.size() <= i) names.push_back("broker-" + std::to_string(names.size() + 1));
    return names[i];
}

std::vector<MaglevBackend> fleet(std::size_t n) {
    std::vector<MaglevBackend> list;
    for (std::size_t i = 0; i < n; ++i) list.push_back({static_cast<std::uint32_t>(i), name(i), 100});
    return list;
}

std::vector<std::uint32_t> table(const std::vector<MaglevBackend>& targets) {
    const Maglev maglev(targets);
    return {maglev.table().begin(), maglev.table().end()};
}

TEST(Maglev, EqualWeightsGetEqualShares) {
    for (const std::size_t n : {1U, 2U, 3U, 7U, 10U, 100U, 1000U}) {
        std::vector<std::size_t> count(n);
        const auto slots = table(fleet(n));
        for (const std::uint32_t index : slots) ++count.at(index);
        const auto [low, high] = std::minmax_element(count.begin(), count.end());
        EXPECT_LE(*high - *low, 1U) << n;
        EXPECT_GE(slots.size(), 100 * n);
        EXPECT_GE(slots.size(), Maglev::kMinimumSize);
    }
}

TEST(Maglev, TenThousandClientIdsOverThreeBrokers) {
    const Maglev maglev(fleet(3));
    std::vector<int> count(3);
    for (int i = 0; i < 10'000; ++i) ++count.at(maglev.lookup(key_hash("device-" + std::to_string(i))));
    for (const int n : count) EXPECT_NEAR(n, 10'000 / 3.0, 10'000 / 3.0 * 0.05);
}

TEST(Maglev, WeightsAreKept) {
    for (const std::vector<std::uint32_t>& weights :
         std::vector<std::vector<std::uint32_t>>{{100, 50, 25},
                                                 {1, 2, 3, 4},
                                                 {1, 100},
                                                 {7, 7, 1},
                                                 {4'000'000'000, 2'000'000'000, 1'000'000'000}}) {
        auto targets = fleet(weights.size());
        double total = 0;
        for (std::size_t i = 0; i < weights.size(); ++i) {
            targets[i].weight = weights[i];
            total += weights[i];
        }
        std::vector<std::size_t> count(weights.size());
        const auto slots = table(targets);
        for (const std::uint32_t index : slots) ++count.at(index);
        for (std::size_t i = 0; i < weights.size(); ++i) {
            const double share = static_cast<double>(slots.size()) * weights[i] / total;
            EXPECT_NEAR(static_cast<double>(count[i]), share, share * 0.05);
        }
    }
}

TEST(Maglev, WeightZeroIsNeverChosenButEvenTheSmallestOtherIs) {
    auto targets = fleet(3);
    targets[0].weight = 0;
    targets[1].weight = 1;
    targets[2].weight = 4'000'000'000;
    const auto slots = table(targets);
    EXPECT_EQ(std::count(slots.begin(), slots.end(), 0U), 0);
    EXPECT_GE(std::count(slots.begin(), slots.end(), 1U), 1);
    targets[1].weight = targets[2].weight = 0;
    EXPECT_TRUE(Maglev(targets).empty());
    EXPECT_TRUE(Maglev(std::span<const MaglevBackend>{}).empty());
    EXPECT_EQ(Maglev().lookup(1, [](std::uint32_t) { return false; }), Maglev::kNone);
}

TEST(Maglev, DependsOnNamesAndWeightsNotOnOrder) {
    auto targets = fleet(20);
    for (std::size_t i = 0; i < targets.size(); ++i)
        targets[i].weight = static_cast<std::uint32_t>(10 + i % 3);
    const auto reference = table(targets);
    std::mt19937 random(1);
    for (int round = 0; round < 10; ++round) {
        std::shuffle(targets.begin(), targets.end(), random);
        EXPECT_EQ(table(targets), reference);
    }
}

// The tables of two releases that run side by side must agree: the fixed constants are part of the contract.
TEST(Maglev, TheFunctionFromKeysToNamesIsFixed) {
    EXPECT_EQ(key_hash(""), 0x1e924b9d737700d7U);
    const Maglev maglev(fleet(5));
    std::uint64_t digest = 0;
    for (const std::uint32_t index : maglev.table()) digest = digest * 31 + index;
    EXPECT_EQ(digest, 0xe1942cc9f5790426U);
}

struct Change {
    std::size_t targets;
    bool weighted;
};
class MaglevChange : public testing::TestWithParam<Change> {};

// 100 random removals, and as many returns: of the keys of the targets that stay, at most 2 % move; the table
// after a return is the one before the removal.
TEST_P(MaglevChange, MovesFewKeysOfOtherTargets) {
    auto all = fleet(GetParam().targets);
    std::mt19937 random(2);
    if (GetParam().weighted) {
        for (MaglevBackend& t : all) t.weight = static_cast<std::uint32_t>(50 + random() % 150);
    }
    const auto full = table(all);
    for (int round = 0; round < 100; ++round) {
        const std::uint32_t gone = static_cast<std::uint32_t>(random() % all.size());
        std::vector<MaglevBackend> rest;
        for (const MaglevBackend& t : all) {
            if (t.index != gone) rest.push_back(t);
        }
        const auto without = table(rest);
        ASSERT_EQ(without.size(), full.size());
        std::size_t others = 0;
        std::size_t moved = 0;
        for (std::size_t slot = 0; slot < full.size(); ++slot) {
            ASSERT_NE(without[slot], gone);
            if (full[slot] == gone) continue;
            ++others;
            moved += full[slot] != without[slot] ? 1 : 0;
        }
        EXPECT_LE(static_cast<double>(moved), 0.02 * static_cast<double>(others));
        rest.insert(rest.begin() + static_cast<std::ptrdiff_t>(random() % rest.size()), all[gone]);
        ASSERT_EQ(table(rest), full);
    }
}

INSTANTIATE_TEST_SUITE_P(Fleets, MaglevChange,
                         testing::Values(Change{2, false}, Change{3, false}, Change{10, false},
                                         Change{10, true}, Change{100, false}));

TEST(Maglev, RetriesWalkToOtherTargetsAndEnd) {
    const Maglev maglev(fleet(4));
    for (std::uint64_t key = 0; key < 1000; ++key) {
        const std::uint64_t hash = key_hash(std::to_string(key));
        std::set<std::uint32_t> tried;
        for (int attempt = 0; attempt < 4; ++attempt) {
            const std::uint32_t choice =
                maglev.lookup(hash, [&](std::uint32_t i) { return tried.contains(i); });
            if (attempt == 0) {
                EXPECT_EQ(choice, maglev.lookup(hash));
            }
            ASSERT_TRUE(tried.insert(choice).second);
        }
        EXPECT_EQ(maglev.lookup(hash, [&](std::uint32_t i) { return tried.contains(i); }), Maglev::kNone);
    }
}

}  // namespace
}  // namespace sluice::balance
