// Stories of segments that bring nothing but an ACK: all of their bytes were received before, and the ACK may
// be the only one of its kind that survived. What they say beside it must have no effect.
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

// Five bytes received and acknowledged, ten of ours on their way: numbers 1 to 10.
void exchange(Kit& k) {
    k.recv({.data = "hello"});
    EXPECT_EQ(k.read(), "hello");
    k.advance(40ms);
    (void)k.drain();
    k.write("0123456789");
    (void)k.drain();
}

TEST(LateAckStory, ARepeatedTailBringsTheAckThatWasLost) {
    Kit k;
    k.open();
    exchange(k);
    k.recv({.seq = 1, .ack = 11, .data = "hello"});
    k.expect({.seq = 11, .ack = 6});  // and is answered, as ever: ours was lost, too
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    EXPECT_EQ(k.endpoint().readable(), 0U);
    EXPECT_EQ(k.wait_for_output(60s), std::nullopt);  // nothing is sent again
    EXPECT_EQ(k.endpoint().statistics().retransmits, 0U);
}

TEST(LateAckStory, SoDoesASegmentThatEndsBeforeTheTail) {
    Kit k;
    k.open();
    exchange(k);
    k.recv({.seq = 2, .ack = 5, .data = "el"});
    k.expect({.seq = 11, .ack = 6});
    EXPECT_EQ(k.endpoint().send_queue(), 6U);
}

TEST(LateAckStory, AndAKeepaliveProbe) {
    Kit k;
    k.open();
    exchange(k);
    k.recv({.seq = 5, .ack = 11});
    k.expect({.seq = 11, .ack = 6});
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    k.write("more");
    k.expect({.seq = 11, .ack = 6, .data = "more"});
    k.recv({.seq = 5, .ack = 15});  // the answer is rate-limited, the ACK is not
    k.expect_nothing();
    EXPECT_TRUE(k.endpoint().all_acknowledged());
}

TEST(LateAckStory, TheWindowBesideItCountsAndLetsTextGo) {
    Kit k;
    k.open({.window = std::uint16_t{10}, .mss = 1460});
    exchange(k);
    k.write("abc");
    k.expect_nothing();
    k.recv({.seq = 1, .ack = 11, .window = std::uint16_t{100}, .data = "hello"});
    k.expect({.seq = 11, .ack = 6, .data = "abc"});
    k.expect({.seq = 14, .ack = 6});
    EXPECT_EQ(k.endpoint().position().send_window, 100U);
}

TEST(LateAckStory, ARepeatedFinMayAcknowledgeOurs) {
    // FINs that crossed: the peer's last ACK was lost, and so was ours.
    Kit k;
    k.open();
    k.shutdown();
    k.expect({.flags = "FA", .seq = 1});
    k.recv({.flags = "FA", .seq = 1, .ack = 1});
    k.expect({.seq = 2, .ack = 2});
    k.expect_state(State::Closing);
    k.recv({.flags = "FA", .seq = 1, .ack = 2});
    k.expect({.seq = 2, .ack = 2});
    k.expect_state(State::TimeWait);
}

TEST(LateAckStory, AnAckThatIsNoNewsIsNoDuplicate) {
    // Neither a window from before nor a reason to send something again (RFC 5681 section 2).
    Kit k;
    k.open({.window = std::uint16_t{1000}, .mss = 1460});
    exchange(k);
    for (int i = 0; i < 5; ++i) {
        k.recv({.seq = 1, .ack = 1, .window = std::uint16_t{500}, .data = "hello"});
        k.expect({.seq = 11, .ack = 6});
        k.recv({.seq = 5, .ack = 1});
        k.advance(1ms);
    }
    EXPECT_LE(k.drain().size(), 1U);
    EXPECT_EQ(k.endpoint().statistics().fast_recoveries, 0U);
    EXPECT_EQ(k.endpoint().position().send_window, 1000U);
    EXPECT_EQ(k.endpoint().send_queue(), 10U);
}

TEST(LateAckStory, AnAckOfWhatWasNeverSentIsNotBelieved) {
    // RFC 5961 section 5.2. The segment is answered once, as any old one.
    Kit k;
    k.open();
    exchange(k);
    k.recv({.seq = 1, .ack = 12, .data = "hello"});
    k.expect({.seq = 11, .ack = 6});
    k.recv({.seq = 1, .ack = 100'000, .data = "hello"});
    k.expect({.seq = 11, .ack = 6});
    EXPECT_EQ(k.endpoint().send_queue(), 10U);
    k.expect_state(State::Established);
}

TEST(LateAckStory, ASegmentFromFurtherBackThanAWindowIsNotBelieved) {
    // Who guesses numbers must not find half of the number space valid.
    EndpointOptions options = plain_options();
    options.receive_buffer = 1000;
    Kit k(options);
    k.open();
    exchange(k);
    k.recv({.seq = 6 - 1001, .ack = 11, .data = "evil"});
    k.expect({.seq = 11, .ack = 6});
    k.recv({.seq = 6 - 1001, .ack = 11});
    (void)k.drain();
    EXPECT_EQ(k.endpoint().send_queue(), 10U);
    k.recv({.seq = 6 - 1000, .ack = 11, .data = "good"});
    k.expect({.seq = 11, .ack = 6});
    EXPECT_EQ(k.endpoint().send_queue(), 0U);
}

TEST(LateAckStory, NeitherSynNorResetNorAMissingAckBitAcknowledges) {
    Kit k;
    k.open();
    exchange(k);
    for (const char* flags : {"SA", "RA", ""}) {
        k.recv({.flags = flags, .seq = 1, .ack = 11, .data = "hello"});
        (void)k.drain();
        EXPECT_EQ(k.endpoint().send_queue(), 10U) << flags;
        k.expect_state(State::Established);
    }
}

TEST(LateAckStory, AnOldTimestampRefusesTheAckToo) {
    // PAWS comes first (RFC 7323 section 5.3); and a good stamp of an old segment is not kept.
    Kit k(full_options());
    k.open(full_syn());
    k.advance(10s);
    exchange(k);
    const std::uint32_t kept = k.endpoint().position().last_timestamp_received;
    k.recv({.seq = 1,
            .ack = 11,
            .data = "hello",
            .timestamps = wire::TcpTimestamps{.value = kept - 1, .echo = k.last_timestamp()}});
    k.expect({.seq = 11, .ack = 6});
    EXPECT_EQ(k.endpoint().send_queue(), 10U);
    k.advance(10ms);
    k.recv({.seq = 1, .ack = 11, .data = "hello"});
    k.expect({.seq = 11, .ack = 6});
    EXPECT_EQ(k.endpoint().send_queue(), 0U);
    EXPECT_EQ(k.endpoint().position().last_timestamp_received, kept);
}

TEST(LateAckStory, AnOldSegmentDoesNotOpenAConnection) {
    // In SYN-RECEIVED nothing was received that could have been sent again.
    Kit k;
    k.listen();
    k.recv({.flags = "S", .mss = 1460});
    k.expect({.flags = "SA", .seq = 0, .ack = 1});
    k.recv({.seq = 0, .ack = 1});
    (void)k.drain();
    k.expect_state(State::SynReceived);
}

}  // namespace
}  // namespace sluice::tcp::kit
