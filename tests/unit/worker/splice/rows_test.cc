// What an operator is told of a spliced connection: the same as of any other, and no gap at the splice.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using std::chrono::seconds;

std::string shown(const worker::ListedConnection& row) { return {row.client_id.data(), row.client_id_shown}; }

TEST(SpliceRow, GoesOnFromTheRelayedOnes) {
    for (const bool ipv6 : {false, true}) {
        Story story(over(ipv6));
        const worker::ListedConnection before = story.lab.rows().at(0);
        story.client(". 0:0");
        story.lab.run(seconds(5));
        const worker::ListedConnection after = story.lab.rows().at(0);
        EXPECT_EQ(before.phase, session::Phase::Relayed);
        EXPECT_EQ(after.phase, session::Phase::Spliced);
        EXPECT_NE(after.id, before.id);
        EXPECT_EQ(after.listener, before.listener);
        EXPECT_EQ(after.pool, before.pool);
        EXPECT_EQ(after.backend, before.backend);
        EXPECT_EQ(after.client, before.client);
        EXPECT_EQ(after.upstream, before.upstream);
        EXPECT_EQ(after.upstream.local, story.leg(Side::Broker).local);
        EXPECT_EQ(after.mqtt_version, 4);
        EXPECT_EQ(after.keep_alive, 60);
        EXPECT_EQ(shown(after), "device");
        EXPECT_EQ(after.client_id_size, 6U);
        EXPECT_EQ(after.bytes_from_client, 20U);
        EXPECT_EQ(after.bytes_from_broker, 4U);
        EXPECT_EQ(after.packets_from_client, before.packets_from_client + 1);
        EXPECT_EQ(after.packets_from_broker, before.packets_from_broker);
        EXPECT_EQ(after.age, seconds(5));
        EXPECT_EQ(after.idle, seconds(5));
    }
}

// The segment whose ACK made the connection quiet, and whose text the record passed on, is one packet.
TEST(SpliceRow, CountsThePacketThatMadeItQuietOnce) {
    Story story;
    const worker::ListedConnection before = story.lab.rows().at(0);
    story.client("P. 0:14");
    const worker::ListedConnection after = story.lab.rows().at(0);
    EXPECT_EQ(after.phase, session::Phase::Spliced);
    EXPECT_EQ(after.packets_from_client, before.packets_from_client + 1);
    EXPECT_EQ(after.packets_from_broker, before.packets_from_broker);
    EXPECT_EQ(after.bytes_from_client, before.bytes_from_client + 14);
    EXPECT_EQ(after.idle, Duration::zero());
}

// The same where the splice does not come about: a side lacks what the other has, or the broker's neighbor
// has been lost.
TEST(SpliceRow, CountsThePacketBeforeWhoseTextNoSpliceCameAboutOnce) {
    for (const bool ipv6 : {false, true}) {
        for (const bool by_broker : {false, true}) {
            Plot plot = over(ipv6);
            plot.broker.sack = false;
            Story story(plot);
            const Side side = by_broker ? Side::Broker : Side::Client;
            if (by_broker) {
                story.client("P. 0:14 ack -4");  // so that it is the broker who makes it quiet
                story.client(". 14:14");
            }
            const worker::ListedConnection before = story.lab.rows().at(0);
            const std::uint64_t obstacles = story.lab.count(Counter::RelayedSack);
            story.says(side, by_broker ? "P. 0:5 ack 14" : "P. 0:14");
            const worker::ListedConnection after = story.lab.rows().at(0);
            EXPECT_EQ(after.phase, session::Phase::Relayed);
            EXPECT_EQ(story.lab.count(Counter::RelayedSack), obstacles + 1);
            EXPECT_EQ(after.packets_from_client, before.packets_from_client + (by_broker ? 0 : 1));
            EXPECT_EQ(after.packets_from_broker, before.packets_from_broker + (by_broker ? 1 : 0));
            EXPECT_EQ(after.bytes_from_client, before.bytes_from_client + (by_broker ? 0 : 14));
            EXPECT_EQ(after.bytes_from_broker, before.bytes_from_broker + (by_broker ? 5 : 0));
        }
    }
}

TEST(SpliceRow, CountsThePacketThatFoundNoWayToTheBrokerOnce) {
    Plot plot;
    plot.client.timestamps = plot.broker.timestamps = false;
    Story story(plot);
    story.lab.run(seconds(35));  // the neighbor's answer grows stale
    story.lab.brokers[0]->host.silent = true;
    story.client("P. 0:10 ack -4");
    story.lab.run(seconds(4));
    story.broker(". 0:0 ack 10");
    const worker::ListedConnection before = story.lab.rows().at(0);
    story.client("P. 10:20");
    const worker::ListedConnection after = story.lab.rows().at(0);
    EXPECT_EQ(after.phase, session::Phase::Relayed);
    EXPECT_EQ(after.packets_from_client, before.packets_from_client + 1);
    EXPECT_EQ(after.bytes_from_client, before.bytes_from_client + 10);
}

