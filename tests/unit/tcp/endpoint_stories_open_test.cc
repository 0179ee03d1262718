// Stories of how connections begin: who retransmits what, and what the two SYNs agree on.
#include <gtest/gtest.h>

#include <algorithm>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

wire::TcpOptions mss_alone() {
    wire::TcpOptions options;
    options.mss = 1460;
    return options;
}

TEST(OpenStory, AnUnansweredSynIsRepeatedWithDoublingPausesAndThenTimesOut) {
    EndpointOptions options = full_options();
    options.syn_retries = 5;
    Kit k(options);
    k.connect();
    const Sent first = k.drain().at(0);
    for (const Duration pause : {1s, 2s, 4s, 8s, 16s}) {  // RFC 6298 (2.1) and (5.5)
        EXPECT_EQ(k.wait_for_output(60s), pause);
        const Sent again = k.drain().at(0);
        EXPECT_TRUE(again.flags.syn && !again.flags.ack);
        EXPECT_EQ(again.seq, 0);
        EXPECT_EQ(again.options.mss, first.options.mss);
        EXPECT_EQ(again.options.window_scale, first.options.window_scale);
    }
    k.expect_state(State::SynSent);
    EXPECT_EQ(k.wait_for_output(120s), std::nullopt);
    k.expect_state(State::Closed, Failure::TimedOut);
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
    EXPECT_EQ(k.endpoint().statistics().retransmits, 5U);
}

TEST(OpenStory, AnUnansweredSynAckIsRepeatedWithDoublingPausesAndThenTimesOut) {
    Kit k;
    k.listen();
    k.recv({.flags = "S", .mss = 1460});
    k.expect({.flags = "SA", .seq = 0, .ack = 1});
    for (const Duration pause : {1s, 2s, 4s, 8s, 16s}) {
        EXPECT_EQ(k.wait_for_output(60s), pause);
        k.expect({.flags = "SA", .seq = 0, .ack = 1});
    }
    (void)k.wait_for_output(120s);
    (void)k.drain();  // an RST towards the peer is allowed
    k.expect_state(State::Closed, Failure::TimedOut);
}

TEST(OpenStory, AListenerHasNoTimer) {
    Kit k;
    k.listen();
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
}

TEST(OpenStory, ASynOffersWhatTheOptionsSay) {
    EndpointOptions options = full_options();
    options.receive_mss = 1400;
    options.window_scale = std::uint8_t{9};
    Kit k(options);
    k.connect();
    const Sent syn = k.drain().at(0);
    EXPECT_EQ(syn.options.mss, 1400);
    EXPECT_EQ(syn.options.window_scale, 9);
    EXPECT_TRUE(syn.options.sack_permitted);
    ASSERT_TRUE(syn.options.timestamps);
    EXPECT_EQ(syn.options.timestamps->value, milliseconds32(k.now()) + options.timestamp_offset);
    EXPECT_EQ(syn.options.timestamps->echo, 0U);
    EXPECT_FALSE(syn.flags.ack);
}

TEST(OpenStory, APlainSynOffersTheMssAlone) {
    Kit k;
    k.connect();
    const Sent syn = k.drain().at(0);
    EXPECT_EQ(syn.options, mss_alone());
}

TEST(OpenStory, ASynAckOffersOnlyWhatTheSynOffered) {
    // RFC 7323 sections 2.2 and 3.2, RFC 2018 section 2: an option goes into a SYN-ACK only in answer to the
    // SYN's.
    Kit k(full_options());
    k.listen();
    k.recv({.flags = "S", .mss = 1460, .sack_permitted = true});
    const Sent reply = k.drain().at(0);
    EXPECT_EQ(reply.options.mss, 1460);
    EXPECT_TRUE(reply.options.sack_permitted);
    EXPECT_FALSE(reply.options.window_scale);
    EXPECT_FALSE(reply.options.timestamps);
    k.recv({});
    const Endpoint::Position p = k.endpoint().position();
    EXPECT_TRUE(p.sack);
    EXPECT_FALSE(p.window_scale);
    EXPECT_FALSE(p.timestamps);
    EXPECT_EQ(p.send_scale, 0);
    EXPECT_EQ(p.receive_scale, 0);
    EXPECT_EQ(p.send_mss, 1460);
}

