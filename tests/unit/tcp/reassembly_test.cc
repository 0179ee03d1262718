// Receive buffer: order restored from any arrival, bounded, and the SACK blocks it reports.
#include "reassembly.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace sluice::tcp {
namespace {

std::string drain(Reassembly& buffer) {
    std::string text;
    while (buffer.readable() != 0) {
        const ByteView piece = buffer.peek(0);
        text += as_text(piece);
        buffer.consume(static_cast<std::uint32_t>(piece.size()));
    }
    return text;
}

std::vector<wire::SackBlock> blocks(const Reassembly& buffer) {
    std::array<wire::SackBlock, wire::kMaxSackBlocks> out{};
    const std::uint8_t count = buffer.sack_blocks(out);
    return {out.begin(), out.begin() + count};
}

TEST(Reassembly, InOrderBytesAreReadableAndMemoryComesBack) {
    Reassembly buffer(4096);
    buffer.start(Seq(0xfffffffeU));
    EXPECT_EQ(buffer.memory_bytes(), 0U);
    buffer.insert(Seq(0xfffffffeU), as_bytes("hello"));
    EXPECT_EQ(buffer.next(), Seq(3));
    EXPECT_EQ(buffer.readable(), 5U);
    EXPECT_EQ(as_text(buffer.peek(2)), "llo");
    EXPECT_TRUE(buffer.peek(5).empty());
    EXPECT_EQ(drain(buffer), "hello");
    EXPECT_EQ(buffer.memory_bytes(), 0U);
}

TEST(Reassembly, GapsFillInPlace) {
    Reassembly buffer(4096);
    buffer.start(Seq(100));
    buffer.insert(Seq(103), as_bytes("def"));
    EXPECT_TRUE(buffer.has_gap());
    EXPECT_EQ(buffer.readable(), 0U);
    buffer.insert(Seq(109), as_bytes("jkl"));
    buffer.insert(Seq(100), as_bytes("abc"));
    EXPECT_EQ(drain(buffer), "abcdef");
    EXPECT_TRUE(buffer.has_gap());
    buffer.insert(Seq(106), as_bytes("ghi"));
    EXPECT_FALSE(buffer.has_gap());
    EXPECT_EQ(drain(buffer), "ghijkl");
    EXPECT_EQ(buffer.memory_bytes(), 0U);
}

TEST(Reassembly, WhatCameFirstStays) {
    Reassembly buffer(4096);
    buffer.start(Seq(0));
    buffer.insert(Seq(2), as_bytes("CD"));
    buffer.insert(Seq(6), as_bytes("GH"));
    buffer.insert(Seq(0), as_bytes("abxxefxxij"));
    EXPECT_EQ(drain(buffer), "abCDefGHij");
}

TEST(Reassembly, KeepsNoMoreThanItsLimit) {
    Reassembly buffer(10);
    buffer.start(Seq(0));
    buffer.insert(Seq(0), as_bytes("0123456789abc"));
    EXPECT_EQ(buffer.readable(), 10U);
    EXPECT_EQ(buffer.room(), 0U);
    buffer.insert(Seq(10), as_bytes("a"));
    EXPECT_EQ(buffer.next(), Seq(10));
    buffer.consume(4);
    buffer.insert(Seq(12), as_bytes("cdef"));
    EXPECT_EQ(blocks(buffer), (std::vector<wire::SackBlock>{{12, 14}}));
}

TEST(Reassembly, PiecesAreBounded) {
    Reassembly buffer(64 * 1024);
    buffer.start(Seq(0));
    for (std::uint32_t i = 0; i < 1000; ++i) buffer.insert(Seq(1 + 2 * i), as_bytes("x"));
    EXPECT_EQ(buffer.pieces(), Reassembly::kMaxPieces);
    for (std::uint32_t i = 0; i < 1000; ++i) buffer.insert(Seq(5000), {});  // empty segments add nothing
    EXPECT_EQ(buffer.pieces(), Reassembly::kMaxPieces);
    buffer.insert(Seq(0), as_bytes("x"));  // the first gap is always taken
    EXPECT_EQ(buffer.next(), Seq(2));
}

TEST(Reassembly, NewestPieceIsReportedFirst) {
    Reassembly buffer(4096);
    buffer.start(Seq(0));
    buffer.insert(Seq(10), as_bytes("x"));
    buffer.insert(Seq(20), as_bytes("x"));
    buffer.insert(Seq(30), as_bytes("x"));
    EXPECT_EQ(blocks(buffer), (std::vector<wire::SackBlock>{{30, 31}, {20, 21}, {10, 11}}));
    buffer.insert(Seq(11), as_bytes("x"));
    EXPECT_EQ(blocks(buffer), (std::vector<wire::SackBlock>{{10, 12}, {30, 31}, {20, 21}}));
    buffer.insert(Seq(40), as_bytes("x"));
    buffer.insert(Seq(50), as_bytes("x"));
    EXPECT_EQ(blocks(buffer), (std::vector<wire::SackBlock>{{50, 51}, {40, 41}, {10, 12}, {30, 31}}));
}

// Against a map of bytes: any order, overlap, repetition and consumption give the same stream.
TEST(Reassembly, AgreesWithAByteMap) {
    for (std::uint32_t seed = 0; seed < 60; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
        const std::uint32_t limit = 1 + below(3000);
        const Seq origin(0xffffffffU - below(4000));
        Reassembly buffer(limit);
        buffer.start(origin);
        std::string stream(20'000, '\0');
        for (char& c : stream) c = static_cast<char>(random());
        std::vector<bool> held(stream.size(), false);
        std::uint32_t next = 0;
        std::uint32_t consumed = 0;
        for (int step = 0; step < 3000 && consumed < stream.size(); ++step) {
            const std::uint32_t at = next - std::min(next, below(200)) + below(below(3) == 0 ? 3000 : 200);
            const std::uint32_t size = below(300);
            if (at + size <= stream.size()) {
                buffer.insert(origin.advance(at), as_bytes(std::string_view(stream).substr(at, size)));
                for (std::uint32_t i = at; i < at + size && i < consumed + limit; ++i) held[i] = true;
            }
            if (buffer.pieces() < Reassembly::kMaxPieces) {
                while (next < stream.size() && held[next]) ++next;
            } else {
                next = buffer.next().since(origin);
            }
            ASSERT_EQ(buffer.next(), origin.advance(next)) << "seed " << seed << " step " << step;
            ASSERT_EQ(buffer.readable(), next - consumed);
            const std::uint32_t take = below(buffer.readable() + 1);
            std::string seen;
            while (seen.size() < take) seen += as_text(buffer.peek(static_cast<std::uint32_t>(seen.size())));
            seen.resize(take);
            ASSERT_EQ(seen, stream.substr(consumed, take)) << "seed " << seed;
            buffer.consume(take);
            consumed += take;
        }
        EXPECT_GT(consumed, 0U);
    }
}

TEST(Reassembly, EarlyPiecesCanBeGivenUpAndWhatIsReadableStays) {
    Reassembly buffer(1000);
    buffer.start(Seq(0));
    buffer.insert(Seq(0), as_bytes("abc"));
    buffer.insert(Seq(5), as_bytes("fgh"));
    ASSERT_TRUE(buffer.has_gap());
    buffer.drop_early();
    EXPECT_FALSE(buffer.has_gap());
    EXPECT_EQ(as_text(buffer.peek(0)), "abc");
    buffer.consume(3);
    EXPECT_EQ(buffer.memory_bytes(), 0U);
}

}  // namespace
}  // namespace sluice::tcp
