// What Sluice has acknowledged to one end reaches the other, however the first one ends; then the other ends
// as the first one did.
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "sluice/base/random.h"
#include "worker/packets.h"

namespace sluice::test::ending_test {
namespace {

using session::Phase;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kId = "device-1";

std::string noise(std::size_t size, std::uint64_t seed) {
    SplitMix64 random(seed);
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random.next() >> 56U);
    return bytes;
}

// The application reads so much of what its endpoint holds.
void take(Lab& lab, Socket& socket, std::size_t bytes) {
    while (bytes != 0 && socket.endpoint.readable() != 0) {
        const ByteView piece = socket.endpoint.peek();
        const std::size_t taken = std::min(bytes, piece.size());
        socket.received += as_text(piece.first(taken));
        socket.endpoint.consume(lab.now, taken, socket);
        bytes -= taken;
    }
}

// Reads 2,000 bytes every 100 ms until the socket is over, and then the rest.
void read_slowly(Lab& lab, Socket& socket, Duration limit = minutes(1)) {
    const Instant end = lab.now + limit;
    while (socket.endpoint.state() != tcp::State::Closed && lab.now < end) {
        take(lab, socket, 2000);
        lab.run(milliseconds(100));
    }
    take(lab, socket, socket.endpoint.readable());
}

// Over IPv6, and how many workers.
class Ending : public testing::TestWithParam<std::tuple<bool, unsigned>> {
  protected:
    // One broker, which lacks what its client was promised, so that the connection stays relayed.
    static test::Setup setup(std::string listener = "idle_timeout = \"0s\"\n") {
        return {.workers = std::get<1>(GetParam()),
                .brokers = 1,
                .listener = std::move(listener),
                .pool = "attempt_timeout = \"5s\"\n",
                .ipv6 = std::get<0>(GetParam())};
    }
    static constexpr std::size_t kBeforeBroker = 1500;
    static void prepare(Lab& lab) {
        for (const auto& b : lab.brokers) {
            b->holds = true;
            b->host.accept_options.sack = false;
            b->host.accept_options.receive_buffer = 4096;
        }
    }
    // All of `words` is acknowledged, and what the broker has no room for has not reached it. A client whose
    // broker is not there yet has its first window only, kBeforeBroker at least.
    static Socket& publish(Lab& lab, const std::string& words, std::uint16_t keep_alive = 0) {
        prepare(lab);
        Socket& client = lab.client();
        lab.settle();
        client.write(connect_packet(kId, mqtt::Version::V311, keep_alive));
        lab.run(milliseconds(100));
        client.write(words);
        lab.run(milliseconds(100));
        EXPECT_EQ(client.endpoint.send_queue() + client.unsent.size(), 0U);
        return client;
    }
    // The broker has said `words`, and most of it has not reached the client.
    static Socket& listen(Lab& lab, const std::string& words) {
        prepare(lab);
        Socket& client = lab.client();
        lab.settle();
        client.write(connect_packet(kId, mqtt::Version::V311, 0));
        lab.run(milliseconds(100));
        client.hold = true;
        at_broker(lab).write(std::string_view(words));
        lab.run(milliseconds(500));
        EXPECT_EQ(at_broker(lab).endpoint.send_queue() + at_broker(lab).unsent.size(), 0U);
        return client;
    }
    static Socket& at_broker(Lab& lab) { return *lab.broker_of(kId)->socket_of(kId); }
    static void expect_delivered(Lab& lab, const std::string& words, std::uint16_t keep_alive = 0) {
        Socket& broker = at_broker(lab);
        read_slowly(lab, broker);
        EXPECT_TRUE(broker.received == connect_packet(kId, mqtt::Version::V311, keep_alive) + words)
            << broker.received.size();
        EXPECT_EQ(broker.endpoint.failure(), tcp::Failure::Reset);
    }
};

INSTANTIATE_TEST_SUITE_P(, Ending, testing::Combine(testing::Bool(), testing::Values(1U, 3U)),
                         [](const auto& p) {
                             return std::string(std::get<0>(p.param) ? "IPv6" : "IPv4") + "With" +
                                    std::to_string(std::get<1>(p.param));
                         });

TEST_P(Ending, AClientsResetFollowsWhatItWasAcknowledged) {
    for (const Phase phase : {Phase::Connecting, Phase::Replaying, Phase::Relayed}) {
        SCOPED_TRACE(session::to_string(phase));
        const std::string words = noise(phase == Phase::Relayed ? 50000 : kBeforeBroker, 1);
        Lab lab(setup());
        Broker& broker = *lab.brokers[0];
        broker.host.deaf_tcp = phase == Phase::Connecting;
        broker.answers = phase != Phase::Replaying;
        Socket& client = publish(lab, words);
        ASSERT_EQ(lab.rows().at(0).phase, phase);
        client.abort();
        lab.run(milliseconds(100));
        ASSERT_EQ(lab.rows().size(), 1U);
        broker.host.deaf_tcp = false;
        if (phase == Phase::Replaying) at_broker(lab).write(std::string_view(kConnackAccepted));
        lab.run(seconds(2));
        if (phase == Phase::Relayed) {
            EXPECT_EQ(lab.rows().at(0).phase, Phase::Delivering);
        }
        expect_delivered(lab, words);
        EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
        EXPECT_EQ(lab.count(Counter::ClientGoneWhileConnecting), 0U);
        // The CONNACK that came too late.
        EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), phase == Phase::Relayed ? 0U : 4U);
        expect_nothing_left(lab);
    }
}

