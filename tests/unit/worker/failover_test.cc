// A broker that cannot take a client is passed over, and the client notices nothing but time.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include "worker/packets.h"

namespace sluice::test::failover_test {
namespace {

using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kPing("\xc0\x00", 2);
const std::string kId = "device-1";

// The brokers that kId is given to, best first, while nobody has connections.
std::vector<unsigned> order(const Setup& setup = {}) {
    std::vector<unsigned> order;
    while (order.size() < setup.brokers) {
        Lab lab(setup);
        lab.set_down({order.begin(), order.end()});
        lab.connect(kId);
        for (unsigned b = 0; b < lab.brokers.size(); ++b) {
            if (!lab.brokers[b]->visits.empty()) order.push_back(b);
        }
    }
    return order;
}

std::vector<worker::Event> attempts(const Lab& lab, worker::Event::Kind kind) {
    std::vector<worker::Event> found;
    std::ranges::copy_if(lab.events, std::back_inserter(found),
                         [&](const worker::Event& e) { return e.kind == kind; });
    return found;
}

std::string unavailable(Version version) {
    return version == Version::V5 ? std::string("\x20\x03\x00\x88\x00", 5) : kConnackUnavailable;
}

// How a broker may not take the client that connects to it.
enum class Unwilling : std::uint8_t { Silent, Resets, Closes, ClosesWithinItsAnswer, IsUnavailable };
constexpr std::array kUnwilling{Unwilling::Silent, Unwilling::Resets, Unwilling::Closes,
                                Unwilling::ClosesWithinItsAnswer, Unwilling::IsUnavailable};
void make(Broker& broker, Unwilling how) {
    switch (how) {
        case Unwilling::Silent: broker.answers = false; return;
        case Unwilling::Resets: broker.resets_after = 0; return;
        case Unwilling::Closes: broker.closes_after = 0; return;
        case Unwilling::ClosesWithinItsAnswer: broker.closes_after = 3; return;
        case Unwilling::IsUnavailable: broker.connack_code = 3; return;
    }
}

Socket& connect(Lab& lab, const std::string& id, Version version) {
    Socket& client = lab.client();
    lab.settle();
    client.write(std::string_view(connect_packet(id, version)));
    lab.settle();
    return client;
}

TEST(Failover, ABrokerThatRefusesIsPassedOver) {
    const auto choice = order();
    Lab lab;
    lab.brokers[choice[0]]->host.stop_listening(1883);
    Socket& client = lab.connect(kId);
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.broker_of(kId), lab.brokers[choice[1]].get());
    EXPECT_EQ(lab.count(Counter::UpstreamRefused), 1U);
    EXPECT_EQ(lab.count(Counter::UpstreamRetried), 1U);
    const auto failed = attempts(lab, worker::Event::Kind::AttemptFailed);
    ASSERT_EQ(failed.size(), 1U);
    EXPECT_EQ(failed[0].backend, choice[0]);
    EXPECT_EQ(failed[0].failure, backend::ProbeFailure::Refused);
    client.abort();
    lab.settle();
    expect_nothing_left(lab);
}

TEST(Failover, ABrokerThatIsSilentIsPassedOverAfterAttemptTimeout) {
    const auto choice = order();
    Lab lab({.pool = "attempt_timeout = \"500ms\""});
    lab.brokers[choice[0]]->host.deaf_tcp = true;
    Socket& client = lab.connect(kId);
    lab.run(milliseconds(490));
    EXPECT_EQ(client.received, "");
    lab.run(milliseconds(20));
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.broker_of(kId), lab.brokers[choice[1]].get());
    EXPECT_EQ(lab.count(Counter::UpstreamSilent), 1U);
    const auto failed = attempts(lab, worker::Event::Kind::AttemptFailed);
    ASSERT_EQ(failed.size(), 1U);
    EXPECT_EQ(failed[0].failure, backend::ProbeFailure::Silent);
}

