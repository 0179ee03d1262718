// FINs pass like data: a connection is over when both were acknowledged, in whatever order that came, and
// until then either end may be silent and listen for as long as it likes.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::seconds;

void expect_over(Spliced& story) {
    EXPECT_EQ(story.phase(), session::Phase::Closing);
    story.lab.run(seconds(1));
    story.expect_gone(Counter::ClosedOrderly);
}

TEST(SpliceFin, MayCarryTheLastBytes) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("FP. 0:10");
        story.broker_passes(". 0:0 ack 11");
        story.broker_passes("FP. 0:5 ack 11");
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.client_passes(". 11:11 ack 6");
        expect_over(story);
    }
}

TEST(SpliceFin, LeavesTheOtherDirectionOpen) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("F. 0:0");
        story.broker_passes(". 0:0 ack 1");
        for (int i = 0; i < 10; ++i) {
            story.lab.run(seconds(1));
            const std::string end = std::to_string(100 * (i + 1));
            story.broker_passes("P. " + std::to_string(100 * i) + ":" + end + " ack 1");
            story.client_passes(". 1:1 ack " + end);
            EXPECT_EQ(story.phase(), session::Phase::Spliced);
        }
        story.broker_passes("F. 1000:1000 ack 1");
        story.client_passes(". 1:1 ack 1001");
        expect_over(story);
    }
}

TEST(SpliceFin, OfTheBrokerLeavesTheClientsDirectionOpen) {
    Spliced story;
    story.broker_passes("FP. 0:5");
    story.client_passes(". 0:0 ack 6");
    for (int i = 0; i < 10; ++i) {
        story.lab.run(seconds(1));
        story.client_passes("P. " + std::to_string(i) + ":" + std::to_string(i + 1) + " ack 6");
        story.broker_passes(". 6:6 ack " + std::to_string(i + 1));
    }
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.client_passes("F. 10:10 ack 6");
    story.broker_passes(". 6:6 ack 11");
    expect_over(story);
}

TEST(SpliceFin, OfBothMayCross) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.lab.inject(0, story.frame(Side::Client, "F. 0:0 ack 0"));
        story.lab.inject(1, story.frame(Side::Broker, "F. 0:0 ack 0"));
        story.lab.settle();
        story.expect({"client F. 0:0 ack 0", "broker F. 0:0 ack 0"});
        story.client_passes(". 1:1 ack 1");
        EXPECT_EQ(story.phase(), session::Phase::Spliced);
        story.broker_passes(". 1:1 ack 1");
        expect_over(story);
    }
}

TEST(SpliceFin, LostOnTheFarWireIsRepeatedAndMayBringMoreWithIt) {
    Spliced story;
    story.client_passes("P. 0:10");
    story.client_passes("F. 10:10");
    story.client_passes("F. 10:10");  // time-out
    story.client_passes("FP. 0:10");  // the data was lost too
    story.broker_passes(". 0:0 ack 11");
    story.broker_passes("F. 0:0 ack 11");
    story.broker_passes("F. 0:0 ack 11");
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.client_passes(". 11:11 ack 1");
    expect_over(story);
}

// An ACK of everything before the FIN is not one of the FIN.
TEST(SpliceFin, IsNotTakenForAcknowledgedEarly) {
    Spliced story;
    story.client_passes("FP. 0:10");
    story.broker_passes("F. 0:0 ack 10");
    story.client_passes(". 11:11 ack 1");
    story.lab.run(seconds(2));
    EXPECT_EQ(story.phase(), session::Phase::Spliced);
    story.broker_passes(". 1:1 ack 11");
    expect_over(story);
}

TEST(SpliceFin, WithAWrongChecksumIsDroppedAndEndsNothing) {
    Spliced story;
    story.client("F. 0:0 badsum");
    story.expect({});
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_tcp_checksum", 1}}));
    story.broker_passes("F. 0:0");
    story.client_passes(". 0:0 ack 1");
    story.lab.run(seconds(2));
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test