// Its kernel answers the CONNACK by a reset, because nobody reads there any more.
TEST_P(Ending, AClientThatPublishesAndClosesWithoutReadingIsHeard) {
    const std::string words = noise(kBeforeBroker, 2);
    Lab lab(setup());
    lab.brokers[0]->answers = false;
    Socket& client = publish(lab, words);
    client.shutdown();
    lab.run(milliseconds(50));
    client.abort();
    at_broker(lab).write(std::string_view(kConnackAccepted));
    lab.run(milliseconds(50));
    Socket& broker = at_broker(lab);
    read_slowly(lab, broker);
    EXPECT_TRUE(broker.received == connect_packet(kId, mqtt::Version::V311, 0) + words);
    EXPECT_TRUE(broker.endpoint.peer_finished());  // it had closed before
    broker.shutdown();
    lab.run(seconds(2));
    expect_nothing_left(lab);
}

// Nobody would read what the broker still says, and it is told so.
TEST_P(Ending, ABrokerThatAnswersAPublisherThatHasClosedIsReset) {
    const std::string words = noise(kBeforeBroker, 2);
    Lab lab(setup());
    lab.brokers[0]->answers = false;
    Socket& client = publish(lab, words);
    client.shutdown();
    lab.run(milliseconds(50));
    client.abort();
    Socket& broker = at_broker(lab);
    broker.write(std::string_view(kConnackAccepted));
    lab.run(milliseconds(500));
    broker.write("an answer");
    lab.run(seconds(1));
    read_slowly(lab, broker);
    EXPECT_TRUE(broker.received == connect_packet(kId, mqtt::Version::V311, 0) + words);
    EXPECT_EQ(broker.endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

TEST_P(Ending, AClientThatFallsSilentIsHeard) {
    const std::string words = noise(50000, 3);
    Lab lab(setup());
    publish(lab, words);
    lab.clients.deaf_tcp = true;
    at_broker(lab).write(std::string_view("news"));
    lab.run(minutes(5));
    EXPECT_EQ(lab.rows().at(0).phase, Phase::Delivering);
    expect_delivered(lab, words);
    EXPECT_EQ(lab.count(Counter::ClosedClientTimeout), 1U);
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), 4U);
    expect_nothing_left(lab);
}

TEST_P(Ending, AnIdleClientIsHeard) {
    const std::string words = noise(50000, 4);
    Lab lab(setup());
    Socket& client = publish(lab, words, 2);
    lab.run(milliseconds(13100));
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);  // it is owed nothing
    EXPECT_EQ(lab.rows().at(0).phase, Phase::Delivering);
    expect_delivered(lab, words, 2);
    EXPECT_EQ(lab.count(Counter::ClosedIdle), 1U);
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), 0U);
    expect_nothing_left(lab);
}

TEST_P(Ending, AClientsFinFollowsAndIsAFin) {
    const std::string words = noise(50000, 5);
    Lab lab(setup());
    Socket& client = publish(lab, words);
    client.shutdown();
    Socket& broker = at_broker(lab);
    read_slowly(lab, broker, seconds(10));
    EXPECT_TRUE(broker.received.ends_with(words));
    EXPECT_EQ(broker.endpoint.state(), tcp::State::CloseWait);
    broker.shutdown();
    lab.run(seconds(2));
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::None);
    EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);
    expect_nothing_left(lab);
}

