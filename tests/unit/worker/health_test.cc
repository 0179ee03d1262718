// Probes tell which brokers live and what they accept, and clients go by it.
#include <gtest/gtest.h>

#include <algorithm>

#include "worker/packets.h"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kTcp = "type = \"tcp\"\ninterval = \"1s\"\ntimeout = \"300ms\"\nrise = 2\nfall = 3";

std::vector<SeenSegment> probe_segments(const Tap& tap) {
    std::vector<SeenSegment> found;
    std::ranges::copy_if(tap.tcp, std::back_inserter(found),
                         [](const SeenSegment& s) { return s.port == 1 && s.from.port < 1024; });
    return found;
}

// The SYN-ACK that a client who offers everything is given.
SeenSegment syn_ack_for_a_client(Lab& lab, Tap& tap) {
    tap.tcp.clear();
    lab.client();
    lab.settle();
    const auto found =
        std::ranges::find_if(tap.tcp, [](const SeenSegment& s) { return s.port == 0 && s.is_syn_ack(); });
    return found == tap.tcp.end() ? SeenSegment{} : *found;
}

TEST(Health, ProbesLeaveFromTheInterfaceAddressAndALowPortAndAreResetWhenAnswered) {
    for (const bool ipv6 : {false, true}) {
        Lab lab({.brokers = 1, .health = kTcp, .ipv6 = ipv6});
        Tap tap(lab);
        lab.run(milliseconds(500));
        const auto sent = probe_segments(tap);
        ASSERT_EQ(sent.size(), 2U);
        EXPECT_TRUE(sent[0].is_syn());
        EXPECT_EQ(sent[0].from.address, *IpAddress::parse(ipv6 ? "fd00:2::1" : "10.2.0.1"));
        EXPECT_TRUE(sent[1].tcp.flags.rst);
        EXPECT_EQ(sent[1].tcp.sequence, sent[0].tcp.sequence + 1);
        EXPECT_EQ(lab.brokers[0]->host.sockets[0]->endpoint.state(), tcp::State::Closed);
        EXPECT_EQ(lab.count(Counter::ProbesSucceeded), 1U);
        EXPECT_TRUE(lab.health->view(0).probed);
    }
}

TEST(Health, ClientsAreOfferedWhatTheirBrokerAccepts) {
    Lab lab({.brokers = 1, .health = kTcp});
    lab.brokers[0]->host.accept_options = {
        .receive_mss = 1200, .window_scale = 3, .sack = false, .timestamps = false};
    lab.run(milliseconds(500));
    Tap tap(lab);
    const SeenSegment answer = syn_ack_for_a_client(lab, tap);
    EXPECT_EQ(answer.tcp.options.mss, 1200);
    EXPECT_EQ(answer.tcp.options.window_scale, 3);
    EXPECT_FALSE(answer.tcp.options.sack_permitted);
    EXPECT_FALSE(answer.tcp.options.timestamps.has_value());
}

TEST(Health, ClientsAreOfferedEverythingThatEveryBrokerAccepts) {
    Lab lab({.brokers = 3, .health = kTcp});
    lab.brokers[0]->host.accept_options = {.receive_mss = 1400, .sack = false};
    lab.brokers[1]->host.accept_options = {.receive_mss = 1300, .window_scale = 9};
    lab.brokers[2]->host.accept_options = {.receive_mss = 1460, .window_scale = 5};
    lab.run(milliseconds(500));
    Tap tap(lab);
    SeenSegment answer = syn_ack_for_a_client(lab, tap);
    EXPECT_EQ(answer.tcp.options.mss, 1300);
    EXPECT_EQ(answer.tcp.options.window_scale, 5);
    EXPECT_FALSE(answer.tcp.options.sack_permitted);
    EXPECT_TRUE(answer.tcp.options.timestamps.has_value());

    lab.brokers[2]->host.accept_options = {.window_scale = std::nullopt};
    lab.run(seconds(2));
    answer = syn_ack_for_a_client(lab, tap);
    EXPECT_FALSE(answer.tcp.options.window_scale.has_value());

    // A broker that is down has no say.
    lab.set_down({0, 2});
    answer = syn_ack_for_a_client(lab, tap);
    EXPECT_EQ(answer.tcp.options.window_scale, 9);
    EXPECT_TRUE(answer.tcp.options.sack_permitted);
}

TEST(Health, ASilentBrokerGoesDownAfterFallProbesAndComesBackAfterRise) {
    Lab lab({.health = kTcp});
    lab.run(milliseconds(500));
    const std::string id = "device-1";
    lab.connect(id).abort();
    lab.settle();
    const auto home = static_cast<unsigned>(
        std::ranges::find_if(lab.brokers, [](const auto& b) { return !b->visits.empty(); }) -
        lab.brokers.begin());
    Broker& broker = *lab.brokers[home];

    broker.host.deaf_tcp = true;
    lab.run(milliseconds(1500));
    EXPECT_TRUE(lab.health->view(home).healthy);  // at most two probes have failed
    lab.run(seconds(2));
    EXPECT_FALSE(lab.health->view(home).healthy);
    EXPECT_EQ(lab.health->view(home).last_failure.failure, backend::ProbeFailure::Silent);

    Socket& elsewhere = lab.connect(id);
    EXPECT_EQ(elsewhere.received, kConnackAccepted);  // without any attempt at the one that is down
    EXPECT_EQ(lab.count(Counter::UpstreamSilent), 0U);
    EXPECT_EQ(broker.visits.size(), 1U);

    broker.host.deaf_tcp = false;
    lab.run(milliseconds(900));
    EXPECT_FALSE(lab.health->view(home).healthy);  // one good probe is not enough
    lab.run(milliseconds(1500));
    EXPECT_TRUE(lab.health->view(home).healthy);
    EXPECT_EQ(lab.connect(id).received, kConnackAccepted);
    EXPECT_EQ(broker.visits.size(), 2U);
}

