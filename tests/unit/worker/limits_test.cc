// What an outsider can make Sluice hold or send is bounded, and legitimate clients get in all the same.
#include <gtest/gtest.h>

#include "worker/packets.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Frame syn(const Lab& lab, std::uint32_t n, std::uint32_t sequence = 1) {
    return make_segment(
        {.from = {IpAddress::v4(0x0a018000U + n / 50000), static_cast<std::uint16_t>(1024 + n % 50000)},
         .to = lab.listener(),
         .sequence = sequence,
         .flags = {.syn = true},
         .options = {.mss = 1460}});
}

TEST(Limits, ASynFloodHoldsNoMoreThanHalfOpenAndPasses) {
    Lab lab({.listener = "half_open = 100\nconnect_timeout = \"2s\""});
    Socket& before = lab.connect("before");
    const std::size_t frames = lab.frames->outstanding();
    for (std::uint32_t n = 0; n < 5000; ++n) {
        lab.inject(0, syn(lab, n));
        if (n % 50 == 0) lab.settle();
    }
    lab.settle();
    EXPECT_EQ(lab.usage().half_open, 100U);
    EXPECT_EQ(lab.usage().connections, 101U);
    EXPECT_EQ(lab.count(Counter::SynCookiesSent), 4900U);
    EXPECT_LE(lab.frames->outstanding(), frames + 100);
    before.write("\xc0\x00 still here");
    lab.settle();
    EXPECT_EQ(lab.broker_of("before")->after_connect("before"), std::string_view("\xc0\x00 still here"));

    lab.run(milliseconds(2100));
    EXPECT_EQ(lab.usage().half_open, 0U);
    EXPECT_EQ(lab.count(Counter::HalfOpenLetGo), 50U);
    EXPECT_EQ(lab.count(Counter::ClientHandshakeFailed), 50U);
    EXPECT_EQ(lab.connect("after").received, kConnackAccepted);
}

TEST(Limits, RepeatedSynsOfOneClientAreOneHandshake) {
    Lab lab;
    for (int i = 0; i < 20; ++i) lab.inject(0, syn(lab, 0));
    lab.settle();
    EXPECT_EQ(lab.usage().half_open, 1U);
    EXPECT_EQ(lab.usage().connections, 1U);
}

TEST(Limits, AListenerTakesItsMaxConnectionsAndGoesOnWhenOneLeaves) {
    Lab lab({.listener = "max_connections = 10"});
    for (int i = 0; i < 10; ++i) ASSERT_EQ(lab.connect(std::to_string(i)).received, kConnackAccepted);
    Socket& late = lab.client();
    late.write(connect_packet("late"));
    lab.settle();
    EXPECT_EQ(lab.count(Counter::DropSynListenerFull), 1U);
    EXPECT_EQ(late.endpoint.state(), tcp::State::SynSent);
    lab.clients.sockets[0]->abort();
    lab.run(milliseconds(1100));
    EXPECT_EQ(late.received, kConnackAccepted);
}

TEST(Limits, TheTableIsAsLargeAsRuntimeMaxConnections) {
    Lab lab({.max_connections = 20});
    for (int i = 0; i < 20; ++i) ASSERT_EQ(lab.connect(std::to_string(i)).received, kConnackAccepted);
    Socket& late = lab.client();
    lab.settle();
    EXPECT_EQ(late.endpoint.state(), tcp::State::SynSent);
    EXPECT_EQ(lab.count(Counter::DropSynTableFull), 1U);
    EXPECT_EQ(lab.usage().connections, 20U);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    expect_nothing_left(lab);
}

TEST(Limits, AllowAndDenyDecideByTheClientsAddress) {
    Lab lab({.listener = "allow = [\"10.1.4.0/22\"]\ndeny = [\"10.1.5.0/24\"]"});
    const auto tries = [&](const char* address) {
        Socket& client = lab.client({*IpAddress::parse(address), 30000});
        lab.settle();
        return client.endpoint.state();
    };
    EXPECT_EQ(tries("10.1.4.9"), tcp::State::Established);
    EXPECT_EQ(tries("10.1.5.9"), tcp::State::SynSent);
    EXPECT_EQ(tries("10.1.6.9"), tcp::State::Established);
    EXPECT_EQ(tries("10.1.8.9"), tcp::State::SynSent);
    EXPECT_EQ(lab.count(Counter::DropSynDenied), 2U);
    EXPECT_EQ(lab.usage().connections, 2U);
}

