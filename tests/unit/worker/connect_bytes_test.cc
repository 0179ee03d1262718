// However the bytes of a CONNECT arrive, the broker gets exactly them, and everything behind them in order.
#include <gtest/gtest.h>

#include "sluice/wire/ip_packet.h"
#include "worker/packets.h"

namespace sluice::test {
namespace {

using mqtt::Version;

constexpr std::array kVersions{Version::V31, Version::V311, Version::V5};
const std::string kSubscribe(
    "\x82\x08\x00\x01\x00\x03"
    "a/b\x01",
    10);
const std::string kPublish = std::string(
                                 "\x30\x09\x00\x03"
                                 "a/b",
                                 7) +
                             "data";

std::string accepted(Version version) {
    return version == Version::V5 ? std::string("\x20\x03\x00\x00\x00", 5) : kConnackAccepted;
}

Socket& open(Lab& lab) {
    Socket& client = lab.client();
    lab.settle();
    return client;
}

// Sizes of the segments with payload that arrive from clients.
std::vector<std::size_t>& watch_segments(Lab& lab, std::vector<std::size_t>& sizes) {
    lab.lose_received = [&sizes](std::uint16_t port, ByteView frame) {
        const auto ethernet = wire::EthernetView::parse(frame);
        wire::IpError error{};
        const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
        if (port != 0 || !packet || packet->protocol != wire::kProtocolTcp) return false;
        const std::size_t size = wire::TcpView::parse(packet->payload)->payload().size();
        if (size != 0) sizes.push_back(size);
        return false;
    };
    return sizes;
}

TEST(ConnectBytes, AnySplitIntoTwoSegmentsWorks) {
    Lab lab;
    std::vector<std::size_t> sizes;
    watch_segments(lab, sizes);
    for (const Version version : kVersions) {
        const std::size_t size = connect_packet("split-00", version).size();
        for (std::size_t at = 1; at < size; ++at) {
            const std::string id = "split-" + std::to_string(10 + at);
            const std::string whole = connect_packet(id, version);
            Socket& client = open(lab);
            sizes.clear();
            client.write(whole.substr(0, at));
            lab.settle();
            EXPECT_EQ(client.received, "");
            client.write(whole.substr(at));
            lab.run(std::chrono::milliseconds(50));
            ASSERT_EQ(sizes, (std::vector{at, whole.size() - at}));
            EXPECT_EQ(client.received, accepted(version)) << mqtt::to_string(version) << " at " << at;
            Broker* const broker = lab.broker_of(id);
            ASSERT_NE(broker, nullptr);
            EXPECT_EQ(broker->socket_of(id)->received, whole);
        }
    }
}

TEST(ConnectBytes, OneByteASegmentWorks) {
    Lab lab;
    std::vector<std::size_t> sizes;
    watch_segments(lab, sizes);
    for (const Version version : kVersions) {
        sizes.clear();
        const std::string id = std::string("one byte each, version ") + mqtt::to_string(version);
        const std::string whole = connect_packet(id, version) + kSubscribe;
        Socket& client = open(lab);
        for (const char byte : whole) {
            client.write(std::string_view(&byte, 1));
            lab.run(std::chrono::milliseconds(50));
        }
        EXPECT_EQ(sizes, std::vector<std::size_t>(whole.size(), 1));
        EXPECT_EQ(client.received, accepted(version));
        EXPECT_EQ(lab.broker_of(id)->socket_of(id)->received, whole);
    }
}

TEST(ConnectBytes, WhatIsPipelinedInTheSameSegmentFollowsTheConnect) {
    Lab lab;
    for (const Version version : kVersions) {
        const std::string id = std::string("pipelined ") + mqtt::to_string(version);
        Socket& client = open(lab);
        client.write(connect_packet(id, version) + kSubscribe + kPublish + kPublish);
        lab.run(std::chrono::milliseconds(20));
        EXPECT_EQ(client.received, accepted(version));
        EXPECT_EQ(lab.broker_of(id)->after_connect(id), kSubscribe + kPublish + kPublish);
    }
}

// A publisher that closes when it has sent all is reset by the first answer: who did not wait for one gets it
// when he has been silent for a moment, behind his FIN, or after a while.
TEST(ConnectBytes, TheAnswerWaitsForWhoSendsOn) {
    using std::chrono::milliseconds;
    for (const bool ipv6 : {false, true}) {
        Lab lab({.brokers = 1, .ipv6 = ipv6});
        Socket& patient = lab.client();
        Socket& hasty = lab.client();
        Socket& closing = lab.client();
        lab.settle();
        patient.write(std::string_view(connect_packet("patient")));
        hasty.write(connect_packet("hasty") + kPublish);
        closing.write(connect_packet("closing") + kPublish);
        lab.settle();
        EXPECT_EQ(patient.received, kConnackAccepted);
        EXPECT_EQ(lab.brokers[0]->after_connect("hasty"), kPublish);  // the broker does not wait
        EXPECT_EQ(hasty.received + closing.received, "");
        closing.shutdown();
        lab.settle();
        EXPECT_EQ(closing.received, kConnackAccepted);
        lab.run(milliseconds(8));
        hasty.write(std::string_view(kPublish));
        lab.run(milliseconds(8));
        EXPECT_EQ(hasty.received, "");
        lab.run(milliseconds(4));
        EXPECT_EQ(hasty.received, kConnackAccepted);
        Socket& endless = lab.client();
        lab.settle();
        endless.write(connect_packet("endless") + kPublish);
        for (int i = 0; i < 24; ++i) {
            lab.run(milliseconds(8));
            EXPECT_EQ(endless.received, "") << i;
            endless.write(std::string_view(kPublish));
        }
        lab.run(milliseconds(9));
        EXPECT_EQ(endless.received, kConnackAccepted);
        lab.command({.kind = worker::Command::Kind::Stop});
        lab.settle();
        expect_nothing_left(lab);
    }
}

TEST(ConnectBytes, WhatIsSentBeforeConnackArrivesInOrder) {
    Lab lab({.brokers = 1});
    lab.brokers[0]->answers = false;
    Socket& client = lab.connect("eager");
    std::string sent;
    for (int i = 0; i < 50; ++i) {
        const std::string piece = kPublish + std::to_string(i);
        client.write(std::string_view(piece));
        sent += piece;
        lab.run(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(client.received, "");
    EXPECT_EQ(lab.broker_of("eager")->after_connect("eager"), sent);
    lab.brokers[0]->socket_of("eager")->write(std::string_view(kConnackAccepted));
    lab.run();
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.broker_of("eager")->after_connect("eager"), sent);
}

TEST(ConnectBytes, WhatIsSentWhileTheBrokerIsBeingReachedIsKeptForIt) {
    Lab lab({.brokers = 1, .pool = "attempt_timeout = \"5s\""});
    lab.brokers[0]->host.deaf_tcp = true;
    Socket& client = lab.connect("early bird");
    std::string sent;
    for (int i = 0; i < 20; ++i) {
        const std::string piece = kPublish + std::string(1000, static_cast<char>('a' + i));
        client.write(std::string_view(piece));
        sent += piece;
        lab.run(std::chrono::milliseconds(50));
    }
    lab.brokers[0]->host.deaf_tcp = false;
    lab.run(std::chrono::seconds(3));
    EXPECT_EQ(client.received, kConnackAccepted);
    EXPECT_EQ(lab.brokers[0]->after_connect("early bird"), sent);
}

TEST(ConnectBytes, ClientIdsOfAnyLengthReachTheBrokerWhole) {
    Lab lab({.listener = "max_connect_size = \"128KiB\"\nconnect_window = \"128KiB\""});
    for (const Version version : kVersions) {
        for (const std::size_t length : {0U, 1U, 127U, 128U, 300U, 65535U}) {
            if (length == 0 && version == Version::V31) continue;  // 3.1 forbids it
            SCOPED_TRACE(std::string(mqtt::to_string(version)) + ", " + std::to_string(length));
            const std::string id(length, static_cast<char>('a' + static_cast<int>(version)));
            const std::string whole = connect_packet(id, version) + kPublish;
            Socket& client = open(lab);
            client.write(std::string_view(whole));
            lab.run(std::chrono::seconds(1));
            EXPECT_EQ(client.received, accepted(version));
            ASSERT_NE(lab.broker_of(id), nullptr);
            EXPECT_EQ(lab.broker_of(id)->after_connect(id), kPublish);
            client.abort();
            lab.settle();
        }
    }
}

TEST(ConnectBytes, IdsThatDifferOnlyAtTheirEndSpreadOverBrokers) {
    Lab lab;
    const std::string prefix(200, 'p');
    for (int i = 0; i < 30; ++i) lab.connect(prefix + std::to_string(i));
    for (const auto& b : lab.brokers) EXPECT_GE(b->visits.size(), 3U);
}

TEST(ConnectBytes, AnEmptyClientIdGoesWhereFewestConnectionsAre) {
    Lab lab;
    for (int i = 0; i < 30; ++i) {
        Socket& client = open(lab);
        client.write(std::string_view(connect_packet("", i % 2 == 0 ? Version::V311 : Version::V5)));
        lab.settle();
    }
    for (const auto& b : lab.brokers) EXPECT_EQ(b->visits.size(), 10U);
}

TEST(ConnectBytes, TheListingTellsTheVersion) {
    Lab lab;
    for (const Version version : kVersions) {
        Socket& client = open(lab);
        client.write(connect_packet("v", version, 7));
        lab.settle();
        ASSERT_EQ(lab.rows().size(), 1U);
        EXPECT_EQ(lab.rows()[0].mqtt_version, static_cast<std::uint8_t>(version));
        EXPECT_EQ(lab.rows()[0].keep_alive, 7);
        client.abort();
        lab.settle();
    }
}

}  // namespace
}  // namespace sluice::test
