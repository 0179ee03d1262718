// Stories of a quiet endpoint that was given up and made again from its position: whoever is at the other end
// must not be able to tell.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

// Open with everything agreed, and already gone through one sleep.
std::unique_ptr<Kit> slept(const EndpointOptions& options = full_options()) {
    auto k = std::make_unique<Kit>(options);
    k->open(full_syn());
    k->sleep_and_resume();
    EXPECT_TRUE(k->quiet());
    return k;
}

bool same(const Endpoint::Position& a, const Endpoint::Position& b) {
    return a.send_next == b.send_next && a.send_unacked == b.send_unacked &&
           a.receive_next == b.receive_next && a.receive_edge == b.receive_edge &&
           a.send_window == b.send_window && a.last_timestamp_sent == b.last_timestamp_sent &&
           a.last_timestamp_received == b.last_timestamp_received &&
           a.last_timestamp_at == b.last_timestamp_at && a.send_mss == b.send_mss &&
           a.peer_mss == b.peer_mss && a.receive_mss == b.receive_mss && a.send_scale == b.send_scale &&
           a.receive_scale == b.receive_scale && a.window_scale == b.window_scale &&
           a.timestamps == b.timestamps && a.sack == b.sack && a.smoothed_rtt == b.smoothed_rtt &&
           a.rtt_variation == b.rtt_variation;
}

TEST(ResumeStory, ThePositionIsTheSameAfterwards) {
    for (const bool full : {false, true}) {
        Kit k(full ? full_options() : plain_options());
        k.open(full ? full_syn() : In{.mss = 1300});
        k.recv({.data = "abc"});
        EXPECT_EQ(k.read(), "abc");
        k.write("defg");
        k.expect({.seq = 1, .ack = 4, .data = "defg"});
        k.recv({.ack = 5});
        const Endpoint::Position before = k.endpoint().position();
        k.sleep_and_resume();
        EXPECT_TRUE(same(before, k.endpoint().position()));
        EXPECT_TRUE(k.endpoint().quiet());
        EXPECT_EQ(k.endpoint().next_deadline(), kNever);
    }
}

TEST(ResumeStory, WhatIsWrittenGoesOnWhereItWas) {
    auto k = slept();
    k->write("abc");
    k->expect({.seq = 1, .ack = 1, .data = "abc"});
    k->recv({.ack = 4});
    k->sleep_and_resume();
    k->write("de");
    k->expect({.seq = 4, .ack = 1, .data = "de"});
}

TEST(ResumeStory, WhatArrivesIsTakenAndItsAckDelayed) {
    auto k = slept();
    k->recv({.data = "abc"});
    EXPECT_EQ(k->read(), "abc");
    k->expect_nothing();
    k->advance(40ms);
    k->expect({.seq = 1, .ack = 4});
}

TEST(ResumeStory, AnAckThatIsOwedLeavesBefore) {
    auto k = slept();
    k->recv({.data = "abc"});
    EXPECT_EQ(k->read(), "abc");
    k->sleep_and_resume();
    k->expect({.seq = 1, .ack = 4});
    k->advance(1s);
    k->expect_nothing();
}

TEST(ResumeStory, ALostSegmentIsSentAgainAfterTheMeasuredTime) {
    Kit k;
    k.open();
    k.write("abc");
    k.expect({.seq = 1, .data = "abc"});
    k.advance(150ms);
    k.recv({.ack = 4});
    const Endpoint::Position at = k.endpoint().position();
    k.sleep_and_resume();
    k.write("de");
    k.expect({.seq = 4, .data = "de"});
    const auto waited = k.wait_for_output(5s);
    ASSERT_TRUE(waited);
    EXPECT_GT(at.smoothed_rtt, 0ms);
    EXPECT_EQ(*waited, std::max<Duration>(200ms, at.smoothed_rtt + 4 * at.rtt_variation));
    EXPECT_LT(*waited, EndpointOptions{}.initial_rto);
    k.expect({.seq = 4, .data = "de"});
    k.recv({.ack = 6});
    EXPECT_TRUE(k.endpoint().quiet());
}