TEST(OpenStory, AnEndpointThatOffersNothingAcceptsNothing) {
    Kit k(plain_options());
    In syn = full_syn();
    syn.flags = "S";
    k.listen();
    k.recv(syn);
    const Sent reply = k.drain().at(0);
    EXPECT_EQ(reply.options, mss_alone());
    k.recv({});
    EXPECT_FALSE(k.endpoint().position().timestamps);
    EXPECT_FALSE(k.endpoint().position().sack);
    EXPECT_FALSE(k.endpoint().position().window_scale);
}

TEST(OpenStory, ASynAckEchoesTheTimestampOfTheSyn) {
    Kit k(full_options());
    k.listen();
    In syn = full_syn();
    syn.flags = "S";
    syn.timestamps = wire::TcpTimestamps{.value = 77, .echo = 0};
    k.recv(syn);
    const Sent reply = k.drain().at(0);
    ASSERT_TRUE(reply.options.timestamps);
    EXPECT_EQ(reply.options.timestamps->echo, 77U);
    EXPECT_EQ(k.endpoint().statistics().segments_out, 1U);
}

TEST(OpenStory, WindowsInSynSegmentsAreNotScaled) {
    // RFC 7323 section 2.2: the window of a SYN or SYN-ACK is never scaled.
    EndpointOptions options = full_options();
    options.receive_buffer = 1'000'000;
    Kit k(options);
    k.listen();
    In syn = full_syn();
    syn.flags = "S";
    syn.window = std::uint16_t{2000};  // bytes, and not units of sixteen
    k.recv(syn);
    const Sent reply = k.drain().at(0);
    EXPECT_EQ(reply.window, 65535);  // the most that can be said without a scale
    k.recv({.window = std::uint16_t{181}});
    EXPECT_EQ(k.endpoint().position().send_window, 2896U);  // 181 << 4
    EXPECT_EQ(k.endpoint().position().send_scale, 4);
    EXPECT_EQ(k.endpoint().position().receive_scale, 7);
    k.write(pattern(5000));
    std::size_t sent = 0;
    for (const Sent& s : k.drain()) sent += s.data.size();
    EXPECT_EQ(sent, 2896U);  // two segments
}

TEST(OpenStory, ASynAckWindowIsTakenUnscaled) {
    Kit k(full_options());
    k.connect();
    (void)k.drain();
    In reply = full_syn();
    reply.flags = "SA";
    reply.window = std::uint16_t{2896};
    k.recv(reply);
    (void)k.drain();
    EXPECT_EQ(k.endpoint().position().send_window, 2896U);
    k.write(pattern(5000));
    std::size_t sent = 0;
    for (const Sent& s : k.drain()) sent += s.data.size();
    EXPECT_EQ(sent, 2896U);
}

TEST(OpenStory, AShiftOverFourteenCountsAsFourteen) {
    // RFC 7323 section 2.3.
    Kit k(full_options());
    In syn = full_syn();
    syn.window_scale = std::uint8_t{15};
    k.open(syn);
    EXPECT_EQ(k.endpoint().position().send_scale, 14);
}

TEST(OpenStory, AScaleOfZeroIsStillAnAgreement) {
    EndpointOptions options = full_options();
    Kit k(options);
    In syn = full_syn();
    syn.window_scale = std::uint8_t{0};
    k.open(syn);
    EXPECT_TRUE(k.endpoint().position().window_scale);
    EXPECT_EQ(k.endpoint().position().send_scale, 0);
    EXPECT_EQ(k.endpoint().position().receive_scale, 7);
}

TEST(OpenStory, WithoutAnMssOptionSegmentsCarry536) {
    Kit k;
    k.open({});
    EXPECT_EQ(k.endpoint().position().send_mss, 536);
    k.write(pattern(600));
    k.expect({.seq = 1, .size = 536});
    (void)k.drain();
}

