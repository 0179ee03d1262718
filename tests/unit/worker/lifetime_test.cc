// How connections live through silence, loss and slow readers, and how they end: relayed and spliced ones
// alike.
#include <gtest/gtest.h>

#include "sluice/base/random.h"
#include "worker/packets.h"

namespace sluice::test::lifetime_test {
namespace {

using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kPing("\xc0\x00", 2);
const std::string kId = "device-1";

// Told of both forms.
class Lifetime : public testing::TestWithParam<session::Phase> {
  protected:
    static bool spliced() { return GetParam() == session::Phase::Spliced; }
    // A connection whose broker lacks what its client was promised is never spliced.
    static void prepare(Lab& lab) {
        for (const auto& b : lab.brokers) b->host.accept_options.sack = spliced();
    }
    static Socket& connect(Lab& lab, std::uint16_t keep_alive, Version version = Version::V311) {
        prepare(lab);
        Socket& client = lab.client();
        lab.settle();
        client.write(connect_packet(kId, version, keep_alive));
        lab.settle();
        return client;
    }
    static void expect_form(const Lab& lab, std::uint64_t connections = 1) {
        EXPECT_EQ(lab.count(Counter::Spliced), spliced() ? connections : 0);
        EXPECT_EQ(lab.count(Counter::RelayedSack), spliced() ? 0 : connections);
    }
};

INSTANTIATE_TEST_SUITE_P(, Lifetime, testing::Values(session::Phase::Relayed, session::Phase::Spliced),
                         [](const auto& form) { return std::string(session::to_string(form.param)); });

Socket& at_broker(Lab& lab) { return *lab.broker_of(kId)->socket_of(kId); }

// Bytes in which a piece that is lost, repeated or moved shows.
std::string noise(std::size_t size, std::uint64_t seed) {
    SplitMix64 random(seed);
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random.next() >> 56U);
    return bytes;
}

TEST_P(Lifetime, ASilentClientIsGivenUpTenSecondsAfterOneAndAHalfKeepAlive) {
    Lab lab;
    Socket& client = connect(lab, 10);
    Socket& broker = at_broker(lab);
    lab.run(milliseconds(24950));
    EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
    lab.run(milliseconds(100));
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(broker.endpoint.failure(), tcp::Failure::Reset);  // so that the Will is published at once
    EXPECT_EQ(lab.count(Counter::ClosedIdle), 1U);
    expect_form(lab);
    expect_nothing_left(lab);
}

// One and a half Keep Alive is the broker's limit; when it ends the connection then, in order, the client
// hears all that it says.
TEST_P(Lifetime, ABrokerThatEndsASilentClientItselfIsHeardOut) {
    const std::string farewell("\xe0\x02\x8d\x00", 4);  // DISCONNECT, Keep Alive timeout
    for (const int late : {0, 9900}) {
        Lab lab;
        Socket& client = connect(lab, 10, Version::V5);
        Socket& broker = at_broker(lab);
        lab.run(milliseconds(15000 + late));
        broker.write(std::string_view(farewell));
        broker.shutdown();
        lab.run(milliseconds(50));
        EXPECT_TRUE(client.received.ends_with(farewell));
        EXPECT_EQ(client.endpoint.state(), tcp::State::CloseWait);
        client.shutdown();
        lab.run(seconds(2));
        EXPECT_EQ(client.endpoint.failure(), tcp::Failure::None);
        EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);
        EXPECT_EQ(lab.count(Counter::ClosedIdle), 0U);
        expect_form(lab);
        expect_nothing_left(lab);
    }
}

TEST_P(Lifetime, WhatTheBrokerSendsDoesNotKeepAClientAlive) {
    Lab lab;
    Socket& client = connect(lab, 10);
    Socket& broker = at_broker(lab);
    for (int i = 0; i < 26; ++i) {
        broker.write("publish");
        lab.run(seconds(1));
    }
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    expect_form(lab);
}

TEST_P(Lifetime, PingsKeepAClientAlive) {
    Lab lab;
    Socket& client = connect(lab, 10);
    for (int i = 0; i < 20; ++i) {
        lab.run(seconds(14));
        client.write(std::string_view(kPing));
        lab.settle();
    }
    EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
    EXPECT_EQ(lab.broker_of(kId)->after_connect(kId).size(), 20 * kPing.size());
    expect_form(lab);
}