TEST(ResumeStory, WithoutAMeasurementItIsTheInitialTime) {
    Endpoint::Position at{};
    at.peer_mss = at.send_mss = 1460;
    at.send_window = 1000;
    struct Nowhere final : Output {
        void send(const Segment&) override {}
    } out;
    const Instant now{1h};
    Endpoint endpoint = Endpoint::resume(plain_options(), at, now);
    endpoint.write(now, as_bytes("abc"), out);
    EXPECT_EQ(endpoint.next_deadline() - now, EndpointOptions{}.initial_rto);
}

TEST(ResumeStory, DuplicateAcksWithSackRepairALoss) {
    auto k = slept();
    k->write(pattern(1448UL * 6));
    ASSERT_EQ(k->drain().size(), 6U);
    for (const std::int64_t received : {3, 4, 5}) {
        k->recv({.ack = 1, .sack = {{1 + 1448 * 2, 1 + 1448 * received}}});
    }
    const std::vector<Sent> again = k->drain();
    ASSERT_FALSE(again.empty());
    EXPECT_EQ(again.front().seq, 1);
    EXPECT_EQ(k->endpoint().statistics().fast_recoveries, 1U);
}

TEST(ResumeStory, DuplicateAcksWithoutSackDoToo) {
    Kit k;
    k.open();
    k.sleep_and_resume();
    k.write(pattern(1460UL * 6));
    ASSERT_EQ(k.drain().size(), 6U);
    for (int i = 0; i < 3; ++i) k.recv({.ack = 1});
    const std::vector<Sent> again = k.drain();
    ASSERT_FALSE(again.empty());
    EXPECT_EQ(again.front().seq, 1);
}

TEST(ResumeStory, ThePeersWindowHolds) {
    Kit k;
    k.open();
    k.recv({.window = 5});
    k.sleep_and_resume();
    k.write("abcdefgh");
    k.expect({.seq = 1, .data = "abcde"});
    k.recv({.ack = 6, .window = 100});
    k.expect({.seq = 6, .data = "fgh"});
}

TEST(ResumeStory, AClosedWindowIsProbed) {
    Kit k;
    k.open();
    k.recv({.window = 0});
    k.sleep_and_resume();
    k.write("abc");
    k.expect_nothing();
    ASSERT_TRUE(k.wait_for_output(5s));
    k.expect({.seq = 0, .data = ""});
    k.recv({.ack = 1, .window = 100});
    k.expect({.seq = 1, .data = "abc"});
}

TEST(ResumeStory, TheOwnWindowNeitherShrinksNorForgetsItsScale) {
    auto k = slept();
    k->recv({.data = "abc"});
    EXPECT_EQ(k->read(), "abc");
    k->sleep_and_resume();
    const std::vector<Sent> sent = k->drain();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].window, 64 * 1024 >> 7);
    EXPECT_EQ(k->endpoint().position().receive_scale, 7);
    EXPECT_EQ(k->endpoint().position().send_scale, 4);
}

TEST(ResumeStory, AnOldTimestampIsStillRefused) {
    auto k = slept();
    k->advance(1s);
    k->recv(
        {.data = "abc",
         .timestamps = wire::TcpTimestamps{.value = k->peer_clock() - 5000, .echo = k->last_timestamp()}});
    k->expect({.seq = 1, .ack = 1});
    EXPECT_EQ(k->endpoint().statistics().paws_rejected, 1U);
    EXPECT_EQ(k->endpoint().readable(), 0U);
}

// RFC 7323 section 5.5: what is older than 24 days cannot be compared, and a rest makes it no younger.
TEST(ResumeStory, ATimestampIsForgottenAfter24DaysWhateverWasInBetween) {
    for (const bool rests : {false, true}) {
        Kit k(full_options());
        k.open(full_syn());
        k.recv({.data = "abc"});
        EXPECT_EQ(k.read(), "abc");
        k.advance(1s);
        (void)k.drain();
        const std::uint32_t old = k.peer_clock() - 5000;
        const auto say_old = [&] {
            k.recv({.seq = 4,
                    .data = "x",
                    .timestamps = wire::TcpTimestamps{.value = old, .echo = k.last_timestamp()}});
        };
        for (int day = 0; day < 23; ++day) {
            k.advance(24h);
            say_old();
            k.expect({.seq = 1, .ack = 4});
            EXPECT_EQ(k.endpoint().statistics().paws_rejected, rests ? 1U : day + 1U);
            if (rests) k.sleep_and_resume();
        }
        k.advance(23h);
        say_old();
        EXPECT_EQ(k.read(), "");
        (void)k.drain();
        if (rests) k.sleep_and_resume();
        k.advance(2h);
        say_old();
        EXPECT_EQ(k.read(), "x");
        (void)k.drain();
    }
}

