// Stories of the receiving side: when an ACK leaves, what it says, how the window moves, what is kept out of
// order.
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

TEST(ReceiveStory, OneSmallSegmentIsAcknowledgedWithinTheDelay) {
    Kit k;
    k.open();
    k.recv({.data = "abc"});
    EXPECT_EQ(k.endpoint().readable(), 3U);
    const std::optional<Duration> pause = k.wait_for_output(500ms);
    ASSERT_TRUE(pause);
    EXPECT_LE(*pause, 40ms);
    k.expect({.seq = 1, .ack = 4});
    EXPECT_EQ(k.wait_for_output(60s), std::nullopt);
}

TEST(ReceiveStory, EverySecondFullSegmentIsAcknowledgedAtOnce) {
    // RFC 5681 section 4.2.
    Kit k;
    k.open();
    const std::string full = pattern(1460);
    k.recv({.data = full});
    if (k.quiet()) k.recv({.data = full});
    ASSERT_FALSE(k.quiet());
    k.expect({.seq = 1, .ack = k.peer_next()});
    for (int pair = 0; pair < 5; ++pair) {
        EXPECT_EQ(k.read().size() % 1460, 0U);
        (void)k.drain();
        k.recv({.data = full});
        k.recv({.data = full});
        EXPECT_FALSE(k.quiet());
        EXPECT_EQ(k.drain().back().ack, k.peer_next());
    }
}

TEST(ReceiveStory, AnAckRidesOnOurData) {
    Kit k;
    k.open();
    k.recv({.data = "ping"});
    (void)k.read();
    k.write("pong");
    k.expect({.seq = 1, .ack = 5, .data = "pong"});
    k.advance(100ms);  // and no second ACK follows
    k.expect_nothing();
}

TEST(ReceiveStory, AHoleIsReportedAtOnceAndItsFillToo) {
    // RFC 5681 section 4.2: an immediate duplicate ACK for a segment out of order, an immediate ACK when it
    // fills.
    Kit k;
    k.open();
    k.recv({.seq = 4, .data = "def"});
    k.expect({.seq = 1, .ack = 1});
    k.recv({.seq = 7, .data = "ghi"});
    k.expect({.seq = 1, .ack = 1});
    EXPECT_EQ(k.endpoint().readable(), 0U);
    k.recv({.seq = 1, .data = "abc"});
    k.expect({.seq = 1, .ack = 10});
    EXPECT_EQ(k.read(), "abcdefghi");
}

TEST(ReceiveStory, DuplicateAcksKeepTheSameWindow) {
    // Otherwise the sender does not count them (RFC 5681 section 2).
    Kit k;
    k.open();
    std::optional<std::uint16_t> window;
    for (int i = 1; i <= 3; ++i) {
        k.recv({.seq = 1 + 1460 * i, .data = pattern(1460)});
        const std::vector<Sent> sent = k.drain();
        ASSERT_EQ(sent.size(), 1U);
        EXPECT_EQ(sent[0].ack, 1);
        EXPECT_EQ(sent[0].window, window.value_or(sent[0].window));
        window = sent[0].window;
    }
}

TEST(ReceiveStory, SackBlocksNameTheLatestFirst) {
    // RFC 2018 section 4: the first block holds the segment that just came, then the most recent others.
    Kit k(full_options());
    k.open(full_syn());
    k.recv({.seq = 11, .data = "aaaaa"});
    k.expect({.ack = 1, .sack = {{{11, 16}}}});
    k.recv({.seq = 21, .data = "bbbbb"});
    k.expect({.ack = 1, .sack = {{{21, 26}, {11, 16}}}});
    k.recv({.seq = 31, .data = "ccccc"});
    k.expect({.ack = 1, .sack = {{{31, 36}, {21, 26}, {11, 16}}}});
    k.recv({.seq = 41, .data = "ddddd"});  // timestamps leave room for three
    k.expect({.ack = 1, .sack = {{{41, 46}, {31, 36}, {21, 26}}}});
    k.recv({.seq = 16, .data = "eeeee"});  // joins two blocks, and they come first
    k.expect({.ack = 1, .sack = {{{11, 26}, {41, 46}, {31, 36}}}});
    k.recv({.seq = 1, .data = pattern(10)});
    k.expect({.ack = 26, .sack = {{{41, 46}, {31, 36}}}});
}