TEST_P(Lifetime, TheServersKeepAliveWins) {
    for (const std::uint16_t server : {std::uint16_t{4}, std::uint16_t{40}}) {
        Lab lab;
        for (const auto& b : lab.brokers) b->server_keep_alive = server;
        Socket& client = connect(lab, 20, Version::V5);
        EXPECT_EQ(lab.rows()[0].keep_alive, server);
        lab.run(milliseconds(server * 1500 + 9950));
        EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
        lab.run(milliseconds(100));
        EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
        expect_form(lab);
    }
}

TEST_P(Lifetime, WithoutKeepAliveIdleTimeoutCountsFromTheLastBytesOfEitherSide) {
    Lab lab({.listener = "idle_timeout = \"30s\""});
    Socket& client = connect(lab, 0);
    Socket& broker = at_broker(lab);
    lab.run(seconds(29));
    broker.write("news");
    lab.run(seconds(29));
    client.write(std::string_view(kPing));
    lab.run(milliseconds(29900));
    EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
    lab.run(milliseconds(200));
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(broker.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(lab.count(Counter::ClosedIdle), 1U);
    expect_form(lab);
}

TEST_P(Lifetime, NeitherKeepAliveNorIdleTimeoutMeansForEver) {
    Lab lab({.listener = "idle_timeout = \"0s\""});
    Socket& client = connect(lab, 0);
    lab.run(std::chrono::hours(100));
    EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
    client.write(std::string_view(kPing));
    lab.run();
    EXPECT_EQ(lab.broker_of(kId)->after_connect(kId), kPing);
    expect_form(lab);
}

TEST_P(Lifetime, AHalfClosedConnectionStillCarriesTheOtherDirection) {
    for (const bool client_closes : {true, false}) {
        Lab lab;
        Socket& client = connect(lab, 60);
        lab.run(milliseconds(50));
        expect_form(lab);
        Socket& broker = at_broker(lab);
        Socket& closing = client_closes ? client : broker;
        Socket& talking = client_closes ? broker : client;
        closing.write("goodbye");
        closing.shutdown();
        lab.run(seconds(10));
        EXPECT_TRUE(talking.endpoint.peer_finished());
        EXPECT_TRUE(talking.received.ends_with("goodbye"));
        talking.write(noise(50000, 1));
        lab.run(seconds(1));
        EXPECT_TRUE(closing.received.ends_with(noise(50000, 1)));
        talking.shutdown();
        lab.run(seconds(2));
        EXPECT_EQ(closing.endpoint.failure(), tcp::Failure::None);
        EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);
        expect_nothing_left(lab);
    }
}

TEST_P(Lifetime, BothSidesMayCloseAtOnce) {
    Lab lab;
    Socket& client = connect(lab, 60);
    lab.run(milliseconds(50));
    expect_form(lab);
    Socket& broker = at_broker(lab);
    client.shutdown();
    broker.shutdown();
    lab.run(seconds(3));
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::None);
    EXPECT_EQ(broker.endpoint.failure(), tcp::Failure::None);
    EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);
    expect_nothing_left(lab);
}

TEST_P(Lifetime, AResetFromEitherSideReachesTheOther) {
    Lab lab;
    Socket& first = connect(lab, 60);
    lab.run(milliseconds(50));
    first.abort();
    lab.run(milliseconds(50));
    EXPECT_EQ(at_broker(lab).endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);

    Socket& second = connect(lab, 60);
    lab.run(milliseconds(50));
    expect_form(lab, 2);
    at_broker(lab).write("last words");
    at_broker(lab).abort();
    lab.run(milliseconds(50));
    EXPECT_EQ(second.received, kConnackAccepted + "last words");
    EXPECT_EQ(second.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(lab.count(Counter::ClosedBrokerReset), 1U);
    expect_nothing_left(lab);
}

TEST_P(Lifetime, TenMegabytesEachWayArriveIntactOverALossyWire) {
    Lab lab;
    Socket& client = connect(lab, 0);
    Socket& broker = at_broker(lab);
    SplitMix64 random(42);
    const auto lose = [&](std::uint16_t, ByteView) { return random.below(100) == 0; };
    lab.lose_sent = lose;
    lab.lose_received = lose;
    const std::string up = noise(10'000'000, 1);
    const std::string down = noise(10'000'000, 2);
    client.write(std::string_view(up));
    broker.write(std::string_view(down));
    for (int i = 0; i < 600 && (client.unsent.size() + broker.unsent.size() != 0); ++i) lab.run(seconds(1));
    client.shutdown();
    broker.shutdown();
    lab.run(minutes(2));
    EXPECT_TRUE(lab.broker_of(kId)->after_connect(kId) == up);
    EXPECT_TRUE(client.received == kConnackAccepted + down);
    EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);
    expect_form(lab);
    EXPECT_GE(lab.count(spliced() ? Counter::SpliceBytesToBroker : Counter::RelayBytesToBroker), up.size());
    lab.lose_sent = nullptr;
    lab.lose_received = nullptr;
    lab.run(minutes(2));
    expect_nothing_left(lab);
}

