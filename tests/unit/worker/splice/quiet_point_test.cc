// The quiet point: the first moment after the CONNACK at which nothing is under way and nothing is held gives
// the connection to a record, be it in front of a segment's own text; until it comes, bytes are relayed.
#include <algorithm>

#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What Sluice's endpoint still owed the broker, with the client's window.
const std::string kOwedAck = "broker . 0:0 ack 0";

TEST(SpliceQuietPoint, IsTheClientsBareAckOfTheConnack) {
    for (const bool ipv6 : {false, true}) {
        Story story(over(ipv6));
        EXPECT_EQ(story.phase(), session::Phase::Relayed);
        story.client(". 0:0");
        story.expect({kOwedAck});
        EXPECT_EQ(story.moved("spliced"), (Moved{{"spliced", 1}}));
        EXPECT_EQ(story.moved("relay"), Moved{});
        story.expect_alive();
    }
}

TEST(SpliceQuietPoint, LiesInFrontOfTheTextThatAcknowledgesTheConnack) {
    for (const bool ipv6 : {false, true}) {
        Story story(over(ipv6));
        story.client("P. 0:14");  // SUBSCRIBE
        story.expect({kOwedAck, "broker P. 0:14"});
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        EXPECT_EQ(story.moved("splice_"),
                  (Moved{{"splice_packets_to_broker", 1}, {"splice_bytes_to_broker", 14}}));
        EXPECT_EQ(story.moved("relay"), Moved{});
        story.broker_passes("P. 0:5 ack 14");
        story.expect_alive();
    }
}

TEST(SpliceQuietPoint, LiesInFrontOfAFinToo) {
    for (const char* const line : {"F. 0:0", "FP. 0:2"}) {  // DISCONNECT
        Story story;
        story.client(line);
        story.expect({kOwedAck, std::string("broker ") + line});
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        const std::string end = line[1] == 'P' ? "3" : "1";
        story.broker_passes("F. 0:0 ack " + end);
        story.client_passes(". " + end + ":" + end + " ack 1");
        story.lab.run(seconds(1));
        story.expect_gone(Counter::ClosedOrderly);
    }
}

TEST(SpliceQuietPoint, IsNotYetAResetsMoment) {
    Story story;
    story.client("R. 0:0");
    EXPECT_EQ(story.lab.count(Counter::Spliced), 0U);
    story.expect({"broker R. 0:0 ack 0 ts 0/0"});
    story.expect_gone(Counter::ClosedClientReset);
}

TEST(SpliceQuietPoint, ComesAfterWhatTheBrokerSentBehindTheConnack) {
    Story story;
    story.broker("P. 0:100");
    story.expect({"client P. 0:100"});
    EXPECT_EQ(story.phase(), session::Phase::Relayed);
    story.client(". 0:0 ack 0");
    EXPECT_EQ(story.phase(), session::Phase::Relayed);
    story.client(". 0:0 ack 100");
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.expect({"broker . 0:0 ack 100"});
    EXPECT_EQ(story.moved("relay"), (Moved{{"relay_bytes_to_client", 100}}));
    story.broker_passes("P. 100:200");
    story.expect_alive();
}

TEST(SpliceQuietPoint, WaitsForWhatWasLost) {
    Plot plot;
    plot.client.timestamps = plot.broker.timestamps = false;  // time passes before the splice
    Story story(plot);
    story.client("P. 0:10 ack -4");            // the CONNACK did not arrive
    story.expect({"broker P. 0:10 win 499"});  // the CONNACK is on its way into that
    story.lab.run(seconds(2));
    // Both legs repeat what nobody acknowledges.
    const auto repeated = [&](std::uint16_t port, const char* line) {
        return std::ranges::count_if(story.tap.tcp, [&](const SeenSegment& s) {
            return s.port == port && story.text(s).find(line) != std::string::npos;
        });
    };
    EXPECT_GE(repeated(0, "client P. -4:0 ack 10"), 2);
    EXPECT_GE(repeated(1, "broker P. 0:10 ack 0"), 2);
    EXPECT_EQ(story.phase(), session::Phase::Relayed);
    story.tap.tcp.clear();
    story.client(". 10:10 ack 0");
    EXPECT_EQ(story.phase(), session::Phase::Relayed);
    story.broker(". 0:0 ack 10");
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.expect({});
    EXPECT_EQ(story.moved("relay"), (Moved{{"relay_bytes_to_broker", 10}}));
    story.client_passes("P. 10:20");
    story.expect_alive();
}

// The CONNECT and what follows it come in one segment: all of it reaches the broker once, and the record
// begins behind it.
TEST(SpliceQuietPoint, ComesAfterWhatTheClientSentBehindTheConnect) {
    for (const unsigned workers : {1U, 3U}) {
        Lab lab({.workers = workers, .brokers = 1});
        Socket& client = lab.client();
        lab.settle();
        const std::string publish(3000, 'p');
        client.write(std::string_view(connect_packet("device") + publish));
        lab.run(milliseconds(100));
        EXPECT_EQ(lab.usage().spliced, 1U);
        EXPECT_EQ(client.received, kConnackAccepted);
        EXPECT_EQ(lab.brokers[0]->after_connect("device"), publish);
        client.write("more");
        lab.run(milliseconds(50));
        EXPECT_EQ(lab.brokers[0]->after_connect("device"), publish + "more");
        EXPECT_EQ(lab.count(Counter::SpliceBytesToBroker), 4U);
        client.abort();
        lab.settle();
        expect_nothing_left(lab);
    }
}

// The neighbor that leads to the broker stopped answering: without its MAC there is no record, and the
// connection is relayed until it answers again.
TEST(SpliceQuietPoint, NeedsTheBrokersNeighbor) {
    Plot plot;
    plot.client.timestamps = plot.broker.timestamps = false;
    Story story(plot);
    story.lab.run(seconds(35));  // the neighbor's answer grows stale; the CONNACK is repeated meanwhile
    story.lab.brokers[0]->host.silent = true;
    story.client("P. 0:10 ack -4");  // asks for it again
    story.lab.run(seconds(4));
    story.broker(". 0:0 ack 10");
    story.client(". 10:10 ack 0");
    EXPECT_EQ(story.phase(), session::Phase::Relayed);
    EXPECT_EQ(story.moved("relayed_"), Moved{});
    story.lab.brokers[0]->host.silent = false;
    story.lab.run(seconds(5));
    story.client("P. 10:20 ack 0");
    story.broker(". 0:0 ack 20");
    story.client("P. 20:30 ack 0");
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.broker(". 0:0 ack 30");
    story.tap.tcp.clear();
    story.client_passes("P. 30:40");
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test
