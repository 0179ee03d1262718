// A connection that stays relayed and is quiet rests: its endpoints give way to a compact record. Nobody at
// either end can tell, and any packet wakes it.
#include <gtest/gtest.h>

#include <algorithm>

#include "worker/resting_story.h"

namespace sluice::test::resting_test {
namespace {

TEST(Resting, IsWhatBecomesOfAQuietConnectionThatStaysRelayed) {
    for (const Difference difference : kDifferences) Resting story(with(difference));
}

TEST(Resting, IsNotForOneThatCanBeSpliced) {
    Spliced story;
    story.lab.run(seconds(5));
    EXPECT_EQ(story.lab.usage().resting, 0U);
    story.expect_alive();
}

TEST(Resting, BeginsASecondAfterTheLastSegment) {
    Relayed story(with(Difference::Families));
    story.lab.run(milliseconds(499));
    EXPECT_EQ(story.phase(), Phase::Relayed);
    story.client(". 0:0");  // says nothing, and counts
    story.lab.run(milliseconds(999));
    EXPECT_EQ(story.phase(), Phase::Relayed);
    story.lab.run(milliseconds(2));
    EXPECT_EQ(story.phase(), Phase::Resting);
}

TEST(Resting, WaitsForWhatIsUnderWay) {
    for (const Side silent : {Side::Client, Side::Broker}) {
        Relayed story(with(Difference::Families));
        // Its bytes reach the other side, which acknowledges them late.
        const Side speaker = silent == Side::Client ? Side::Broker : Side::Client;
        story.says(speaker, "P. 0:10");
        story.lab.run(seconds(3));
        EXPECT_EQ(story.phase(), Phase::Relayed);
        story.says(silent, ". 0:0 ack 10");
        story.lab.run(milliseconds(1100));
        EXPECT_EQ(story.phase(), Phase::Resting);
    }
    Relayed early(with(Difference::Families));
    early.client("P. 10:20");  // a gap before it
    early.lab.run(seconds(3));
    EXPECT_EQ(early.phase(), Phase::Relayed);
    Relayed half_closed(with(Difference::Families));
    half_closed.client("F. 0:0");
    half_closed.broker(". 0:0 ack 1");
    half_closed.lab.run(seconds(30));
    EXPECT_EQ(half_closed.phase(), Phase::Relayed);
}

// Whatever arrives is answered and passed on as by endpoints that were there all the time.
TEST(Resting, CannotBeToldFromOutside) {
    const std::vector<std::string> lines{
        "P. 0:10",               // text
        "P. 0:1000",             // a full segment or less
        "P. -2:0",               // old text again
        "P. -2:10",              // old text and new
        "P. 10:20",              // a gap before it
        ". -1:-1",               // a keepalive probe
        "P. -1:0",               // one with a byte
        ". 0:0",                 // says nothing
        ". 0:0 win 0",           // closes its window
        ". 0:0 ack 100",         // acknowledges what was never sent
        ". 0:0 ack -1000000",    // or long ago
        ". 5000000:5000000",     // outside the window
        "P. 5000000:5000010",    // likewise
        "P. 0:10 ts -100000/0",  // by an old clock
        "P. 0:10 nots",          // by none
        "R 0:0",                 // a reset
        "R. 0:0",                // likewise
        "R 100:100",             // a guessed one
        "R 5000000:5000000",     // a worse one
        "F. 0:0",                // an end
        "FP. 0:10",              // text and an end
        "S 0:0",                 // a restarted host
        "S. 0:0",                // a confused one
        "- 0:0",                 // no flag at all
        "P. 0:10 badsum",        // damaged
    };
    for (const Difference difference : kDifferences) {
        for (const Side side : {Side::Client, Side::Broker}) {
            for (const std::string& line : lines) {
                SCOPED_TRACE(line + (side == Side::Client ? " from the client, " : " from the broker, ") +
                             std::to_string(static_cast<int>(difference)));
                Relayed awake(with(difference));
                Resting resting(with(difference));
                awake.counts.restart();
                resting.counts.restart();
                for (Relayed* const story : {&awake, static_cast<Relayed*>(&resting)}) {
                    story->says(side, line);
                    story->says(side == Side::Client ? Side::Broker : Side::Client, "P. 0:7 ack 10");
                    story->lab.run(milliseconds(150));  // delayed ACKs, and no repetition yet
                }
                EXPECT_EQ(resting.heard(), awake.heard());
                EXPECT_EQ(resting.moved(""), awake.moved(""));
                EXPECT_EQ(resting.phase(), awake.phase());
            }
        }
    }
}

TEST(Resting, EndsWithAnyPacketAndBeginsAgain) {
    for (const unsigned workers : {1U, 3U}) {
        for (const Difference difference : kDifferences) {
            Resting story(with(difference, workers));
            for (int i = 0; i < 5; ++i) {
                const std::string from = std::to_string(2 * i);
                const std::string to = std::to_string(2 * i + 2);
                story.client("P. " + from + ":" + to + " ack " + from);
                EXPECT_EQ(story.phase(), Phase::Relayed);
                ASSERT_EQ(story.tap.tcp_on(1), 1U);
                EXPECT_EQ(story.tap.tcp.back().payload, story.bytes(Side::Client, 2 * i, 2 * i + 2));
                story.tap.tcp.clear();
                if (i % 2 == 1) {  // its acknowledgement comes alone, and the answer when it rests again
                    story.broker(". " + from + ":" + from + " ack " + to);
                    story.lab.run(seconds(2));
                    EXPECT_EQ(story.phase(), Phase::Resting);
                    story.tap.tcp.clear();
                }
                story.broker("P. " + from + ":" + to + " ack " + to);
                EXPECT_EQ(story.phase(), Phase::Relayed);
                ASSERT_GE(story.tap.tcp_on(0), 1U);
                EXPECT_EQ(story.tap.tcp.back().payload, story.bytes(Side::Broker, 2 * i, 2 * i + 2));
                story.client(". " + to + ":" + to + " ack " + to);
                story.lab.run(seconds(2));
                EXPECT_EQ(story.phase(), Phase::Resting);
                story.tap.tcp.clear();
            }
            story.lab.command({.kind = worker::Command::Kind::Stop});
            story.lab.settle();
            story.expect_both_reset(Counter::ClosedByOperator);
        }
    }
}

TEST(Resting, GoesOnInTheListing) {
    Relayed story(with(Difference::Families));
    story.client("P. 0:10");
    story.broker("P. 0:5 ack 10");
    story.client(". 10:10 ack 5");
    const worker::ListedConnection before = story.row();
    story.lab.run(seconds(20));
    worker::ListedConnection now = story.row();
    EXPECT_EQ(now.phase, Phase::Resting);
    EXPECT_NE(now.id, before.id);
    const auto expect_same = [&] {
        EXPECT_EQ(now.listener, before.listener);
        EXPECT_EQ(now.pool, before.pool);
        EXPECT_EQ(now.backend, before.backend);
        EXPECT_EQ(now.client, before.client);
        EXPECT_EQ(now.upstream, before.upstream);
        EXPECT_EQ(now.mqtt_version, before.mqtt_version);
        EXPECT_EQ(now.keep_alive, before.keep_alive);
        EXPECT_EQ(now.persistent, before.persistent);
        EXPECT_EQ(now.shown_client_id(), before.shown_client_id());
        EXPECT_EQ(now.client_id_size, before.client_id_size);
    };
    expect_same();
    EXPECT_EQ(now.bytes_from_client, before.bytes_from_client);
    EXPECT_EQ(now.bytes_from_broker, before.bytes_from_broker);
    EXPECT_EQ(now.packets_from_client, before.packets_from_client);
    EXPECT_EQ(now.packets_from_broker, before.packets_from_broker);
    EXPECT_NEAR(std::chrono::duration<double>(now.age - before.age).count(), 20, 1);
    EXPECT_NEAR(std::chrono::duration<double>(now.idle).count(), 20, 0.01);
    story.client("P. 10:12 ack 5");
    now = story.row();
    EXPECT_EQ(now.phase, Phase::Relayed);
    expect_same();
    EXPECT_EQ(now.bytes_from_client, before.bytes_from_client + 2);
    EXPECT_EQ(now.bytes_from_broker, before.bytes_from_broker);
    EXPECT_EQ(now.packets_from_client, before.packets_from_client + 1);
    EXPECT_EQ(now.packets_from_broker, before.packets_from_broker);
}

TEST(Resting, KeepsTheBeginningOfALongClientIdAndItsSize) {
    Plot plot = with(Difference::Families);
    plot.id = std::string(50, 'x') + std::string(50, 'y');
    Resting story(plot);
    for (const bool rests : {true, false}) {
        if (!rests) story.client(". 0:0");
        EXPECT_EQ(story.row().phase, rests ? Phase::Resting : Phase::Relayed);
        EXPECT_EQ(story.row().client_id_size, 100U);
        EXPECT_EQ(story.row().shown_client_id(), std::string(45, 'x'));
    }
    story.lab.run(seconds(2));
    EXPECT_EQ(story.row().client_id_size, 100U);
}

TEST(Resting, TakesAtMost320BytesWithItsTimerAndItsIndexEntry) {
    Lab lab({.brokers = 1, .ipv6_clients = true});
    const std::uint64_t start = lab.workers[0]->totals().used_bytes;
    constexpr std::uint32_t kClients = 200;
    for (std::uint32_t i = 0; i < kClients; ++i) lab.connect("device-" + std::to_string(i));
    const std::uint64_t relayed = lab.workers[0]->totals().used_bytes - start;
    lab.run(seconds(2));
    ASSERT_EQ(lab.usage().resting, kClients);
    constexpr std::uint64_t kLease = 4;
    EXPECT_LE(lab.workers[0]->totals().used_bytes - start + kLease * kClients, 320 * kClients);
    EXPECT_GT(relayed, 1000 * kClients);
}

// --- its end ---

}  // namespace
}  // namespace sluice::test::resting_test
