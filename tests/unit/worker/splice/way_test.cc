// A record carries the MACs of its next hops. They may move while it lives: the client's is taken from
// packets that go on with its stream, the broker's from what its neighbor says.
#include "worker/splice/story.h"

namespace sluice::test::way_test {
namespace {

const MacAddress kElsewhere{{0x02, 0, 0, 0, 7, 7}};

TEST(SpliceWay, ToTheClientFollowsThePacketsOfItsStream) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        Story::Leg& leg = story.leg(Side::Client);
        const MacAddress before = leg.mac;
        // Somebody who guesses: outside the window, he gets nothing.
        leg.mac = kElsewhere;
        const Frame forged = story.frame(Side::Client, "P. 1000000:1000010");
        leg.mac = before;
        story.arrives(Side::Client, forged);
        story.expect({"broker P. 1000000:1000010"});
        story.broker_passes("P. 0:10");
        EXPECT_EQ(story.moved("splice_paths"), Moved{});
        // The client, behind another gateway.
        leg.mac = kElsewhere;
        story.client_passes(". 0:0 ack 10");
        story.broker_passes("P. 10:20");
        story.client_passes("P. 0:10 ack 20");
        EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
        story.expect_alive();
    }
}

// A frame as `line` says it, from another MAC than the client's.
Frame from_elsewhere(Story& story, const std::string& line) {
    Story::Leg& leg = story.leg(Side::Client);
    const MacAddress before = leg.mac;
    leg.mac = kElsewhere;
    Frame frame = story.frame(Side::Client, line);
    leg.mac = before;
    return frame;
}

// Whoever draws the client's way to himself reads the stream. He would have to know both numbers, and write a
// segment that its receiver takes.
TEST(SpliceWay, ToTheClientFollowsNobodyWhoGuesses) {
    for (const bool ipv6 : {false, true}) {
        for (const char* const forged :
             {". 0:0 ack 1000000", ". 0:0 ack -1000000", ". 1000000:1000000 ack 0", "P. 0:10 badsum",
              "P 0:10", "R 5:5", "R. 5:5", ". 30000:30000 ack 1"}) {
            SCOPED_TRACE(forged);
            Spliced story(over(ipv6));
            story.arrives(Side::Client, from_elsewhere(story, forged));
            EXPECT_EQ(story.moved("splice_paths"), Moved{});
            EXPECT_EQ(story.moved("paths_doubted"), (Moved{{"paths_doubted", 1}}));
            story.tap.tcp.clear();
            story.broker_passes("P. 0:10");
            story.client_passes(". 0:0 ack 10");
            EXPECT_EQ(story.moved("splice_paths"), Moved{});
        }
    }
}

// A SYN draws no answer of another's connection to its own MAC either.
TEST(SpliceWay, ToTheClientFollowsNoSyn) {
    Spliced story;
    story.arrives(Side::Client, from_elsewhere(story, "S 5000000:5000000 mss 1460"));
    story.expect({"client . 0:0 ack 0"});
    EXPECT_EQ(story.moved("splice_paths"), Moved{});
}

// The broker's ACK went to the old gateway and was lost: what the client repeats by the new one is all that
// it will ever send, so the answer must find it there.
TEST(SpliceWay, ToTheClientFollowsWhatItRepeats) {
    for (const bool ipv6 : {false, true}) {
        for (const char* const repeated : {"P. 0:10", ". 9:9", ". 9:10"}) {  // data, or a keepalive probe
            SCOPED_TRACE(repeated);
            Spliced story(over(ipv6));
            story.client_passes("P. 0:10");
            story.broker_passes(". 0:0 ack 10");
            story.leg(Side::Client).mac = kElsewhere;
            story.client_passes(repeated);
            story.broker_passes(". 0:0 ack 10");
            EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
            story.expect_alive();
        }
    }
}

// No host has a group's MAC, so no answer may be sent there.
TEST(SpliceWay, ToTheClientIsNeverAGroup) {
    Spliced story;
    const MacAddress before = story.leg(Side::Client).mac;
    story.leg(Side::Client).mac = MacAddress{{0x01, 0, 0x5e, 0, 0, 1}};
    const Frame odd = story.frame(Side::Client, "P. 0:10");
    story.leg(Side::Client).mac = before;
    story.arrives(Side::Client, odd);
    story.tap.tcp.clear();
    story.broker_passes(". 0:0 ack 10");
    story.expect_alive();
}

