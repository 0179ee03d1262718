// What clients make of a broker that is in the test's hands: what they are told that is no MQTT ends their
// connections and is named, and what is refused is counted as such.
#include "swarm.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "fake_transport.h"
#include "mqtt_text.h"

namespace sluice::load::test {
namespace {

constexpr mqtt::Version kVersions[] = {mqtt::Version::V31, mqtt::Version::V311, mqtt::Version::V5};
constexpr mqtt::Version kV311 = mqtt::Version::V311;
constexpr mqtt::Version kV5 = mqtt::Version::V5;
constexpr Instant kNow = Instant{} + 1h;

// One client: number 0.
class Client final : public SwarmWatcher {
  public:
    explicit Client(const SwarmOptions& options) : swarm(options, kNow), network(options.clients) {
        network.set_events(swarm);
        swarm.use(network);
        swarm.watch(*this);
        EXPECT_TRUE(swarm.connect(kNow, 0));
        network.establish(kNow, 0);
    }
    void on_ready(Instant, Id) override { ++ready; }
    void on_answered(Instant, Id) override { ++answered; }
    void on_gone(Instant, Id) override { ++gone; }

    // What it says to that.
    std::string hear(std::string_view bytes) {
        network.take_sent(0);
        network.arrive(kNow, 0, bytes);
        return network.take_sent(0);
    }
    void expect_fault(const std::string& why) {
        EXPECT_FALSE(network.exists(0)) << why;
        EXPECT_EQ(swarm.tally().protocol_errors, 1U) << why;
        EXPECT_EQ(swarm.tally().last_protocol_error, "client 0: " + why);
        EXPECT_EQ(gone, 1U) << why;
    }

