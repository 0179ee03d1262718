// A spliced connection still holds its places: at its listener, with its broker, in the pool of source ports;
// and it outlives the picture of the pool that it was made under.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;

TEST(SplicePlace, AtTheListenerIsGivenBackAtTheEnd) {
    Plot plot;
    plot.setup.listener = "max_connections = 2";
    plot.prepare = [](Lab& lab) { connect_spliced(lab, "other"); };
    Spliced story(plot);
    const auto knock = [&] {
        story.lab.inject(0, make_segment({.from = story.lab.next_client_address(),
                                          .to = story.lab.listener(),
                                          .sequence = 1,
                                          .flags = {.syn = true}}));
        story.lab.settle();
        const auto answers = std::exchange(story.tap.tcp, {});
        return answers.size() == 1 && answers[0].is_syn_ack();
    };
    EXPECT_FALSE(knock());
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_syn_listener_full", 1}}));
    EXPECT_EQ(story.lab.usage().half_open, 0U);
    story.client_passes("R 0:0");
    EXPECT_TRUE(knock());
    EXPECT_FALSE(knock());
}

TEST(SplicePlace, WithTheBrokerIsGivenBackAtTheEnd) {
    Spliced story;
    EXPECT_EQ(story.lab.load(0), 1U);
    EXPECT_EQ(story.lab.usage().backends[0][0].leased, 1U);
    story.client_passes("F. 0:0");
    story.broker_passes("F. 0:0 ack 1");
    EXPECT_EQ(story.lab.load(0), 1U);
    story.client_passes(". 1:1 ack 1");
    story.lab.run(std::chrono::seconds(1));
    EXPECT_EQ(story.lab.load(0), 0U);
    story.expect_gone(Counter::ClosedOrderly);
}

// A broker that is taken out gets no new clients; those that it has stay.
TEST(SplicePlace, OutlivesNewSnapshots) {
    for (const unsigned workers : {1U, 3U}) {
        Plot plot;
        plot.setup.workers = workers;
        plot.setup.pool = "on_down = \"keep\"";
        Spliced story(plot);
        story.lab.set_down({0});
        story.client_passes("P. 0:10");
        story.lab.set_down({});
        story.lab.run(milliseconds(20));
        story.broker_passes("P. 0:10 ack 10");
        story.client_passes("R. 10:10 ack 10");
        EXPECT_EQ(story.lab.load(0), 0U);
        story.expect_gone(Counter::ClosedClientReset);
    }
}

// No new connection is let in while the worker drains, also not in the place of an old one; those that are
// there talk on.
TEST(SplicePlace, OutlivesDrain) {
    Spliced story;
    story.lab.command({.kind = worker::Command::Kind::Drain});
    story.client_passes("P. 0:10");
    story.broker_passes("F. 0:0 ack 10");
    story.client_passes("F. 10:10 ack 1");
    story.broker_passes(". 1:1 ack 11");
    EXPECT_EQ(story.phase(), session::Phase::Closing);
    story.client("S 5000:5000 ts 100/0 mss 1460 scale 7 sackok");
    ASSERT_EQ(story.tap.tcp.size(), 1U);
    EXPECT_EQ(story.tap.tcp[0].port, 0);
    EXPECT_TRUE(story.tap.tcp[0].tcp.flags.rst);
    story.tap.tcp.clear();
    story.expect_gone(Counter::ClosedOrderly);
}

}  // namespace
}  // namespace sluice::test