TEST(OpenStory, TheDefaultMssIsAnOption) {
    EndpointOptions options = plain_options();
    options.default_send_mss = 1220;
    Kit k(options);
    k.open_active({});
    EXPECT_EQ(k.endpoint().position().send_mss, 1220);
}

TEST(OpenStory, ThePeersMssAndOurLimitBothBindAndOptionsAreDeducted) {
    // RFC 6691: the MSS option counts data and options.
    EndpointOptions options = full_options();
    options.send_mss_limit = 1400;
    Kit small(options);
    In syn = full_syn();
    syn.mss = 900;
    small.open(syn);
    EXPECT_EQ(small.endpoint().position().send_mss, 888);
    Kit large(options);
    syn.mss = 8960;
    large.open(syn);
    EXPECT_EQ(large.endpoint().position().send_mss, 1388);
}

TEST(OpenStory, BytesWrittenBeforeTheHandshakeFollowIt) {
    Kit k;
    k.connect();
    k.expect({.flags = "S", .seq = 0});
    EXPECT_EQ(k.write("hello"), 5U);
    k.expect_nothing();
    k.recv({.flags = "SA", .mss = 1460});
    const std::vector<Sent> sent = k.drain();
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(sent.back().data, "hello");
    EXPECT_EQ(sent.back().seq, 1);
    EXPECT_EQ(sent.back().ack, 1);
    EXPECT_LE(sent.size(), 2U);
}

TEST(OpenStory, APassiveSideMayWriteBeforeTheLastAck) {
    Kit k;
    k.listen();
    k.recv({.flags = "S", .mss = 1460});
    (void)k.drain();
    EXPECT_EQ(k.write("hello"), 5U);
    for (const Sent& s : k.drain()) EXPECT_TRUE(s.data.empty()) << "no data before ESTABLISHED";
    k.recv({.ack = 1});
    k.expect({.seq = 1, .ack = 1, .data = "hello"});
}

TEST(OpenStory, ShutdownBeforeTheHandshakeSendsDataAndFinAfterIt) {
    Kit k;
    k.connect();
    (void)k.drain();
    k.write("bye");
    k.shutdown();
    k.expect_nothing();
    k.recv({.flags = "SA", .mss = 1460});
    std::int64_t next = 1;
    bool fin = false;
    for (const Sent& s : k.drain()) {
        EXPECT_EQ(s.seq, next);
        next = s.end();
        fin = fin || s.flags.fin;
    }
    EXPECT_TRUE(fin);
    EXPECT_EQ(next, 5);
    k.expect_state(State::FinWait1);
}

TEST(OpenStory, TwoSynsThatCrossOpenOneConnection) {
    Kit k;
    k.connect();
    k.expect({.flags = "S", .seq = 0});
    k.recv({.flags = "S", .mss = 1000});
    k.expect({.flags = "SA", .seq = 0, .ack = 1});
    k.expect_state(State::SynReceived);
    k.recv({.ack = 1});
    k.expect_nothing();
    k.expect_state(State::Established);
    EXPECT_EQ(k.endpoint().position().send_mss, 1000);
    k.write("x");
    k.expect({.seq = 1, .ack = 1, .data = "x"});
}

TEST(OpenStory, CrossingSynsMayEndWithThePeersSynAck) {
    // The peer, in SYN-RECEIVED as well, answers our SYN with a SYN-ACK: its ACK establishes.
    Kit k;
    k.connect();
    (void)k.drain();
    k.recv({.flags = "S", .mss = 1000});
    k.expect({.flags = "SA", .seq = 0, .ack = 1});
    k.recv({.flags = "SA", .seq = 0, .ack = 1, .mss = 1000});
    (void)k.drain();
    if (k.endpoint().state() != State::Established) k.recv({.ack = 1});
    (void)k.drain();
    k.expect_state(State::Established);
}

