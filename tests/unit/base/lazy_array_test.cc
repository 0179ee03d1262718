#include "sluice/base/lazy_array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace sluice {
namespace {

// From what the heap gives to what is mapped with huge pages.
constexpr std::size_t kSizes[] = {0, 1, 1000, 16'383, 16'384, 100'000, 2'097'152, 5'000'001};

TEST(LazyArray, IsOfZeros) {
    for (const std::size_t size : kSizes) {
        const LazyArray<std::uint32_t> array(size);
        ASSERT_EQ(array.size(), size);
        for (std::size_t i = 0; i < size; i += 500) ASSERT_EQ(array[i], 0U);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(array.data()) % 64, 0U);
    }
}

TEST(LazyArray, GrowsByZerosAndKeepsWhatItHas) {
    for (const std::size_t from : kSizes) {
        for (const std::size_t to : kSizes) {
            LazyArray<std::uint32_t> array(from);
            for (std::size_t i = 0; i < from; ++i) array[i] = static_cast<std::uint32_t>(i + 1);
            array.grow(to);
            ASSERT_EQ(array.size(), std::max(from, to)) << "it never shrinks";
            for (std::size_t i = 0; i < from; i += 77) ASSERT_EQ(array[i], i + 1);
            for (std::size_t i = from; i < to; ++i) ASSERT_EQ(array[i], 0U);
        }
    }
}

TEST(LazyArray, GrowsAgainAndAgain) {
    LazyArray<std::uint64_t> array;
    std::size_t filled = 0;
    for (std::size_t size = 1; size < 4'000'000; size = size * 3 / 2 + 1) {
        array.grow(size);
        for (; filled < size; ++filled) array[filled] = ~filled;
    }
    for (std::size_t i = 0; i < filled; ++i) ASSERT_EQ(array[i], ~i);
}

TEST(LazyArray, IsEmptyOnceMovedFrom) {
    LazyArray<std::uint32_t> first(100'000);
    first[99'999] = 7;
    LazyArray<std::uint32_t> second(std::move(first));
    EXPECT_EQ(first.size(), 0U);  // NOLINT(bugprone-use-after-move)
    first = std::move(second);
    EXPECT_EQ(second.size(), 0U);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(first[99'999], 7U);
}

}  // namespace
}  // namespace sluice
