// Stories of how connections end: half-close, both orders of FINs, TIME-WAIT, abort.
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

TEST(CloseStory, APeerThatFinishedIsStillServed) {
    // Half-close for ten seconds, with data towards the peer all the while.
    Kit k;
    k.open();
    k.recv({.flags = "FA", .data = "last words"});
    k.expect({.seq = 1, .ack = 12});
    k.expect_state(State::CloseWait);
    EXPECT_TRUE(k.endpoint().peer_finished());
    EXPECT_FALSE(k.endpoint().at_end());
    EXPECT_EQ(k.read(), "last words");
    EXPECT_TRUE(k.endpoint().at_end());
    std::int64_t next = 1;
    for (int second = 0; second < 10; ++second) {
        EXPECT_EQ(k.write("tick"), 4U);
        k.expect({.seq = next, .ack = 12, .data = "tick"});
        next += 4;
        k.recv({.ack = next});
        k.advance(1s);
        k.expect_nothing();
    }
    k.expect_state(State::CloseWait);
    k.shutdown();
    k.expect({.flags = "FA", .seq = next, .ack = 12});
    k.expect_state(State::LastAck);
    k.recv({.ack = next + 1});
    k.expect_nothing();
    k.expect_state(State::Closed);
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
}

TEST(CloseStory, WeFinishFirstAndKeepReading) {
    Kit k;
    k.open();
    k.write("request");
    k.expect({.seq = 1, .data = "request"});
    k.shutdown();
    k.expect({.flags = "FA", .seq = 8, .ack = 1});
    k.expect_state(State::FinWait1);
    k.recv({.ack = 9});
    k.expect_state(State::FinWait2);
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    for (int second = 0; second < 10; ++second) {
        k.recv({.data = "part."});
        k.advance(1s);
        k.expect({.seq = 9, .ack = 6 + 5 * second});
        EXPECT_EQ(k.read(), "part.");
    }
    k.recv({.flags = "FA"});
    k.expect({.seq = 9, .ack = 52});
    k.expect_state(State::TimeWait);
    EXPECT_TRUE(k.endpoint().at_end());
}

TEST(CloseStory, NothingIsWrittenAfterShutdown) {
    Kit k;
    k.open();
    k.shutdown();
    k.expect({.flags = "FA", .seq = 1});
    EXPECT_TRUE(k.endpoint().shutdown_called());
    EXPECT_EQ(k.endpoint().writable(), 0U);
    EXPECT_EQ(k.write("more"), 0U);
    k.shutdown();
    k.expect_nothing();
}

TEST(CloseStory, TheFinTravelsWithTheLastData) {
    Kit k;
    k.open({.window = std::uint16_t{0}, .mss = 1460});
    k.write("goodbye");
    k.shutdown();
    k.expect_nothing();
    k.recv({.window = std::uint16_t{1000}});
    k.expect({.flags = "FA", .seq = 1, .data = "goodbye"});
    k.expect_state(State::FinWait1);
    EXPECT_FALSE(k.endpoint().all_acknowledged());
    k.recv({.ack = 9});
    EXPECT_TRUE(k.endpoint().all_acknowledged());
    k.expect_state(State::FinWait2);
}

TEST(CloseStory, AnAckOfTheDataAloneLeavesTheFinOutstanding) {
    Kit k;
    k.open();
    k.write("abc");
    k.expect({.seq = 1, .data = "abc"});
    k.shutdown();
    k.expect({.flags = "FA", .seq = 4});
    k.recv({.ack = 4});
    k.expect_state(State::FinWait1);
    EXPECT_FALSE(k.endpoint().all_acknowledged());
    EXPECT_TRUE(k.wait_for_output(2s));
    k.expect({.flags = "FA", .seq = 4});
    k.recv({.ack = 5});
    k.expect_state(State::FinWait2);
}

TEST(CloseStory, TwoFinsThatCrossEndInTimeWait) {
    Kit k;
    k.open();
    k.shutdown();
    k.expect({.flags = "FA", .seq = 1, .ack = 1});
    k.recv({.flags = "FA", .ack = 1});
    k.expect({.seq = 2, .ack = 2});
    k.expect_state(State::Closing);
    k.recv({.ack = 2});
    k.expect_nothing();
    k.expect_state(State::TimeWait);
    k.advance(60s);
    k.expect_nothing();
    k.expect_state(State::Closed);
}

TEST(CloseStory, TimeWaitAcksARepeatedFinAndStartsAnew) {
    // RFC 9293 section 3.10.7.4, eighth: acknowledge it and restart the 2 MSL timeout.
    Kit k;
    k.open();
    k.shutdown();
    (void)k.drain();
    k.recv({.flags = "FA"});
    k.expect({.seq = 2, .ack = 2});
    k.expect_state(State::TimeWait);
    k.advance(40s);
    k.recv({.flags = "FA", .seq = 1});
    k.expect({.seq = 2, .ack = 2});
    k.advance(59s);
    k.expect_state(State::TimeWait);
    k.advance(1s);
    k.expect_state(State::Closed);
    k.expect_nothing();
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
}

TEST(CloseStory, APureAckDoesNotProlongTimeWait) {
    Kit k;
    k.open();
    k.shutdown();
    (void)k.drain();
    k.recv({.flags = "FA"});
    (void)k.drain();
    k.advance(59s);
    k.recv({});
    k.expect_nothing();
    k.advance(1s);
    k.expect_state(State::Closed);
}

