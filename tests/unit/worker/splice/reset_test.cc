// A reset ends the record only where it ends the connection: with the sequence number that its receiver waits
// for (RFC 5961 section 3.2). Every other one passes, for its receiver to judge; its challenge ACK comes
// back.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

TEST(SpliceReset, WithTheExactNumberEndsTheConnectionAtOnce) {
    for (const bool ipv6 : {false, true}) {
        for (const char* const reset : {"R 0:0", "R. 0:0 ack 0", "R 0:0 ts 3/0"}) {
            Spliced by_client(over(ipv6));
            by_client.client_passes(reset);
            EXPECT_EQ(by_client.lab.usage().backends[0][0].quarantined, 1U);
            by_client.expect_gone(Counter::ClosedClientReset);

            Spliced by_broker(over(ipv6));
            by_broker.broker_passes(reset);
            EXPECT_EQ(by_broker.lab.usage().backends[0][0].quarantined, 1U);
            by_broker.expect_gone(Counter::ClosedBrokerReset);
        }
    }
}

TEST(SpliceReset, IsExactAlsoAtTheLastAckWhenWhatWasSentSinceIsLost) {
    for (const char* const reset : {"R. 10:10", "R. 30:30"}) {
        Spliced story;
        story.client_passes("P. 0:10");
        story.broker_passes(". 0:0 ack 10");
        story.client_passes("P. 10:30");
        story.client_passes(reset);
        story.expect_gone(Counter::ClosedClientReset);
    }
}

TEST(SpliceReset, InsideTheWindowIsChallengedByItsReceiver) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("R 5:5");
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.broker_passes(". 0:0 ack 0");  // the challenge
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.client_passes("R 0:0");  // and its answer: it was meant
        story.expect_gone(Counter::ClosedClientReset);
    }
}

TEST(SpliceReset, ThatWasNotMeantDoesNoHarm) {
    Spliced story;
    story.broker_passes("R. 5:5 ack 0");
    story.client_passes(". 0:0 ack 0");  // the challenge, to which a living broker has nothing to say
    story.client_passes("P. 0:10");
    story.broker_passes(". 0:0 ack 10");
    EXPECT_EQ(story.moved("closed_"), Moved{});
    story.expect_alive();
}

TEST(SpliceReset, SentBlindlyDoesNoHarm) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        for (const char* const reset : {"R 64001:64001", "R 1000000:1000000", "R -1:-1", "R -100000:-100000",
                                        "R. 2000000000:2000000000"}) {
            story.client_passes(reset);
            story.broker_passes(reset);
            EXPECT_EQ(story.phase(), session::Phase::Spliced) << reset;
        }
        story.client_passes("P. 0:10");
        story.broker_passes("P. 0:10 ack 10");
        story.expect_alive();
    }
}

TEST(SpliceReset, WithAWrongChecksumIsDropped) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            Spliced story(over(ipv6));
            story.says(side, "R 0:0 badsum");
            story.expect({});
            EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_tcp_checksum", 1}}));
            story.expect_alive();
        }
    }
}

// A client that lost its memory answers what the broker sends by a reset that is exact; a few packets, and
// both ends and the record agree.
TEST(SpliceReset, OfAClientThatRebootedEndsTheBrokersSideInAFewPackets) {
    Lab lab({.brokers = 1});
    connect_spliced(lab, "device");
    lab.clients.sockets.clear();
    Tap tap(lab);
    lab.brokers[0]->socket_of("device")->write("news");
    lab.run(std::chrono::seconds(5));
    EXPECT_EQ(lab.brokers[0]->socket_of("device")->endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(tap.tcp.size(), 2U);
    EXPECT_EQ(lab.count(Counter::ClosedBrokerReset), 0U);
    EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
    expect_nothing_left(lab);
}

// Somebody between the two repeats a forged RST for ever: each is challenged at most, nothing multiplies.
TEST(SpliceReset, ForgedInTheWindowCausesNoStorm) {
    Lab lab({.brokers = 1});
    Socket& client = connect_spliced(lab, "device");
    Tap tap(lab);
    const tcp::Endpoint::Position at = client.endpoint.position();
    for (int i = 0; i < 100; ++i) {
        lab.inject(0, make_segment({.from = client.tuple.local,
                                    .to = client.tuple.remote,
                                    .sequence = at.send_next.value() + 7,
                                    .flags = {.rst = true}}));
        lab.run(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
    EXPECT_EQ(tap.tcp_on(1), 100U);
    EXPECT_LE(tap.tcp_on(0), 3U);  // challenge ACKs, twice a second
    EXPECT_GE(tap.tcp_on(0), 1U);
    client.write("ping");
    lab.run(std::chrono::milliseconds(50));
    EXPECT_EQ(lab.brokers[0]->after_connect("device"), "ping");
    client.abort();
    lab.settle();
    expect_nothing_left(lab);
}

}  // namespace
}  // namespace sluice::test
