// The way to a client that has endpoints is the one that its own segments come by; a stranger's frames move
// it in no phase, whoever's addresses they carry.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

const MacAddress kElsewhere{{0x02, 0, 0, 0, 7, 7}};

// Where Sluice's last segment to the client went.
std::optional<MacAddress> last_way(const Tap& tap) {
    for (auto s = tap.tcp.rbegin(); s != tap.tcp.rend(); ++s) {
        if (s->port == 0) return s->ethernet.destination;
    }
    return std::nullopt;
}

Frame from_elsewhere(Story& story, const std::string& line) {
    Story::Leg& leg = story.leg(Side::Client);
    const MacAddress before = leg.mac;
    leg.mac = kElsewhere;
    Frame frame = story.frame(Side::Client, line);
    leg.mac = before;
    return frame;
}

// A broker without timestamps keeps the connection relayed.
Plot relayed(bool ipv6) {
    Plot plot = over(ipv6);
    plot.broker.timestamps = false;
    return plot;
}

TEST(ClientPath, OfARelayedConnectionFollowsNobodyWhoGuesses) {
    for (const bool ipv6 : {false, true}) {
        for (const char* const forged : {". 1000000:1000000 ack 0", ". 0:0 ack 1000000", ". 0:0 ack -1000000",
                                         "P. 500000:500010 ack 77", "R 5:5", "S 5000000:5000000 mss 1460"}) {
            SCOPED_TRACE(forged);
            Story story(relayed(ipv6));
            story.client(". 0:0");
            ASSERT_EQ(story.phase(), session::Phase::Relayed);
            const MacAddress mine = story.leg(Side::Client).mac;
            story.arrives(Side::Client, from_elsewhere(story, forged));
            EXPECT_EQ(story.moved("paths_"), (Moved{{"paths_doubted", 1}}));
            story.tap.tcp.clear();
            story.broker("P. 0:10 nots");
            EXPECT_EQ(last_way(story.tap), mine);
        }
    }
}

TEST(ClientPath, OfARelayedConnectionFollowsItsOwnSegmentsAndRepetitions) {
    for (const bool ipv6 : {false, true}) {
        for (const char* const own : {". 0:0 ack 0", "P. 0:10 ack 0", "P. -4:0 ack 0", ". -1:-1 ack 0"}) {
            SCOPED_TRACE(own);
            Story story(relayed(ipv6));
            story.client(". 0:0");
            story.arrives(Side::Client, from_elsewhere(story, own));
            story.tap.tcp.clear();
            story.broker("P. 0:10 nots");
            EXPECT_EQ(last_way(story.tap), kElsewhere);
            EXPECT_EQ(story.moved("paths_"), Moved{});
        }
    }
}

// Before the CONNECT; what Sluice sends by itself is the reset at connect_timeout.
TEST(ClientPath, OfAWaitingConnectionFollowsNobodyWhoGuesses) {
    for (const bool ipv6 : {false, true}) {
        for (const bool established : {false, true}) {
            Lab lab({.brokers = 1, .listener = "connect_timeout = \"2s\"", .ipv6 = ipv6});
            const SocketAddress from = lab.next_client_address();
            const MacAddress mine{{0x02, 0, 0, 0, 1, 50}};
            Tap tap(lab);
            RawSegment segment{.from = from,
                               .to = lab.listener(),
                               .sequence = 1000,
                               .flags = {.syn = true},
                               .source_mac = mine};
            lab.inject(0, make_segment(segment));
            lab.settle();
            ASSERT_EQ(tap.tcp.size(), 1U);
            segment.sequence = 1001;
            segment.acknowledgement = tap.tcp[0].tcp.sequence + 1;
            segment.flags = {.ack = true};
            if (established) {
                lab.inject(0, make_segment(segment));
                lab.settle();
            }
            RawSegment forged = segment;
            forged.source_mac = kElsewhere;
            forged.acknowledgement += 1'000'000;
            lab.inject(0, make_segment(forged));
            forged.flags = {.syn = true};
            forged.sequence = 77;
            lab.inject(0, make_segment(forged));
            lab.settle();
            EXPECT_EQ(lab.count(Counter::PathsDoubted), 2U);
            tap.tcp.clear();
            lab.run(std::chrono::seconds(3));
            EXPECT_EQ(last_way(tap), mine);
        }
    }
}

// Whose gateway died in the middle of the handshake repeats its SYN by another.
TEST(ClientPath, FollowsTheSynThatIsRepeated) {
    Lab lab({.brokers = 1});
    Tap tap(lab);
    RawSegment syn{.from = lab.next_client_address(),
                   .to = lab.listener(),
                   .sequence = 1000,
                   .flags = {.syn = true},
                   .source_mac = MacAddress{{0x02, 0, 0, 0, 1, 50}}};
    lab.inject(0, make_segment(syn));
    lab.settle();
    syn.source_mac = kElsewhere;
    lab.inject(0, make_segment(syn));
    lab.run(std::chrono::seconds(2));
    EXPECT_EQ(last_way(tap), kElsewhere);
}

}  // namespace
}  // namespace sluice::test
