#include "sluice/flow/client_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <unordered_map>
#include <vector>

namespace sluice::flow {
namespace {

constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

FourTuple tuple(std::uint32_t n) {
    return {{IpAddress::v4(10, 1, 0, 1), 1883},
            {IpAddress::v4(0x0a000000U + n / 60'000), static_cast<std::uint16_t>(1024 + n % 60'000)}};
}

// An index with the records it points to, as a worker has them.
struct Table {
    explicit Table(std::uint32_t capacity) : index(capacity, kKey), records(capacity) {}

    std::uint32_t find(const FourTuple& t) const {
        return index.find(index.hash(t), [&](std::uint32_t r) { return records[r] == t; });
    }

    ClientIndex index;
    std::vector<FourTuple> records;
};

TEST(ClientIndex, FindsWhatWasInsertedAndNothingElse) {
    Table table(1000);
    for (std::uint32_t i = 0; i < 1000; ++i) {
        table.records[i] = tuple(i);
        ASSERT_TRUE(table.index.insert(table.index.hash(tuple(i)), i));
    }
    for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(table.find(tuple(i)), i);
    for (std::uint32_t i = 1000; i < 3000; ++i) EXPECT_EQ(table.find(tuple(i)), kNoEntry);
    EXPECT_FALSE(table.index.insert(table.index.hash(tuple(1000)), 1000)) << "full";
    EXPECT_EQ(table.index.size(), 1000U);
}

TEST(ClientIndex, EraseTakesTheNamedRecordOnly) {
    Table table(10);
    const std::uint64_t hash = table.index.hash(tuple(1));
    table.index.insert(hash, 3);
    table.index.insert(hash, 4);  // the same hash, another record
    EXPECT_FALSE(table.index.erase(hash, 5));
    EXPECT_FALSE(table.index.erase(hash + 1, 3));
    EXPECT_TRUE(table.index.erase(hash, 3));
    EXPECT_FALSE(table.index.erase(hash, 3));
    EXPECT_EQ(table.index.find(hash, [](std::uint32_t) { return true; }), 4U);
    EXPECT_EQ(table.index.size(), 1U);
}

TEST(ClientIndex, CapacityZeroAndOne) {
    ClientIndex none(0, kKey);
    EXPECT_FALSE(none.insert(1, 1));
    EXPECT_EQ(none.find(1, [](std::uint32_t) { return true; }), kNoEntry);
    ClientIndex one(1, kKey);
    EXPECT_TRUE(one.insert(0, 7));
    EXPECT_EQ(one.candidate(0), 7U);
    EXPECT_EQ(one.find(0, [](std::uint32_t) { return true; }), 7U);
    EXPECT_TRUE(one.erase(0, 7));
    EXPECT_EQ(one.candidate(0), kNoEntry);
}

// Every entry wants the last group of the table, so the chain of full groups wraps around its end.
TEST(ClientIndex, OneHomeForAllStillWorksAcrossTheEnd) {
    ClientIndex index(500, kKey);
    constexpr std::uint64_t kLast = ~std::uint64_t{0} << 8U;
    std::vector<bool> present(500, false);
    auto random = [engine = std::mt19937(2)]() mutable { return static_cast<std::uint32_t>(engine()); };
    for (int step = 0; step < 20'000; ++step) {
        const std::uint32_t record = random() % 500;
        const std::uint64_t hash = kLast | (record & 0xffU);
        if (present[record]) {
            ASSERT_TRUE(index.erase(hash, record));
        } else {
            ASSERT_TRUE(index.insert(hash, record));
        }
        present[record] = !present[record];
        const std::uint32_t probe = random() % 500;
        const std::uint32_t found =
            index.find(kLast | (probe & 0xffU), [&](std::uint32_t r) { return r == probe; });
        ASSERT_EQ(found, present[probe] ? probe : kNoEntry);
    }
}

TEST(ClientIndex, BehavesLikeAMapUnderRandomUse) {
    constexpr std::uint32_t kCapacity = 5000;
    Table table(kCapacity);
    std::map<FourTuple, std::uint32_t> model;
    std::vector<std::uint32_t> free;
    for (std::uint32_t i = kCapacity; i-- > 0;) free.push_back(i);
    auto random = [engine = std::mt19937(3)]() mutable { return static_cast<std::uint32_t>(engine()); };
    for (int step = 0; step < 300'000; ++step) {
        const FourTuple t = tuple(random() % (kCapacity + kCapacity / 4));
        const auto known = model.find(t);
        ASSERT_EQ(table.find(t), known == model.end() ? kNoEntry : known->second);
        if (known == model.end()) {
            ASSERT_EQ(table.index.insert(table.index.hash(t), free.empty() ? 0 : free.back()), !free.empty());
            if (free.empty()) continue;
            table.records[free.back()] = t;
            model.emplace(t, free.back());
            free.pop_back();
        } else {
            ASSERT_TRUE(table.index.erase(table.index.hash(t), known->second));
            free.push_back(known->second);
            model.erase(known);
        }
        ASSERT_EQ(table.index.size(), model.size());
    }
}

// Replacing every entry of a full table many times over must not make searches longer: a search that finds
// nothing looks at few records, and all entries stay findable.
TEST(ClientIndex, LongChurnAtCapacityLeavesNoDecay) {
    constexpr std::uint32_t kCapacity = 50'000;
    Table table(kCapacity);
    for (std::uint32_t i = 0; i < kCapacity; ++i) {
        table.records[i] = tuple(i);
        table.index.insert(table.index.hash(tuple(i)), i);
    }
    auto random = [engine = std::mt19937(4)]() mutable { return static_cast<std::uint32_t>(engine()); };
    for (std::uint32_t n = kCapacity; n < 11 * kCapacity; ++n) {
        const std::uint32_t victim = random() % kCapacity;
        ASSERT_TRUE(table.index.erase(table.index.hash(table.records[victim]), victim));
        table.records[victim] = tuple(n);
        ASSERT_TRUE(table.index.insert(table.index.hash(tuple(n)), victim));
    }
    std::size_t looked = 0;
    for (std::uint32_t n = 0; n < kCapacity; ++n) {
        EXPECT_EQ(table.find(table.records[n]), n);
        const std::uint64_t absent = table.index.hash(tuple(1'000'000 + n));
        table.index.find(absent, [&](std::uint32_t) {
            ++looked;
            return false;
        });
    }
    EXPECT_LT(looked, kCapacity / 12);
}

TEST(ClientIndex, TenMillionEntriesCostSixtyFourMebibytes) {
    const ClientIndex index(10'000'000, kKey);
    EXPECT_LE(index.memory_bytes(), std::size_t{64} << 20U);
}

TEST(TupleHash, DependsOnTheKeyAndOnEveryByte) {
    const TupleHash hash(kKey);
    const TupleHash other(SipKey{kKey.k0, kKey.k1 + 1});
    const FourTuple base = tuple(1);
    EXPECT_NE(hash(base), other(base));
    FourTuple t = base;
    t.local.port ^= 1;
    EXPECT_NE(hash(base), hash(t));
    t = base;
    t.remote.port ^= 0x8000;
    EXPECT_NE(hash(base), hash(t));
    std::array<std::byte, 16> bytes{};
    std::vector<std::uint64_t> seen;
    for (std::size_t bit = 0; bit < 128; ++bit) {
        bytes.fill(std::byte{0x20});
        bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        t = base;
        t.remote.address = IpAddress::v6(bytes);
        seen.push_back(hash(t));
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

// Neighboring clients (consecutive ports and addresses) spread like random ones: both the upper bits that
// choose the group and the lower ones that are the tag.
TEST(TupleHash, SpreadsNeighbors) {
    const TupleHash hash(kKey);
    constexpr std::uint32_t kCount = 1 << 18;
    std::vector<std::uint32_t> upper(4096);
    std::vector<std::uint32_t> lower(256);
    int flipped = 0;
    for (std::uint32_t n = 0; n < kCount; ++n) {
        const std::uint64_t h = hash(tuple(n));
        ++upper[h >> 52U];
        ++lower[h & 0xffU];
        flipped += std::popcount(h ^ hash(tuple(n ^ 1U)));
    }
    for (const std::uint32_t n : upper) EXPECT_NEAR(n, 64, 6 * 8);
    for (const std::uint32_t n : lower) EXPECT_NEAR(n, 1024, 6 * 32);
    EXPECT_NEAR(static_cast<double>(flipped) / kCount, 32, 0.5);
}

}  // namespace
}  // namespace sluice::flow