TEST(ReceiveStory, WithoutTimestampsFourSackBlocksFit) {
    EndpointOptions options = plain_options();
    options.sack = true;
    Kit k(options);
    k.open({.mss = 1460, .sack_permitted = true});
    for (int i = 1; i <= 5; ++i) k.recv({.seq = 1 + 10 * i, .data = "aaaaa"});
    const std::vector<Sent> sent = k.drain();
    ASSERT_EQ(sent.size(), 5U);
    EXPECT_EQ(sent[4].sack, (std::vector<Range>{{51, 56}, {41, 46}, {31, 36}, {21, 26}}));
}

TEST(ReceiveStory, NoSackBlocksWhenNotAgreed) {
    Kit k;
    k.open({.mss = 1460, .sack_permitted = true});
    k.recv({.seq = 11, .data = "aaaaa"});
    k.expect({.ack = 1});
}

TEST(ReceiveStory, OverlapsOfEveryKindMakeOneStream) {
    Kit k;
    k.open();
    const std::string text = pattern(100);
    const auto piece = [&](int from, int to) {
        k.recv({.seq = 1 + from,
                .data = std::string_view(text).substr(static_cast<std::size_t>(from),
                                                      static_cast<std::size_t>(to - from))});
    };
    piece(20, 40);
    piece(60, 80);
    piece(30, 70);  // bridges
    piece(25, 35);  // inside
    piece(10, 90);  // around
    piece(15, 95);
    piece(0, 12);
    EXPECT_EQ(k.endpoint().readable(), 95U);
    piece(0, 100);
    (void)k.drain();
    EXPECT_EQ(k.read(), text);
    (void)k.drain();
    EXPECT_EQ(k.relative_to_peer(k.endpoint().position().receive_next), 101);
    k.advance(100ms);
    (void)k.drain();
}

TEST(ReceiveStory, DataBeyondTheWindowIsCutNotTaken) {
    EndpointOptions options = plain_options();
    options.receive_buffer = 1000;
    Kit k(options);
    k.open();
    k.recv({.data = pattern(1300)});
    k.advance(40ms);
    EXPECT_EQ(k.drain().back().ack, 1001);
    EXPECT_EQ(k.read(), pattern(1000));
    (void)k.drain();
}

TEST(ReceiveStory, TheWindowClosesAsTheBufferFillsAndItsEdgeStays) {
    EndpointOptions options = plain_options();
    options.receive_buffer = 5000;
    Kit k(options);
    k.open();
    for (int i = 0; i < 5; ++i) {
        k.recv({.data = pattern(1000)});
        k.advance(40ms);
        for (const Sent& s : k.drain()) EXPECT_EQ(s.ack + s.window, 5001) << s.to_string();
    }
    k.recv({.data = "x"});  // a zero-window probe: acknowledged, not taken (RFC 9293 section 3.8.6.1)
    k.expect({.ack = 5001, .window = std::uint16_t{0}});
    EXPECT_EQ(k.endpoint().readable(), 5000U);
}

TEST(ReceiveStory, AClosedWindowStillTakesAcksAndResets) {
    // RFC 9293 section 3.10.7.4: at RCV.WND = 0, valid ACKs and RSTs are processed.
    EndpointOptions options = plain_options();
    options.receive_buffer = 1000;
    Kit k(options);
    k.open();
    k.recv({.data = pattern(1000)});
    k.advance(40ms);
    (void)k.drain();
    k.write("hello");
    (void)k.drain();
    EXPECT_FALSE(k.endpoint().all_acknowledged());
    k.recv({});
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    k.recv({.flags = "R"});
    k.expect_state(State::Closed, Failure::Reset);
}

TEST(ReceiveStory, AWindowUpdatePassesAClosedWindow) {
    // Two full sides must not lock each other up: while ours is closed, the peer's still opens.
    EndpointOptions options = plain_options();
    options.receive_buffer = 1000;
    Kit k(options);
    k.open({.window = std::uint16_t{0}, .mss = 1460});
    k.recv({.data = pattern(1000)});
    k.advance(40ms);
    (void)k.drain();
    k.write("hello");
    k.expect_nothing();
    k.recv({.window = std::uint16_t{1000}});
    k.expect({.seq = 1, .data = "hello"});
}

TEST(ReceiveStory, ReadingOpensTheWindowInWorthwhileSteps) {
    // RFC 9293 section 3.8.6.2.2: no silly windows; an update when a segment or half the buffer became free.
    EndpointOptions options = plain_options();
    options.receive_buffer = 4000;
    Kit k(options);
    k.open();
    k.recv({.data = pattern(1400)});
    k.recv({.data = pattern(1400)});
    k.recv({.data = pattern(1200)});
    k.advance(40ms);
    EXPECT_EQ(k.drain().back().window, 0);
    for (int i = 0; i < 10; ++i) (void)k.read(10);
    k.expect_nothing();
    (void)k.read();
    const std::vector<Sent> sent = k.drain();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].window, 4000);
}

