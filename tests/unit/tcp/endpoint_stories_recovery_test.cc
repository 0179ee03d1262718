// Stories of loss: the retransmission timer, fast retransmit with and without SACK, and what is not resent.
#include <gtest/gtest.h>

#include <algorithm>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

constexpr std::int64_t kMss = 1000;

// Established, `count` full segments in flight, all drained. Relative start of segment i is 1 + i * kMss.
void fly(Kit& k, std::int64_t count) {
    k.write(pattern(static_cast<std::size_t>(count * kMss)));
    ASSERT_EQ(k.drain().size(), static_cast<std::size_t>(count));
}

std::int64_t at(std::int64_t segment) { return 1 + segment * kMss; }

EndpointOptions sack_options() {
    EndpointOptions options = plain_options();
    options.sack = true;
    return options;
}

std::vector<std::int64_t> starts(const std::vector<Sent>& sent) {
    std::vector<std::int64_t> list;
    for (const Sent& s : sent) list.push_back(s.seq);
    return list;
}

TEST(RecoveryStory, SilenceDoublesTheTimerUpToTheLimitOfRetries) {
    EndpointOptions options = plain_options();
    options.data_retries = 6;
    Kit k(options);
    k.open();
    k.write("hello");
    (void)k.drain();
    std::optional<Duration> previous;
    for (int i = 0; i < 6; ++i) {
        const std::optional<Duration> pause = k.wait_for_output(60s);
        ASSERT_TRUE(pause);
        k.expect({.seq = 1, .data = "hello"});
        if (previous) {
            EXPECT_EQ(*pause, 2 * *previous);
        }
        previous = pause;
    }
    EXPECT_EQ(k.endpoint().statistics().timeouts, 6U);
    (void)k.wait_for_output(60s);
    (void)k.drain();  // an RST is allowed
    k.expect_state(State::Closed, Failure::TimedOut);
}

TEST(RecoveryStory, TheTimerNeverExceedsItsMaximum) {
    EndpointOptions options = plain_options();
    options.max_rto = 5s;
    options.data_retries = 12;
    Kit k(options);
    k.open();
    k.write("hello");
    (void)k.drain();
    Duration longest{0};
    for (int i = 0; i < 12; ++i) {
        const std::optional<Duration> pause = k.wait_for_output(60s);
        ASSERT_TRUE(pause);
        (void)k.drain();
        longest = std::max(longest, *pause);
    }
    EXPECT_EQ(longest, 5s);
}

TEST(RecoveryStory, TheTimerFollowsTheRoundTripButStaysOverItsMinimum) {
    Kit k;
    k.open();
    for (int i = 0; i < 30; ++i) {
        k.write("x");
        (void)k.drain();
        k.advance(10ms);
        k.recv({});
    }
    EXPECT_NEAR(static_cast<double>(k.endpoint().statistics().smoothed_rtt.count()), 10e6, 1e6);
    k.write("x");
    (void)k.drain();
    const std::optional<Duration> pause = k.wait_for_output(5s);
    ASSERT_TRUE(pause);
    EXPECT_GE(*pause, 200ms);
    EXPECT_LE(*pause, 250ms);
    (void)k.drain();
}

TEST(RecoveryStory, AnAckRestartsTheTimerForWhatIsLeft) {
    // RFC 6298 (5.3).
    Kit k;
    k.open({.mss = 1000});
    fly(k, 2);
    k.advance(100ms);
    k.recv({.ack = at(1)});
    const Duration armed = k.endpoint().next_deadline() - k.now();
    EXPECT_GE(armed, 200ms);
    EXPECT_TRUE(k.wait_for_output(2s));
    EXPECT_EQ(k.drain().at(0).seq, at(1));
}