// A client whose SYNs to the broker get lost goes on to another one; but the broker took a client meanwhile,
// so it is not unwell.
TEST(Failover, ABrokerThatTookAnotherClientMeanwhileHasNotFailed) {
    for (const bool other_comes : {false, true}) {
        const test::Setup setup{.brokers = 2, .pool = "attempt_timeout = \"2s\""};
        const auto choice = order(setup);
        Lab lab(setup);
        // Source and destination address, source port.
        std::optional<std::tuple<std::uint32_t, std::uint32_t, std::uint16_t>> unlucky;
        lab.lose_sent = [&](std::uint16_t port, ByteView frame) {
            if (port != 1 || frame.size() < 54 || load8(frame.data() + 23) != 6) return false;
            const std::byte* const at = frame.data();
            const std::tuple way{load32(at + 26), load32(at + 30), load16(at + 34)};
            if (!unlucky) unlucky = way;
            return way == *unlucky;
        };
        Socket& client = lab.connect(kId);
        lab.run(milliseconds(1000));
        if (other_comes) {
            EXPECT_EQ(lab.connect(kId).received, kConnackAccepted);
            EXPECT_EQ(lab.broker_of(kId), lab.brokers[choice[0]].get());
        }
        lab.run(milliseconds(1100));
        EXPECT_EQ(client.received, kConnackAccepted);
        EXPECT_EQ(lab.count(Counter::UpstreamSilent), 1U);
        EXPECT_EQ(attempts(lab, worker::Event::Kind::AttemptFailed).size(), other_comes ? 0U : 1U);
    }
}

TEST(Failover, ALostSynIsRepeatedToTheSameBroker) {
    const auto choice = order();
    Lab lab;
    bool lost = false;
    lab.lose_sent = [&](std::uint16_t port, ByteView frame) {
        const bool first = port == 1 && !lost && frame.size() > 54 && load8(frame.data() + 23) == 6;
        lost = lost || first;
        return first;
    };
    Socket& client = lab.connect(kId);
    EXPECT_TRUE(lost);
    EXPECT_EQ(client.received, "");
    lab.run(milliseconds(1100));
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.broker_of(kId), lab.brokers[choice[0]].get());
}

TEST(Failover, ABrokerWhoseHostAnswersNoNeighborRequestIsPassedOver) {
    for (const bool ipv6 : {false, true}) {
        const test::Setup setup{.pool = "attempt_timeout = \"10s\"", .ipv6 = ipv6};
        const auto choice = order(setup);
        Lab lab(setup);
        lab.brokers[choice[0]]->host.silent = true;
        Socket& client = lab.connect(kId);
        lab.run(milliseconds(3100));
        EXPECT_EQ(client.received, kConnackAccepted);
        EXPECT_EQ(lab.broker_of(kId), lab.brokers[choice[1]].get());
        EXPECT_EQ(lab.count(Counter::UpstreamUnreachable), 1U);
        EXPECT_EQ(lab.count(Counter::NeighborFailures), 1U);
        const auto failed = attempts(lab, worker::Event::Kind::AttemptFailed);
        ASSERT_EQ(failed.size(), 1U);
        EXPECT_EQ(failed[0].failure, backend::ProbeFailure::Unreachable);
        // Who comes next need not wait to learn the same.
        EXPECT_EQ(lab.connect(kId).received, kConnackAccepted);
        EXPECT_EQ(lab.count(Counter::UpstreamUnreachable), 2U);
        lab.clients.sockets[0]->abort();
        lab.clients.sockets[1]->abort();
        lab.settle();
        expect_nothing_left(lab);
    }
}

TEST(Failover, WhenEveryBrokerRefusesTheClientIsToldSo) {
    for (const Version version : {Version::V31, Version::V311, Version::V5}) {
        Lab lab;
        for (const auto& b : lab.brokers) b->host.stop_listening(1883);
        Socket& client = connect(lab, kId, version);
        EXPECT_EQ(client.received, unavailable(version));
        EXPECT_EQ(client.endpoint.state(), tcp::State::CloseWait);
        EXPECT_EQ(lab.count(Counter::UpstreamAttempts), 3U);
        EXPECT_EQ(lab.count(Counter::RefusedNoBackend), 1U);
        client.shutdown();
        lab.run(seconds(3));
        expect_nothing_left(lab);
    }
}

TEST(Failover, WhenEveryBrokerIsDownNoneIsTried) {
    Lab lab;
    Tap tap(lab);
    lab.set_down({0, 1, 2});
    EXPECT_EQ(connect(lab, kId, Version::V5).received, unavailable(Version::V5));
    EXPECT_EQ(tap.upstream_syns().size(), 0U);
    EXPECT_EQ(lab.count(Counter::RefusedNoBackend), 1U);
}

TEST(Failover, RetriesBoundTheAttempts) {
    for (const unsigned retries : {0U, 1U}) {
        Lab lab({.pool = "retries = " + std::to_string(retries)});
        for (const auto& b : lab.brokers) b->host.stop_listening(1883);
        EXPECT_EQ(lab.connect(kId).received, kConnackUnavailable);
        EXPECT_EQ(lab.count(Counter::UpstreamAttempts), 1 + retries);
        EXPECT_EQ(lab.count(Counter::UpstreamRetried), retries);
    }
}

