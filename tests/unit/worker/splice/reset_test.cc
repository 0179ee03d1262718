// A reset ends the record at once only where it ends the connection: at the number that its receiver has
// confirmed (RFC 5961 section 3.2). Any other in the window may be meant, or a stranger's: it passes, for its
// receiver to judge, and the record asks what came of it.
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

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SpliceReset, IsExactAtTheLastAckWhenWhatWasSentSinceIsLost) {
    Spliced story;
    story.client_passes("P. 0:10");
    story.broker_passes(". 0:0 ack 10");
    story.client_passes("P. 10:30");
    story.client_passes("R. 10:10");
    story.expect_gone(Counter::ClosedClientReset);
}

// Linux and lwIP give up with SND.NXT while text is in flight. An accepted reset has no answer; a probe has:
// whoever forgot the connection resets it.
TEST(SpliceReset, BehindTextInFlightEndsTheConnectionWhenItsReceiverHasForgottenIt) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("P. 0:30");
        story.client("R. 30:30");
        story.expect({"broker R. 30:30", "broker . -1:-1 ack 0"});
        story.broker_passes("R 0:0");
        story.expect_gone(Counter::ClosedClientReset);

        Spliced down(over(ipv6));
        down.broker_passes("P. 0:30");
        down.broker("R. 30:30");
        down.expect({"client R. 30:30", "client . -1:-1 ack 0"});
        down.client_passes("R 0:0");
        down.expect_gone(Counter::ClosedBrokerReset);
    }
}

TEST(SpliceReset, BehindTextInFlightEndsTheConnectionWhenTheTextHasArrived) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("P. 0:30");
        story.client("R. 30:30");
        story.expect({"broker R. 30:30", "broker . -1:-1 ack 0"});
        story.broker(". 0:0 ack 30");  // sent before it took the reset
        story.expect({"client . 0:0 ack 30", "client R. 0:0 ack 30", "broker R. 30:30"});
        story.expect_gone(Counter::ClosedClientReset);
    }
}

// Its receiver may be out of reach; then whoever sent the reset, or did not, knows.
TEST(SpliceReset, BehindTextInFlightEndsTheConnectionWhenBothEndsAreSilent) {
    Spliced story;
    story.client_passes("P. 0:30");
    story.client("R. 30:30");
    story.lab.run(milliseconds(9950));
    const std::string probe = " . -1:-1 ack 0";
    story.expect({"client" + probe, "client" + probe, "client" + probe, "broker R. 30:30", "broker" + probe,
                  "broker" + probe, "broker" + probe});
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.lab.run(milliseconds(100));
    story.expect({"client R. 0:0 ack 0", "broker R. 30:30 ack 0", "broker R. 0:0 ack 0"});
    story.expect_gone(Counter::ClosedClientReset);
}

TEST(SpliceReset, BehindTextInFlightEndsNothingWhenItsSenderKnowsNothingOfIt) {
    Spliced story;
    story.client_passes("P. 0:30");
    story.client("R. 30:30");
    story.lab.run(milliseconds(5050));
    story.tap.tcp.clear();
    story.client_passes("P. 30:40");  // the broker sleeps, the client is there
    story.lab.run(seconds(20));
    story.expect({});
    story.broker_passes(". 0:0 ack 40");
    story.expect_alive();
}

TEST(SpliceReset, InsideTheWindowIsChallengedByItsReceiver) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client("R 5:5");
        story.expect({"broker R 5:5", "broker . -1:-1 ack 0"});
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.broker_passes(". 0:0 ack 0");  // the challenge
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.client_passes("R 0:0");  // and its answer: it was meant
        story.expect_gone(Counter::ClosedClientReset);
    }
}

TEST(SpliceReset, ThatWasNotMeantDoesNoHarm) {
    Spliced story;
    story.broker("R. 5:5 ack 0");
    story.expect({"client R. 5:5", "client . -1:-1 ack 0"});
    story.client_passes(". 0:0 ack 0");  // the challenge, to which a living broker has nothing to say
    story.client_passes("P. 0:10");
    story.broker_passes(". 0:0 ack 10");
    story.lab.run(seconds(15));
    story.expect({});
    EXPECT_EQ(story.moved("closed_"), Moved{});
    story.expect_alive();
}

// One byte ahead makes no number exact: nobody has confirmed it.
TEST(SpliceReset, BehindAForgedByteDoesNoHarm) {
    for (const bool ipv6 : {false, true}) {
        for (const bool good_ack : {false, true}) {
            Spliced story(over(ipv6));
            story.client(std::string("P. 5000:5001 ack ") + (good_ack ? "0" : "1000000"));
            story.client("R 5001:5001");
            story.expect({"broker P. 5000:5001 ack " + std::string(good_ack ? "0" : "1000000"),
                          "broker R 5001:5001", "broker . -1:-1 ack 0"});
            story.broker_passes(". 0:0 ack 0");
            story.lab.run(seconds(15));
            story.expect({});
            story.client_passes("P. 0:10");
            story.broker_passes("P. 0:10 ack 10");
            story.expect_alive();
        }
    }
}

TEST(SpliceReset, SentBlindlyDoesNoHarm) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        for (const char* const reset : {"R 90000:90000", "R 1000000:1000000", "R -1:-1", "R -100000:-100000",
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
    EXPECT_LE(tap.tcp_on(1), 105U);  // the resets, and a probe a second at most
    EXPECT_LE(tap.tcp_on(0), 8U);    // challenge ACKs, twice a second, and answers to probes
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
