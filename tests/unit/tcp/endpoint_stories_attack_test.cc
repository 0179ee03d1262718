// Stories of what must not work: blind resets and injections (RFC 5961), ACK storms, old segments that come
// back (RFC 7323 PAWS).
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

TEST(AttackStory, ABlindResetInTheWindowOnlyDrawsAChallenge) {
    // RFC 5961 section 3.2.
    Kit k;
    k.open();
    k.recv({.flags = "R", .seq = 1000});
    k.expect({.seq = 1, .ack = 1});
    k.expect_state(State::Established);
    EXPECT_EQ(k.endpoint().statistics().challenge_acks, 1U);
    k.recv({.flags = "R", .seq = 1});  // the true peer answers the challenge with the exact number
    k.expect_state(State::Closed, Failure::Reset);
}

TEST(AttackStory, AnExactResetStillWorksWhenSegmentsAreMissing) {
    Kit k;
    k.open();
    k.recv({.seq = 11, .data = "ahead"});
    (void)k.drain();
    k.recv({.flags = "R", .seq = 16});  // the peer's SND.NXT: not exact, a challenge asks again
    k.expect({.seq = 1, .ack = 1});
    k.recv({.flags = "R", .seq = 1});
    k.expect_state(State::Closed, Failure::Reset);
}

TEST(AttackStory, ChallengesAreRateLimited) {
    // RFC 5961 section 10.
    Kit k;
    k.open();
    for (int i = 0; i < 1000; ++i) {
        k.recv({.flags = "R", .seq = 1000 + i});
        k.recv({.flags = "S", .seq = 1000 + i, .mss = 1460});
        k.recv({.seq = 1, .ack = 1'000'000});
    }
    EXPECT_EQ(k.drain().size(), 1U);
    k.advance(499ms);
    k.recv({.flags = "R", .seq = 1000});
    k.expect_nothing();
    k.advance(1ms);
    k.recv({.flags = "R", .seq = 1000});
    k.expect({.seq = 1, .ack = 1});
    EXPECT_EQ(k.endpoint().statistics().challenge_acks, 2U);
    k.expect_state(State::Established);
}

TEST(AttackStory, ABlindSynDoesNotEndTheConnection) {
    // RFC 5961 section 4.2.
    Kit k;
    k.open();
    k.write("abc");
    (void)k.drain();
    k.recv({.flags = "S", .seq = 5000, .mss = 100});
    k.expect({.seq = 4, .ack = 1});
    k.expect_state(State::Established);
    EXPECT_EQ(k.endpoint().position().send_mss, 1460);
    k.recv({.ack = 4});
    EXPECT_TRUE(k.endpoint().all_acknowledged());
}

TEST(AttackStory, DataWithAnImpossibleAckIsRefused) {
    // RFC 5961 section 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT, or the segment is dropped.
    Kit k;
    k.set_peer_window(1000);
    k.open();
    k.recv({.seq = 1, .ack = 2, .data = "evil"});
    k.expect({.seq = 1, .ack = 1});
    k.advance(1s);
    k.recv({.seq = 1, .ack = 1 - 1001, .data = "evil"});
    k.expect({.seq = 1, .ack = 1});
    EXPECT_EQ(k.endpoint().readable(), 0U);
    k.recv({.seq = 1, .ack = 1 - 1000, .data = "good"});
    EXPECT_EQ(k.read(), "good");
    k.advance(40ms);
    (void)k.drain();
}