TEST(Failover, ConnackUnavailableIsAnsweredByAnotherBroker) {
    const auto choice = order();
    struct Case {
        Version version;
        std::uint8_t code;
    };
    for (const Case c : {Case{Version::V31, 3}, Case{Version::V311, 3}, Case{Version::V5, 0x88},
                         Case{Version::V5, 0x89}, Case{Version::V5, 0x97}, Case{Version::V5, 0x9f}}) {
        Lab lab;
        Broker& first = *lab.brokers[choice[0]];
        first.connack_code = c.code;
        Socket& client = connect(lab, kId, c.version);
        EXPECT_EQ(client.received,
                  c.version == Version::V5 ? std::string("\x20\x03\x00\x00\x00", 5) : kConnackAccepted);
        EXPECT_EQ(lab.brokers[choice[1]]->visits.size(), 1U);
        EXPECT_EQ(lab.count(Counter::ConnackRetried), 1U);
        EXPECT_EQ(first.socket_of(kId)->endpoint.failure(), tcp::Failure::Reset);
        client.abort();
        lab.settle();
        expect_nothing_left(lab);
    }
}

// What the client pipelines behind its CONNECT goes with it, once and whole, to each broker that is tried.
TEST(Failover, WhatFollowsTheConnectReachesTheBrokerThatAccepts) {
    const auto choice = order();
    for (const Unwilling how : kUnwilling) {
        SCOPED_TRACE(static_cast<int>(how));
        Lab lab({.listener = "connect_timeout = \"2s\""});
        Broker& first = *lab.brokers[choice[0]];
        make(first, how);
        Socket& client = lab.client();
        lab.settle();
        client.write(connect_packet(kId) + kPing);
        lab.run(milliseconds(2100));
        EXPECT_EQ(client.received, kConnackAccepted);
        EXPECT_EQ(lab.brokers[choice[1]]->after_connect(kId), kPing);
        EXPECT_EQ(lab.count(Counter::UpstreamAttempts), 2U);
        client.abort();
        lab.run(milliseconds(100));
        expect_nothing_left(lab);
    }
}

TEST(Failover, ConnackUnavailableFromEveryBrokerReachesTheClient) {
    Lab lab;
    for (const auto& b : lab.brokers) b->connack_code = 3;
    EXPECT_EQ(lab.connect(kId).received, kConnackUnavailable);
    EXPECT_EQ(lab.count(Counter::UpstreamAttempts), 3U);
    EXPECT_EQ(lab.count(Counter::ConnackRetried), 2U);
}

TEST(Failover, OtherRefusalsOfABrokerAreTheClientsToHear) {
    for (const char code : {'\1', '\2', '\4', '\5'}) {
        Lab lab;
        for (const auto& b : lab.brokers) b->connack_code = static_cast<std::uint8_t>(code);
        EXPECT_EQ(lab.connect(kId).received, std::string("\x20\x02\x00", 3) + code);
        EXPECT_EQ(lab.count(Counter::UpstreamAttempts), 1U);
        EXPECT_EQ(lab.count(Counter::ConnackRefused), 1U);
    }
}

TEST(Failover, AnIcmpUnreachableThatQuotesTheSynLeadsToTheNextBrokerAtOnce) {
    for (const bool ipv6 : {false, true}) {
        const auto choice = order({.ipv6 = ipv6});
        Lab lab({.ipv6 = ipv6});
        Tap tap(lab);
        lab.brokers[choice[0]]->host.deaf_tcp = true;
        Socket& client = lab.connect(kId);
        ASSERT_EQ(tap.upstream_syns().size(), 1U);
        const SeenSegment syn = tap.upstream_syns()[0];
        lab.inject(1, make_unreachable(syn, syn.tcp.sequence + 1));  // RFC 5927: a guess counts for nothing
        lab.settle();
        EXPECT_EQ(client.received, "");
        lab.inject(1, make_unreachable(syn, syn.tcp.sequence));
        lab.settle();
        EXPECT_EQ(client.received, kConnackAccepted);
        EXPECT_EQ(lab.broker_of(kId), lab.brokers[choice[1]].get());
        EXPECT_EQ(lab.count(Counter::IcmpUnreachableApplied), 1U);
        EXPECT_EQ(lab.count(Counter::UpstreamUnreachable), 1U);
    }
}