TEST(RecoveryStory, WithoutTimestampsARetransmittedSegmentIsNotMeasured) {
    // Karn's rule (RFC 6298 section 3), and the backed-off timer stays until a fresh segment is acknowledged.
    Kit k;
    k.open();
    k.write("a");
    (void)k.drain();
    k.advance(50ms);
    k.recv({});
    const Duration before = k.endpoint().statistics().smoothed_rtt;
    k.write("b");
    (void)k.drain();
    ASSERT_TRUE(k.wait_for_output(5s));
    (void)k.drain();
    k.advance(3ms);
    k.recv({});
    EXPECT_EQ(k.endpoint().statistics().smoothed_rtt, before);
}

TEST(RecoveryStory, WithTimestampsTheEchoTellsTheRoundTrip) {
    Kit k(full_options());
    k.open(full_syn());
    for (int i = 0; i < 20; ++i) {
        k.write("b");
        (void)k.drain();
        k.advance(30ms);
        k.recv({});
    }
    EXPECT_NEAR(static_cast<double>(k.endpoint().statistics().smoothed_rtt.count()), 30e6, 3e6);
}

TEST(RecoveryStory, TheTimeoutResendsTheFirstSegmentAndSlowStartsFromOne) {
    // RFC 5681 section 3.1: after an RTO the congestion window is one segment.
    Kit k;
    k.open({.mss = 1000});
    fly(k, 8);
    ASSERT_TRUE(k.wait_for_output(5s));
    k.expect({.seq = 1, .data = pattern(1000)});
    k.expect_nothing();
    k.recv({.ack = at(1)});
    EXPECT_LE(k.drain().size(), 2U);
}

TEST(RecoveryStory, AnAckForEverythingAfterATimeoutStopsTheResending) {
    // The originals were only late: nothing more is resent.
    Kit k;
    k.open({.mss = 1000});
    fly(k, 8);
    ASSERT_TRUE(k.wait_for_output(5s));
    (void)k.drain();
    k.recv({.ack = at(8)});
    k.expect_nothing();
    EXPECT_EQ(k.wait_for_output(60s), std::nullopt);
    EXPECT_TRUE(k.endpoint().all_acknowledged());
}

TEST(RecoveryStory, ThreeDuplicateAcksBringTheSegmentBack) {
    // RFC 5681 section 3.2, without SACK.
    Kit k;
    k.open({.mss = 1000});
    fly(k, 8);
    k.recv({.ack = 1});
    EXPECT_EQ(starts(k.drain()), std::vector<std::int64_t>{});
    k.recv({.ack = 1});
    EXPECT_EQ(starts(k.drain()), std::vector<std::int64_t>{});
    k.recv({.ack = 1});
    k.expect({.seq = 1, .data = pattern(1000)});
    k.expect_nothing();
    for (int i = 0; i < 4; ++i) k.recv({.ack = 1});
    for (const Sent& s : k.drain()) EXPECT_GE(s.seq, at(8)) << "resent twice";
    EXPECT_EQ(k.endpoint().statistics().fast_recoveries, 1U);
    EXPECT_EQ(k.endpoint().statistics().timeouts, 0U);
    k.recv({.ack = at(8)});
    (void)k.drain();
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    EXPECT_EQ(k.endpoint().statistics().retransmits, 1U);
}

TEST(RecoveryStory, APartialAckBringsTheNextHole) {
    // RFC 6582 (NewReno): two losses in one flight cost two round trips, not a timeout.
    Kit k;
    k.open({.mss = 1000});
    fly(k, 8);  // 0 and 3 are lost
    for (int i = 0; i < 6; ++i) k.recv({.ack = 1});
    const std::vector<Sent> first = k.drain();
    ASSERT_FALSE(first.empty());
    EXPECT_EQ(first[0].seq, 1);
    k.recv({.ack = at(3)});
    const std::vector<Sent> second = k.drain();
    ASSERT_FALSE(second.empty());
    EXPECT_EQ(second[0].seq, at(3));
    k.recv({.ack = at(8)});
    (void)k.drain();
    EXPECT_EQ(k.endpoint().statistics().timeouts, 0U);
    EXPECT_TRUE(k.endpoint().all_acknowledged());
}

