// Probes of every kind through a whole worker: what brokers see of them, what control hears, and what a new
// snapshot does to those under way.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "worker/packets.h"

namespace sluice::test {
namespace {

using backend::Outcome;
using backend::ProbeFailure;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string health(const std::string& type, const std::string& more = {}) {
    return "type = \"" + type + "\"\ninterval = \"1s\"\ntimeout = \"300ms\"\nrise = 2\nfall = 3\n" + more;
}

bool is_probe(const SeenSegment& s) { return s.port == 1 && s.from.port < 1024; }

std::size_t count(const Tap& tap, const SocketAddress& to, bool (*which)(const SeenSegment&)) {
    return static_cast<std::size_t>(std::ranges::count_if(
        tap.tcp, [&](const SeenSegment& s) { return is_probe(s) && s.to == to && which(s); }));
}
bool syn(const SeenSegment& s) { return s.is_syn(); }
bool reset(const SeenSegment& s) { return s.tcp.flags.rst; }

SocketAddress address(const Lab& lab, unsigned broker) {
    return lab.config.pools[0].backends[broker].address;
}

void serve_on(Lab& lab) {
    for (const auto& b : lab.brokers) b->serves_on = true;
}

// Answers every request by that, and closes.
void serve_http(Broker& broker, std::uint16_t port, const std::string& answer) {
    broker.host.listen(port, [answer](Socket& s) {
        if (!s.received.ends_with("\r\n\r\n")) return;
        s.write(std::string_view(answer));
        s.shutdown();
    });
}

TEST(Probe, OverMqttComesAndGoesAsAClientOfItsOwnName) {
    for (const bool ipv6 : {false, true}) {
        Lab lab({.workers = 2, .health = health("mqtt", "username = \"monitor\""), .ipv6 = ipv6});
        serve_on(lab);
        Tap tap(lab);
        lab.run(milliseconds(2500));
        std::set<std::string> names;
        for (unsigned i = 0; i < 3; ++i) {
            const Broker& broker = *lab.brokers[i];
            ASSERT_GE(broker.visits.size(), 2U);
            EXPECT_EQ(broker.visits[0].source.address, *IpAddress::parse(ipv6 ? "fd00:2::1" : "10.2.0.1"));
            for (const Broker::Visit& v : broker.visits) {
                names.insert(v.client_id);
                EXPECT_TRUE(v.client_id.starts_with("sluice"));
                EXPECT_LE(v.client_id.size(), 23U);
                EXPECT_TRUE(
                    std::ranges::all_of(v.client_id, [](unsigned char c) { return std::isalnum(c); }));
            }
            EXPECT_EQ(count(tap, address(lab, i), reset), 0U);
            for (const auto& s : broker.host.sockets) {
                EXPECT_TRUE(s->endpoint.state() == tcp::State::Closed ||
                            s->endpoint.state() == tcp::State::TimeWait);
                EXPECT_EQ(s->endpoint.failure(), tcp::Failure::None);
            }
            EXPECT_TRUE(lab.health->view(i).healthy);
            EXPECT_TRUE(lab.health->view(i).probed);
        }
        EXPECT_EQ(names.size(), 3U) << "one for each broker, and always the same";
        EXPECT_EQ(lab.count(Counter::ProbesSucceeded), lab.count(Counter::ProbesSent));
        expect_nothing_left(lab);
    }
}

TEST(Probe, ControlHearsWhyABrokerFailed) {
    Lab lab({.brokers = 5, .health = health("mqtt")});
    serve_on(lab);
    lab.brokers[0]->answers = false;
    lab.brokers[1]->connack_code = 3;
    lab.brokers[2]->resets_after = 0;
    lab.brokers[3]->host.stop_listening(1883);
    // fall probes, a tenth late each, the last one's timeout, and the start within 100 ms
    lab.run(milliseconds(100 + 2 * 1100 + 300));
    const Outcome expected[] = {
        ProbeFailure::NoAnswer, {ProbeFailure::Rejected, 3}, ProbeFailure::Closed, ProbeFailure::Refused};
    for (unsigned i = 0; i < 4; ++i) {
        EXPECT_FALSE(lab.health->view(i).healthy) << i;
        EXPECT_EQ(lab.health->view(i).last_failure, expected[i]) << i;
    }
    EXPECT_TRUE(lab.health->view(4).healthy);

    lab.brokers[0]->answers = true;
    lab.brokers[1]->connack_code = 0;
    lab.run(seconds(3));
    EXPECT_TRUE(lab.health->view(0).healthy);
    EXPECT_TRUE(lab.health->view(1).healthy);
    EXPECT_FALSE(lab.health->view(2).healthy);
}

TEST(Probe, OverHttpAsksAtThePortThatIsConfigured) {
    Lab lab({.health = health("http", "path = \"/ready\"\nport = 8080\nexpect_body = \"running\"")});
    serve_http(*lab.brokers[0], 8080, "HTTP/1.1 200 OK\r\n\r\nrunning");
    serve_http(*lab.brokers[1], 8080, "HTTP/1.1 200 OK\r\n\r\nstarting");
    serve_http(*lab.brokers[2], 8080, "HTTP/1.1 503 x\r\n\r\nrunning");
    lab.run(seconds(3));
    EXPECT_TRUE(lab.health->view(0).healthy);
    EXPECT_FALSE(lab.health->view(1).healthy);
    EXPECT_EQ(lab.health->view(1).last_failure, ProbeFailure::BadBody);
    EXPECT_FALSE(lab.health->view(2).healthy);
    EXPECT_EQ(lab.health->view(2).last_failure, (Outcome{ProbeFailure::BadStatus, 503}));
    EXPECT_TRUE(lab.brokers[0]->host.sockets[0]->received.starts_with(
        "GET /ready HTTP/1.1\r\nHost: 10.2.0.2:8080\r\n"));
    for (const auto& s : lab.brokers[0]->host.sockets) EXPECT_EQ(s->tuple.local.port, 8080);
}

TEST(Probe, ManyOverABadWireLeaveNothingBehind) {
    Lab lab(
        {.workers = 3, .health = "type = \"mqtt\"\ninterval = \"100ms\"\ntimeout = \"400ms\"\nfall = 1000"});
    serve_on(lab);
    unsigned frame = 0;
    const auto lose = [&](std::uint16_t, ByteView) { return frame++ % 9 == 4; };
    lab.lose_sent = lose;
    lab.lose_received = lose;
    lab.run(seconds(60));
    EXPECT_GT(lab.count(Counter::ProbesSent), 600U) << "ports are free again";
    EXPECT_GT(lab.count(Counter::ProbesSucceeded), lab.count(Counter::ProbesSent) / 2);
    lab.lose_sent = {};
    lab.lose_received = {};
    config::Config unprobed = lab.config;
    unprobed.pools[0].health.type = config::HealthType::None;
    lab.reload(std::move(unprobed));
    const std::uint64_t sent = lab.count(Counter::ProbesSent);
    lab.run(seconds(60));
    EXPECT_EQ(lab.count(Counter::ProbesSent), sent) << "nobody is to be asked any more";
    for (const auto& b : lab.brokers) {
        for (const auto& s : b->host.sockets) {
            EXPECT_TRUE(s->endpoint.state() == tcp::State::Closed ||
                        s->endpoint.state() == tcp::State::TimeWait)
                << to_string(s->endpoint.state());
        }
    }
    expect_nothing_left(lab);
}

TEST(Probe, ANewSnapshotMovesOnlyTheProbesThatItChanges) {
    Lab lab({.health = "type = \"mqtt\"\ninterval = \"10s\"\ntimeout = \"5s\""});
    for (const auto& b : lab.brokers) b->answers = false;  // so that probes stay under way
    Tap tap(lab);
    lab.run(milliseconds(200));
    const SocketAddress before = address(lab, 0);
    const SocketAddress after{IpAddress::v4(10, 2, 0, 77), 1883};
    for (unsigned i = 0; i < 3; ++i) ASSERT_EQ(count(tap, address(lab, i), syn), 1U);

    lab.set_down({2});  // its health, not its address
    EXPECT_EQ(count(tap, address(lab, 2), reset), 0U);

    lab.brokers[0]->host.addresses.push_back(after.address);
    lab.brokers[0]->answers = true;
    lab.brokers[0]->serves_on = true;
    config::Config moved = lab.config;
    moved.pools[0].backends[0].address = after;
    lab.reload(std::move(moved));
    EXPECT_EQ(count(tap, before, reset), 1U) << "the probe under way ends";
    EXPECT_EQ(lab.count(Counter::ProbesFailed), 0U) << "and says nothing";
    lab.run(milliseconds(200));
    EXPECT_EQ(count(tap, after, syn), 1U) << "asked soon";
    EXPECT_EQ(lab.count(Counter::ProbesSucceeded), 1U);
    for (const unsigned other : {1U, 2U}) {
        EXPECT_EQ(count(tap, address(lab, other), syn), 1U);
        EXPECT_EQ(count(tap, address(lab, other), reset), 0U);
    }
    lab.run(milliseconds(5000));
    EXPECT_EQ(lab.count(Counter::ProbesFailed), 2U) << "the others' probes went on";
}

TEST(Probe, NewHealthSettingsHoldAtOnce) {
    Lab lab({.brokers = 1, .health = "type = \"tcp\"\ninterval = \"1h\""});
    serve_on(lab);
    lab.run(milliseconds(200));
    ASSERT_EQ(lab.count(Counter::ProbesSucceeded), 1U);
    config::Config other = lab.config;
    other.pools[0].health.type = config::HealthType::Mqtt;
    lab.reload(std::move(other));
    lab.run(milliseconds(200));
    EXPECT_EQ(lab.count(Counter::ProbesSucceeded), 2U);
    EXPECT_EQ(lab.brokers[0]->visits.size(), 1U);
    lab.set_down({});
    lab.run(milliseconds(200));
    EXPECT_EQ(lab.count(Counter::ProbesSent), 2U) << "nothing has changed";
}

TEST(Probe, StoppingResetsWhatIsUnderWay) {
    Lab lab({.workers = 2, .health = health("mqtt")});
    for (const auto& b : lab.brokers) b->answers = false;
    Tap tap(lab);
    lab.run(milliseconds(150));
    ASSERT_EQ(lab.count(Counter::ProbesSent), 3U);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(count(tap, address(lab, i), reset), 1U);
    lab.run(seconds(5));
    EXPECT_EQ(lab.count(Counter::ProbesSent), 3U);
}

// Between probes, what brokers say to clients counts.
const std::string kRare = "interval = \"1h\"\nfall = 3";

TEST(Probe, BrokersThatCallThemselvesUnavailableGoDownWhereProbesWouldHearItToo) {
    for (const std::string type : {"mqtt", "tcp"}) {
        for (const mqtt::Version version : {mqtt::Version::V31, mqtt::Version::V311, mqtt::Version::V5}) {
            Lab lab({.brokers = 2, .health = "type = \"" + type + "\"\n" + kRare});
            serve_on(lab);
            lab.run(milliseconds(200));
            lab.brokers[0]->connack_code = version == mqtt::Version::V5 ? 0x89 : 0x03;
            for (int i = 0; i < 40; ++i) {
                Socket& client = lab.client();
                lab.settle();
                client.write(std::string_view(connect_packet("device-" + std::to_string(i), version)));
                lab.settle();
                EXPECT_EQ(client.received[3], 0) << "by the other broker";
            }
            EXPECT_EQ(lab.health->view(0).healthy, type == "tcp");
            if (type == "tcp") continue;
            EXPECT_EQ(lab.health->view(0).last_failure.failure, ProbeFailure::Rejected);
            EXPECT_EQ(lab.health->view(0).last_failure.code, lab.brokers[0]->connack_code);
            EXPECT_EQ(lab.count(Counter::ConnackRefused), 3U) << "fall, and then nobody tried it any more";
        }
    }
}

TEST(Probe, WhatABrokerHasAgainstAClientDoesNotCount) {
    for (const auto& [code, version] : {std::pair{0x04, mqtt::Version::V311},
                                        {0x05, mqtt::Version::V311},
                                        {0x97, mqtt::Version::V5},
                                        {0x9f, mqtt::Version::V5},
                                        {0x87, mqtt::Version::V5}}) {
        Lab lab({.brokers = 1, .health = "type = \"mqtt\"\n" + kRare});
        serve_on(lab);
        lab.run(milliseconds(200));
        lab.brokers[0]->connack_code = static_cast<std::uint8_t>(code);
        for (int i = 0; i < 10; ++i) {
            Socket& client = lab.client();
            lab.settle();
            client.write(std::string_view(connect_packet("device", version)));
            lab.settle();
        }
        EXPECT_EQ(lab.count(Counter::ConnackRefused), 10U);
        EXPECT_TRUE(lab.health->view(0).healthy) << code;
        EXPECT_EQ(lab.health->view(0).failures, 0U);
    }
}

TEST(Probe, ACleanConnackEndsARowOfFailuresAndTakingAConnectionIsNotEnough) {
    Lab lab({.brokers = 1, .health = "type = \"mqtt\"\n" + kRare});
    Broker& broker = *lab.brokers[0];
    serve_on(lab);
    lab.run(milliseconds(200));
    broker.connack_code = 3;
    lab.connect("a");
    lab.connect("b");
    EXPECT_EQ(lab.health->view(0).failures, 2U);
    broker.connack_code = 5;
    lab.connect("c");
    EXPECT_EQ(lab.health->view(0).failures, 2U);
    broker.connack_code = 0;
    lab.connect("d");
    EXPECT_EQ(lab.health->view(0).failures, 0U);
    broker.connack_code = 3;
    lab.connect("e");
    lab.connect("f");
    EXPECT_TRUE(lab.health->view(0).healthy);
    lab.connect("g");
    EXPECT_FALSE(lab.health->view(0).healthy);
}

TEST(Probe, WhereProbesEndAtTcpTakingAConnectionEndsARow) {
    Lab lab({.brokers = 1, .pool = "attempt_timeout = \"1s\"", .health = "type = \"tcp\"\n" + kRare});
    Broker& broker = *lab.brokers[0];
    lab.run(milliseconds(200));
    broker.host.deaf_tcp = true;
    lab.connect("a");
    lab.run(milliseconds(1100));
    EXPECT_EQ(lab.health->view(0).failures, 1U);
    broker.host.deaf_tcp = false;
    broker.connack_code = 3;
    lab.connect("b");
    EXPECT_EQ(lab.health->view(0).failures, 0U);
}

}  // namespace
}  // namespace sluice::test