TEST(ResumeStory, TimestampsGoOnWithTheSameOffset) {
    auto k = slept();
    k->advance(250ms);
    k->write("abc");
    const std::vector<Sent> sent = k->drain();
    ASSERT_EQ(sent.size(), 1U);
    ASSERT_TRUE(sent[0].options.timestamps);
    EXPECT_EQ(sent[0].options.timestamps->value, milliseconds32(k->now()) + full_options().timestamp_offset);
    EXPECT_EQ(sent[0].options.timestamps->echo, k->endpoint().position().last_timestamp_received);
}

TEST(ResumeStory, OldBytesAreAnsweredAndNotTaken) {
    auto k = slept();
    k->recv({.data = "abc"});
    EXPECT_EQ(k->read(), "abc");
    k->sleep_and_resume();
    k->expect({.ack = 4});
    k->recv({.seq = 1, .data = "abc"});
    k->expect({.seq = 1, .ack = 4});
    EXPECT_EQ(k->endpoint().readable(), 0U);
    k->recv({.seq = 2, .data = "bcde"});
    EXPECT_EQ(k->read(), "de");
    (void)k->drain();
}

TEST(ResumeStory, AKeepAliveProbeIsAnswered) {
    auto k = slept();
    k->recv({.seq = 0});
    k->expect({.seq = 1, .ack = 1});
}

TEST(ResumeStory, AnEarlyPieceIsReportedAndKept) {
    auto k = slept();
    k->recv({.seq = 4, .data = "def"});
    k->expect({.ack = 1, .sack = std::vector<Range>{{4, 7}}});
    k->recv({.seq = 1, .data = "abc"});
    k->expect({.ack = 7});
    EXPECT_EQ(k->read(), "abcdef");
}

TEST(ResumeStory, AForgedAcknowledgementIsChallenged) {
    auto k = slept();
    k->recv({.ack = 1000, .data = "x"});
    k->expect({.seq = 1, .ack = 1});
    EXPECT_EQ(k->endpoint().statistics().challenge_acks, 1U);
}

TEST(ResumeStory, OnlyTheExactNumberResets) {
    auto k = slept();
    k->recv({.flags = "R", .seq = 100});
    k->expect({.seq = 1, .ack = 1});
    k->expect_state(State::Established);
    k->recv({.flags = "R", .seq = 1});
    k->expect_state(State::Closed, Failure::Reset);
}

TEST(ResumeStory, ItClosesFromThisSide) {
    auto k = slept();
    k->shutdown();
    k->expect({.flags = "FA", .seq = 1, .ack = 1});
    k->recv({.ack = 2});
    k->expect_state(State::FinWait2);
    k->recv({.flags = "FA"});
    k->expect({.seq = 2, .ack = 2});
    k->expect_state(State::TimeWait);
}

TEST(ResumeStory, ItClosesFromTheOtherSide) {
    auto k = slept();
    k->recv({.flags = "FA", .data = "bye"});
    k->expect({.seq = 1, .ack = 5});
    EXPECT_EQ(k->read(), "bye");
    EXPECT_TRUE(k->endpoint().at_end());
    k->shutdown();
    k->expect({.flags = "FA", .seq = 1, .ack = 5});
    k->recv({.ack = 2});
    k->expect_state(State::Closed);
}

TEST(ResumeStory, ItAborts) {
    auto k = slept();
    k->abort();
    k->expect({.flags = "RA", .seq = 1, .ack = 1});
    k->expect_state(State::Closed, Failure::Aborted);
}

TEST(ResumeStory, ANarrowedPathStaysNarrow) {
    auto k = slept();
    k->path_mss(500);
    k->sleep_and_resume();
    k->write(pattern(600));
    const std::vector<Sent> sent = k->drain();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].data.size(), 488U);
}

}  // namespace
}  // namespace sluice::tcp::kit
