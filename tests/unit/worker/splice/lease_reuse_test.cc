// Who gets a source port next must look later to the broker than who had it: the broker may still be in
// TIME-WAIT, and takes a SYN there only with a later clock or number (RFC 6191). What passed since the splice
// counts, however fast the client's clock ran and however much was sent.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

// One source address and port, so that the second client gets the first one's.
Plot narrow(bool timestamps) {
    Plot plot;
    plot.setup.pool = "source_addresses = [\"10.2.0.10\"]\nsource_ports = \"5000-5000\"";
    plot.client.timestamps = plot.broker.timestamps = timestamps;
    return plot;
}

// The SYN to the broker when the next client comes.
SeenSegment next_syn(Spliced& story) {
    story.lab.run(std::chrono::milliseconds(2100));  // linger and quarantine
    story.lab.clients.deaf_tcp = story.lab.brokers[0]->host.deaf_tcp = false;
    story.tap.tcp.clear();
    EXPECT_EQ(story.lab.connect("second").received, kConnackAccepted);
    const auto syns = story.tap.upstream_syns();
    EXPECT_EQ(syns.size(), 1U);
    EXPECT_EQ(syns.at(0).from, story.leg(Side::Broker).local);
    return syns.at(0);
}

void expect_later(const Spliced& story, const SeenSegment& syn, std::uint32_t next, std::uint32_t clock) {
    const Story::Leg& leg = story.leg(Side::Broker);
    EXPECT_TRUE(tcp::Seq(syn.tcp.sequence).after(tcp::Seq(leg.local_zero + next)));
    if (!story.plot.client.timestamps) return;
    ASSERT_TRUE(syn.tcp.options.timestamps);
    EXPECT_TRUE(tcp::Seq(syn.tcp.options.timestamps->value).after(tcp::Seq(leg.local_clock + clock)));
}

TEST(SpliceLeaseReuse, GoesOnAfterAClockThatRanAThousandTimesFaster) {
    for (const bool orderly : {true, false}) {
        Spliced story(narrow(true));
        story.lab.run(std::chrono::seconds(10));
        story.client_passes("P. 0:10 ts 10000000/0");
        if (orderly) {
            story.client_passes("F. 10:10 ts 10000001/0");
            story.broker_passes("F. 0:0 ack 11 ts 10000/10000001");
            story.client_passes(". 11:11 ack 1 ts 10000002/10000");
        } else {
            story.broker_passes("R. 0:0 ack 10");
        }
        expect_later(story, next_syn(story), orderly ? 11 : 10, orderly ? 10000002 : 10000000);
    }
}

TEST(SpliceLeaseReuse, GoesOnAfterManyBytesInAShortTime) {
    for (const bool timestamps : {true, false}) {
        Plot plot = narrow(timestamps);
        plot.broker.scale = 14;
        Spliced story(plot);
        story.broker_passes(". 0:0 win 65535");  // a gigabyte
        story.client_passes("P. 1000000000:1000000010");
        story.broker_passes("R. 0:0 ack 1000000010");
        expect_later(story, next_syn(story), 1000000010, 0);
    }
}

// A clock in the far future that no stream carries is nobody's: a forged packet must not push the next one.
TEST(SpliceLeaseReuse, IsNotMisledByWhatIsOutsideTheWindow) {
    Spliced story(narrow(true));
    story.client_passes("P. 2100000000:2100000010 ts 1000000000/0");
    story.broker_passes("R. 0:0 ack 0");
    const SeenSegment syn = next_syn(story);
    expect_later(story, syn, 0, 0);
    const Story::Leg& leg = story.leg(Side::Broker);
    EXPECT_TRUE(tcp::Seq(syn.tcp.options.timestamps->value).before(tcp::Seq(leg.local_clock + 1000000)));
}

}  // namespace
}  // namespace sluice::test