TEST(Failover, AnIcmpUnreachableDoesNotEndAnEstablishedConnection) {
    Lab lab;
    Tap tap(lab);
    Socket& client = lab.connect(kId);
    const SeenSegment syn = tap.upstream_syns()[0];
    for (std::uint32_t n = 0; n < 100; ++n) lab.inject(1, make_unreachable(syn, syn.tcp.sequence + n));
    lab.settle();
    client.write(std::string_view(kPing));
    lab.settle();
    EXPECT_EQ(lab.broker_of(kId)->after_connect(kId), kPing);
}

TEST(Failover, ABrokerThatNeverAnswersTheConnectIsPassedOver) {
    const auto choice = order();
    Lab lab({.listener = "connect_timeout = \"2s\""});
    lab.brokers[choice[0]]->answers = false;
    Socket& client = lab.connect(kId);
    lab.run(milliseconds(1990));
    EXPECT_EQ(client.received, "");
    lab.run(milliseconds(20));
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.brokers[choice[1]]->visits.size(), 1U);
    EXPECT_EQ(lab.brokers[choice[0]]->socket_of(kId)->endpoint.failure(), tcp::Failure::Reset);
}

TEST(Failover, ABrokerThatResetsInsteadOfAnsweringTheConnectIsPassedOver) {
    const auto choice = order();
    Lab lab;
    lab.brokers[choice[0]]->resets_after = 0;
    Socket& client = lab.connect(kId);
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.brokers[choice[0]]->visits.size(), 1U);
    EXPECT_EQ(lab.brokers[choice[1]]->visits.size(), 1U);
    EXPECT_EQ(lab.count(Counter::UpstreamRefused), 1U);
    client.abort();
    lab.settle();
    expect_nothing_left(lab);
}

TEST(Failover, AClientWhoseConnectMakesBrokersResetDoesNotCountThemAsUnwell) {
    Lab lab;
    for (const auto& b : lab.brokers) b->resets_after = 0;
    for (int i = 0; i < 5; ++i) lab.connect(kId);
    EXPECT_GT(lab.count(Counter::UpstreamRefused), 5U);
    EXPECT_TRUE(attempts(lab, worker::Event::Kind::AttemptFailed).empty());
}

TEST(Failover, ABrokerThatClosesInsteadOfAnsweringIsPassedOver) {
    for (const bool ipv6 : {false, true}) {
        const auto choice = order({.ipv6 = ipv6});
        for (const std::size_t said : {0U, 1U, 2U, 3U}) {
            for (const bool at_once : {false, true}) {
                if (at_once && said != 0) continue;
                Lab lab({.ipv6 = ipv6});
                Broker& first = *lab.brokers[choice[0]];
                if (at_once) {
                    first.host.on_accept = [](Socket& s) { s.shutdown(); };
                } else {
                    first.closes_after = said;
                }
                Socket& client = lab.connect(kId);
                lab.run(milliseconds(10));
                EXPECT_EQ(client.received, kConnackAccepted);
                EXPECT_EQ(lab.brokers[choice[1]]->visits.size(), 1U);
                EXPECT_EQ(lab.count(Counter::UpstreamClosedEarly), 1U);
                EXPECT_EQ(lab.count(Counter::UpstreamRetried), 1U);
                EXPECT_EQ(lab.workers[0]->stats().backend(choice[0]).failures[3], 1U);
                EXPECT_TRUE(attempts(lab, worker::Event::Kind::AttemptFailed).empty());
                client.abort();
                lab.run(milliseconds(100));
                expect_nothing_left(lab);
            }
        }
    }
}

// Half a CONNACK and a reset is no answer either.
TEST(Failover, ABrokerThatResetsWithinItsAnswerIsPassedOver) {
    const auto choice = order();
    Lab lab;
    lab.brokers[choice[0]]->resets_after = 3;
    Socket& client = lab.connect(kId);
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.brokers[choice[1]]->visits.size(), 1U);
    EXPECT_EQ(lab.count(Counter::UpstreamRefused), 1U);
}

TEST(Failover, AConnectThatMakesBrokersCloseIsSeenByFewAndCountsNoneAsUnwell) {
    for (const unsigned retries : {0U, 1U, 2U}) {
        Lab lab({.brokers = 4, .pool = "retries = " + std::to_string(retries)});
        for (const auto& b : lab.brokers) b->closes_after = 0;
        EXPECT_EQ(lab.connect(kId).received, kConnackUnavailable);
        std::size_t seen = 0;
        for (const auto& b : lab.brokers) seen += b->visits.size();
        EXPECT_EQ(seen, 1 + retries);
        EXPECT_EQ(lab.count(Counter::UpstreamClosedEarly), 1 + retries);
        EXPECT_EQ(lab.count(Counter::RefusedNoBackend), 1U);
        EXPECT_TRUE(attempts(lab, worker::Event::Kind::AttemptFailed).empty());
    }
}

