#include "sluice/base/lazy_array.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

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

std::size_t resident_pages(LazyArray<std::byte>& array) {
    constexpr std::size_t kPage = 4096;
    std::vector<unsigned char> pages((array.size() + kPage - 1) / kPage);
    EXPECT_EQ(mincore(array.data(), array.size(), pages.data()), 0);
    return static_cast<std::size_t>(
        std::ranges::count_if(pages, [](unsigned char page) { return (page & 1U) != 0; }));
}

// However large it could become, and also once it was moved to where there is room.
TEST(LazyArray, TakesAsManyPagesAsItsBeginningNeeds) {
    for (const std::size_t size : {std::size_t{1} << 20U, std::size_t{64} << 20U}) {
        LazyArray<std::byte> array(size);
        for (std::size_t i = 0; i < 500'000; ++i) array[i] = std::byte{1};
        EXPECT_EQ(resident_pages(array), 123U);
        array.grow(size + (std::size_t{32} << 20U));
        for (std::size_t i = 500'000; i < 1'000'000; ++i) array[i] = std::byte{1};
        EXPECT_EQ(resident_pages(array), 245U);
    }
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