TEST(SpliceRow, CountsPacketsBytesAndSilence) {
    Spliced story;
    const worker::ListedConnection before = story.lab.rows().at(0);
    story.lab.run(seconds(3));
    story.client_passes("P. 0:100");
    story.lab.run(seconds(2));
    story.broker_passes("P. 0:1000 ack 100");
    story.broker_passes("P. 1000:1500 ack 100");
    story.client_passes(". 100:100 ack 1500");
    worker::ListedConnection row = story.lab.rows().at(0);
    EXPECT_EQ(row.packets_from_client, before.packets_from_client + 2);
    EXPECT_EQ(row.packets_from_broker, before.packets_from_broker + 2);
    EXPECT_EQ(row.bytes_from_client, 120U);
    EXPECT_EQ(row.bytes_from_broker, 1504U);
    EXPECT_EQ(row.age, seconds(5));
    EXPECT_EQ(row.idle, seconds(2));  // of the client: its Keep Alive counts
    story.client_passes("F. 100:100 ack 1500");
    story.broker_passes("F. 1500:1500 ack 101");
    story.client_passes(". 101:101 ack 1501");
    row = story.lab.rows().at(0);
    EXPECT_EQ(row.phase, session::Phase::Closing);
    EXPECT_EQ(row.bytes_from_client, 120U);
    story.lab.run(seconds(1));
    story.expect_gone(Counter::ClosedOrderly);
}

TEST(SpliceRow, KeepsFortyFiveCharactersOfTheClientId) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{45}, std::size_t{46}, std::size_t{200}}) {
        Plot plot;
        plot.id = std::string(size - 1, 'x') + "y";
        Spliced story(plot);
        const worker::ListedConnection row = story.lab.rows().at(0);
        EXPECT_EQ(row.client_id_size, size);
        EXPECT_EQ(shown(row), plot.id.substr(0, 45));
        story.expect_alive();
    }
}

// Relayed and spliced ones of both forms fill one list, however it is cut.
TEST(SpliceRow, StandsOnceInTheListWithTheOthers) {
    for (const unsigned workers : {1U, 3U}) {
        Lab lab({.workers = workers});
        for (int i = 0; i < 50; ++i) lab.client().write(connect_packet("device-" + std::to_string(i)));
        lab.run(std::chrono::milliseconds(50));
        for (int i = 0; i < 20; ++i) lab.client();  // without a CONNECT yet
        lab.settle();
        std::map<SocketAddress, session::Phase> seen;
        for (const worker::ListedConnection& row : lab.rows()) {
            EXPECT_TRUE(seen.emplace(row.client.remote, row.phase).second);
        }
        EXPECT_EQ(seen.size(), 70U);
        EXPECT_EQ(lab.usage().connections, 70U);
        EXPECT_EQ(lab.usage().spliced, 50U);
        for (const auto& s : lab.clients.sockets) {
            const bool connected = s->received == kConnackAccepted;
            EXPECT_EQ(seen.at(s->tuple.local),
                      connected ? session::Phase::Spliced : session::Phase::AwaitConnect);
        }
        lab.command({.kind = worker::Command::Kind::Stop});
        lab.settle();
        EXPECT_EQ(lab.count(Counter::ClosedByOperator), 70U);
        expect_nothing_left(lab);
    }
}

TEST(SpliceRow, EndsWithStopWhichResetsBothSides) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("P. 0:10");
        story.lab.command({.kind = worker::Command::Kind::Stop});
        story.lab.settle();
        story.expect({"client R. 0:0 ack 0", "broker R. 10:10 ack 0", "broker R. 0:0 ack 0"});
        story.expect_gone(Counter::ClosedByOperator);
    }
}

TEST(SpliceRow, ThatLingersEndsQuietlyWithStop) {
    Spliced story;
    story.client_passes("F. 0:0");
    story.broker_passes("F. 0:0 ack 1");
    story.client_passes(". 1:1 ack 1");
    story.lab.command({.kind = worker::Command::Kind::Stop});
    story.lab.settle();
    EXPECT_EQ(story.lab.count(Counter::ClosedByOperator), 0U);
    story.expect_gone(Counter::ClosedOrderly);
}

}  // namespace
}  // namespace sluice::test