TEST(Limits, BackendMaxConnectionsTurnClientsAway) {
    Lab lab({.brokers = 2, .backend = [](unsigned) { return "max_connections = 5"; }});
    for (int i = 0; i < 10; ++i) ASSERT_EQ(lab.connect(std::to_string(i)).received, kConnackAccepted) << i;
    EXPECT_EQ(lab.connect("late").received, kConnackUnavailable);
    EXPECT_EQ(lab.count(Counter::RefusedBackendFull), 1U);
    for (const auto& b : lab.brokers) EXPECT_EQ(b->visits.size(), 5U);
    lab.clients.sockets[0]->abort();
    lab.settle();
    EXPECT_EQ(lab.connect("later").received, kConnackAccepted);
}

TEST(Limits, SegmentsWithoutAConnectionAreResetAtABoundedRate) {
    Lab lab;
    lab.command(slow_port());  // one source has 102 at once: half of the rate, and two shares of the rest
    Tap tap(lab);
    const auto stray = [&](std::uint32_t n) {
        return make_segment({.from = {IpAddress::v4(10, 1, 9, 9), static_cast<std::uint16_t>(2000 + n)},
                             .to = lab.listener(),
                             .sequence = 5,
                             .acknowledgement = 1000 + n,
                             .flags = {.ack = true},
                             .payload = "stray"});
    };
    for (std::uint32_t n = 0; n < 3000; ++n) {
        lab.inject(0, stray(n));
        if (n % 100 == 0) lab.settle();
    }
    lab.settle();
    EXPECT_EQ(lab.count(Counter::TcpNoConnection), 3000U);
    EXPECT_EQ(lab.count(Counter::TcpResetsSent), 102U);
    EXPECT_EQ(lab.count(Counter::DropTcpResetRate), 2898U);
    ASSERT_EQ(tap.tcp.size(), 102U);
    EXPECT_TRUE(tap.tcp[7].tcp.flags.rst);
    EXPECT_EQ(tap.tcp[7].tcp.sequence, 1007U);
    lab.run(seconds(1));
    lab.inject(0, stray(0));
    lab.settle();
    EXPECT_EQ(lab.count(Counter::TcpResetsSent), 103U);
}

TEST(Limits, AResetWithoutAConnectionIsNotAnswered) {
    Lab lab;
    Tap tap(lab);
    lab.inject(0, make_segment({.from = {IpAddress::v4(10, 1, 9, 9), 2000},
                                .to = lab.listener(),
                                .sequence = 5,
                                .flags = {.rst = true}}));
    lab.settle();
    EXPECT_EQ(tap.frames.size(), 0U);
}

TEST(Limits, ASynOnATupleThatWaitsForStragglersOpensItAnew) {
    for (const bool broker_first : {false, true}) {
        Lab lab;
        const SocketAddress from = lab.next_client_address();
        Socket* const old = &lab.client(from);
        old->write(connect_packet("again"));
        lab.settle();
        Socket* const broker = lab.broker_of("again")->socket_of("again");
        if (broker_first) {
            broker->shutdown();
            lab.settle();
            old->shutdown();
        } else {
            old->shutdown();
            lab.settle();
            broker->shutdown();
        }
        lab.settle();
        EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);
        lab.clients.sockets.clear();  // the client does not wait
        Socket& fresh = lab.client(from);
        fresh.write(connect_packet("again"));
        lab.settle();
        EXPECT_EQ(fresh.received, kConnackAccepted);
        EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);  // the old one ended once
        fresh.abort();
        lab.run(seconds(2));
        expect_nothing_left(lab);
    }
}

