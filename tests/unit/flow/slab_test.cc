#include "sluice/flow/slab.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice::flow {
namespace {

TEST(Slab, GivesEveryEntryOnceThenSaysFull) {
    Slab<int> slab(3);
    EXPECT_EQ(slab.insert(10), 0U);
    EXPECT_EQ(slab.insert(11), 1U);
    EXPECT_EQ(slab.insert(12), 2U);
    EXPECT_TRUE(slab.full());
    EXPECT_EQ(slab.insert(13), kNoEntry);
    EXPECT_EQ(slab[1], 11);
    EXPECT_EQ(slab.size(), 3U);
    EXPECT_EQ(slab.capacity(), 3U);
}

TEST(Slab, ReusesTheLastFreedFirst) {
    Slab<int> slab(8);
    for (int i = 0; i < 5; ++i) slab.insert(i);
    slab.erase(1);
    slab.erase(3);
    EXPECT_EQ(slab.insert(30), 3U);
    EXPECT_EQ(slab.insert(10), 1U);
    EXPECT_EQ(slab.insert(50), 5U);
}

TEST(Slab, DestroysEntriesOnEraseAndAtItsEnd) {
    auto token = std::make_shared<int>(0);
    {
        Slab<std::shared_ptr<int>> slab(100);
        for (int i = 0; i < 70; ++i) slab.insert(token);
        EXPECT_EQ(token.use_count(), 71);
        for (std::uint32_t i = 0; i < 70; i += 2) slab.erase(i);
        EXPECT_EQ(token.use_count(), 36);
    }
    EXPECT_EQ(token.use_count(), 1);
}

struct Throwing {
    explicit Throwing(bool fail) {
        bytes.fill(0xab);  // over the free list's link
        if (fail) throw std::runtime_error("refused");
    }
    std::array<unsigned char, 32> bytes{};
};

TEST(Slab, AThrowingConstructorTakesNoEntry) {
    Slab<Throwing> slab(4);
    for (int i = 0; i < 4; ++i) slab.insert(false);
    slab.erase(0);
    slab.erase(2);
    EXPECT_THROW(slab.insert(true), std::runtime_error);
    EXPECT_EQ(slab.size(), 2U);
    EXPECT_FALSE(slab.contains(2));
    EXPECT_EQ(slab.insert(false), 2U);
    EXPECT_EQ(slab.insert(false), 0U);
    EXPECT_EQ(slab.insert(false), kNoEntry);
}

TEST(Slab, SmallAndOverAlignedEntries) {
    Slab<char> small(10);
    for (char c = 'a'; c < 'k'; ++c) small.insert(c);
    small.erase(4);
    EXPECT_EQ(small[3], 'd');
    EXPECT_EQ(small[5], 'f');

    struct alignas(64) Line {
        std::array<std::byte, 128> bytes;
    };
    Slab<Line> lines(10);
    lines.insert();
    const std::uint32_t second = lines.insert();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&lines[second]) % 64, 0U);
}

// A listing that stops and goes on: what lives throughout is seen exactly once.
TEST(Slab, CursorListsEveryLiveEntry) {
    Slab<int> slab(1000);
    EXPECT_EQ(slab.next(0), kNoEntry);
    for (int i = 0; i < 1000; ++i) slab.insert(i);
    for (std::uint32_t i = 0; i < 1000; ++i) {
        if (i % 7 != 0) slab.erase(i);
    }
    std::vector<std::uint32_t> seen;
    for (std::uint32_t i = slab.next(0); i != kNoEntry; i = slab.next(i + 1)) {
        seen.push_back(i);
        if (i == 140) slab.erase(70);  // behind the cursor
    }
    ASSERT_EQ(seen.size(), 143U);
    for (std::size_t n = 0; n < seen.size(); ++n) EXPECT_EQ(seen[n], n * 7);
    EXPECT_EQ(slab.next(995), kNoEntry);
    EXPECT_EQ(slab.next(1000), kNoEntry);
    EXPECT_EQ(slab.next(kNoEntry), kNoEntry);
    EXPECT_FALSE(slab.contains(kNoEntry));
}

TEST(Slab, BehavesLikeAMapUnderRandomUse) {
    auto random = [engine = std::mt19937(1)]() mutable { return static_cast<std::uint32_t>(engine()); };
    Slab<std::string> slab(500);
    std::unordered_map<std::uint32_t, std::string> model;
    for (int step = 0; step < 100'000; ++step) {
        if (random() % 100 < (step / 20'000 % 2 == 0 ? 60U : 40U)) {
            const std::string value = std::to_string(step) + " long enough to live on the heap";
            const std::uint32_t index = slab.insert(value);
            ASSERT_EQ(index == kNoEntry, model.size() == 500);
            if (index != kNoEntry) {
                ASSERT_TRUE(model.emplace(index, value).second);
            }
        } else if (!model.empty()) {
            std::uint32_t index = slab.next(random() % 500);
            if (index == kNoEntry) index = slab.next(0);
            ASSERT_EQ(slab[index], model.at(index));
            slab.erase(index);
            model.erase(index);
        }
        ASSERT_EQ(slab.size(), model.size());
    }
    for (std::uint32_t i = 0; i < 500; ++i) EXPECT_EQ(slab.contains(i), model.contains(i));
}

}  // namespace
}  // namespace sluice::flow