TEST(OpenStory, WindowsOfCrossingSynsAreNotScaled) {
    // RFC 7323 section 2.2 holds for the SYN-ACK that establishes a simultaneous open, too.
    Kit k(full_options());
    k.connect();
    (void)k.drain();
    In syn = full_syn();
    syn.flags = "S";
    syn.window = std::uint16_t{2896};
    k.recv(syn);
    EXPECT_EQ(k.drain().at(0).window, 65'535);
    syn.flags = "SA";
    syn.seq = 0;
    syn.ack = 1;
    k.recv(syn);
    (void)k.drain();
    if (k.endpoint().state() == State::Established) {
        EXPECT_EQ(k.endpoint().position().send_window, 2896U);
        k.write(pattern(10'000));
        std::int64_t most = 0;
        for (const Sent& s : k.drain()) most = std::max(most, s.end());
        EXPECT_EQ(most, 2897);
    }
}

TEST(OpenStory, ALostLastAckIsHealedByTheFirstData) {
    Kit k;
    k.listen();
    k.recv({.flags = "S", .mss = 1460});
    (void)k.drain();
    k.recv({.ack = 1, .data = "CONNECT"});
    k.expect_state(State::Established);
    EXPECT_EQ(k.read(), "CONNECT");
    k.advance(40ms);
    EXPECT_EQ(k.drain().back().ack, 8);
}

TEST(OpenStory, DataInTheSynIsNotLostTwice) {
    // RFC 9293 section 3.10.7.2: text in a SYN may be queued; unacknowledged, the peer sends it again.
    Kit k;
    k.listen();
    k.recv({.flags = "S", .seq = 0, .data = "early", .mss = 1460});
    const Sent reply = k.drain().at(0);
    EXPECT_TRUE(reply.flags.syn && reply.flags.ack);
    EXPECT_TRUE(reply.ack == 1 || reply.ack == 6);
    k.recv({.seq = 1, .ack = 1, .data = "early"});
    EXPECT_EQ(k.read(), "early");
    k.advance(40ms);
    EXPECT_EQ(k.drain().back().ack, 6);
}

TEST(OpenStory, ARefusedConnectionSaysSo) {
    Kit k;
    k.connect();
    (void)k.drain();
    k.recv({.flags = "RA", .seq = 0, .ack = 1});
    k.expect_nothing();
    k.expect_state(State::Closed, Failure::Refused);
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
    EXPECT_EQ(k.write(""), 0U);
    EXPECT_EQ(k.endpoint().writable(), 0U);
}

TEST(OpenStory, ResetForASegmentOfNoConnectionIsAcceptableToItsSender) {
    // RFC 9293 section 3.10.7.1.
    Segment segment;
    segment.seq = Seq(0xffff'fffe);
    segment.flags.syn = true;
    const std::optional<Segment> for_syn = reset_for(segment);
    ASSERT_TRUE(for_syn);
    EXPECT_EQ(for_syn->flags, (wire::TcpFlags{.rst = true, .ack = true}));
    EXPECT_EQ(for_syn->seq, Seq(0));
    EXPECT_EQ(for_syn->ack, Seq(0xffff'ffff));

    segment.flags = {.fin = true};
    segment.payload = as_bytes("four");
    EXPECT_EQ(reset_for(segment)->ack, Seq(3));  // four bytes and a FIN, over the wrap

    segment.flags = {.ack = true};
    segment.ack = Seq(500);
    const std::optional<Segment> for_ack = reset_for(segment);
    ASSERT_TRUE(for_ack);
    EXPECT_EQ(for_ack->flags, (wire::TcpFlags{.rst = true}));
    EXPECT_EQ(for_ack->seq, Seq(500));
    EXPECT_EQ(for_ack->payload_size(), 0U);

    segment.flags = {.rst = true, .ack = true};
    EXPECT_FALSE(reset_for(segment));
    segment.flags = {.rst = true};
    EXPECT_FALSE(reset_for(segment));
}

}  // namespace
}  // namespace sluice::tcp::kit
