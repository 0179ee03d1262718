// Stories of peers whose timestamps do not come as agreed: they are left out, start at zero, run back, or are
// there though nobody asked. None of it may end or hang a connection that TCP can carry.
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

wire::TcpTimestamps stamp(const Kit& k, std::uint32_t value) {
    return {.value = value, .echo = k.last_timestamp()};
}

TEST(ClockStory, ASegmentWithoutTheAgreedTimestampIsTakenAndCounted) {
    // RFC 7323 section 3.2 would have it dropped in silence; hosts that do it would never be heard.
    Kit k(full_options());
    k.open(full_syn());
    k.recv({.seq = 1, .data = "bare", .no_timestamps = true});
    EXPECT_EQ(k.read(), "bare");
    k.advance(40ms);
    const std::vector<Sent> sent = k.drain();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].ack, 5);
    EXPECT_TRUE(sent[0].options.timestamps);  // what was agreed on holds on our side
    EXPECT_EQ(k.endpoint().statistics().missing_timestamps, 1U);
    k.recv({.data = "stamped"});
    EXPECT_EQ(k.read(), "stamped");
    EXPECT_EQ(k.endpoint().statistics().missing_timestamps, 1U);
    k.advance(40ms);
    (void)k.drain();
}

TEST(ClockStory, TheHandshakeEndsWithoutThemToo) {
    Kit passive(full_options());
    passive.listen();
    In syn = full_syn();
    syn.flags = "S";
    passive.recv(syn);
    (void)passive.drain();
    passive.recv({.no_timestamps = true});
    passive.expect_state(State::Established);
    EXPECT_EQ(passive.endpoint().statistics().missing_timestamps, 1U);
    passive.write("hello");
    EXPECT_TRUE(passive.drain().at(0).options.timestamps);
    passive.recv({.no_timestamps = true});
    EXPECT_TRUE(passive.endpoint().all_acknowledged());

    Kit in_one(full_options());  // the ACK with the first text
    in_one.listen();
    in_one.recv(syn);
    (void)in_one.drain();
    in_one.recv({.data = "first", .no_timestamps = true});
    in_one.expect_state(State::Established);
    EXPECT_EQ(in_one.read(), "first");
    in_one.advance(40ms);
    (void)in_one.drain();
}

TEST(ClockStory, AFinWithoutThemCloses) {
    for (const bool we_begin : {false, true}) {
        Kit k(full_options());
        k.open(full_syn());
        if (we_begin) {
            k.shutdown();
            (void)k.drain();
            k.recv({.no_timestamps = true});
            k.expect_state(State::FinWait2);
        }
        k.recv({.flags = "FA", .no_timestamps = true});
        k.expect_state(we_begin ? State::TimeWait : State::CloseWait);
        (void)k.drain();
        if (!we_begin) {
            k.shutdown();
            (void)k.drain();
            k.recv({.no_timestamps = true});
            k.expect_state(State::Closed);
        }
        EXPECT_EQ(k.endpoint().statistics().missing_timestamps, 2U);
    }
}

TEST(ClockStory, AResetNeedsNone) {
    // RFC 7323 section 3.2: it is no segment that lacks them.
    Kit k(full_options());
    k.open(full_syn());
    k.recv({.flags = "R", .seq = 1, .no_timestamps = true});
    k.expect_state(State::Closed, Failure::Reset);
    EXPECT_EQ(k.endpoint().statistics().missing_timestamps, 0U);
}

TEST(ClockStory, ThatStopsAndComesBackLosesNothing) {
    Kit k(full_options());
    k.open(full_syn());
    std::string text;
    for (int i = 0; i < 30; ++i) {
        const std::string piece = pattern(100, static_cast<std::size_t>(i));
        k.recv({.data = piece, .no_timestamps = i % 10 >= 5});
        text += piece;
        k.write("answer");
        (void)k.drain();
        k.recv({.no_timestamps = i % 10 >= 5});
        k.advance(1s);
        (void)k.drain();
    }
    EXPECT_EQ(k.read(), text);
    (void)k.drain();
    EXPECT_EQ(k.endpoint().statistics().missing_timestamps, 30U);
    EXPECT_EQ(k.endpoint().statistics().paws_rejected, 0U);
    EXPECT_EQ(k.endpoint().statistics().retransmits, 0U);
}

