// Sequence numbers and clocks wrap around in the middle of a conversation, on either leg and for either end,
// and nobody notices.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

constexpr std::uint32_t kBefore = 50;  // numbers left before the wrap

void converse(Spliced& story) {
    story.client_passes("P. 0:100 ts 20/0");
    story.broker_passes("P. 0:100 ack 100 ts 30/20");
    story.client_passes("P. 100:200 ack 100 ts 100/30");
    story.broker_passes("P. 100:200 ack 100 ts 110/30");
    story.client_passes(". 200:200 ack 0 ts 120/30 sack 20:40 60:200");  // a hole on both sides of the wrap
    story.broker_passes(". 200:200 ack 0 ts 120/30 sack 20:40 60:200");
    story.client_passes("P. 0:200 ack 200 ts 130/120");
    story.client("R 300:300");  // in the window, across the wrap, not exact
    story.expect({"broker R 300:300", "broker . 99:99 ack 200 ts 130/120"});
    story.client_passes("FP. 200:300 ack 200 ts 140/120");
    story.broker_passes("FP. 200:300 ack 301 ts 150/140");
    story.client_passes(". 301:301 ack 301 ts 160/150");
    EXPECT_EQ(story.phase(), session::Phase::Closing);
    story.lab.run(std::chrono::milliseconds(1002));  // a beginning between two ticks of the timers
    story.expect_gone(Counter::ClosedOrderly);
}

TEST(SpliceWrap, OfTheEndsOwnNumbersAndClocks) {
    for (const bool ipv6 : {false, true}) {
        Plot plot;
        plot.client = {.first = 0U - 21U - kBefore, .clock = 0U - kBefore};
        plot.broker = {.first = 0U - 5U - kBefore, .clock = 0U - kBefore};
        Spliced story(over(ipv6, plot));
        EXPECT_EQ(story.leg(Side::Client).remote_zero, 0U - kBefore);
        EXPECT_EQ(story.leg(Side::Broker).remote_zero, 0U - kBefore);
        converse(story);
    }
}

// How much later the same connection must begin for a number of Sluice's to be just before its wrap.
Duration until_wrap(std::uint32_t number, Duration tick) { return tick * (0U - kBefore - number); }

TEST(SpliceWrap, OfSluicesNumbers) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            Plot plot;
            plot.later =
                until_wrap(Spliced(over(ipv6, plot)).leg(side).local_zero, std::chrono::microseconds(4));
            Spliced story(over(ipv6, plot));
            EXPECT_EQ(story.leg(side).local_zero, 0U - kBefore);
            converse(story);
        }
    }
}

TEST(SpliceWrap, OfSluicesClocks) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            Plot plot;
            plot.later =
                until_wrap(Spliced(over(ipv6, plot)).leg(side).local_clock, std::chrono::milliseconds(1));
            Spliced story(over(ipv6, plot));
            EXPECT_EQ(story.leg(side).local_clock, 0U - kBefore);
            converse(story);
        }
    }
}

}  // namespace
}  // namespace sluice::test
