// A client and a broker that shook hands with Sluice's two endpoints go on talking to each other after those
// are gone, over wires that lose and reorder, and never notice.
#include "story.h"

namespace sluice::splice {
namespace {

INSTANTIATE_TEST_SUITE_P(, SpliceStory,
                         testing::Values(Setting{"ipv4", IpFamily::V4, true},
                                         Setting{"ipv4_without_timestamps", IpFamily::V4, false},
                                         Setting{"ipv6", IpFamily::V6, true}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(SpliceStory, CarriesBothStreamsOverLossyWiresAndClosesInOrder) {
    make_wires({.delay = 5ms, .jitter = 2ms, .loss = 0.02, .duplicate = 0.01, .reorder = 0.02});
    const std::string up = pattern(400'000, 1);
    const std::string down = pattern(300'000, 2);
    std::string got_up;
    std::string got_down;
    std::size_t sent_up = 0;
    std::size_t sent_down = 0;
    bool closed = false;
    for (int i = 0; i < 200'000 && last != Verdict::Finished; ++i) {
        const auto feed = [&](Place place, const std::string& text, std::size_t& sent) {
            sent += at(place).write(now, as_bytes(std::string_view(text).substr(sent)), out(place));
        };
        feed(Place::Client, up, sent_up);
        feed(Place::Broker, down, sent_down);
        got_up += read(Place::Broker);
        got_down += read(Place::Client);
        if (sent_up == up.size() && sent_down == down.size() && !closed) {
            client.shutdown(now, out(Place::Client));
            broker.shutdown(now, out(Place::Broker));
            closed = true;
        }
        ASSERT_TRUE(step());
    }
    got_up += read(Place::Broker);
    got_down += read(Place::Client);
    EXPECT_TRUE(got_up == up);
    EXPECT_TRUE(got_down == down);
    EXPECT_EQ(last, Verdict::Finished);
    EXPECT_GT(wires[0].lost() + wires[1].lost(), 5U);
    EXPECT_GE(core().way(Direction::ToBroker).bytes(), up.size());
    EXPECT_GE(core().way(Direction::ToClient).bytes(), down.size());
    run(10s);
    EXPECT_EQ(client.state(), State::Closed);
    EXPECT_EQ(broker.state(), State::Closed);
    EXPECT_EQ(client.failure(), tcp::Failure::None);
    EXPECT_EQ(broker.failure(), tcp::Failure::None);
}

// What went wrong elsewhere: windows taken with the wrong scale make a transfer crawl.
TEST_P(SpliceStory, MovesMegabytesInAFewRoundTrips) {
    make_wires({.delay = 1ms});
    const std::string text = pattern(4'000'000, 3);
    std::string got;
    std::size_t sent = 0;
    const Instant start = now;
    while (got.size() < text.size() && now - start < 30s) {
        sent += client.write(now, as_bytes(std::string_view(text).substr(sent)), out(Place::Client));
        got += read(Place::Broker);
        ASSERT_TRUE(step());
    }
    EXPECT_TRUE(got == text);
    EXPECT_LT(now - start, 500ms);
    EXPECT_EQ(client.statistics().paws_rejected + broker.statistics().paws_rejected, 0U);
    EXPECT_EQ(client.statistics().retransmits + broker.statistics().retransmits, 0U);
}

TEST_P(SpliceStory, ARetransmissionFromBeforeTheSpliceIsAnsweredAndForgotten) {
    Segment late = from_client(Seq(0xffffff01));
    late.ack = Seq(0x1001);
    late.flags = {.psh = true, .ack = true};
    late.payload = as_bytes("connect");
    on_sent(Place::Client, late);
    run(1s);
    EXPECT_EQ(broker.readable(), 0U);
    expect_undisturbed();
}

TEST_P(SpliceStory, AnAbortReachesTheOtherEnd) {
    write(Place::Client, "will");
    run(1s);
    client.abort(now, out(Place::Client));
    EXPECT_EQ(last, Verdict::Reset);
    run(1s);
    EXPECT_EQ(broker.failure(), tcp::Failure::Reset);
}

TEST_P(SpliceStory, ABlindResetIsChallengedAndEndsNothing) {
    Segment rst = from_client(client.position().send_next.advance(100));
    rst.flags.rst = true;
    on_sent(Place::Client, rst);
    EXPECT_EQ(last, Verdict::DoubtedReset);
    run(1s);
    EXPECT_EQ(broker.statistics().challenge_acks, 1U);
    expect_undisturbed();
}

TEST_P(SpliceStory, SluicesOwnResetsAreTakenAtOnce) {
    write(Place::Client, "some");
    write(Place::Broker, "bytes");
    run(1s);
    reset(Place::Broker);
    reset(Place::Client);
    EXPECT_EQ(broker.failure(), tcp::Failure::Reset);
    EXPECT_EQ(client.failure(), tcp::Failure::Reset);
}

// Whatever part of what is in flight has arrived, a reset gets through.
TEST_P(SpliceStory, SluicesOwnResetsAreTakenWithBytesInFlight) {
    write(Place::Client, pattern(5000, 4));  // four segments, none of which arrives
    EXPECT_NE(core().way(Direction::ToBroker).next, core().way(Direction::ToBroker).acked);
    Segment first;
    std::string bytes;
    now += 1s;
    if (GetParam().timestamps) {  // the first of them does, in one of the settings
        ASSERT_TRUE(wires[0].receive(now, first, bytes));
        spliced = false;
        broker.on_segment(now, first, out(Place::Broker));
        near.clear();
    }
    reset(Place::Broker);
    EXPECT_EQ(broker.failure(), tcp::Failure::Reset);
}

}  // namespace
}  // namespace sluice::splice