TEST(AttackStory, AnOptimisticAckDoesNotMoveTheWindow) {
    Kit k;
    k.open({.window = std::uint16_t{1000}, .mss = 1000});
    k.write(pattern(5000));
    (void)k.drain();
    k.recv({.ack = 4001, .window = std::uint16_t{60'000}});
    k.expect({.seq = 1001, .ack = 1});
    EXPECT_EQ(k.endpoint().send_queue(), 5000U);
    EXPECT_EQ(k.endpoint().position().send_window, 1000U);
}

TEST(AttackStory, TwoEndpointsOutOfStepDoNotAnswerEachOtherForEver) {
    // Out-of-window ACKs on both sides: an ACK storm must die within the rate limit (RFC 5961 section 10).
    Kit k;
    k.open();
    int answers = 0;
    for (int i = 0; i < 1000; ++i) {
        k.recv({.seq = 500'000, .ack = 700'000});
        answers += static_cast<int>(k.drain().size());
        k.advance(1ms);
    }
    EXPECT_LE(answers, 20);
    EXPECT_GE(answers, 1);
}

TEST(AttackStory, AFinOutsideTheWindowDoesNothing) {
    Kit k;
    k.open();
    k.recv({.flags = "FA", .seq = 100'000});
    (void)k.drain();
    k.recv({.flags = "FA", .seq = -5});
    (void)k.drain();
    k.expect_state(State::Established);
    EXPECT_FALSE(k.endpoint().peer_finished());
}

TEST(AttackStory, EveryFlagAtOnceIsSurvived) {
    for (const char* flags : {"SFRPAU", "SF", "SFA", "SR", "FR", "SPAU", ""}) {
        for (const bool established : {false, true}) {
            Kit k;
            if (established) {
                k.open();
            } else {
                k.listen();
            }
            k.recv({.flags = flags, .seq = established ? 50 : 0, .ack = 1, .data = "boo"});
            (void)k.drain();
            if (established) k.expect_state(State::Established);
        }
    }
}

TEST(PawsStory, ASegmentFromThePastIsAcknowledgedAndDropped) {
    // RFC 7323 section 5.3, R1.
    Kit k(full_options());
    k.open(full_syn());
    k.advance(10s);
    k.recv({.data = "new"});
    k.advance(40ms);
    (void)k.drain();
    const std::uint32_t old = k.peer_clock() - 5000;
    k.recv({.seq = 4,
            .data = "old",
            .timestamps = wire::TcpTimestamps{.value = old, .echo = k.last_timestamp()}});
    k.expect({.seq = 1, .ack = 4});
    EXPECT_EQ(k.read(), "new");
    EXPECT_EQ(k.endpoint().statistics().paws_rejected, 1U);
    k.recv({.seq = 4, .data = "fine"});
    EXPECT_EQ(k.read(), "fine");
    k.advance(40ms);
    (void)k.drain();
}

TEST(PawsStory, AResetIsExempt) {
    // RFC 7323 section 5.2: RST segments are not subject to PAWS, with an old timestamp or none.
    Kit k(full_options());
    k.open(full_syn());
    k.advance(10s);
    k.recv({.data = "new"});
    k.advance(40ms);
    (void)k.drain();
    k.recv({.flags = "R", .seq = 4, .timestamps = wire::TcpTimestamps{.value = 1, .echo = 0}});
    k.expect_state(State::Closed, Failure::Reset);
}

TEST(PawsStory, TheClockMayWrap) {
    Kit k(full_options());
    In syn = full_syn();
    syn.timestamps = wire::TcpTimestamps{.value = 0xffff'fff0, .echo = 0};
    const auto stamp = [&](std::uint32_t value) {
        return wire::TcpTimestamps{.value = value, .echo = k.last_timestamp()};
    };
    k.listen();
    syn.flags = "S";
    k.recv(syn);
    (void)k.drain();
    k.recv({.timestamps = stamp(0xffff'fff8)});
    k.recv({.data = "abc", .timestamps = stamp(0x0000'0005)});
    EXPECT_EQ(k.read(), "abc");
    k.advance(40ms);
    const Sent ack = k.drain().back();
    ASSERT_TRUE(ack.options.timestamps);
    EXPECT_EQ(ack.options.timestamps->echo, 0x0000'0005U);
    k.recv({.seq = 4, .data = "old", .timestamps = stamp(0xffff'fffa)});
    k.expect({.ack = 4});
    EXPECT_EQ(k.endpoint().readable(), 0U);
}

TEST(PawsStory, TheEchoIsOfTheSegmentThatTheAckCompletes) {
    // RFC 7323 section 4.3: TS.Recent moves only with a segment that covers Last.ACK.sent.
    Kit k(full_options());
    k.open(full_syn());
    const auto stamp = [&](std::uint32_t value) {
        return wire::TcpTimestamps{.value = value, .echo = k.last_timestamp()};
    };
    const std::uint32_t base = k.peer_clock();
    k.recv({.seq = 1, .data = "abc", .timestamps = stamp(base + 10)});
    k.recv({.seq = 4,
            .data = "def",
            .timestamps = stamp(base + 20)});  // before the delayed ACK: the first counts
    k.advance(40ms);
    const std::vector<Sent> sent = k.drain();
    ASSERT_FALSE(sent.empty());
    ASSERT_TRUE(sent[0].options.timestamps);
    EXPECT_EQ(sent[0].options.timestamps->echo, base + 10);
    k.recv({.seq = 11, .data = "ahead", .timestamps = stamp(base + 30)});  // out of order: not taken over
    const Sent duplicate = k.drain().at(0);
    EXPECT_LE(static_cast<std::int32_t>(duplicate.options.timestamps->echo - (base + 20)), 0);
    EXPECT_EQ(k.read(), "abcdef");
}

TEST(PawsStory, OurTimestampsFollowTheClockAndTheOffset) {
    EndpointOptions options = full_options();
    options.timestamp_offset = 0xffff'ff00;
    Kit k(options);
    k.open(full_syn());
    for (int i = 0; i < 5; ++i) {
        k.advance(100ms);
        k.write("x");
        const Sent s = k.drain().at(0);
        ASSERT_TRUE(s.options.timestamps);
        EXPECT_EQ(s.options.timestamps->value, milliseconds32(k.now()) + options.timestamp_offset);
        k.recv({});
        EXPECT_EQ(k.endpoint().position().last_timestamp_sent, s.options.timestamps->value);
        EXPECT_EQ(k.endpoint().position().last_timestamp_received, k.peer_clock());
    }
}

TEST(PawsStory, AnIdleConnectionOutlivesTheTimestampClock) {
    // RFC 7323 section 5.5: after 24 days of silence TS.Recent is out of date and must not reject the peer.
    Kit k(full_options());
    k.open(full_syn());
    k.advance(std::chrono::hours(24 * 30));
    k.expect_nothing();
    k.recv({.data = "still here"});
    EXPECT_EQ(k.read(), "still here");
    k.advance(40ms);
    (void)k.drain();
}

}  // namespace
}  // namespace sluice::tcp::kit
