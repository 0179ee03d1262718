// Packets come in bursts whose memory is looked up ahead; whatever an earlier packet of the burst did to a
// connection holds for the later ones.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

// All in one burst of the client's port.
void burst(Story& story, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) story.lab.inject(0, story.frame(Side::Client, line));
    story.lab.settle();
}

TEST(SpliceBurst, OfManyConnectionsReachesEachOne) {
    for (const unsigned workers : {1U, 3U}) {
        for (const bool ipv6 : {false, true}) {
            Lab lab({.workers = workers, .brokers = 2, .ipv6 = ipv6});
            const auto id = [](std::size_t i) { return "device-" + std::to_string(i); };
            constexpr std::size_t kConnections = 100;
            for (std::size_t i = 0; i < kConnections; ++i) lab.client().write(connect_packet(id(i)));
            lab.run(std::chrono::milliseconds(50));
            ASSERT_EQ(lab.usage().spliced, kConnections);
            for (int round = 0; round < 3; ++round) {
                for (std::size_t i = 0; i < kConnections; ++i) {
                    lab.clients.sockets[i]->write(id(i));
                    lab.broker_of(id(i))->socket_of(id(i))->write(id(i));
                }
                lab.run(std::chrono::milliseconds(50));
            }
            for (std::size_t i = 0; i < kConnections; ++i) {
                EXPECT_EQ(lab.broker_of(id(i))->after_connect(id(i)), id(i) + id(i) + id(i));
                EXPECT_EQ(lab.clients.sockets[i]->received, kConnackAccepted + id(i) + id(i) + id(i));
            }
            EXPECT_EQ(lab.count(Counter::HandoverFrames) != 0, workers != 1);
            lab.command({.kind = worker::Command::Kind::Stop});
            lab.settle();
            EXPECT_EQ(lab.count(Counter::ClosedByOperator), kConnections);
            expect_nothing_left(lab);
        }
    }
}

TEST(SpliceBurst, ThatEndsAConnectionAnswersTheRestWithResets) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        burst(story, {"P. 0:10", "R 0:0", "P. 10:20", "P. 20:30"});
        story.expect({"client R 0:0", "client R 0:0", "broker P. 0:10", "broker R 0:0"});
        EXPECT_EQ(story.moved("tcp_"), (Moved{{"tcp_no_connection", 2}, {"tcp_resets_sent", 2}}));
        story.expect_gone(Counter::ClosedClientReset);
    }
}

TEST(SpliceBurst, ThatEndsAConnectionMayBeginTheNextOneOfItsTuple) {
    Spliced story;
    burst(story, {"R 0:0", "S 5000:5000 mss 1460 scale 7 sackok"});
    ASSERT_EQ(story.tap.tcp.size(), 2U);
    EXPECT_TRUE(story.tap.tcp[0].is_syn_ack());
    EXPECT_EQ(story.text(story.tap.tcp[1]), "broker R 0:0 win 0");
    EXPECT_EQ(story.phase(), session::Phase::Handshake);
    EXPECT_EQ(story.lab.count(Counter::ClosedClientReset), 1U);
}

TEST(SpliceBurst, ThatMakesAConnectionQuietIsTheRecordsFromThereOn) {
    for (const bool ipv6 : {false, true}) {
        for (const bool alone : {true, false}) {
            Plot plot = over(ipv6);
            if (!alone) {  // with another record, the burst is looked up ahead, and finds the endpoints
                plot.prepare = [](Lab& lab) { connect_spliced(lab, "other"); };
            }
            Story story(plot);
            burst(story, {". 0:0", "P. 0:10", "P. 10:20", "F. 20:20"});
            story.expect({"broker . 0:0", "broker P. 0:10", "broker P. 10:20", "broker F. 20:20"});
            EXPECT_EQ(story.phase(), session::Phase::Spliced);
            EXPECT_EQ(story.moved("splice_"),
                      (Moved{{"splice_packets_to_broker", 3}, {"splice_bytes_to_broker", 20}}));
            EXPECT_EQ(story.moved("relay"), Moved{});
        }
    }
}

TEST(SpliceBurst, WithTheLastAckKeepsTheRecordForWhatFollows) {
    Spliced story;
    story.broker_passes("F. 0:0");
    story.client_passes("F. 0:0 ack 1");
    story.broker_passes(". 1:1 ack 1");
    EXPECT_EQ(story.phase(), session::Phase::Closing);
    burst(story, {". 1:1 ack 1", "F. 0:0 ack 1", ". 1:1 ack 1"});
    story.expect({"broker . 1:1 ack 1", "broker F. 0:0 ack 1", "broker . 1:1 ack 1"});
    story.lab.run(std::chrono::seconds(1));
    story.expect_gone(Counter::ClosedOrderly);
}

// Most frames arrive at a worker that does not own them.
TEST(SpliceBurst, PassesThroughOtherWorkersToTheOwner) {
    for (const bool ipv6 : {false, true}) {
        Plot plot = over(ipv6);
        plot.setup.workers = 3;
        Spliced story(plot);
        for (int i = 0; i < 9; ++i) {
            const std::string range = std::to_string(10 * i) + ":" + std::to_string(10 * i + 10);
            story.client_passes("P. " + range);
            story.broker_passes("P. " + range);
        }
        EXPECT_GE(story.moved("handover_").at("handover_frames"), 9U);
        EXPECT_EQ(story.moved("drop_"), Moved{});
        story.expect_alive();
    }
}

}  // namespace
}  // namespace sluice::test