TEST_P(Ending, ABrokersResetFollowsWhatItWasAcknowledged) {
    const std::string words = noise(150000, 6);
    Lab lab(setup());
    Socket& client = listen(lab, words);
    at_broker(lab).abort();
    lab.run(milliseconds(100));
    EXPECT_EQ(lab.rows().at(0).phase, Phase::Delivering);
    read_slowly(lab, client);
    EXPECT_TRUE(client.received == kConnackAccepted + words);
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(lab.count(Counter::ClosedBrokerReset), 1U);
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), 0U);
    expect_nothing_left(lab);
}

TEST_P(Ending, ABrokerThatFallsSilentIsHeard) {
    const std::string words = noise(150000, 7);
    Lab lab(setup());
    Socket& client = listen(lab, words);
    lab.brokers[0]->host.deaf_tcp = true;
    client.write("are you there?");
    lab.run(minutes(5));
    read_slowly(lab, client);
    EXPECT_TRUE(client.received == kConnackAccepted + words);
    EXPECT_EQ(lab.count(Counter::ClosedBrokerTimeout), 1U);
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), 14U);
    expect_nothing_left(lab);
}

// What comes after the end would be nobody's: it is not acknowledged, so its sender knows.
TEST_P(Ending, NothingIsTakenAfterIt) {
    Lab lab(setup());
    Socket& client = listen(lab, noise(150000, 8));
    at_broker(lab).abort();
    lab.run(milliseconds(50));
    client.write("too late");
    client.shutdown();
    lab.run(seconds(3));
    EXPECT_EQ(client.endpoint.send_queue(), 8U);
    read_slowly(lab, client);
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(client.endpoint.statistics().bytes_abandoned, 8U);
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), 0U);
    expect_nothing_left(lab);
}

TEST_P(Ending, AnEndThatTakesNothingIsGivenUpAfterFiveMinutes) {
    const std::string words = noise(50000, 9);
    Lab lab(setup());
    Socket& client = publish(lab, words);
    client.abort();
    lab.run(minutes(5) - seconds(1));
    EXPECT_EQ(lab.rows().size(), 1U);
    lab.run(seconds(2));
    Socket& broker = at_broker(lab);
    EXPECT_EQ(broker.endpoint.failure(), tcp::Failure::Reset);
    const std::size_t had = broker.endpoint.readable();
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), words.size() - had);
    EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
    expect_nothing_left(lab);
}

TEST_P(Ending, BothMayEnd) {
    const std::string words = noise(50000, 10);
    Lab lab(setup());
    Socket& client = publish(lab, words);
    client.abort();
    lab.run(milliseconds(100));
    Socket& broker = at_broker(lab);
    const std::size_t had = broker.endpoint.readable();
    broker.abort();
    lab.run(milliseconds(100));
    EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);  // the first cause
    EXPECT_EQ(lab.count(Counter::ClosedBrokerReset), 0U);
    EXPECT_GE(lab.count(Counter::RelayBytesUndelivered),
              words.size() - had);  // it may still have owed an ACK
    EXPECT_LE(lab.count(Counter::RelayBytesUndelivered), words.size());
    expect_nothing_left(lab);
}

// A broker that is emptied gets what its clients were acknowledged; the client hears the reset at once.
TEST_P(Ending, AnEmptiedBrokerGetsItsClientsWords) {
    const std::string words = noise(50000, 11);
    test::Setup before = setup();
    Lab lab(before);
    Socket& client = publish(lab, words);
    test::Setup after = before;
    after.backend = [](unsigned) { return std::string("state = \"maintenance\"\n"); };
    lab.reload(configuration(after));
    lab.run(milliseconds(500));
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    expect_delivered(lab, words);
    EXPECT_EQ(lab.count(Counter::ClosedMaintenance), 1U);
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), 0U);
    expect_nothing_left(lab);
}

