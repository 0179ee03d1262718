// A record ends when it is told, and nobody may be left to tell it: a broker that says nothing for long is
// asked whether it still knows the connection.
#include "worker/splice/story.h"

namespace sluice::test::silence_test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Plot with_keep_alive(std::uint16_t keep_alive, bool ipv6 = false) {
    Plot plot;
    plot.keep_alive = keep_alive;
    return over(ipv6, plot);
}

TEST(SpliceSilence, OfABrokerIsAskedAboutAfterTenMinutes) {
    for (const bool ipv6 : {false, true}) {
        for (const std::uint16_t keep_alive : {std::uint16_t{0}, std::uint16_t{65535}}) {
            Spliced story(with_keep_alive(keep_alive, ipv6));
            story.lab.run(minutes(19));
            story.expect({});
            story.lab.run(seconds(70));
            story.expect({"broker . -1:-1 ack 0"});
            story.broker_passes(". 0:0");
            story.lab.run(minutes(9));
            story.expect({});
            story.lab.run(minutes(10) + seconds(10));
            story.tap.tcp.clear();
            story.broker_passes("R 0:0");  // it has forgotten
            story.expect_gone(Counter::ClosedBrokerReset);
        }
    }
}

TEST(SpliceSilence, OfABrokerThatDoesNotAnswerEndsTheConnection) {
    Spliced story(with_keep_alive(65535));
    story.lab.run(minutes(20) + seconds(30));
    const std::string probe = "broker . -1:-1 ack 0";
    story.expect({probe, probe});
    story.lab.run(minutes(1));
    story.expect({"client R. 0:0 ack 0", probe, "broker R. 0:0 ack 0"});
    story.expect_gone(Counter::ClosedBrokerTimeout);
}

TEST(SpliceSilence, IsNoneWhileAnybodySpeaks) {
    Spliced story(with_keep_alive(65535));
    for (int i = 0; i < 60; ++i) {
        story.lab.run(minutes(1));
        story.broker_passes(". 0:0");
    }
    for (int i = 0; i < 60; ++i) {
        story.lab.run(minutes(1));
        story.client_passes("P. " + std::to_string(i) + ":" + std::to_string(i + 1));
    }
    story.expect_alive();
}

// The client acknowledged what was never sent, and closed: its end was not seen before. Now such a number is
// not believed, and the end is.
TEST(SpliceSilence, OfAClientThatAcknowledgesAheadIsNoWayToStay) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes(". 0:0 ack 30000");
        story.client_passes("FP. 0:2 ack 0");
        story.broker_passes("F. 0:0 ack 3");
        story.client_passes(". 3:3 ack 1");
        EXPECT_EQ(story.phase(), session::Phase::Closing);
        story.lab.run(std::chrono::milliseconds(1002));
        story.expect_gone(Counter::ClosedOrderly);
    }
}

// Nor does it make the broker's later words look old.
TEST(SpliceSilence, AForgedAcknowledgementKeepsNoWordsFromCounting) {
    Plot plot = with_keep_alive(0);
    plot.setup.listener = "idle_timeout = \"10s\"";
    Spliced story(plot);
    story.client_passes(". 0:0 ack 30000");
    for (int i = 0; i < 10; ++i) {
        story.lab.run(seconds(6));
        const std::string begin = std::to_string(i * 10);
        const std::string end = std::to_string(i * 10 + 10);
        story.broker_passes("P. " + begin + ":" + end);
        story.client_passes(". 0:0 ack " + end);
    }
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test::silence_test