TEST(ClockStory, TheLastOneSeenIsEchoedWhileNoneCome) {
    Kit k(full_options());
    k.open(full_syn());
    const std::uint32_t seen = k.peer_clock() + 5;
    k.recv({.data = "a", .timestamps = stamp(k, seen)});
    k.advance(40ms);
    (void)k.drain();
    k.recv({.data = "b", .no_timestamps = true});
    k.advance(40ms);
    EXPECT_EQ(k.drain().at(0).options.timestamps->echo, seen);
    EXPECT_EQ(k.read(), "ab");
    EXPECT_EQ(k.endpoint().position().last_timestamp_received, seen);
}

TEST(ClockStory, RetransmissionWorksWithoutEchoes) {
    Kit k(full_options());
    k.open(full_syn());
    k.write("hello");
    (void)k.drain();
    ASSERT_TRUE(k.wait_for_output(5s));
    (void)k.drain();
    k.recv({.no_timestamps = true});
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    k.write("again");
    (void)k.drain();
    k.recv({.timestamps = wire::TcpTimestamps{.value = k.peer_clock(), .echo = 0}});  // echoes nothing
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    EXPECT_EQ(k.wait_for_output(60s), std::nullopt);
}

TEST(ClockStory, ZeroInASynIsNoTime) {
    // Whatever the clock behind it says, half of which would lie before zero.
    for (const std::uint32_t clock : {1U, 0x7fff'ffffU, 0x8000'0001U, 0xffff'fff0U}) {
        Kit k(full_options());
        In syn = full_syn();
        syn.flags = "S";
        syn.timestamps = wire::TcpTimestamps{.value = 0, .echo = 0};
        k.listen();
        k.recv(syn);
        (void)k.drain();
        k.recv({.timestamps = stamp(k, clock)});
        k.expect_state(State::Established);
        k.recv({.data = "text", .timestamps = stamp(k, clock + 1)});
        EXPECT_EQ(k.read(), "text");
        EXPECT_EQ(k.endpoint().position().last_timestamp_received, clock + 1);
        k.recv({.data = "old", .timestamps = stamp(k, clock - 5000)});
        EXPECT_EQ(k.endpoint().readable(), 0U);  // from the first real one on, order holds
        (void)k.drain();
    }
}

TEST(ClockStory, ThatJumpsBackIsAnsweredAndHeardAgainOnceItHasCaughtUp) {
    Kit k(full_options());
    k.open(full_syn());
    k.advance(100s);
    const std::uint32_t base = k.peer_clock();
    k.recv({.data = "before", .timestamps = stamp(k, base)});
    EXPECT_EQ(k.read(), "before");
    k.advance(1s);
    (void)k.drain();
    k.recv({.seq = 7, .data = "after", .timestamps = stamp(k, base - 3000)});
    k.expect({.ack = 7});  // the peer hears what is missing, and may leave the option out
    k.recv({.seq = 7, .data = "after", .timestamps = stamp(k, base + 1)});
    EXPECT_EQ(k.read(), "after");
    EXPECT_EQ(k.endpoint().statistics().paws_rejected, 1U);
    k.advance(40ms);
    (void)k.drain();
}

TEST(ClockStory, TimestampsThatNobodyAgreedOnMeanNothing) {
    Kit k;
    k.open();
    for (const std::uint32_t value : {5U, 0xf000'0000U, 1U}) {
        k.write("x");
        (void)k.drain();
        k.recv({.data = "y", .timestamps = wire::TcpTimestamps{.value = value, .echo = 0x1234}});
        EXPECT_EQ(k.read(), "y");
        EXPECT_TRUE(k.endpoint().all_acknowledged());
        k.advance(40ms);
        for (const Sent& s : k.drain()) EXPECT_FALSE(s.options.timestamps);
    }
    EXPECT_LT(k.endpoint().statistics().smoothed_rtt, 1ms);
    EXPECT_EQ(k.endpoint().statistics().missing_timestamps, 0U);
}

}  // namespace
}  // namespace sluice::tcp::kit
