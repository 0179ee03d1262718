// The statistics of each broker say what happened with it, whatever phase its connections were in.
#include <gtest/gtest.h>

#include <numeric>

#include "worker/splice/story.h"

namespace sluice::test {
namespace {

using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;

backend::BackendTally tally(const Lab& lab, std::uint32_t broker) {
    backend::BackendTally sum;
    for (const auto& worker : lab.workers) sum.add(worker->stats().backend(broker));
    return sum;
}

backend::Traffic traffic(const Lab& lab, std::uint32_t broker) {
    backend::Traffic sum;
    for (const auto& worker : lab.workers) sum.add(worker->stats().traffic(broker));
    return sum;
}

// Summed over the brokers.
struct All {
    backend::BackendTally tally;
    backend::Traffic traffic;
};
All all(const Lab& lab) {
    All sum;
    for (std::uint32_t b = 0; b < lab.brokers.size(); ++b) {
        sum.tally.add(tally(lab, b));
        sum.traffic.add(traffic(lab, b));
    }
    return sum;
}

std::uint64_t ended(const backend::BackendTally& tally, Counter reason) {
    const auto at = std::ranges::find(backend::kEndings, reason) - backend::kEndings.begin();
    return tally.endings[static_cast<std::size_t>(at)];
}

template <typename Counts>
std::uint64_t total(const Counts& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

Socket& connect(Lab& lab, const std::string& id, Version version, std::uint16_t keep_alive = 60) {
    Socket& client = lab.client();
    lab.settle();
    client.write(std::string_view(connect_packet(id, version, keep_alive)));
    lab.settle();
    return client;
}

TEST(BackendStats, ConnectsOfEachBrokerAreItsVisits) {
    for (const unsigned workers : {1U, 2U}) {
        Lab lab({.workers = workers});
        for (int i = 0; i < 30; ++i) lab.connect("device-" + std::to_string(i));
        lab.run();
        for (std::uint32_t b = 0; b < lab.brokers.size(); ++b) {
            const backend::BackendTally seen = tally(lab, b);
            EXPECT_EQ(seen.connects, lab.brokers[b]->visits.size());
            EXPECT_EQ(total(seen.connect.counts), seen.connects);
            EXPECT_EQ(seen.connacks[backend::connack_cell(Version::V311, 0)], seen.connects);
            EXPECT_EQ(total(seen.connacks), seen.connects);
            EXPECT_EQ(total(seen.connack.counts), seen.connects);
        }
        EXPECT_EQ(all(lab).tally.connects, lab.count(Counter::UpstreamEstablished));
    }
}

TEST(BackendStats, FailedAttemptsAreTheBrokersThatFailed) {
    Lab lab({.brokers = 1, .pool = "attempt_timeout = \"500ms\"\nretries = 0"});
    lab.brokers[0]->host.stop_listening(1883);
    lab.connect("refused");
    EXPECT_EQ(tally(lab, 0).failures, (std::array<std::uint64_t, 4>{1, 0, 0, 0}));
    lab.brokers[0]->host.deaf_tcp = true;
    lab.connect("silent");
    lab.run(seconds(1));
    EXPECT_EQ(tally(lab, 0).failures, (std::array<std::uint64_t, 4>{1, 1, 0, 0}));
    EXPECT_EQ(tally(lab, 0).connects, 0U);
    EXPECT_EQ(lab.count(Counter::UpstreamRefused), 1U);
    EXPECT_EQ(lab.count(Counter::UpstreamSilent), 1U);
}

TEST(BackendStats, AnswersAreTalliedAsSentByVersion) {
    Lab lab({.brokers = 1, .pool = "retries = 0"});
    lab.brokers[0]->connack_code = 5;
    connect(lab, "old", Version::V311);
    lab.brokers[0]->connack_code = 0x87;
    connect(lab, "new", Version::V5);
    lab.brokers[0]->connack_code = 0;
    connect(lab, "welcome", Version::V5);
    const backend::BackendTally seen = tally(lab, 0);
    EXPECT_EQ(seen.connacks[backend::connack_cell(Version::V311, 5)], 1U);
    EXPECT_EQ(seen.connacks[backend::connack_cell(Version::V5, 0x87)], 1U);
    EXPECT_EQ(seen.connacks[backend::connack_cell(Version::V5, 0)], 1U);
    EXPECT_EQ(total(seen.connacks), 3U);
}

TEST(BackendStats, BothBrokersOfARetriedClientHaveTheirAnswer) {
    Lab lab({.brokers = 2});
    lab.brokers[0]->connack_code = lab.brokers[1]->connack_code = 3;
    lab.connect("device");
    for (std::uint32_t b = 0; b < 2; ++b) {
        EXPECT_EQ(tally(lab, b).connacks[backend::connack_cell(Version::V311, 3)], 1U);
        // The CONNECT went to both.
        EXPECT_EQ(traffic(lab, b).to_broker.bytes, connect_packet("device").size());
    }
}

TEST(BackendStats, LatenciesAreTheBrokersOwn) {
    Lab lab({.brokers = 1});
    lab.run();
    // Its frames wait for a while each.
    lab.brokers[0]->answers = false;
    Socket& client = lab.client();
    lab.settle();
    client.write(std::string_view(connect_packet("device")));
    lab.run(milliseconds(40));
    EXPECT_EQ(tally(lab, 0).connects, 1U);
    lab.brokers[0]->socket_of("device")->write(std::string_view(kConnackAccepted));
    lab.run(milliseconds(1));
    EXPECT_EQ(client.received, kConnackAccepted);
    const backend::BackendTally seen = tally(lab, 0);
    EXPECT_GE(seen.connack.nanoseconds, 40'000'000U);
    EXPECT_LE(seen.connack.nanoseconds, 42'000'000U);
    EXPECT_LT(seen.connect.nanoseconds, 1'000'000U);
    EXPECT_EQ(seen.connack.counts[8], 1U) << "25 to 50 ms";
}

TEST(BackendStats, WaitingForTheClientIsNoLatencyOfTheBroker) {
    const std::string auth("\xf0\x03\x18\x01\x00", 5);
    Lab lab({.brokers = 1});
    const std::size_t size = connect_packet("careful", Version::V5).size();
    lab.brokers[0]->host.listen(1883, [&](Socket& socket) {
        if (socket.received.size() == size) socket.write(std::string_view(auth));
        if (socket.received.size() > size) socket.write(std::string_view("\x20\x03\x00\x00\x00", 5));
    });
    Socket& client = connect(lab, "careful", Version::V5);
    ASSERT_EQ(client.received, auth);
    lab.run(seconds(1));
    client.write(std::string_view(auth));
    lab.run();
    const backend::BackendTally seen = tally(lab, 0);
    EXPECT_EQ(seen.connacks[backend::connack_cell(Version::V5, 0)], 1U);
    EXPECT_EQ(total(seen.connack.counts), 0U);
}

TEST(BackendStats, BytesAreThePayloadWhateverWayItTook) {
    for (const bool relayed : {false, true}) {
        SCOPED_TRACE(relayed ? "relayed" : "spliced");
        Lab lab({.brokers = 2, .ipv6_clients = relayed});  // mixed families are never spliced
        Socket& client = lab.connect("device");
        lab.run(milliseconds(100));
        ASSERT_EQ(lab.rows().size(), 1U);
        EXPECT_EQ(lab.rows()[0].phase, relayed ? session::Phase::Relayed : session::Phase::Spliced);
        const std::uint32_t broker = lab.rows()[0].backend;
        const backend::Traffic before = traffic(lab, broker);
        EXPECT_EQ(before.to_broker.bytes, connect_packet("device").size());
        EXPECT_EQ(before.to_client.bytes, kConnackAccepted.size());
        client.write(std::string(1000, 'a'));
        lab.run(milliseconds(100));
        lab.brokers[broker]->socket_of("device")->write(std::string(300, 'b'));
        lab.run(milliseconds(100));
        const backend::Traffic after = traffic(lab, broker);
        EXPECT_EQ(after.to_broker.bytes - before.to_broker.bytes, 1000U);
        EXPECT_EQ(after.to_client.bytes - before.to_client.bytes, 300U);
        EXPECT_GE(after.to_broker.packets - before.to_broker.packets, 2U);  // payload, ACK of the other's
        EXPECT_GE(after.to_client.packets - before.to_client.packets, 2U);
        EXPECT_EQ(traffic(lab, 1 - broker).to_broker.packets, 0U);
    }
}

TEST(BackendStats, TheSplicesCountersAreTheSumOverTheBrokers) {
    Lab lab({.workers = 2, .brokers = 3});
    std::vector<Socket*> clients;
    for (int i = 0; i < 40; ++i) clients.push_back(&lab.connect("device-" + std::to_string(i)));
    lab.run(milliseconds(100));
    ASSERT_EQ(lab.count(Counter::Spliced), 40U);
    const auto told = [&] {
        return std::array{lab.count(Counter::SplicePacketsToBroker), lab.count(Counter::SpliceBytesToBroker),
                          lab.count(Counter::SplicePacketsToClient), lab.count(Counter::SpliceBytesToClient)};
    };
    const auto stats_now = [&] {
        const backend::Traffic sum = all(lab).traffic;
        return std::array{sum.to_broker.packets, sum.to_broker.bytes, sum.to_client.packets,
                          sum.to_client.bytes};
    };
    const auto counters = told();
    const auto stats = stats_now();
    for (Socket* const client : clients) client->write(std::string(100, 'x'));
    lab.settle();
    for (std::size_t i = 0; i < counters.size(); ++i) {
        EXPECT_EQ(told()[i] - counters[i], stats_now()[i] - stats[i]) << i;
    }
    EXPECT_EQ(told()[1] - counters[1], 4000U);
}

TEST(BackendStats, EveryEndOfAConnectionHasItsReasonAndBroker) {
    for (const bool relayed : {false, true}) {
        SCOPED_TRACE(relayed ? "relayed" : "spliced");
        Lab lab({.brokers = 1, .ipv6_clients = relayed});
        const auto stand = [&](const std::string& id, std::uint16_t keep_alive) -> Socket& {
            Socket& client = connect(lab, id, Version::V311, keep_alive);
            lab.run(milliseconds(100));
            return client;
        };
        stand("resets", 600).abort();
        lab.run(milliseconds(100));
        stand("goes", 600).shutdown();
        lab.run(milliseconds(100));
        lab.brokers[0]->socket_of("goes")->shutdown();
        lab.run(milliseconds(100));
        stand("is-reset", 600);
        lab.brokers[0]->socket_of("is-reset")->abort();
        lab.run(milliseconds(100));
        stand("sleeps", 1);
        lab.run(seconds(12));
        stand("stays", 600);
        lab.command({.kind = worker::Command::Kind::Stop});
        lab.run(milliseconds(100));
        for (const Counter reason :
             {Counter::ClosedClientReset, Counter::ClosedOrderly, Counter::ClosedBrokerReset,
              Counter::ClosedIdle, Counter::ClosedByOperator}) {
            EXPECT_EQ(lab.count(reason), 1U) << static_cast<int>(reason);
            EXPECT_EQ(ended(tally(lab, 0), reason), 1U) << static_cast<int>(reason);
        }
        EXPECT_EQ(total(tally(lab, 0).endings), 5U);
    }
}

TEST(BackendStats, AnEndWithoutABrokerIsNobodys) {
    Lab lab({.brokers = 1, .listener = "connect_timeout = \"1s\""});
    lab.client();
    lab.run(seconds(2));
    EXPECT_EQ(lab.count(Counter::ClientConnectTimeout), 1U);
    EXPECT_EQ(total(tally(lab, 0).endings), 0U);
}

TEST(BackendStats, WhatClientsAskedForIsTallied) {
    Lab lab({.brokers = 1});
    connect(lab, "a", Version::V5, 0);
    connect(lab, "b", Version::V311, 61);
    const backend::ConnectTally seen = lab.workers[0]->stats().connects();
    std::uint64_t sum = 0;
    for (const auto& version : seen.counts) sum += total(version[0]) + total(version[1]);
    EXPECT_EQ(sum, lab.count(Counter::ConnectAccepted));
    EXPECT_EQ(seen.counts[2][0][0] + seen.counts[2][1][0], 1U);
    EXPECT_EQ(seen.counts[1][0][3] + seen.counts[1][1][3], 1U);
}

TEST(BackendStats, ANewPictureLeavesThemAsTheyAre) {
    Lab lab({.brokers = 2});
    Socket& client = lab.connect("device");
    lab.run(milliseconds(100));
    const std::uint32_t broker = lab.rows()[0].backend;
    lab.set_down({1 - broker});
    lab.run();
    const std::uint64_t before = traffic(lab, broker).to_broker.bytes;
    client.write(std::string_view("more"));
    lab.run();
    EXPECT_EQ(traffic(lab, broker).to_broker.bytes, before + 4);
}

}  // namespace
}  // namespace sluice::test