TEST(ReceiveStory, ATinyOpeningIsNotOfferedToAProbe) {
    EndpointOptions options = plain_options();
    options.receive_buffer = 4000;
    Kit k(options);
    k.open();
    k.recv({.data = pattern(1400)});
    k.recv({.data = pattern(1400)});
    k.recv({.data = pattern(1200)});
    k.advance(40ms);
    (void)k.drain();
    (void)k.read(5);
    k.recv({.data = ""});
    k.recv({.seq = 4001, .data = "x"});
    for (const Sent& s : k.drain()) EXPECT_TRUE(s.window == 0 || s.window >= 1460) << s.to_string();
}

TEST(ReceiveStory, AFloodOutOfOrderStaysWithinTheBuffer) {
    // One byte in every two, all over the window: each is a range of its own, and memory must stay bounded.
    // The monitor checks what is announced; the stream must come through afterwards.
    EndpointOptions options = full_options();
    options.receive_buffer = 65'535;
    Kit k(options);
    k.open(full_syn());
    const std::string text = pattern(60'000);
    for (std::size_t at = 2; at < text.size(); at += 2) {
        k.recv({.seq = static_cast<std::int64_t>(at + 1), .data = std::string_view(text).substr(at, 1)});
    }
    EXPECT_EQ(k.endpoint().readable(), 0U);
    (void)k.drain();
    for (std::size_t at = 0; at < text.size(); at += 1000) {
        k.recv({.seq = static_cast<std::int64_t>(at + 1), .data = std::string_view(text).substr(at, 1000)});
    }
    (void)k.drain();
    EXPECT_EQ(k.read(), text);
    (void)k.drain();
    k.advance(100ms);
    (void)k.drain();
}

TEST(ReceiveStory, AnUnreadableHoleDoesNotEatTheWindowForOrderedData) {
    // Out-of-order bytes up to the window's end, then the missing first segment: all must fit.
    EndpointOptions options = plain_options();
    options.receive_buffer = 14'600;
    Kit k(options);
    k.open();
    const std::string text = pattern(14'600);
    for (std::size_t i = 9; i >= 1; --i) {
        k.recv({.seq = static_cast<std::int64_t>(1 + i * 1460),
                .data = std::string_view(text).substr(i * 1460, 1460)});
    }
    k.recv({.seq = 1, .data = std::string_view(text).substr(0, 1460)});
    EXPECT_EQ(k.drain().back().ack, 14'601);
    EXPECT_EQ(k.read(), text);
    (void)k.drain();
}

TEST(ReceiveStory, AKeepaliveProbeIsAnswered) {
    // RFC 9293 section 3.8.4: with no byte or with one byte of garbage, at SND.NXT - 1.
    Kit k;
    k.open();
    k.recv({.data = "abc"});
    k.advance(40ms);
    (void)k.drain();
    for (int i = 0; i < 3; ++i) {
        k.advance(10s);
        k.recv({.seq = 3});
        k.expect({.seq = 1, .ack = 4});
        k.advance(10s);
        k.recv({.seq = 3, .data = "?"});
        k.expect({.seq = 1, .ack = 4});
    }
    EXPECT_EQ(k.read(), "abc");
}

TEST(ReceiveStory, UrgentDataIsReadInLine) {
    Kit k;
    k.open();
    k.recv({.flags = "AU", .data = "urgent"});
    EXPECT_EQ(k.read(), "urgent");
    k.advance(40ms);
    (void)k.drain();
}

TEST(ReceiveStory, StatisticsCountWhatArrived) {
    Kit k;
    k.open();
    k.recv({.data = "abc"});
    k.recv({.seq = 1, .data = "abcdef"});
    k.recv({.seq = 10, .data = "later"});
    k.advance(40ms);
    (void)k.drain();
    EXPECT_EQ(k.endpoint().statistics().bytes_in, 6U);
    EXPECT_EQ(k.endpoint().statistics().segments_in, 5U);
    k.recv({.seq = 1'000'000, .data = "far"});
    (void)k.drain();
    EXPECT_EQ(k.endpoint().statistics().out_of_window, 1U);
}

}  // namespace
}  // namespace sluice::tcp::kit