TEST(Health, ABrokerThatRefusesOrWhoseHostIsGoneGoesDown) {
    Lab lab({.health = "type = \"tcp\"\ninterval = \"1s\"\ntimeout = \"900ms\""});
    lab.brokers[0]->host.stop_listening(1883);
    lab.brokers[1]->host.silent = true;
    lab.run(seconds(5));
    EXPECT_FALSE(lab.health->view(0).healthy);
    EXPECT_EQ(lab.health->view(0).last_failure.failure, backend::ProbeFailure::Refused);
    EXPECT_FALSE(lab.health->view(1).healthy);
    EXPECT_TRUE(lab.health->view(2).healthy);
    lab.run(seconds(10));
    EXPECT_TRUE(std::ranges::any_of(lab.events, [](const worker::Event& e) {
        return e.backend == 1 && e.failure == backend::ProbeFailure::Unreachable;
    }));
}

TEST(Health, FailedAttemptsOfClientsBringABrokerDownBetweenProbes) {
    Lab lab({.brokers = 2, .health = "type = \"tcp\"\ninterval = \"1h\""});
    lab.run(milliseconds(500));
    lab.brokers[0]->host.stop_listening(1883);
    for (int i = 0; i < 40; ++i) {
        EXPECT_EQ(lab.connect("device-" + std::to_string(i)).received, kConnackAccepted);
    }
    EXPECT_FALSE(lab.health->view(0).healthy);
    EXPECT_EQ(lab.count(Counter::UpstreamRefused), 3U);  // fall, and then nobody tried it any more
}

TEST(Health, ALostProbeSynIsRepeatedAndHarmsNobody) {
    Lab lab({.brokers = 1, .health = kTcp});
    Tap tap(lab);
    int syns = 0;
    lab.lose_sent = [&](std::uint16_t, ByteView) {
        if (tap.tcp.empty() || !tap.tcp.back().is_syn()) return false;
        // Every first SYN of a probe is lost: those with a sequence number not seen before.
        const std::uint32_t sequence = tap.tcp.back().tcp.sequence;
        const auto seen = std::ranges::count_if(
            tap.tcp, [&](const SeenSegment& s) { return s.is_syn() && s.tcp.sequence == sequence; });
        if (seen == 1) ++syns;
        return seen == 1;
    };
    lab.run(seconds(10));
    EXPECT_GE(syns, 8);
    EXPECT_EQ(lab.count(Counter::ProbesFailed), 0U);
    EXPECT_GE(lab.count(Counter::ProbesSucceeded), 8U);
    EXPECT_TRUE(lab.health->view(0).healthy);
}

TEST(Health, AForgedIcmpErrorDoesNotFailAProbe) {
    Lab lab({.brokers = 1, .health = kTcp});
    Tap tap(lab);
    lab.brokers[0]->host.deaf_tcp = true;
    for (int i = 0; i < 300 && probe_segments(tap).empty(); ++i) lab.run(milliseconds(1));
    const auto sent = probe_segments(tap);
    ASSERT_EQ(sent.size(), 1U);
    lab.inject(1, make_unreachable(sent[0], sent[0].tcp.sequence + 12345));
    lab.settle();
    EXPECT_EQ(lab.count(Counter::ProbesFailed), 0U);
    lab.inject(1, make_unreachable(sent[0], sent[0].tcp.sequence));
    lab.settle();
    EXPECT_EQ(lab.count(Counter::ProbesFailed), 1U);
    EXPECT_EQ(lab.health->view(0).last_failure.failure, backend::ProbeFailure::Unreachable);
}

TEST(Health, SeveralWorkersShareTheProbesAndAllHearTheResult) {
    Lab lab({.workers = 3, .health = kTcp});
    Tap tap(lab);
    lab.run(milliseconds(500));
    EXPECT_EQ(lab.count(Counter::ProbesSent), 3U);
    EXPECT_EQ(lab.count(Counter::ProbesSucceeded), 3U);
    lab.brokers[0]->host.deaf_tcp = true;
    lab.run(seconds(5));
    EXPECT_FALSE(lab.health->view(0).healthy);
    for (int i = 0; i < 60; ++i) {
        ASSERT_EQ(lab.connect("device-" + std::to_string(i)).received, kConnackAccepted) << i;
    }
    EXPECT_EQ(lab.count(Counter::UpstreamAttempts), 60U);
}

}  // namespace
}  // namespace sluice::test