TEST(SpliceWay, ToABrokerFollowsItsAnnouncementForAllRecords) {
    for (const unsigned workers : {1U, 3U}) {
        for (const bool ipv6 : {false, true}) {
            constexpr std::uint64_t kConnections = 60;
            Lab lab({.workers = workers, .brokers = 2, .ipv6 = ipv6});
            for (std::uint64_t i = 0; i < kConnections; ++i) {
                lab.client().write(connect_packet("device-" + std::to_string(i)));
            }
            lab.run(std::chrono::milliseconds(50));
            ASSERT_EQ(lab.usage().spliced, kConnections);
            const std::uint64_t there = lab.load(0);
            ASSERT_GT(there, 10U);
            const IpAddress address = lab.brokers[0]->host.addresses[0];
            lab.inject(1, make_announcement(address, kElsewhere));
            lab.settle();
            EXPECT_EQ(lab.count(Counter::SplicePathsMoved), there);
            Tap tap(lab);
            for (const auto& client : lab.clients.sockets) client->write("ping");
            lab.settle();
            ASSERT_EQ(tap.tcp_on(1), kConnections);
            for (const SeenSegment& s : tap.tcp) {
                if (s.port != 1) continue;
                const MacAddress& expected = s.to.address == address ? kElsewhere : lab.brokers[1]->host.mac;
                EXPECT_EQ(s.ethernet.destination, expected);
            }
            lab.command({.kind = worker::Command::Kind::Stop});
            lab.settle();
            expect_nothing_left(lab);
        }
    }
}

// Spliced connections never ask where their broker is, so after a while nobody remembers having asked.
TEST(SpliceWay, ToABrokerFollowsItsAnnouncementHoweverLongAgoItWasAskedFor) {
    for (const bool ipv6 : {false, true}) {
        Plot plot = over(ipv6);
        plot.keep_alive = 0;
        Spliced story(plot);
        for (int i = 0; i < 40; ++i) {
            story.lab.run(std::chrono::minutes(1));
            story.client_passes("P. " + std::to_string(i) + ":" + std::to_string(i + 1));
            story.broker_passes(". 0:0 ack " + std::to_string(i + 1));
        }
        story.arrives(Side::Broker, make_announcement(story.leg(Side::Broker).remote.address, kElsewhere));
        story.leg(Side::Broker).mac = kElsewhere;
        story.client_passes("P. 40:41");
        EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
        story.expect_alive();
    }
}

Frame answer_from_elsewhere(const Story& story) {
    return make_neighbor_answer(story.leg(Side::Broker).remote.address, kElsewhere,
                                *IpAddress::parse("10.2.0.1"), Lab::kBackMac);
}

// The broker's machine was replaced and said nothing: records that use it ask for it now and then.
TEST(SpliceWay, ToABrokerIsCheckedWhileRecordsUseIt) {
    Spliced story;
    story.lab.brokers[0]->host.silent = true;
    for (int i = 0; i < 55; ++i) {
        story.lab.run(std::chrono::seconds(1));
        story.arrives(Side::Broker, answer_from_elsewhere(story));  // not heard unless it was asked for
    }
    story.leg(Side::Broker).mac = kElsewhere;
    story.client_passes("P. 0:10");
    EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
    story.expect_alive();
}

// And who has no record any more is not asked for.
TEST(SpliceWay, ToABrokerIsNotCheckedWithoutRecords) {
    Spliced story;
    story.client_passes("R 0:0");
    story.lab.run(std::chrono::minutes(5));
    EXPECT_EQ(story.moved("neighbor_"), Moved{});
    story.expect_gone(Counter::ClosedClientReset);
}

// The broker's machine was replaced: the next connection's question finds the new one, for the old records
// too.
TEST(SpliceWay, ToABrokerFollowsTheAnswerToANewQuestion) {
    Spliced story;
    Lab& lab = story.lab;
    lab.brokers[0]->host.silent = true;
    lab.clients.deaf_tcp = false;
    lab.run(std::chrono::seconds(35));  // the old answer is stale
    lab.connect("asks the old one");
    lab.run(std::chrono::seconds(4));  // which is gone
    lab.run(std::chrono::seconds(4));
    lab.connect("asks everybody");
    lab.inject(1, answer_from_elsewhere(story));
    lab.settle();
    story.tap.tcp.clear();
    story.leg(Side::Broker).mac = kElsewhere;
    story.client_passes("P. 0:10");
    story.broker_passes(". 0:0 ack 10");
    EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    expect_nothing_left(lab);
}

// A gateway is the neighbor of all brokers behind it.
TEST(SpliceWay, ToADistantBrokerFollowsTheGateway) {
    Plot plot;
    plot.setup.distant = true;
    Spliced story(plot);
    story.arrives(Side::Broker, make_announcement(*IpAddress::parse("10.2.0.254"), kElsewhere));
    story.leg(Side::Broker).mac = kElsewhere;
    story.client_passes("P. 0:10");
    EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
    // The broker's packets have nothing to say about it, whoever they come from.
    story.leg(Side::Broker).mac = MacAddress{{0x02, 0, 0, 0, 8, 8}};
    story.broker_passes("P. 0:10 ack 10");
    story.leg(Side::Broker).mac = kElsewhere;
    story.client_passes(". 10:10 ack 10");
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test::way_test
