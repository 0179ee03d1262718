// A client behind a slow radio is sent no copies of what it cannot have acknowledged yet: the broker's kernel
// knows Sluice's round trip from the handshake, not the client's, and repeats after 200 ms.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Plot slow(bool ipv6, milliseconds round_trip, bool timestamps = true) {
    Plot plot;
    plot.round_trip = round_trip;
    plot.client.timestamps = plot.broker.timestamps = timestamps;
    return over(ipv6, plot);
}

TEST(SpliceSlowClient, IsSentNoCopyWithinItsRoundTrip) {
    for (const bool ipv6 : {false, true}) {
        for (const bool timestamps : {false, true}) {
            Spliced story(slow(ipv6, milliseconds(2500), timestamps));
            story.client_passes("P. 0:10");
            story.broker_passes("P. 0:5 ack 10");
            for (const int pause : {200, 400, 800}) {  // as Linux repeats it
                story.lab.run(milliseconds(pause));
                story.broker("P. 0:5 ack 10");
                story.expect({});
            }
            story.lab.run(milliseconds(1100));
            story.client_passes(". 10:10 ack 5");
            EXPECT_EQ(story.moved("splice_copies"), (Moved{{"splice_copies_held", 3}}));
            story.expect_alive();
        }
    }
}

// What was lost on the way to the client is repeated once its round trip is over.
TEST(SpliceSlowClient, IsSentTheCopyAfterItsRoundTrip) {
    Spliced story(slow(false, milliseconds(700)));
    story.broker_passes("P. 0:5");
    story.lab.run(milliseconds(600));
    story.broker("P. 0:5");
    story.expect({});
    story.lab.run(milliseconds(800));
    story.broker_passes("P. 0:5");
    story.expect_alive();
}

// Whatever the client says about the flight, its broker may act on: duplicates and SACK ask for a repetition,
// and what is acknowledged in part leaves a hole that is repeated at once.
TEST(SpliceSlowClient, IsSentWhatItAskedFor) {
    for (const bool ipv6 : {false, true}) {
        for (const char* const news : {". 0:0 ack 0 sack 10:20", ". 0:0 ack 10", "P. 0:4 ack 10"}) {
            SCOPED_TRACE(news);
            Spliced story(slow(ipv6, milliseconds(700)));
            story.broker_passes("P. 0:10");
            story.broker_passes("P. 10:20");
            story.lab.run(milliseconds(100));
            story.client_passes(news);
            story.broker_passes("P. 10:20");
            story.broker_passes("P. 10:20");
            story.expect_alive();
        }
    }
}

// But text that it sent before it can have heard the broker's is no news about that.
TEST(SpliceSlowClient, ItsOwnTextAsksForNothing) {
    Spliced story(slow(false, milliseconds(700)));
    story.broker_passes("P. 0:10");
    story.lab.run(milliseconds(100));
    story.client_passes("P. 0:4 ack 0");
    story.lab.run(milliseconds(100));
    story.broker_passes("P. 0:10 ack 4");  // a copy, but its acknowledgement is new
    story.broker("P. 0:10 ack 4");
    story.expect({});
    story.expect_alive();
}

TEST(SpliceSlowClient, ItsFinAndEverythingElseButCopiesPass) {
    Spliced story(slow(false, milliseconds(700)));
    story.broker_passes("P. 0:10");
    story.broker_passes(". 10:10");
    story.broker_passes(". 9:9");  // a keepalive probe
    story.broker_passes("FP. 10:20");
    story.broker("FP. 10:20");
    story.expect({});
    story.client_passes(". 0:0 ack 21");
    story.client_passes("F. 0:0 ack 21");
    story.broker_passes(". 21:21 ack 1");
    story.lab.run(milliseconds(1002));
    story.expect_gone(Counter::ClosedOrderly);
}

TEST(SpliceSlowClient, LearnsANewRoundTripFromEachFlight) {
    Spliced story(slow(false, milliseconds(300)));
    story.broker_passes("P. 0:10");
    story.lab.run(milliseconds(2000));
    story.client_passes(". 0:0 ack 10");
    story.broker_passes("P. 10:20");
    story.lab.run(milliseconds(1800));
    story.broker("P. 10:20");
    story.expect({});
    EXPECT_EQ(story.moved("splice_copies"), (Moved{{"splice_copies_held", 1}}));
    story.expect_alive();
}

TEST(SpliceSlowClient, AQuickOneIsSentEveryCopy) {
    Spliced story(slow(false, milliseconds(50)));
    story.broker_passes("P. 0:10");
    story.broker_passes("P. 0:10");
    story.lab.run(seconds(1));
    story.broker_passes("P. 0:10");
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test