TEST_P(Lifetime, AReaderThatPausesHoldsBackTheWriterAndLosesNothing) {
    for (const bool client_reads : {true, false}) {
        Lab lab;
        Socket& client = connect(lab, 0);
        lab.run(milliseconds(50));
        expect_form(lab);
        Socket& broker = at_broker(lab);
        Socket& reader = client_reads ? client : broker;
        Socket& writer = client_reads ? broker : client;
        const std::string sent = noise(3'000'000, 3);
        reader.hold = true;
        writer.write(std::string_view(sent));
        lab.run(seconds(10));
        // Sluice holds a bounded part of it, or nothing; the rest is still with the writer.
        const std::size_t gone = writer.unsent_from;
        EXPECT_GT(gone, 100'000U);
        EXPECT_LT(gone, 1'000'000U);
        EXPECT_EQ(reader.endpoint.state(), tcp::State::Established);
        lab.run(seconds(10));
        EXPECT_EQ(writer.unsent_from, gone);
        reader.hold = false;
        reader.collect();
        lab.run(seconds(60));
        EXPECT_TRUE(reader.received.ends_with(sent));
    }
}

TEST_P(Lifetime, TwentyThousandConnectionsLeaveNothingBehind) {
    constexpr int kRounds = 400;
    constexpr int kAtOnce = 50;
    Lab lab({.brokers = 2});
    prepare(lab);
    for (int round = 0; round < kRounds; ++round) {
        for (int i = 0; i < kAtOnce; ++i) {
            lab.client().write(connect_packet("device-" + std::to_string(i)));
        }
        lab.settle();
        for (const auto& s : lab.clients.sockets) {
            ASSERT_EQ(s->received, kConnackAccepted);
            if (round % 3 == 0) {
                s->abort();
            } else {
                s->shutdown();
            }
        }
        lab.settle();
        for (const auto& b : lab.brokers) {
            for (const auto& s : b->host.sockets) s->shutdown();
        }
        lab.settle();
        lab.clients.forget_finished();
        for (const auto& b : lab.brokers) {
            b->forget_finished();
            b->visits.clear();
            ASSERT_EQ(b->host.sockets.size(), 0U);
        }
        lab.run(milliseconds(20));
    }
    lab.run(seconds(2));
    EXPECT_EQ(lab.count(Counter::ClientAccepted), 20000U);
    EXPECT_EQ(lab.count(Counter::LeasesAcquired), 20000U);
    EXPECT_EQ(lab.count(Counter::ClosedClientReset) + lab.count(Counter::ClosedOrderly), 20000U);
    const auto usage = lab.usage();
    for (const auto& b : usage.backends[0]) EXPECT_EQ(b.quarantined, 0U);
    expect_nothing_left(lab);
}

TEST_P(Lifetime, SeveralWorkersServeTheSameStories) {
    for (const unsigned workers : {2U, 3U}) {
        Lab lab({.workers = workers});
        prepare(lab);
        SplitMix64 random(workers);
        const auto lose = [&](std::uint16_t, ByteView) { return random.below(100) == 0; };
        lab.lose_sent = lose;
        lab.lose_received = lose;
        std::vector<Socket*> clients;
        for (int i = 0; i < 24; ++i) {
            clients.push_back(&lab.client());
            clients.back()->write(connect_packet("device-" + std::to_string(i), Version::V5, 600));
        }
        lab.run(seconds(10));
        for (int i = 0; i < 24; ++i) {
            const std::string id = "device-" + std::to_string(i);
            const auto seed = static_cast<std::uint64_t>(i);
            ASSERT_NE(lab.broker_of(id), nullptr);
            clients[static_cast<std::size_t>(i)]->write(noise(20000, seed));
            lab.broker_of(id)->socket_of(id)->write(noise(20000, seed + 100));
        }
        lab.run(seconds(30));
        lab.lose_sent = nullptr;
        lab.lose_received = nullptr;
        expect_form(lab, 24);
        for (int i = 0; i < 24; ++i) {
            const std::string id = "device-" + std::to_string(i);
            const auto seed = static_cast<std::uint64_t>(i);
            Socket& client = *clients[static_cast<std::size_t>(i)];
            Socket& broker = *lab.broker_of(id)->socket_of(id);
            EXPECT_TRUE(lab.broker_of(id)->after_connect(id) == noise(20000, seed)) << id;
            EXPECT_TRUE(client.received.ends_with(noise(20000, seed + 100))) << id;
            switch (i % 3) {
                case 0: client.abort(); break;
                case 1: broker.abort(); break;
                default: client.shutdown(); broker.shutdown();
            }
        }
        lab.run(seconds(5));
        EXPECT_EQ(lab.count(Counter::ClosedOrderly), 8U);
        EXPECT_EQ(lab.count(Counter::ClosedClientReset), 8U);
        EXPECT_EQ(lab.count(Counter::ClosedBrokerReset), 8U);
        expect_nothing_left(lab);
    }
}

TEST_P(Lifetime, DrainKeepsConnectionsAndRefusesNewOnes) {
    Lab lab({.workers = 2});
    Socket& old = connect(lab, 60);
    lab.run(milliseconds(50));
    expect_form(lab);
    lab.command({.kind = worker::Command::Kind::Drain});
    lab.settle();
    for (int i = 0; i < 10; ++i) {
        Socket& late = lab.client();
        lab.settle();
        EXPECT_EQ(late.endpoint.failure(), tcp::Failure::Refused);
    }
    old.write(std::string_view(kPing));
    lab.settle();
    EXPECT_EQ(lab.broker_of(kId)->after_connect(kId), kPing);
}

void expect_all_reset(const Lab& lab) {
    for (const auto& s : lab.clients.sockets) EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
    for (const auto& b : lab.brokers) {
        for (const auto& s : b->host.sockets) EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
    }
}

TEST_P(Lifetime, StopResetsBothSidesOfEveryConnection) {
    Lab lab({.workers = 2});
    prepare(lab);
    for (int i = 0; i < 20; ++i) lab.connect("device-" + std::to_string(i));
    lab.run(milliseconds(50));
    expect_form(lab, 20);
    lab.client();  // has not sent its CONNECT yet
    lab.settle();
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    expect_all_reset(lab);
    EXPECT_EQ(lab.count(Counter::ClosedByOperator), 21U);
    expect_nothing_left(lab);
}

// A worker that was told to stop has one turn for it: what a full port has not taken by then never leaves.
TEST_P(Lifetime, StopWaitsForPortsThatAreFull) {
    Lab lab;
    prepare(lab);
    for (int i = 0; i < 100; ++i) lab.connect("device-" + std::to_string(i));
    lab.run(milliseconds(50));
    for (const auto& port : lab.ports) port->slow_transmit(3, 50);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.workers[0]->step(lab.now);
    for (const auto& port : lab.ports) port->limit_transmit(0);
    lab.settle();
    expect_all_reset(lab);
}

TEST_P(Lifetime, StopDoesNotWaitForAPortThatTakesNothing) {
    Lab lab;
    prepare(lab);
    for (int i = 0; i < 100; ++i) lab.connect("device-" + std::to_string(i));
    lab.ports[0]->limit_transmit(0);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.workers[0]->step(lab.now);
    lab.ports[0]->limit_transmit(port::MemoryPort::kNoLimit);
    EXPECT_EQ(lab.count(Counter::ClosedByOperator), 100U);
}

}  // namespace
}  // namespace sluice::test::lifetime_test
