#include "sluice/wire/tcp_options.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "bytes_util.h"

namespace sluice::wire {
namespace {

std::optional<TcpOptions> parse(ByteView bytes) { return parse_tcp_options(ExactBytes(bytes).view()); }
std::optional<TcpOptions> parse(std::string_view text) { return parse(hex(text)); }

Bytes write(const TcpOptions& options) {
    ExactBytes out = blank(tcp_options_size(options));
    EXPECT_EQ(write_tcp_options(options, out.span()), out.view().size());
    return to_bytes(out.view());
}

TcpOptions with_sack_blocks(std::uint8_t count) {
    TcpOptions options;
    for (std::uint8_t i = 0; i < count; ++i) options.sack[i] = {i * 100U + 0xfffffff0U, i * 100U + 7};
    options.sack_count = count;
    return options;
}

TEST(TcpOptions, ReadsTheOptionsOfALinuxSyn) {
    const auto options = parse("020405b40402080ad0d0addc000000000103030a");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->mss, 1460);
    EXPECT_EQ(options->window_scale, 10);
    EXPECT_TRUE(options->sack_permitted);
    EXPECT_EQ(options->timestamps, (TcpTimestamps{0xd0d0addc, 0}));
    EXPECT_EQ(options->sack_count, 0);
}

TEST(TcpOptions, WritesTheOptionsOfALinuxSyn) {
    const TcpOptions options{
        .mss = 1460, .window_scale = 10, .sack_permitted = true, .timestamps = TcpTimestamps{0xd0d0addc, 0}};
    EXPECT_EQ(write(options), hex("020405b40402080ad0d0addc000000000103030a"));
}

TEST(TcpOptions, ReadsAnyOrder) {
    const auto reference = parse("020405b40402080a0000000100000002030307");
    ASSERT_TRUE(reference);
    std::vector<std::string> pieces{"020405b4", "0402", "080a0000000100000002", "030307", "01", "fd0499aa"};
    std::ranges::sort(pieces);
    do {
        std::string text;
        for (const auto& piece : pieces) text += piece;
        EXPECT_EQ(parse(text), reference) << text;
    } while (std::ranges::next_permutation(pieces).found);
}

TEST(TcpOptions, RoundTripsOneToFourSackBlocks) {
    for (std::uint8_t count = 1; count <= kMaxSackBlocks; ++count) {
        const TcpOptions options = with_sack_blocks(count);
        EXPECT_EQ(tcp_options_size(options), 4U + 8U * count);
        EXPECT_EQ(parse(write(options)), options);
    }
}

TEST(TcpOptions, LeavesOutTheLastSackBlocksThatDoNotFit) {
    TcpOptions options = with_sack_blocks(4);
    options.timestamps = TcpTimestamps{1, 2};
    TcpOptions expected = with_sack_blocks(3);
    expected.timestamps = options.timestamps;
    EXPECT_EQ(tcp_options_size(options), 40U);
    EXPECT_EQ(parse(write(options)), expected);
}

TEST(TcpOptions, EndOfListStopsReading) {
    const auto options = parse("020405b400030307ff00");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->mss, 1460);
    EXPECT_FALSE(options->window_scale);
}

TEST(TcpOptions, EmptyAndPaddingOnlyAreFine) {
    EXPECT_EQ(parse(""), TcpOptions{});
    EXPECT_EQ(parse("01010101"), TcpOptions{});
    EXPECT_EQ(parse("00000000"), TcpOptions{});
}

TEST(TcpOptions, LengthBelowTwoIsMalformed) {
    EXPECT_FALSE(parse("02000000"));
    EXPECT_FALSE(parse("02010000"));
    EXPECT_FALSE(parse("fd00"));
    EXPECT_FALSE(parse("0101fd01"));
}

TEST(TcpOptions, LengthPastTheEndIsMalformed) {
    EXPECT_FALSE(parse("02"));  // no room for the length itself
    EXPECT_FALSE(parse("010108"));
    EXPECT_FALSE(parse("020405"));
    EXPECT_FALSE(parse("080a00000001000000"));
    EXPECT_FALSE(parse("fdff0000"));
}

TEST(TcpOptions, EveryCutInsideAnOptionIsMalformed) {
    const Bytes whole = hex("020405b4080a0000000100000002050a0000000100000002");
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        const bool at_boundary = size == 0 || size == 4 || size == 14 || size == 24;
        EXPECT_EQ(parse(ByteView(whole).first(size)).has_value(), at_boundary) << size;
    }
}

TEST(TcpOptions, KnownKindsWithAWrongLengthAreIgnored) {
    for (const std::string_view text :
         {"020305", "020505b400", "0302", "03040707", "040300", "080900000001000000",
          "080b000000010000000200", "0502", "050900000001000000", "050b000000010000000200"}) {
        EXPECT_EQ(parse(text), TcpOptions{}) << text;
    }
    // Five blocks cannot come in a real header, and must not be written past the array.
    EXPECT_EQ(parse("052a" + std::string(80, '1')), TcpOptions{});
}

TEST(TcpOptions, OptionsBehindAnIgnoredOneAreRead) {
    const auto options = parse("0203ff020405b4");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->mss, 1460);
}

TEST(TcpOptions, TheLastOfARepeatedKindCounts) {
    const auto options = parse("020405b4020402000522" + std::string(64, '1') + "050a0000000100000002");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->mss, 512);
    EXPECT_EQ(options->sack_count, 1);
    EXPECT_EQ(options->sack[0], (SackBlock{1, 2}));
    EXPECT_EQ(options->sack[1], SackBlock{});
}

TEST(TcpOptions, WritesEveryCombinationInWholeWordsAndReadsItBack) {
    for (unsigned bits = 0; bits < 16; ++bits) {
        for (std::uint8_t blocks = 0; blocks <= kMaxSackBlocks; ++blocks) {
            TcpOptions options = with_sack_blocks(blocks);
            if ((bits & 1U) != 0) options.mss = 536;
            if ((bits & 2U) != 0) options.window_scale = kMaxWindowScale;
            options.sack_permitted = (bits & 4U) != 0;
            if ((bits & 8U) != 0) options.timestamps = TcpTimestamps{0xffffffff, 0x80000000};
            const std::size_t size = tcp_options_size(options);
            EXPECT_EQ(size % 4, 0U);
            EXPECT_LE(size, 40U);
            const auto back = parse(write(options));
            ASSERT_TRUE(back);
            EXPECT_EQ(back->mss, options.mss);
            EXPECT_EQ(back->window_scale, options.window_scale);
            EXPECT_EQ(back->sack_permitted, options.sack_permitted);
            EXPECT_EQ(back->timestamps, options.timestamps);
            EXPECT_LE(back->sack_count, blocks);
            if (size + 8 <= 40) {
                EXPECT_EQ(back->sack_count, blocks);
            }
            EXPECT_TRUE(
                std::equal(back->sack.begin(), back->sack.begin() + back->sack_count, options.sack.begin()));
        }
    }
}

TEST(TcpOptions, RandomBytesNeverReadPastTheEnd) {
    std::mt19937 random(1);
    for (int i = 0; i < 20000; ++i) {
        Bytes bytes(random() % 41);
        for (auto& b : bytes) b = static_cast<std::byte>(random() % (random() % 2 == 0 ? 12U : 256U));
        const auto first = parse(bytes);
        if (!first) continue;
        // What was read can be written, and reads back the same once it fits.
        const auto second = parse(write(*first));
        ASSERT_TRUE(second);
        EXPECT_EQ(parse(write(*second)), second);
    }
}

}  // namespace
}  // namespace sluice::wire