TEST(Limits, ALaterTimestampOpensATupleAnewWhateverItsSequenceNumber) {
    Lab lab;
    const SocketAddress from = lab.next_client_address();
    Socket* const old = &lab.client(from);
    old->write(connect_packet("again"));
    lab.settle();
    lab.broker_of("again")->socket_of("again")->shutdown();
    lab.settle();
    old->shutdown();
    lab.settle();
    const std::uint32_t used = old->endpoint.position().send_next.value();
    Tap tap(lab);
    const auto syn_at = [&](std::uint32_t timestamp) {
        lab.inject(0, make_segment({.from = from,
                                    .to = lab.listener(),
                                    .sequence = used - 100000,
                                    .flags = {.syn = true},
                                    .options = {.timestamps = wire::TcpTimestamps{.value = timestamp}}}));
        lab.settle();
        return !tap.tcp.empty() && tap.tcp.back().is_syn_ack();
    };
    const std::uint32_t last = milliseconds32(lab.now);
    lab.clients.silent = true;
    EXPECT_FALSE(syn_at(last));
    EXPECT_TRUE(syn_at(last + 1));
}

TEST(Limits, ALateSynOnALiveTupleIsChallengedAndTheConnectionSurvives) {
    Lab lab;
    Socket& client = lab.connect("alive");
    Tap tap(lab);
    lab.inject(
        0, make_segment({.from = client.tuple.local,
                         .to = lab.listener(),
                         .sequence = client.endpoint.position().send_next.value() + 1000,
                         .flags = {.syn = true},
                         .options = {.timestamps = wire::TcpTimestamps{.value = milliseconds32(lab.now)}}}));
    lab.settle();
    ASSERT_FALSE(tap.tcp.empty());
    EXPECT_EQ(tap.tcp[0].tcp.flags, (wire::TcpFlags{.ack = true}));
    EXPECT_EQ(tap.tcp[0].tcp.acknowledgement, client.endpoint.position().send_next.value());
    client.write("\xc0\x00 alive");
    lab.settle();
    EXPECT_EQ(lab.broker_of("alive")->after_connect("alive"), std::string_view("\xc0\x00 alive"));
    client.abort();
    lab.settle();
    EXPECT_EQ(lab.count(Counter::TcpChallengeAcks), 1U);
}

TEST(Limits, ALateSynWithoutTimestampsIsChallengedToo) {
    Lab lab;
    Socket& client = lab.connect("alive");
    Tap tap(lab);
    lab.inject(0, make_segment({.from = client.tuple.local,
                                .to = lab.listener(),
                                .sequence = client.endpoint.position().send_next.value() + 1000,
                                .flags = {.syn = true}}));
    lab.settle();
    ASSERT_FALSE(tap.tcp.empty());
    EXPECT_EQ(tap.tcp[0].tcp.flags, (wire::TcpFlags{.ack = true}));
    EXPECT_EQ(tap.tcp[0].tcp.acknowledgement, client.endpoint.position().send_next.value());
    client.write("\xc0\x00 alive");
    lab.settle();
    EXPECT_EQ(lab.broker_of("alive")->after_connect("alive"), std::string_view("\xc0\x00 alive"));
    client.abort();
    lab.settle();
    EXPECT_EQ(lab.count(Counter::TcpChallengeAcks), 1U);
}

TEST(Limits, AClientThatForgotItsConnectionGetsInFromTheSamePort) {
    Lab lab;
    const SocketAddress from = lab.next_client_address();
    lab.client(from).write(connect_packet("power cut"));
    lab.settle();
    lab.clients.sockets.clear();
    Socket& again = lab.client(from);  // answered by a challenge, which it resets
    again.write(connect_packet("power cut"));
    lab.run(milliseconds(1100));  // and asks once more
    EXPECT_EQ(again.received, kConnackAccepted);
    EXPECT_EQ(lab.count(Counter::ClosedClientReset), 1U);
    EXPECT_EQ(lab.rows().size(), 1U);
}

TEST(Limits, ABlindResetInsideTheWindowDoesNotEndAConnection) {
    Lab lab;
    Socket& client = lab.connect("alive");
    for (const std::uint32_t off : {1U, 1000U, 60000U}) {
        lab.inject(0, make_segment({.from = client.tuple.local,
                                    .to = lab.listener(),
                                    .sequence = client.endpoint.position().send_next.value() + off,
                                    .flags = {.rst = true}}));
        lab.settle();
    }
    client.write("\xc0\x00 alive");
    lab.settle();
    EXPECT_EQ(lab.broker_of("alive")->after_connect("alive"), std::string_view("\xc0\x00 alive"));
}

}  // namespace
}  // namespace sluice::test
