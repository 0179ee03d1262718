// The last ACK of a connection may be lost. While the record lingers, a repeated FIN still finds its
// receiver; after that nobody is left to ask, and a reset says so.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;

void close_in_order(Spliced& story) {
    story.client_passes("F. 0:0");
    story.broker_passes(". 0:0 ack 1");
    story.broker_passes("F. 0:0 ack 1");
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.client_passes(". 1:1 ack 1");
    EXPECT_EQ(story.phase(), session::Phase::Closing);
    EXPECT_EQ(story.lab.count(Counter::ClosedOrderly), 1U);
}

TEST(SpliceLastAck, IsRepeatedByTheClientWhileTheRecordLingers) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        close_in_order(story);
        for (int i = 0; i < 3; ++i) {
            story.lab.run(milliseconds(300));
            story.broker_passes("F. 0:0 ack 1");
            story.client_passes(". 1:1 ack 1");
            EXPECT_EQ(story.phase(), session::Phase::Closing);
        }
        EXPECT_EQ(story.lab.usage().backends[0][0].leased, 1U);
        story.lab.run(milliseconds(101));
        EXPECT_EQ(story.phase(), std::nullopt);
        EXPECT_EQ(story.lab.usage().backends[0][0].leased, 0U);
        EXPECT_EQ(story.lab.usage().backends[0][0].quarantined, 1U);
        story.lab.run(std::chrono::seconds(1));
        EXPECT_EQ(story.lab.usage().backends[0][0].quarantined, 0U);
        story.expect_gone(Counter::ClosedOrderly);
    }
}

// An ACK of more than was ever sent, forged or from an end gone mad, does not make a closed connection live
// on.
TEST(SpliceLastAck, OfMoreThanWasSentDoesNotProlongTheLinger) {
    for (const Side side : {Side::Client, Side::Broker}) {
        Plot plot;
        plot.keep_alive = 0;
        plot.setup.listener = "idle_timeout = \"0s\"";
        Spliced story(plot);
        close_in_order(story);
        story.says(side, ". 1:1 ack 60");
        story.tap.tcp.clear();
        story.lab.run(milliseconds(1001));
        EXPECT_EQ(story.phase(), std::nullopt);
        story.expect_gone(Counter::ClosedOrderly);
    }
}

// Some hosts reset what they have just closed: it ends the waiting, and is still one orderly end.
TEST(SpliceLastAck, FollowedByAResetIsCountedOnce) {
    for (const bool by_client : {true, false}) {
        Spliced story;
        close_in_order(story);
        if (by_client) {
            story.client_passes("R. 1:1 ack 1");
        } else {
            story.broker_passes("R. 1:1 ack 1");
        }
        EXPECT_EQ(story.moved("closed_"), (Moved{{"closed_orderly", 1}}));
        story.expect_gone(Counter::ClosedOrderly);
    }
}

TEST(SpliceLastAck, LostForLongerThanTheLingerIsAnsweredByAReset) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        close_in_order(story);
        story.lab.run(milliseconds(1001));
        story.broker("F. 0:0 ack 1");
        story.expect({"broker R 1:1"});
        story.client(". 1:1 ack 1");
        story.expect({"client R 1:1"});
        EXPECT_EQ(story.moved("tcp_"), (Moved{{"tcp_no_connection", 2}, {"tcp_resets_sent", 2}}));
        story.expect_gone(Counter::ClosedOrderly);
    }
}

}  // namespace
}  // namespace sluice::test