TEST(CloseStory, AFinWithDataAheadOfAHoleWaitsForTheHole) {
    Kit k;
    k.open();
    k.recv({.flags = "FA", .seq = 4, .data = "def"});
    k.expect({.seq = 1, .ack = 1});
    k.expect_state(State::Established);
    EXPECT_FALSE(k.endpoint().peer_finished());
    EXPECT_EQ(k.endpoint().readable(), 0U);
    k.recv({.seq = 1, .data = "abc"});
    k.expect({.seq = 1, .ack = 8});
    k.expect_state(State::CloseWait);
    EXPECT_EQ(k.read(), "abcdef");
    EXPECT_TRUE(k.endpoint().at_end());
}

TEST(CloseStory, ABareFinAheadOfAHoleWaitsForTheHole) {
    Kit k;
    k.open();
    k.recv({.flags = "FA", .seq = 4});
    (void)k.drain();
    k.expect_state(State::Established);
    k.recv({.seq = 1, .data = "abc"});
    (void)k.drain();
    if (k.endpoint().state() == State::Established)
        k.recv({.flags = "FA", .seq = 4});  // not kept: sent again
    (void)k.drain();
    k.expect_state(State::CloseWait);
    EXPECT_EQ(k.relative_to_peer(k.endpoint().position().receive_next), 5);
    EXPECT_EQ(k.read(), "abc");
}

TEST(CloseStory, AnUnansweredFinTimesOut) {
    EndpointOptions options = plain_options();
    options.data_retries = 3;
    Kit k(options);
    k.open();
    k.shutdown();
    k.expect({.flags = "FA", .seq = 1});
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(k.wait_for_output(60s));
        k.expect({.flags = "FA", .seq = 1});
    }
    (void)k.wait_for_output(60s);
    (void)k.drain();  // an RST is allowed
    k.expect_state(State::Closed, Failure::TimedOut);
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
}

TEST(CloseStory, FinWait2DoesNotLastForEver) {
    Kit k;
    k.open();
    k.shutdown();
    (void)k.drain();
    k.recv({.ack = 2});
    k.expect_state(State::FinWait2);
    k.advance(59s);
    k.expect_state(State::FinWait2);
    k.advance(2s);
    EXPECT_EQ(k.endpoint().state(), State::Closed);
    (void)k.drain();  // an RST is allowed
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
}

TEST(CloseStory, BytesOutliveTheConnection) {
    // A slow reader finds everything that was received before the close, even after the last ACK.
    Kit k;
    k.open();
    k.recv({.flags = "FA", .data = "kept"});
    (void)k.drain();
    k.shutdown();
    (void)k.drain();
    k.recv({.ack = 2});
    k.expect_state(State::Closed);
    EXPECT_EQ(k.endpoint().readable(), 4U);
    EXPECT_EQ(k.read(), "kept");
    EXPECT_TRUE(k.endpoint().at_end());
    k.expect_nothing();
}

TEST(CloseStory, AbortSendsAResetThatIsExactlyWhatThePeerExpects) {
    // RFC 5961 section 3: only SEQ = RCV.NXT of the peer resets it; SND.NXT is that when nothing was lost.
    Kit k;
    k.open();
    k.write("data");
    k.expect({.seq = 1, .data = "data"});
    k.abort();
    const std::vector<Sent> sent = k.drain();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_TRUE(sent[0].flags.rst);
    EXPECT_EQ(sent[0].seq, 5);
    k.expect_state(State::Closed, Failure::Aborted);
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
    EXPECT_EQ(k.endpoint().writable(), 0U);
}

TEST(CloseStory, AbortSpeaksOnlyWhenSomebodyMayListen) {
    // RFC 9293 section 3.10.5: no RST from LISTEN or SYN-SENT, nor after both FINs.
    Kit listener;
    listener.listen();
    listener.abort();
    listener.expect_nothing();
    EXPECT_EQ(listener.endpoint().state(), State::Closed);

    Kit opener;
    opener.connect();
    (void)opener.drain();
    opener.abort();
    opener.expect_nothing();
    opener.expect_state(State::Closed, Failure::Aborted);

    Kit half;
    half.listen();
    half.recv({.flags = "S", .mss = 1460});
    (void)half.drain();
    half.abort();
    const Sent reset = half.drain().at(0);
    EXPECT_TRUE(reset.flags.rst);
    EXPECT_EQ(reset.seq, 1);
    half.expect_state(State::Closed, Failure::Aborted);

    Kit waiting;
    waiting.open();
    waiting.shutdown();
    (void)waiting.drain();
    waiting.recv({.flags = "FA"});
    (void)waiting.drain();
    waiting.expect_state(State::TimeWait);
    waiting.abort();
    waiting.expect_nothing();
    EXPECT_EQ(waiting.endpoint().state(), State::Closed);
}

TEST(CloseStory, AbortAfterAbortIsSilent) {
    Kit k;
    k.open();
    k.abort();
    EXPECT_EQ(k.drain().size(), 1U);
    k.abort();
    k.shutdown();
    k.advance(100s);
    k.expect_nothing();
    k.expect_state(State::Closed, Failure::Aborted);
}

TEST(CloseStory, AResetDropsWhatWasQueued) {
    Kit k;
    k.open();
    k.write("abc");
    (void)k.drain();
    k.recv({.flags = "R"});
    k.expect_state(State::Closed, Failure::Reset);
    k.advance(100s);
    k.expect_nothing();
    EXPECT_EQ(k.endpoint().next_deadline(), kNever);
    EXPECT_FALSE(k.endpoint().at_end());
}

// A peer that breaks the rules: its FIN takes back text that was sent beyond it.
TEST(CloseStory, TextBeyondTheFinIsForgotten) {
    Kit k(full_options());
    k.open(full_syn());
    k.recv({.seq = 2, .data = "b"});
    k.expect({.ack = 1, .sack = {{{2, 3}}}});
    k.recv({.flags = "FA", .seq = 1});
    k.expect({.ack = 2});
    k.expect_state(State::CloseWait);
}

}  // namespace
}  // namespace sluice::tcp::kit