    Swarm swarm;
    FakeTransport network;
    unsigned ready = 0;
    unsigned answered = 0;
    unsigned gone = 0;
};

SwarmOptions one(mqtt::Version version, std::uint8_t qos = 0) {
    SwarmOptions options;
    options.clients = 1;
    options.version = version;
    options.qos = qos;
    options.payload = 0;
    return options;
}

SwarmOptions subscriber(mqtt::Version version, std::uint8_t qos = 1) {
    SwarmOptions options = one(version);
    options.subscribers = 1;
    options.filter = "t/%c";
    options.filter_qos = qos;
    return options;
}

TEST(Swarm, SaysWhatTheStandardSays) {
    for (const mqtt::Version version : kVersions) {
        SwarmOptions options = subscriber(version);
        options.client_id = "dev-";
        options.username = "u";
        options.password = "p";
        options.clean_start = false;
        Client client(options);
        EXPECT_EQ(client.network.take_sent(0), connect({.version = version,
                                                        .client_id = "dev-0",
                                                        .keep_alive = 60,
                                                        .username = "u",
                                                        .password = "p",
                                                        .clean_start = false,
                                                        .session_expiry = 86'400}));
        EXPECT_EQ(client.hear(connack(version, 0)), subscribe(1, {{.filter = "t/0", .qos = 1}}, version));
        EXPECT_EQ(client.hear(suback(1, raw({1}), version)), "");
        EXPECT_EQ(client.ready, 1U);
        EXPECT_EQ(client.hear(publish({.topic = "t/0", .packet_id = 7, .qos = 1}, version)),
                  ack(mqtt::PacketType::Puback, 7));
        EXPECT_EQ(client.hear(publish({.topic = "t/0", .packet_id = 8, .qos = 2}, version)),
                  ack(mqtt::PacketType::Pubrec, 8));
        EXPECT_EQ(client.hear(ack(mqtt::PacketType::Pubrel, 8)), ack(mqtt::PacketType::Pubcomp, 8));
        EXPECT_EQ(client.swarm.tally().received, 2U);
        client.swarm.leave(kNow, 0);
        EXPECT_EQ(client.network.take_sent(0), disconnect());
        EXPECT_TRUE(client.network.is_closed(0));
    }
}

TEST(Swarm, SubackIsChecked) {
    struct Case {
        std::string suback;
        const char* why;
    };
    for (const mqtt::Version version : kVersions) {
        for (const Case& c : {
                 Case{suback(2, raw({1}), version), "SUBACK of another SUBSCRIBE"},
                 Case{suback(1, raw({1, 1}), version), "SUBACK of another SUBSCRIBE"},
                 Case{suback(1, raw({2}), version), "SUBACK grants more than was asked for"},
                 Case{suback(1, "", version), "SUBACK: no topic filter"},
                 Case{suback(1, raw({3}), version), "SUBACK: reason code that does not belong to the packet"},
                 Case{suback(1, raw({0x80}), version),
                      version == mqtt::Version::V31 ? "SUBACK: reason code that does not belong to the packet"
                                                    : "SUBSCRIBE refused"},
             }) {
            Client client(subscriber(version));
            client.hear(connack(version, 0));
            EXPECT_EQ(client.hear(c.suback), "");
            client.expect_fault(c.why);
            EXPECT_EQ(client.ready, 0U);
            EXPECT_EQ(client.swarm.tally().failed, 1U);
        }
    }
}

TEST(Swarm, WhatIsNoMqttEndsTheConnection) {
    struct Case {
        mqtt::Version version;
        std::string said;
        const char* why;
    };
    for (const Case& c : {
             Case{kV311, raw({0xd1, 0}), "PINGRESP: bad flags in the fixed header"},
             Case{kV311, raw({0xd0, 1, 0}), "PINGRESP: bad length"},
             Case{kV311, raw({0xe0, 0}), "packet type 14 not expected here"},
             Case{kV5, raw({0xe0, 1, 0x01}), "DISCONNECT: reason code that does not belong to the packet"},
             Case{kV5, publish({.topic = "t", .topic_alias = 1}, kV5),
                  "PUBLISH: topic alias that was not announced"},
             Case{kV311, raw({0x30, 5, 0, 3, 'a', '/', '#'}), "PUBLISH: bad topic name"},
             Case{kV311, raw({0x40, 2, 0, 0}), "acknowledgement: packet identifier 0"},
             Case{kV311, ack(mqtt::PacketType::Puback, 1), "an acknowledgement of no message"},
             Case{kV311, raw({0xb0, 2, 0, 1}), "packet type 11 not expected here"},
             Case{kV311, raw({0x00, 0}), "no MQTT packet"},
             Case{kV311, raw({0x30, 0x80, 0x20}), "a packet of 4099 bytes"},
         }) {
        Client client(one(c.version));
        client.hear(connack(c.version, 0));
        ASSERT_EQ(client.ready, 1U);
        EXPECT_EQ(client.hear(c.said), "");
        client.expect_fault(c.why);
        EXPECT_EQ(client.swarm.tally().lost, 1U);
    }
}

// In v5 a broker may reject a message, with PUBACK or PUBREC: then nothing more is said of it.
TEST(Swarm, RejectedMessagesAreNoAcknowledgedOnes) {
    for (const std::uint8_t qos : std::initializer_list<std::uint8_t>{1, 2}) {
        const auto type = qos == 1 ? mqtt::PacketType::Puback : mqtt::PacketType::Pubrec;
        Client client(one(kV5, qos));
        client.hear(connack(kV5, 0));
        ASSERT_TRUE(client.swarm.publish(kNow, 0));
        EXPECT_EQ(client.hear(ack(type, 1, 0x97)), "");
        EXPECT_EQ(client.answered, 1U);
        EXPECT_EQ(client.swarm.tally().rejected, 1U);
        EXPECT_EQ(client.swarm.tally().acknowledged, 0U);
        EXPECT_EQ(client.swarm.tally().in_flight, 0U);
        ASSERT_TRUE(client.swarm.may_publish(0));
        ASSERT_TRUE(client.swarm.publish(kNow, 0));
        // "No matching subscribers" is no failure.
        const std::string said = client.hear(ack(type, 2, 0x10));
        EXPECT_EQ(said, qos == 1 ? "" : ack(mqtt::PacketType::Pubrel, 2));
        if (qos == 2) client.hear(ack(mqtt::PacketType::Pubcomp, 2));
        EXPECT_EQ(client.swarm.tally().acknowledged, 1U);
        EXPECT_EQ(client.swarm.tally().protocol_errors, 0U);
    }
}

TEST(Swarm, DisconnectOfTheBrokerIsFollowedByTheEnd) {
    Client client(one(kV5));
    client.hear(connack(kV5, 0));
    client.hear(disconnect(kV5, 0x8b));
    EXPECT_TRUE(client.network.exists(0));
    client.network.end(kNow, 0, End::Finished);
    EXPECT_EQ(client.swarm.tally().lost, 1U);
    EXPECT_EQ(client.swarm.tally().protocol_errors, 0U);
}

}  // namespace
}  // namespace sluice::load::test