// The operator's kill and the end of the daemon wait for nobody, nor is a broker that is down waited for.
TEST_P(Ending, WhatIsEndedAtOnceIsCounted) {
    const std::string words = noise(50000, 12);
    for (const Counter reason : {Counter::ClosedByOperator, Counter::ClosedBackendDown}) {
        test::Setup plan = setup();
        plan.pool += "on_down = \"reset\"\n";
        plan.health = "type = \"tcp\"";
        Lab lab(plan);
        lab.run(seconds(1));
        publish(lab, words);
        Socket& broker = at_broker(lab);
        const std::size_t had = broker.endpoint.readable();
        if (reason == Counter::ClosedByOperator) {
            lab.command({.kind = worker::Command::Kind::Stop});
            lab.settle();
        } else {
            lab.set_down({0});
            lab.run(milliseconds(500));
        }
        EXPECT_EQ(lab.count(reason), 1U);
        EXPECT_EQ(broker.endpoint.failure(), tcp::Failure::Reset);
        EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), words.size() - had);
        expect_nothing_left(lab);
    }
}

TEST_P(Ending, AConnectionThatDeliversCanBeKilled) {
    Lab lab(setup());
    Socket& client = publish(lab, noise(50000, 13));
    client.abort();
    lab.run(milliseconds(100));
    const worker::ListedConnection row = lab.rows().at(0);
    EXPECT_EQ(row.phase, Phase::Delivering);
    EXPECT_TRUE(std::ranges::any_of(lab.workers,
                                    [&](const auto& w) { return w->kill_connection(row.id, row.client); }));
    lab.settle();
    EXPECT_EQ(lab.rows().size(), 0U);
    EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
    EXPECT_EQ(lab.count(Counter::ClosedByOperator), 0U);  // it was over
    expect_nothing_left(lab);
}

// The first cause counts, though its broker had not been found yet.
TEST_P(Ending, AClientThatWasGoneBeforeTheOperatorEndedItHadReset) {
    Lab lab(setup());
    lab.brokers[0]->host.deaf_tcp = true;
    publish(lab, noise(100, 16)).abort();
    lab.run(milliseconds(100));
    EXPECT_EQ(lab.rows().at(0).phase, Phase::Connecting);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
    EXPECT_EQ(lab.count(Counter::ClosedByOperator), 0U);
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered),
              connect_packet(kId, mqtt::Version::V311, 0).size() + 100);
    expect_nothing_left(lab);
}

// A device that has restarted comes back from the same port while its old words are still on their way.
TEST_P(Ending, ItsPortMayBeUsedAnewMeanwhile) {
    const std::string words = noise(50000, 14);
    Lab lab(setup());
    Socket& client = publish(lab, words);
    const SocketAddress from = client.tuple.local;
    Socket& old = at_broker(lab);
    client.abort();
    lab.run(milliseconds(100));
    Socket& anew = lab.client(from);
    lab.settle();
    anew.write(connect_packet("again"));
    lab.run(milliseconds(100));
    EXPECT_EQ(anew.received, kConnackAccepted);
    EXPECT_EQ(lab.rows().size(), 2U);
    read_slowly(lab, old);
    EXPECT_TRUE(old.received.ends_with(words));
    EXPECT_EQ(lab.rows().size(), 1U);
    EXPECT_EQ(anew.endpoint.state(), tcp::State::Established);
    anew.abort();
    lab.run(milliseconds(100));
    expect_nothing_left(lab);
}

// Which broker takes a client does not depend on its patience.
TEST_P(Ending, AClientThatIsGoneGoesToTheNextBrokerToo) {
    const std::string words = noise(kBeforeBroker, 15);
    std::uint64_t retried = 0;
    for (const unsigned unwilling : {0U, 1U}) {
        for (const bool resets : {false, true}) {
            test::Setup plan = setup();
            plan.brokers = 2;
            Lab lab(plan);
            Broker& bad = *lab.brokers[unwilling];
            (resets ? bad.resets_after : bad.closes_after) = 0;
            for (const auto& b : lab.brokers) b->host.deaf_tcp = true;
            publish(lab, words).abort();
            lab.run(milliseconds(100));
            for (const auto& b : lab.brokers) b->host.deaf_tcp = false;
            lab.run(seconds(2));
            Broker& good = *lab.brokers[1 - unwilling];
            ASSERT_NE(good.socket_of(kId), nullptr);
            Socket& broker = *good.socket_of(kId);
            read_slowly(lab, broker);
            EXPECT_TRUE(broker.received == connect_packet(kId, mqtt::Version::V311, 0) + words);
            retried += lab.count(Counter::UpstreamRetried);
            EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
            expect_nothing_left(lab);
        }
    }
    EXPECT_EQ(retried, 2U);
}

}  // namespace
}  // namespace sluice::test::ending_test
