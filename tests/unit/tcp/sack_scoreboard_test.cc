// Sender's scoreboard against the words of RFC 6675: segments of 100 bytes, numbered from 1000.
#include "sack_scoreboard.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sluice::tcp::sack_scoreboard_test {
namespace {

using Range = SackScoreboard::Range;
constexpr std::uint32_t kMss = 100;

Seq s(std::uint32_t segment) { return Seq(1000 + segment * kMss); }

class Scoreboard : public testing::Test {
  protected:
    Scoreboard() { board.start(s(0)); }
    bool report(std::uint32_t from, std::uint32_t to) { return board.report(s(from), s(to), next); }
    std::uint32_t pipe() const { return board.pipe(next, kMss) / kMss; }
    std::optional<Range> lost() const { return board.next_lost(next, kMss, kMss); }

    SackScoreboard board;
    Seq next = s(10);
};

TEST_F(Scoreboard, NothingReportedNothingLost) {
    EXPECT_EQ(pipe(), 10U);
    EXPECT_EQ(lost(), std::nullopt);
    EXPECT_EQ(board.next_hole(next, kMss), std::nullopt);
}

TEST_F(Scoreboard, OnlyNewsInsideTheFlightCounts) {
    EXPECT_TRUE(report(3, 5));
    EXPECT_FALSE(report(3, 5));
    EXPECT_FALSE(report(4, 5));
    EXPECT_TRUE(report(4, 6));
    EXPECT_FALSE(report(9, 11));                              // beyond SND.NXT
    EXPECT_FALSE(board.report(s(0).retreat(1), s(2), next));  // duplicate SACK (RFC 2883)
    EXPECT_FALSE(report(5, 5));
    EXPECT_FALSE(report(6, 4));
    EXPECT_EQ(board.loss_edge(kMss), s(3));  // 3 to 6 is known, and nothing else
    EXPECT_EQ(pipe(), 4U);
}

TEST_F(Scoreboard, LostAfterThreePiecesOrMoreThanTwoSegmentsAbove) {
    report(2, 3);
    report(4, 5);
    EXPECT_EQ(lost(), std::nullopt);
    report(6, 7);
    EXPECT_EQ(board.loss_edge(kMss), s(2));  // three pieces above segments 0 and 1
    EXPECT_EQ(lost(), (Range{s(0), s(1)}));
    SackScoreboard other;
    other.start(s(0));
    other.report(s(5), s(7), next);
    EXPECT_EQ(other.loss_edge(kMss), s(0));  // two segments are not more than two
    other.report(s(7), s(8), next);
    EXPECT_EQ(other.loss_edge(kMss), s(5));
}

TEST_F(Scoreboard, RepairsHolesInOrderAndCountsThePipe) {
    report(1, 3);
    report(4, 7);  // lost: 0 and 3; in the network: 7, 8, 9
    EXPECT_EQ(pipe(), 3U);
    ASSERT_EQ(lost(), (Range{s(0), s(1)}));
    board.sent_again(*lost());
    EXPECT_EQ(pipe(), 4U);
    ASSERT_EQ(lost(), (Range{s(3), s(4)}));
    board.sent_again(*lost());
    EXPECT_EQ(pipe(), 5U);
    EXPECT_EQ(lost(), std::nullopt);
    board.advance(s(3));
    EXPECT_EQ(pipe(), 4U);
    board.advance(s(7));
    EXPECT_EQ(pipe(), 3U);
}

TEST_F(Scoreboard, HolesNotSurelyLostComeBeforeTheRescue) {
    report(1, 2);
    report(3, 4);
    ASSERT_EQ(board.next_hole(next, kMss), (Range{s(0), s(1)}));
    board.sent_again({s(0), s(1)});
    ASSERT_EQ(board.next_hole(next, kMss), (Range{s(2), s(3)}));
    board.sent_again({s(2), s(3)});
    EXPECT_EQ(board.next_hole(next, kMss), std::nullopt);
    EXPECT_EQ(board.rescue(next, kMss), (Range{s(9), s(10)}));
    board.sent_rescue();
    EXPECT_EQ(board.rescue(next, kMss), std::nullopt);
    board.allow_rescue();
    report(9, 10);
    EXPECT_EQ(board.rescue(next, kMss), std::nullopt);  // the peer has the last segment
}

TEST_F(Scoreboard, TimeoutMakesAllUnreportedLost) {
    report(4, 6);
    board.sent_again({s(0), s(2)});
    board.mark_lost(next, true);
    EXPECT_EQ(pipe(), 0U);
    std::vector<Range> sent;
    while (const auto range = lost()) {
        sent.push_back(*range);
        board.sent_again(*range);
    }
    EXPECT_EQ(sent.size(), 8U);
    EXPECT_EQ(sent[4], (Range{s(6), s(7)}));
    EXPECT_EQ(pipe(), 8U);
}

TEST_F(Scoreboard, RenegingIsSeen) {
    report(2, 4);
    board.advance(s(1));
    EXPECT_FALSE(board.reports_first_byte());
    board.advance(s(3));
    EXPECT_TRUE(board.reports_first_byte());
    board.forget_reports();
    EXPECT_EQ(pipe(), 7U);
}

TEST_F(Scoreboard, RangesAreBounded) {
    std::size_t news = 0;
    for (std::uint32_t i = 0; i < 400; ++i)
        news += board.report(s(0).advance(2 * i + 1), s(0).advance(2 * i + 2), next) ? 1U : 0U;
    EXPECT_EQ(news, SackScoreboard::kMaxRanges);
    EXPECT_TRUE(report(0, 9));  // what joins ranges is always welcome
    EXPECT_EQ(pipe(), 1U);
}

// Against a map of bytes, across the wrap of the number space.
TEST(ScoreboardProperty, PipeAgreesWithAByteMap) {
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
        const Seq origin(0xffffff00U + below(200));
        constexpr std::uint32_t kSize = 500;
        SackScoreboard board;
        board.start(origin);
        std::vector<bool> held(kSize, false);
        std::uint32_t unacked = 0;
        for (int step = 0; step < 40; ++step) {
            const std::uint32_t left = unacked + below(kSize - unacked);
            const std::uint32_t right = left + 1 + below(std::min(30U, kSize - left));
            board.report(origin.advance(left), origin.advance(right), origin.advance(kSize));
            for (std::uint32_t i = left; i < right; ++i) held[i] = true;
            if (below(5) == 0) {
                unacked += below(10);
                board.advance(origin.advance(unacked));
            }
            // IsLost byte by byte: three pieces, or more than two segments of 10 bytes, above it.
            std::uint32_t pipe = 0;
            std::uint32_t bytes = 0;
            std::uint32_t pieces = 0;
            for (std::uint32_t i = kSize; i-- > unacked;) {
                if (held[i]) {
                    ++bytes;
                    if (i + 1 == kSize || !held[i + 1]) ++pieces;
                } else if (pieces < 3 && bytes <= 20) {
                    ++pipe;
                }
            }
            ASSERT_EQ(board.pipe(origin.advance(kSize), 10), pipe) << "seed " << seed << " step " << step;
        }
    }
}

}  // namespace
}  // namespace sluice::tcp::sack_scoreboard_test