TEST(RecoveryStory, DataAndWindowUpdatesAreNotDuplicateAcks) {
    // RFC 5681 section 2: a duplicate ACK carries no data and no new window.
    Kit k;
    k.open({.mss = 1000});
    fly(k, 8);
    for (int i = 0; i < 3; ++i) k.recv({.ack = 1, .data = "abc"});
    for (int i = 0; i < 3; ++i) k.recv({.ack = 1, .window = static_cast<std::uint16_t>(60'000 + 100 * i)});
    for (const Sent& s : k.drain()) EXPECT_TRUE(s.data.empty()) << s.to_string();
    EXPECT_EQ(k.endpoint().statistics().fast_recoveries, 0U);
}

TEST(RecoveryStory, TwoDuplicatesAreReordering) {
    Kit k;
    k.open({.mss = 1000});
    fly(k, 8);
    k.recv({.ack = 1});
    k.recv({.ack = 1});
    k.recv({.ack = at(8)});
    k.expect_nothing();
    EXPECT_EQ(k.endpoint().statistics().retransmits, 0U);
}

TEST(RecoveryStory, WithSackOnlyTheHolesAreResent) {
    // RFC 6675.
    Kit k(sack_options());
    k.open({.mss = 1000, .sack_permitted = true});
    fly(k, 10);  // 0, 2 and 4 are lost
    k.recv({.ack = 1, .sack = {{at(5), at(10)}, {at(3), at(4)}, {at(1), at(2)}}});
    std::vector<std::int64_t> resent = starts(k.drain());
    ASSERT_FALSE(resent.empty());
    EXPECT_EQ(resent[0], at(0));
    k.recv({.ack = at(2), .sack = {{at(5), at(10)}, {at(3), at(4)}}});
    for (const Sent& s : k.drain()) resent.push_back(s.seq);
    k.recv({.ack = at(4), .sack = {{at(5), at(10)}}});
    for (const Sent& s : k.drain()) resent.push_back(s.seq);
    EXPECT_EQ(resent, (std::vector<std::int64_t>{at(0), at(2), at(4)}));
    k.recv({.ack = at(10)});
    k.expect_nothing();
    EXPECT_EQ(k.endpoint().statistics().retransmits, 3U);
    EXPECT_EQ(k.endpoint().statistics().timeouts, 0U);
    EXPECT_EQ(k.endpoint().statistics().fast_recoveries, 1U);
}

TEST(RecoveryStory, SackedBytesAreNotResentAfterATimeout) {
    // RFC 2018 section 8 lets a sender keep or drop its marks after an RTO; the first hole always goes first,
    // and the cumulative ACK that follows ends it.
    Kit k(sack_options());
    k.open({.mss = 1000, .sack_permitted = true});
    fly(k, 4);
    k.recv({.ack = 1, .sack = {{at(1), at(4)}}});
    std::vector<Sent> sent = k.drain();
    if (sent.empty()) {
        ASSERT_TRUE(k.wait_for_output(5s));
        sent = k.drain();
    }
    EXPECT_EQ(starts(sent), std::vector<std::int64_t>{at(0)});
    k.recv({.ack = at(4)});
    k.expect_nothing();
    EXPECT_EQ(k.wait_for_output(60s), std::nullopt);
}

TEST(RecoveryStory, ARetransmissionThatIsLostAgainComesBackByTheTimer) {
    Kit k(sack_options());
    k.open({.mss = 1000, .sack_permitted = true});
    fly(k, 6);
    k.recv({.ack = 1, .sack = {{at(1), at(6)}}});
    EXPECT_EQ(starts(k.drain()), std::vector<std::int64_t>{at(0)});
    ASSERT_TRUE(k.wait_for_output(10s));
    EXPECT_EQ(k.drain().at(0).seq, at(0));
    k.recv({.ack = at(6)});
    (void)k.drain();
    EXPECT_TRUE(k.endpoint().all_acknowledged());
}

TEST(RecoveryStory, ARenegingReceiverIsServed) {
    // RFC 2018 section 8: a receiver may discard what it SACKed; the timer must bring it all again.
    Kit k(sack_options());
    k.open({.mss = 1000, .sack_permitted = true});
    fly(k, 4);
    k.recv({.ack = 1, .sack = {{at(1), at(4)}}});
    (void)k.drain();
    std::int64_t acked = at(0);
    for (int turn = 0; turn < 40 && acked < at(4); ++turn) {
        const std::optional<Duration> pause = k.wait_for_output(70s);
        ASSERT_TRUE(pause) << "stuck at " << acked;
        for (const Sent& s : k.drain()) {
            if (s.seq <= acked && s.end() > acked)
                acked = s.seq + kMss;  // takes one segment, forgets the rest
        }
        k.recv({.ack = acked});
        for (const Sent& s : k.drain()) {
            if (s.seq <= acked && s.end() > acked) acked = s.end();
        }
        if (acked > at(0)) k.recv({.ack = acked});
        (void)k.drain();
    }
    EXPECT_EQ(acked, at(4));
    EXPECT_TRUE(k.endpoint().all_acknowledged());
}

TEST(RecoveryStory, NonsenseInSackIsIgnored) {
    Kit k(sack_options());
    k.open({.mss = 1000, .sack_permitted = true});
    fly(k, 5);
    for (int i = 0; i < 2; ++i) {
        k.recv({.ack = 1, .sack = {{at(9), at(12)}}});                  // never sent
        k.recv({.ack = 1, .sack = {{at(2), at(1)}, {-500, 1}}});        // inverted; below the ACK
        k.recv({.ack = 1, .sack = {{at(3), at(3)}, {at(4), at(40)}}});  // empty; beyond what was sent
    }
    (void)k.drain();
    ASSERT_TRUE(k.wait_for_output(10s));
    (void)k.drain();
    k.recv({.ack = at(5)});
    (void)k.drain();
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    k.expect_state(State::Established);
}

TEST(RecoveryStory, ALostFinIsResentByItself) {
    Kit k;
    k.open({.mss = 1000});
    fly(k, 1);
    k.shutdown();
    k.expect({.flags = "FA", .seq = at(1)});
    k.recv({.ack = at(1)});
    ASSERT_TRUE(k.wait_for_output(5s));
    k.expect({.flags = "FA", .seq = at(1)});
}

TEST(RecoveryStory, DataAndFinLostTogetherComeBackTogetherOrInOrder) {
    Kit k;
    k.open({.mss = 1000});
    fly(k, 1);
    k.shutdown();
    (void)k.drain();
    std::int64_t acked = 1;
    for (int turn = 0; turn < 5 && acked < at(1) + 1; ++turn) {
        ASSERT_TRUE(k.wait_for_output(10s));
        for (const Sent& s : k.drain()) {
            if (s.seq == acked) acked = s.end();
        }
        k.recv({.ack = acked});
        for (const Sent& s : k.drain()) {
            if (s.seq == acked) acked = s.end();
        }
    }
    k.recv({.ack = acked});
    k.expect_state(State::FinWait2);
}

TEST(RecoveryStory, ALostSegmentMayBeJoinedByLaterBytes) {
    // Small writes that were lost come back; the peer sees each byte once in order whatever the cut.
    Kit k;
    k.open();
    for (const char* text : {"a", "b", "c", "d"}) k.write(text);
    std::string arrived;
    (void)k.drain();
    for (int turn = 0; turn < 20 && arrived.size() < 4; ++turn) {
        ASSERT_TRUE(k.wait_for_output(10s));
        for (const Sent& s : k.drain()) {
            if (s.seq - 1 == static_cast<std::int64_t>(arrived.size())) arrived += s.data;
        }
        k.recv({.ack = static_cast<std::int64_t>(arrived.size()) + 1});
        for (const Sent& s : k.drain()) {
            if (s.seq - 1 == static_cast<std::int64_t>(arrived.size())) arrived += s.data;
        }
    }
    EXPECT_EQ(arrived, "abcd");
    k.recv({.ack = 5});
    (void)k.drain();
    EXPECT_TRUE(k.endpoint().all_acknowledged());
}

}  // namespace
}  // namespace sluice::tcp::kit
