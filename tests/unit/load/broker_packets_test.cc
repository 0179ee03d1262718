// What the broker makes of packets that are wrong, large, or not its own.
#include <gtest/gtest.h>

#include "broker_lab.h"

namespace sluice::load::test {
namespace {

// What is malformed ends the connection; v5 is told why, and all is counted by its kind.
TEST(BrokerPackets, MalformedOnesEndTheConnection) {
    struct Case {
        std::string bytes;
        mqtt::PacketError error;
        unsigned reason;
    };
    const Case cases[] = {
        {raw({0x36, 5, 0, 1, 'a', 0, 1}), mqtt::PacketError::BadQos, 0x81},
        {raw({0x30, 4, 0, 1, '#', 0}), mqtt::PacketError::BadTopic, 0x90},
        {raw({0x30, 7, 0, 1, 'a', 3, 0x23, 0, 1}), mqtt::PacketError::BadTopicAlias, 0x94},
        {raw({0x30, 3, 0, 9, 'a'}), mqtt::PacketError::BadLength, 0x81},
        {raw({0x32, 6, 0, 1, 'a', 0, 0, 0}), mqtt::PacketError::BadPacketId, 0x82},
        {raw({0x60, 2, 0, 1}), mqtt::PacketError::BadFlags, 0x81},
        {raw({0x82, 3, 0, 1, 0}), mqtt::PacketError::NoFilter, 0x82},
        {raw({0x82, 7, 0, 1, 0, 0, 1, 'a', 3}), mqtt::PacketError::BadQos, 0x81},
        {raw({0x82, 8, 0, 1, 0, 0, 2, 'a', '#', 0}), mqtt::PacketError::BadFilter, 0x8f},
        {raw({0xa2, 6, 0, 1, 0, 0, 9, 'a'}), mqtt::PacketError::BadLength, 0x81},
        {raw({0xc1, 0}), mqtt::PacketError::BadFlags, 0x81},
        {raw({0xc0, 1, 0}), mqtt::PacketError::BadLength, 0x81},
        {raw({0xe0, 1, 1}), mqtt::PacketError::BadReason, 0x81},
    };
    for (const Case& c : cases) {
        BrokerLab lab;
        const Id id = lab.client("c", kV5);
        EXPECT_EQ(lab.ask(id, c.bytes + pingreq()), disconnect(kV5, static_cast<std::uint8_t>(c.reason)));
        EXPECT_TRUE(lab.network.is_closed(id));
        EXPECT_EQ(lab.counts().packet_errors[static_cast<std::size_t>(c.error)], 1U) << to_string(c.error);
        EXPECT_EQ(lab.counts().last_error, to_string(c.error));
        EXPECT_EQ(lab.counts().protocol_errors(), 1U);
        EXPECT_EQ(lab.counts().pings, 0U);
        EXPECT_EQ(lab.counts().connected, 0U);
    }
}

// Before v5 the connection just ends.
TEST(BrokerPackets, OlderVersionsAreToldNothing) {
    BrokerLab lab;
    const Id id = lab.client("c");
    EXPECT_EQ(lab.ask(id, raw({0x36, 5, 0, 1, 'a', 0, 1})), "");
    EXPECT_TRUE(lab.network.is_closed(id));
}

TEST(BrokerPackets, WhatNoClientSays) {
    for (const std::string& bytes :
         {connect({.version = kV5, .client_id = "c"}), raw({0x20, 3, 0, 0, 0}), raw({0x90, 4, 0, 1, 0, 0}),
          raw({0xb0, 4, 0, 1, 0, 0}), pingresp(), raw({0xf0, 0})}) {
        BrokerLab lab;
        const Id id = lab.client("c", kV5);
        EXPECT_EQ(lab.ask(id, bytes), disconnect(kV5, 0x82));
        EXPECT_EQ(lab.counts().faults[std::size_t(BrokerStatistics::Fault::Unexpected)], 1U);
    }
    BrokerLab lab;
    EXPECT_EQ(lab.ask(lab.client("c", kV5), raw({0x00, 0})), disconnect(kV5, 0x81));
    EXPECT_EQ(lab.ask(lab.client("d", kV5), raw({0x30, 0xff, 0xff, 0xff, 0xff})), disconnect(kV5, 0x81));
    EXPECT_EQ(lab.counts().faults[std::size_t(BrokerStatistics::Fault::BadHeader)], 2U);
}

TEST(BrokerPackets, SubscriptionsThatItDoesNotGrant) {
    BrokerLab lab;
    const Id id = lab.client("c", kV5);
    const std::string deep(300, '/');
    EXPECT_EQ(
        lab.ask(id,
                subscribe(1, {{.filter = "$share/g/a"}, {.filter = deep}, {.filter = "a", .qos = 2}}, kV5)),
        suback(1, raw({0x9e, 0x8f, 2}), kV5));
    EXPECT_EQ(lab.counts().subscriptions, 1U);
    EXPECT_EQ(lab.counts().refused_subscriptions, 2U);
    // A subscription identifier, which CONNACK says it does not have.
    EXPECT_EQ(lab.ask(id, raw({0x82, 9, 0, 1, 2, 0x0b, 1, 0, 1, 'a', 0})), disconnect(kV5, 0xa1));
    const Id old = lab.client("d");
    EXPECT_EQ(lab.ask(old, subscribe(1, {{.filter = deep}})), suback(1, raw({0x80})));
}

// A payload that no buffer holds passes by, whatever its pieces, and is acknowledged at its end.
TEST(BrokerPackets, PayloadsLargerThanAnyBuffer) {
    const std::string payload(100'000, 'x');
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
        const auto packet_id = static_cast<std::uint16_t>(qos == 0 ? 0 : 7);
        const std::string large =
            publish({.topic = "a", .payload = as_bytes(payload), .packet_id = packet_id, .qos = qos});
        const std::string answer = qos == 0   ? ""
                                   : qos == 1 ? ack(mqtt::PacketType::Puback, 7)
                                              : ack(mqtt::PacketType::Pubrec, 7);
        for (const std::size_t piece : {1U, 999U, 4095U}) {
            BrokerLab lab;
            const Id id = lab.client("c");
            lab.network.arrive_in_pieces(lab.now, id, large.substr(0, large.size() - 1), piece);
            EXPECT_EQ(lab.heard(id), "");
            // Its last byte comes together with more.
            EXPECT_EQ(lab.ask(id, "x" + pingreq()), answer + pingresp());
            EXPECT_EQ(lab.counts().publishes[qos], 1U);
            EXPECT_EQ(lab.counts().payload_bytes, 100'000U);
            EXPECT_EQ(lab.counts().protocol_errors(), 0U);
            EXPECT_EQ(lab.network.pending(id), 0U);
        }
    }
}

TEST(BrokerPackets, LargeOnesAreReadStrictlyAsWell) {
    BrokerLab lab;
    const std::string payload(100'000, 'x');
    const Id id = lab.client("c", kV5);
    lab.say(id, publish({.topic = "a/#", .payload = as_bytes(payload)}, kV5).substr(0, 100));
    EXPECT_EQ(lab.heard(id), disconnect(kV5, 0x90));
    // A topic that fills the buffer leaves no room to read on.
    const Id topic = lab.client("d", kV5);
    lab.network.arrive_in_pieces(lab.now, topic, publish({.topic = payload.substr(0, 60'000)}, kV5), 1000);
    EXPECT_EQ(lab.heard(topic), disconnect(kV5, 0x95));
}

TEST(BrokerPackets, NothingElseMayBeThatLarge) {
    BrokerLab lab;
    const Id id = lab.client("c", kV5);
    const std::string filter(5000, 'x');
    lab.say(id, subscribe(1, {{.filter = filter}}, kV5).substr(0, 10));
    EXPECT_EQ(lab.heard(id), disconnect(kV5, 0x95));
    EXPECT_EQ(lab.counts().faults[std::size_t(BrokerStatistics::Fault::TooLarge)], 1U);
    // And no PUBLISH that would have to be delivered.
    BrokerLab routing({.route = true});
    const Id publisher = routing.client("c", kV5);
    routing.say(publisher, publish({.topic = "a", .payload = as_bytes(filter)}, kV5).substr(0, 10));
    EXPECT_EQ(routing.heard(publisher), disconnect(kV5, 0x95));
}

}  // namespace
}  // namespace sluice::load::test
