// Stories of the sending side: the initial window, the peer's window and its probes, segment sizes, Nagle's
// matter.
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

std::size_t total(const std::vector<Sent>& sent) {
    std::size_t bytes = 0;
    for (const Sent& s : sent) bytes += s.data.size();
    return bytes;
}

TEST(SendStory, TheFirstFlightIsTenSegments) {
    // RFC 6928: min(10 * MSS, max(2 * MSS, 14600)).
    Kit k;
    k.open();
    k.write(pattern(60'000));
    const std::vector<Sent> sent = k.drain();
    EXPECT_EQ(sent.size(), 10U);
    EXPECT_EQ(total(sent), 14'600U);
    Kit small;
    small.open({.mss = 536});
    small.write(pattern(60'000));
    EXPECT_EQ(total(small.drain()), 5360U);
    EndpointOptions options = plain_options();
    options.send_mss_limit = 8960;
    Kit jumbo(options);
    jumbo.open({.mss = 8960});
    jumbo.write(pattern(60'000));
    EXPECT_EQ(total(jumbo.drain()), 17'920U);
}

TEST(SendStory, ARepeatedSynMakesTheFirstFlightOneSegment) {
    // RFC 5681 section 3.1: after a lost SYN or SYN-ACK.
    Kit k;
    k.connect();
    (void)k.drain();
    k.advance(1s);
    (void)k.drain();
    k.recv({.flags = "SA", .mss = 1460});
    (void)k.drain();
    k.write(pattern(60'000));
    EXPECT_EQ(total(k.drain()), 1460U);
}

TEST(SendStory, SlowStartDoublesPerRoundTrip) {
    EndpointOptions options = full_options();
    options.send_buffer = 1'000'000;
    Kit k(options);
    In syn = full_syn();
    syn.window = std::uint16_t{65'535};
    k.open(syn);
    k.write(pattern(1'000'000));
    std::size_t flight = total(k.drain());
    for (int round = 0; round < 3; ++round) {
        k.advance(50ms);
        const std::int64_t until = k.sent_next();
        std::int64_t acked = until - static_cast<std::int64_t>(flight);
        while (acked < until) {
            acked = std::min<std::int64_t>(acked + 2 * 1448, until);
            k.recv({.ack = acked});
        }
        const std::size_t next = total(k.drain());
        EXPECT_GE(next, flight + flight / 2);
        EXPECT_LE(next, 2 * flight + 1448);
        flight = next;
    }
}

TEST(SendStory, ThePeersWindowIsAWallForOrdinaryData) {
    Kit k;
    k.open({.window = std::uint16_t{2000}, .mss = 1000});
    k.write(pattern(5000));
    EXPECT_EQ(total(k.drain()), 2000U);
    k.recv({.ack = 1, .window = std::uint16_t{3000}});  // the same ACK, a larger window
    EXPECT_EQ(total(k.drain()), 1000U);
}

TEST(SendStory, ASliverOfAWindowIsNotFilled) {
    // RFC 9293 section 3.8.6.2.1: neither a full segment nor half of the largest window, and more is waiting.
    Kit k;
    k.open({.window = std::uint16_t{2300}, .mss = 1000});
    k.write(pattern(5000));
    EXPECT_EQ(total(k.drain()), 2000U);
    k.recv({.ack = 2001, .window = std::uint16_t{300}});
    k.expect_nothing();
    ASSERT_TRUE(k.wait_for_output(5s));  // but not for ever: the override timeout
    k.expect({.seq = 2001, .size = 300U});
}

TEST(SendStory, AnOlderSegmentDoesNotChangeTheWindow) {
    // RFC 9293 section 3.10.7.4: SND.WL1 and SND.WL2 keep old segments from updating it.
    Kit k;
    k.open({.window = std::uint16_t{2000}, .mss = 1460});
    k.recv({.window = std::uint16_t{4000}, .data = "abc"});
    EXPECT_EQ(k.endpoint().position().send_window, 4000U);
    k.recv({.seq = 1, .window = std::uint16_t{1000}, .data = "ab"});  // delayed: from before
    EXPECT_EQ(k.endpoint().position().send_window, 4000U);
    (void)k.drain();
    k.advance(40ms);
    (void)k.drain();
}

TEST(SendStory, AZeroWindowHeldForTenSecondsIsProbedAndNotGivenUp) {
    // RFC 9293 section 3.8.6.1: the first probe after an RTO, then at growing intervals; the connection
    // stays.
    Kit k;
    k.open({.window = std::uint16_t{0}, .mss = 1460});
    k.write(pattern(3000));
    k.expect_nothing();
    const Instant start = k.now();
    std::vector<Duration> pauses;
    while (k.now() < start + 10s) {
        const std::optional<Duration> pause = k.wait_for_output(start + 10s - k.now());
        if (!pause) break;
        pauses.push_back(*pause);
        for (const Sent& probe : k.drain()) {
            EXPECT_LE(probe.data.size(), 1U);
            EXPECT_TRUE(probe.seq == 0 || probe.seq == 1) << probe.to_string();
            EXPECT_TRUE(probe.data.size() == 1 || probe.seq == 0) << "a probe must draw an answer";
        }
        k.recv({.ack = 1, .window = std::uint16_t{0}});
        k.expect_nothing();
    }
    ASSERT_GE(pauses.size(), 3U);
    for (std::size_t i = 1; i < pauses.size(); ++i) EXPECT_GE(pauses[i], pauses[i - 1]);
    EXPECT_GE(pauses.back(), 2 * pauses.front());
    EXPECT_LE(pauses.front(), 1s);
    k.expect_state(State::Established);
    k.recv({.ack = 1, .window = std::uint16_t{10'000}});
    std::string arrived;
    for (const Sent& s : k.drain()) {
        EXPECT_LE(s.seq - 1, static_cast<std::int64_t>(arrived.size()));
        arrived.resize(static_cast<std::size_t>(s.seq - 1));
        arrived += s.data;
    }
    if (arrived.size() < 3000) {  // the probed byte may wait for its timer
        EXPECT_TRUE(k.wait_for_output(10s));
        (void)k.drain();
    }
    EXPECT_EQ(k.sent_next(), 3001);
    EXPECT_EQ(k.endpoint().failure(), Failure::None);
}

TEST(SendStory, AnsweredProbesGoOnForEver) {
    // RFC 9293 section 3.8.6.1: as long as the peer acknowledges, the connection must be kept open.
    EndpointOptions options = plain_options();
    options.probe_retries = 3;
    options.max_rto = 10s;
    Kit k(options);
    k.open({.window = std::uint16_t{0}, .mss = 1460});
    k.write("waiting");
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(k.wait_for_output(20s)) << "probe " << i;
        (void)k.drain();
        k.recv({.ack = 1, .window = std::uint16_t{0}});
    }
    k.expect_state(State::Established);
}

TEST(SendStory, UnansweredProbesEndInATimeout) {
    EndpointOptions options = plain_options();
    options.probe_retries = 4;
    Kit k(options);
    k.open({.window = std::uint16_t{0}, .mss = 1460});
    k.write("waiting");
    int probes = 0;
    for (int i = 0; i < 10 && k.endpoint().state() == State::Established; ++i) {
        (void)k.wait_for_output(300s);
        for (const Sent& s : k.drain()) probes += s.flags.rst ? 0 : 1;
    }
    EXPECT_EQ(probes, 4);
    k.expect_state(State::Closed, Failure::TimedOut);
}

TEST(SendStory, AWindowThatClosesWhileDataIsInFlightLeavesTheProbing) {
    Kit k;
    k.open({.window = std::uint16_t{1000}, .mss = 1460});
    k.write(pattern(1500));
    k.expect({.seq = 1, .data = pattern(1000)});
    k.recv({.ack = 1001, .window = std::uint16_t{0}});
    k.expect_nothing();
    ASSERT_TRUE(k.wait_for_output(5s));
    (void)k.drain();
    k.expect_state(State::Established);
}

TEST(SendStory, AShrunkWindowIsSurvived) {
    // RFC 9293 section 3.8.6: a sender must be robust against a window that shrinks.
    Kit k;
    k.open({.window = std::uint16_t{5000}, .mss = 1000});
    k.write(pattern(8000));
    EXPECT_EQ(total(k.drain()), 5000U);
    k.recv({.ack = 1001, .window = std::uint16_t{1000}});
    k.expect_nothing();
    k.recv({.ack = 5001, .window = std::uint16_t{1000}});
    EXPECT_EQ(total(k.drain()), 1000U);
    k.recv({.ack = 6001, .window = std::uint16_t{2000}});
    EXPECT_EQ(total(k.drain()), 2000U);
}

TEST(SendStory, AFinBehindAClosedWindowGoesWhenItOpens) {
    Kit k;
    k.open({.window = std::uint16_t{0}, .mss = 1460});
    k.shutdown();
    for (int i = 0; i < 3; ++i) {
        if (k.quiet()) (void)k.wait_for_output(60s);
        (void)k.drain();  // probes, or the FIN itself as one
        k.recv({.ack = 1, .window = std::uint16_t{0}});
    }
    k.recv({.ack = 1, .window = std::uint16_t{100}});
    if (k.quiet()) (void)k.wait_for_output(60s);
    EXPECT_EQ(k.sent_next(), 2);
    (void)k.drain();
    k.recv({.ack = 2});
    k.expect_state(State::FinWait2);
}

TEST(SendStory, SegmentsAreFullExceptTheLast) {
    Kit k;
    k.open({.mss = 1000});
    k.write(pattern(3500));
    std::size_t at = 0;
    for (const std::size_t size : {1000U, 1000U, 1000U}) {
        k.expect({.seq = static_cast<std::int64_t>(at + 1), .size = size});
        at += size;
    }
    std::vector<Sent> rest = k.drain();
    if (rest.empty()) {  // Nagle may hold the small one until the others are acknowledged
        k.recv({});
        rest = k.drain();
    }
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].data, pattern(500, 3000));
    EXPECT_TRUE(rest[0].flags.psh);
}

TEST(SendStory, WriteTakesWhatTheBufferHoldsAndAcksFreeIt) {
    EndpointOptions options = plain_options();
    options.send_buffer = 3000;
    Kit k(options);
    k.open();
    EXPECT_EQ(k.endpoint().writable(), 3000U);
    EXPECT_EQ(k.write(pattern(5000)), 3000U);
    EXPECT_EQ(k.endpoint().writable(), 0U);
    EXPECT_EQ(k.endpoint().send_queue(), 3000U);
    (void)k.drain();
    k.recv({.ack = 1461});
    EXPECT_EQ(k.endpoint().writable(), 1460U);
    EXPECT_EQ(k.endpoint().send_queue(), 1540U);
    EXPECT_FALSE(k.endpoint().all_acknowledged());
    k.recv({.ack = 3001});
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
}

TEST(SendStory, AThousandTurnsOfTheSendRingKeepTheBytes) {
    EndpointOptions options = plain_options();
    options.send_buffer = 1999;
    Kit k(options);
    k.open();
    std::size_t written = 0;
    for (int i = 0; i < 1000; ++i) {
        written += k.write(pattern(777, written));
        for (const Sent& s : k.drain()) {
            ASSERT_EQ(s.data, pattern(s.data.size(), static_cast<std::size_t>(s.seq - 1)));
        }
        k.recv({});
        for (const Sent& s : k.drain()) {
            ASSERT_EQ(s.data, pattern(s.data.size(), static_cast<std::size_t>(s.seq - 1)));
        }
    }
    k.recv({});
    (void)k.drain();
    EXPECT_EQ(written, 777'000U);
}

TEST(SendStory, ALowerPathMssResendsInSmallerPieces) {
    Kit k;
    k.open();
    k.write(pattern(4000));
    EXPECT_EQ(total(k.drain()), 4000U);
    k.path_mss(500);
    std::vector<Sent> sent = k.drain();
    EXPECT_EQ(k.endpoint().position().send_mss, 500);
    if (sent.empty()) {
        ASSERT_TRUE(k.wait_for_output(2s));
        sent = k.drain();
    }
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(sent[0].seq, 1);
    std::int64_t acked = 1;
    for (int turn = 0; turn < 100 && acked < 4001; ++turn) {
        for (const Sent& s : sent) {
            EXPECT_LE(s.data.size(), 500U);
            if (s.seq == acked) acked = s.end();
        }
        k.recv({.ack = acked});
        sent = k.drain();
        if (sent.empty() && acked < 4001) {
            ASSERT_TRUE(k.wait_for_output(10s));
            sent = k.drain();
        }
    }
    EXPECT_EQ(acked, 4001);
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    k.path_mss(1400);  // larger: ignored
    EXPECT_EQ(k.endpoint().position().send_mss, 500);
    k.expect_nothing();
}

TEST(SendStory, APathMssNeverGoesBelowFortyEight) {
    Kit k;
    k.open();
    k.path_mss(1);
    EXPECT_EQ(k.endpoint().position().send_mss, 48);
    k.write(pattern(100));
    for (const Sent& s : k.drain()) EXPECT_LE(s.data.size(), 48U);
    k.recv({});
    (void)k.drain();
}

TEST(SendStory, StatisticsCountFirstTransmissionsOnce) {
    Kit k;
    k.open();
    k.write(pattern(100));
    (void)k.drain();
    ASSERT_TRUE(k.wait_for_output(5s));
    (void)k.drain();
    EXPECT_EQ(k.endpoint().statistics().bytes_out, 100U);
    EXPECT_EQ(k.endpoint().statistics().retransmits, 1U);
    EXPECT_EQ(k.endpoint().statistics().timeouts, 1U);
    EXPECT_EQ(k.endpoint().statistics().segments_out, 3U);
}

}  // namespace
}  // namespace sluice::tcp::kit