// A whole answer is the client's to hear, whatever follows it.
TEST(Failover, ABrokerThatAnswersAndClosesIsHeard) {
    for (const char code : {'\0', '\5'}) {
        Lab lab;
        for (const auto& b : lab.brokers) {
            b->connack_code = static_cast<std::uint8_t>(code);
            b->closes_after = 4;
        }
        Socket& client = lab.connect(kId);
        EXPECT_EQ(client.received, std::string("\x20\x02\x00", 3) + code);
        EXPECT_EQ(client.endpoint.state(), tcp::State::CloseWait);
        EXPECT_EQ(lab.count(Counter::UpstreamAttempts), 1U);
        EXPECT_EQ(lab.count(Counter::UpstreamClosedEarly), 0U);
    }
}

TEST(Failover, WhatABrokerSaysAfterItWasPassedOverIsReset) {
    const auto choice = order();
    Lab lab({.pool = "attempt_timeout = \"500ms\""});
    Tap tap(lab);
    // Its answers are slow: they arrive when the client is elsewhere.
    lab.brokers[choice[0]]->host.deaf_tcp = true;
    Socket& client = lab.connect(kId);
    lab.run(milliseconds(510));
    ASSERT_EQ(client.received, kConnackAccepted);
    const SeenSegment syn = tap.upstream_syns()[0];
    tap.tcp.clear();
    lab.inject(1, make_segment({.from = syn.to,
                                .to = syn.from,
                                .sequence = 1000,
                                .acknowledgement = syn.tcp.sequence + 1,
                                .flags = {.syn = true, .ack = true},
                                .destination_mac = Lab::kBackMac}));
    lab.settle();
    ASSERT_EQ(tap.tcp.size(), 1U);
    EXPECT_TRUE(tap.tcp[0].tcp.flags.rst);
    EXPECT_EQ(tap.tcp[0].tcp.sequence, syn.tcp.sequence + 1);
    EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
}

TEST(Failover, AClientThatLeavesAndIsTakenByNobodyGivesEverythingBack) {
    Lab lab({.pool = "attempt_timeout = \"500ms\""});
    for (const auto& b : lab.brokers) b->host.deaf_tcp = true;
    Socket& client = lab.connect(kId);
    lab.run(milliseconds(100));
    client.abort();
    lab.run(milliseconds(1000));
    EXPECT_EQ(lab.rows().size(), 1U);
    lab.run(milliseconds(500));
    EXPECT_EQ(lab.count(Counter::UpstreamAttempts), 3U);
    EXPECT_EQ(lab.count(Counter::ClientGoneWhileConnecting), 1U);
    EXPECT_EQ(lab.count(Counter::RefusedNoBackend), 0U);
    EXPECT_EQ(lab.count(Counter::RelayBytesUndelivered), connect_packet(kId).size());
    expect_nothing_left(lab);
}

TEST(Failover, AClientThatHalfClosesWhileItsBrokerIsBeingReachedIsServed) {
    const auto choice = order();
    Lab lab({.pool = "attempt_timeout = \"500ms\""});
    lab.brokers[choice[0]]->host.deaf_tcp = true;
    Socket& client = lab.connect(kId);
    client.write(std::string_view(kPing));
    client.shutdown();
    lab.run(seconds(1));
    EXPECT_EQ(client.received, kConnackAccepted);
    Socket* const broker = lab.broker_of(kId)->socket_of(kId);
    EXPECT_EQ(broker->received, connect_packet(kId) + kPing);
    EXPECT_TRUE(broker->endpoint.peer_finished());
    broker->write("last words");
    broker->shutdown();
    lab.run(seconds(3));
    EXPECT_EQ(client.received, kConnackAccepted + "last words");
    expect_nothing_left(lab);
}

TEST(Failover, ControlHearsOfTheFirstSuccessAfterAFailure) {
    const auto choice = order();
    Lab lab;
    Broker& first = *lab.brokers[choice[0]];
    lab.connect(kId);
    EXPECT_EQ(attempts(lab, worker::Event::Kind::AttemptSucceeded).size(), 0U);
    first.host.stop_listening(1883);
    lab.connect(kId);
    first.host.listen(1883, [](Socket&) {});
    lab.connect(kId);
    lab.connect(kId);
    const auto succeeded = attempts(lab, worker::Event::Kind::AttemptSucceeded);
    ASSERT_EQ(succeeded.size(), 1U);
    EXPECT_EQ(succeeded[0].backend, choice[0]);
}

}  // namespace
}  // namespace sluice::test::failover_test
