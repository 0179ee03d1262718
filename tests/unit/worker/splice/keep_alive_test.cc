// A spliced client that is silent for one and a half Keep Alive, and whose broker does not end it within ten
// seconds more, or a connection that is for idle_timeout where there is no Keep Alive, is ended by resets
// that both ends accept.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Plot with_keep_alive(std::uint16_t seconds, bool ipv6 = false) {
    Plot plot;
    plot.keep_alive = seconds;
    return over(ipv6, plot);
}

TEST(SpliceKeepAlive, OfTwoSecondsEndsASilentClientAfterThirteen) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(with_keep_alive(2, ipv6));
        story.lab.run(milliseconds(12999));
        story.expect({});
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.lab.run(milliseconds(2));
        story.expect({"client R. 0:0 ack 0", "broker R. 0:0 ack 0"});
        EXPECT_EQ(story.lab.usage().backends[0][0].quarantined, 1U);
        story.expect_gone(Counter::ClosedIdle);
    }
}

TEST(SpliceKeepAlive, OfAnOddNumberOfSecondsCountsTheHalfOneToo) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(with_keep_alive(1, ipv6));
        story.lab.run(milliseconds(11499));
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.client_passes("P. 0:2");
        story.lab.run(milliseconds(11501));
        story.expect({"client R. 0:0 ack 0", "broker R. 2:2 ack 0", "broker R. 0:0 ack 0"});
        story.expect_gone(Counter::ClosedIdle);
    }
}

TEST(SpliceKeepAlive, CountsFromTheClientsLastBytesOnly) {
    Spliced story(with_keep_alive(2));
    story.lab.run(seconds(2));
    story.client_passes("P. 0:2");
    story.lab.run(seconds(12));
    story.broker_passes("P. 0:100 ack 2");  // says nothing about the client
    story.client_passes(". 2:2 ack 100");   // nor does an ACK, which is no MQTT packet
    story.lab.run(milliseconds(999));
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.lab.run(milliseconds(2));
    story.expect({"client R. 100:100 ack 2", "broker R. 2:2 ack 100"});
    story.expect_gone(Counter::ClosedIdle);
}

// What the broker says when it ends the connection itself passes, and so does its FIN.
TEST(SpliceKeepAlive, LeavesTheBrokerItsTurn) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(with_keep_alive(2, ipv6));
        story.lab.run(milliseconds(12900));
        story.broker_passes("FP. 0:4");  // DISCONNECT
        story.client_passes("F. 0:0 ack 5");
        story.broker_passes(". 5:5 ack 1");
        story.lab.run(seconds(1));
        story.expect({});
        story.expect_gone(Counter::ClosedOrderly);
    }
}

TEST(SpliceKeepAlive, OfAClientThatPingsEndsNothing) {
    Spliced story(with_keep_alive(2));
    for (int i = 0; i < 20; ++i) {
        story.lab.run(milliseconds(12900));
        const std::string begin = std::to_string(2 * i);
        const std::string end = std::to_string(2 * i + 2);
        story.client_passes("P. " + begin + ":" + end + " ack " + begin);
        story.broker_passes("P. " + begin + ":" + end + " ack " + end);
    }
    story.expect_alive();
}

// Sluice cannot know how much of what it passed on arrived: one reset for all of it, one for none, and an end
// that is in between asks with a challenge ACK and is told.
TEST(SpliceKeepAlive, ResetsAnEndThatIsInBetweenWhenItAsks) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(with_keep_alive(2, ipv6));
        story.broker_passes("P. 0:100");
        story.client_passes(". 0:0 ack 50");
        story.lab.run(milliseconds(13001));
        story.expect({"client R. 100:100 ack 0", "client R. 50:50 ack 0", "broker R. 0:0 ack 50"});
        story.client(". 0:0 ack 70");
        story.expect({"client R 70:70"});
        EXPECT_EQ(story.moved("tcp_"), (Moved{{"tcp_no_connection", 1}, {"tcp_resets_sent", 1}}));
        story.expect_gone(Counter::ClosedIdle);
    }
}

// A half-closed client is silent for good; Keep Alive ends it all the same.
TEST(SpliceKeepAlive, EndsAHalfClosedConnection) {
    Spliced story(with_keep_alive(2));
    story.client_passes("F. 0:0");
    story.broker_passes(". 0:0 ack 1");
    story.lab.run(milliseconds(13001));
    story.expect({"client R. 0:0 ack 1", "broker R. 1:1 ack 0"});
    story.expect_gone(Counter::ClosedIdle);
}

TEST(SpliceKeepAlive, OfZeroLeavesIdleTimeoutWhichEitherSidesBytesPutOff) {
    Plot plot = with_keep_alive(0);
    plot.setup.listener = "idle_timeout = \"10s\"";
    Spliced story(plot);
    story.lab.run(seconds(9));
    story.broker_passes("P. 0:10");
    story.lab.run(seconds(9));
    story.client_passes("P. 0:10 ack 10");
    story.lab.run(milliseconds(9999));
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.lab.run(milliseconds(2));
    story.expect({"client R. 10:10 ack 0", "broker R. 10:10 ack 10", "broker R. 0:0 ack 10"});
    story.expect_gone(Counter::ClosedIdle);
}

TEST(SpliceKeepAlive, OfZeroAndNoIdleTimeoutMeansForEver) {
    Plot plot = with_keep_alive(0);
    plot.setup.listener = "idle_timeout = \"0s\"";
    Spliced story(plot);
    // Longer than a clock of 32-bit milliseconds; a broker that says nothing is asked now and then.
    for (int i = 0; i < 24 * 60 * 6; ++i) {
        story.lab.run(std::chrono::minutes(10));
        if (!story.tap.tcp.empty()) story.broker(". 0:0");
        story.tap.tcp.clear();
    }
    story.client_passes("P. 0:10");
    story.expect_alive();
}

TEST(SpliceKeepAlive, IsTheServersWhereItNamesOne) {
    for (const std::uint16_t server : {std::uint16_t{2}, std::uint16_t{40}}) {
        Lab lab({.brokers = 1});
        lab.brokers[0]->server_keep_alive = server;
        Socket& client = lab.client();
        lab.settle();
        client.write(std::string_view(connect_packet("device", mqtt::Version::V5, 20)));
        lab.run(milliseconds(50));
        EXPECT_EQ(lab.usage().spliced, 1U);
        EXPECT_EQ(lab.rows().at(0).keep_alive, server);
        lab.run(milliseconds(server * 1500 + 9940));
        EXPECT_EQ(lab.usage().spliced, 1U);
        lab.run(milliseconds(12));
        EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
        EXPECT_EQ(lab.brokers[0]->socket_of("device")->endpoint.failure(), tcp::Failure::Reset);
        EXPECT_EQ(lab.count(Counter::ClosedIdle), 1U);
        expect_nothing_left(lab);
    }
}

}  // namespace
}  // namespace sluice::test
