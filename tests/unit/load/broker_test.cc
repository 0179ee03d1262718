// The broker's handshake, time and bounds.
#include "broker.h"

#include <gtest/gtest.h>

#include "broker_lab.h"

namespace sluice::load::test {
namespace {

const SocketAddress kOther{IpAddress::v4(10, 0, 0, 2), 1883};

TEST(Broker, AnswersConnectInEveryVersion) {
    for (const mqtt::Version version : {kV31, kV311, kV5}) {
        BrokerLab lab;
        const Id id = lab.arrive(connect({.version = version, .client_id = "c"}));
        EXPECT_EQ(lab.heard(id), connack(version, 0, usual()));
        EXPECT_EQ(lab.counts().connects, 1U);
        EXPECT_EQ(lab.counts().connected, 1U);
        lab.network.end(lab.now, id, End::Reset);
        EXPECT_EQ(lab.counts().connected, 0U);
        EXPECT_EQ(lab.counts().ends[static_cast<std::size_t>(End::Reset)], 1U);
    }
}

// In v5 who has no name is given one, each another.
TEST(Broker, NamesWhoHasNoName) {
    BrokerLab lab;
    const Id a = lab.arrive(connect({.version = kV5}));
    const Id b = lab.arrive(connect({.version = kV5}));
    mqtt::ConnackFields fields = usual();
    fields.assigned_client_id = "auto-1";
    EXPECT_EQ(lab.heard(a), connack(kV5, 0, fields));
    fields.assigned_client_id = "auto-2";
    EXPECT_EQ(lab.heard(b), connack(kV5, 0, fields));
    const Id c = lab.arrive(connect({.version = kV311}));
    EXPECT_EQ(lab.heard(c), connack(kV311, 0));
}

// All in any pieces gives the same answers as all at once.
TEST(Broker, BytesMayComeInAnyPieces) {
    for (const mqtt::Version version : {kV311, kV5}) {
        const std::string said =
            connect({.version = version, .client_id = "c"}) +
            publish({.topic = "a", .payload = as_bytes("x")}, version) +
            publish({.topic = "a", .payload = as_bytes("x"), .packet_id = 1, .qos = 1}, version) +
            publish({.topic = "a", .packet_id = 2, .qos = 2}, version) + ack(mqtt::PacketType::Pubrel, 2) +
            subscribe(3, {{.filter = "a", .qos = 1}, {.filter = "#", .qos = 2}}, version) +
            unsubscribe(4, {"a"}, version) + pingreq() + disconnect(version);
        std::vector<std::byte> unsuback;
        const std::string reasons = raw({0});
        mqtt::append_unsuback(unsuback, {.packet_id = 4, .reasons = as_bytes(reasons)}, version);
        const std::string heard = connack(version, 0, usual()) + ack(mqtt::PacketType::Puback, 1) +
                                  ack(mqtt::PacketType::Pubrec, 2) + ack(mqtt::PacketType::Pubcomp, 2) +
                                  suback(3, raw({1, 2}), version) + text_of(unsuback) + pingresp();
        for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 64U, 1000U}) {
            BrokerLab lab;
            const Id id = lab.network.accept(lab.now, FakeTransport::kServer);
            lab.network.arrive_in_pieces(lab.now, id, said, piece);
            EXPECT_EQ(lab.heard(id), heard) << piece;
            EXPECT_TRUE(lab.network.is_closed(id));
            EXPECT_EQ(lab.counts().disconnects, 1U);
            EXPECT_EQ(lab.counts().connected, 0U);
            EXPECT_EQ(lab.counts().publishes, (std::array<std::uint64_t, 3>{1, 1, 1}));
            EXPECT_EQ(lab.counts().payload_bytes, 2U);
            EXPECT_EQ(lab.counts().pings, 1U);
            EXPECT_EQ(lab.counts().subscriptions, 2U);
            EXPECT_EQ(lab.counts().protocol_errors(), 0U);
        }
    }
}

TEST(Broker, RefusesWhatIsNoConnect) {
    BrokerLab lab;
    const Id http = lab.arrive("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(lab.heard(http), "");
    EXPECT_TRUE(lab.network.is_closed(http));
    const Id future = lab.arrive(raw({0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 9, 2, 0, 0, 0, 1, 'c'}));
    EXPECT_EQ(lab.heard(future), connack(kV311, 1));
    const Id nameless = lab.arrive(connect({.version = kV311, .clean_start = false}));
    EXPECT_EQ(lab.heard(nameless), connack(kV311, 2));
    // v5 with Receive Maximum 0, and with a property that CONNECT has not.
    const Id none = lab.arrive(raw({0x10, 16, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 0, 3, 0x21, 0, 0, 0, 0}));
    EXPECT_EQ(lab.heard(none), connack(kV5, 0x82));
    const Id odd = lab.arrive(raw({0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 0, 2, 0x23, 1, 0, 0}));
    EXPECT_EQ(lab.heard(odd), connack(kV5, 0x81));
    EXPECT_EQ(lab.counts().connects, 0U);
    EXPECT_EQ(lab.counts().refused, 4U);
    EXPECT_EQ(lab.counts().protocol_errors(), 5U);
    EXPECT_EQ(lab.counts().connect_errors[std::size_t(mqtt::ConnectError::NotConnect)], 1U);
    EXPECT_EQ(lab.counts().last_error, "CONNECT: unknown property");
    // What follows is not looked at.
    EXPECT_EQ(lab.ask(odd, connect({.client_id = "c"})), "");
}

TEST(Broker, RefusesEverybodyWithACode) {
    BrokerLab lab({.connack_code = 0x87});
    EXPECT_EQ(lab.heard(lab.arrive(connect({.version = kV5, .client_id = "c"}))), connack(kV5, 0x87));
    EXPECT_EQ(lab.heard(lab.arrive(connect({.version = kV311, .client_id = "c"}))), connack(kV311, 5));
    EXPECT_EQ(lab.counts().refused, 2U);
    EXPECT_EQ(lab.counts().connected, 0U);
}

TEST(Broker, DelaysItsConnack) {
    BrokerLab lab({.delay = 500ms});
    const Id id = lab.arrive(connect({.client_id = "c"}));
    lab.pass(490ms);
    EXPECT_EQ(lab.heard(id), "");
    EXPECT_EQ(lab.counts().connected, 0U);
    lab.pass(20ms);
    EXPECT_EQ(lab.heard(id), connack(kV311, 0));
}

// What a client says before its CONNACK is heard behind it, however it was cut.
TEST(Broker, KeepsWhatComesBeforeItsDelayedConnack) {
    const std::string first = connect({.client_id = "c"});
    const std::string said = publish({.topic = "a", .packet_id = 1, .qos = 1}) + pingreq() +
                             publish({.topic = "a", .packet_id = 2, .qos = 1});
    for (std::size_t cut = 0; cut <= said.size(); ++cut) {
        BrokerLab lab({.delay = 100ms});
        const Id id = lab.arrive(first + said.substr(0, cut / 2));
        lab.say(id, said.substr(cut / 2, cut - cut / 2));
        EXPECT_EQ(lab.heard(id), "");
        lab.pass(200ms);
        lab.say(id, said.substr(cut));
        EXPECT_EQ(lab.heard(id), connack(kV311, 0) + ack(mqtt::PacketType::Puback, 1) + pingresp() +
                                     ack(mqtt::PacketType::Puback, 2))
            << cut;
    }
}

TEST(Broker, FloodBeforeADelayedConnackIsEnded) {
    BrokerLab lab({.delay = 1s});
    const Id id = lab.arrive(connect({.client_id = "c"}));
    for (int i = 0; i < 10 && lab.network.exists(id); ++i) lab.say(id, std::string(4000, 'x'));
    EXPECT_FALSE(lab.network.exists(id));
    EXPECT_EQ(lab.counts().overruns, 1U);
    lab.pass(2s);  // nothing is due for it any more
    EXPECT_EQ(lab.counts().connects, 0U);
}

TEST(Broker, RefusesAboveItsRate) {
    BrokerLab lab({.accept_rate = 100});
    for (int i = 0; i < 40; ++i) {
        const Id id = lab.arrive(connect({.version = i % 2 == 0 ? kV5 : kV311, .client_id = "c"}));
        if (i < 11) continue;  // what may come at once
        EXPECT_EQ(lab.heard(id), i % 2 == 0 ? connack(kV5, 0x97) : connack(kV311, 3)) << i;
    }
    EXPECT_EQ(lab.counts().connects, 11U);
    EXPECT_EQ(lab.counts().refused, 29U);
    lab.pass(1s);
    lab.client("later");
}

TEST(Broker, DelaysAboveItsRate) {
    BrokerLab lab({.accept_rate = 10, .delay_above_rate = true});
    for (int i = 0; i < 20; ++i) lab.arrive(connect({.client_id = "c"}));
    EXPECT_EQ(lab.counts().connects, 1U);
    lab.pass(1s);
    EXPECT_EQ(lab.counts().connects, 11U);
    lab.pass(1s);
    EXPECT_EQ(lab.counts().connects, 20U);
    EXPECT_EQ(lab.counts().refused, 0U);
    EXPECT_LE(lab.counts().rate.peak(), 11U);
}

// One and a half Keep Alives of silence end a connection, less does not, and whatever comes counts.
TEST(Broker, KeepAlive) {
    BrokerLab lab;
    const Id silent = lab.client("silent", kV5, 10);
    const Id lively = lab.client("lively", kV311, 10);
    const Id none = lab.client("none", kV311, 0);
    for (int i = 0; i < 7; ++i) {
        lab.pass(2s);
        lab.say(lively, raw({0xc0}));  // half a PINGREQ
        lab.say(lively, raw({0}));
    }
    EXPECT_EQ(lab.heard(silent), "");
    lab.pass(1s + 20ms);
    EXPECT_EQ(lab.heard(silent), disconnect(kV5, 0x8d));
    EXPECT_TRUE(lab.network.is_closed(silent));
    EXPECT_EQ(lab.counts().expired, 1U);
    lab.pass(13s);
    EXPECT_FALSE(lab.network.is_closed(lively));
    lab.pass(1s + 20ms);
    EXPECT_TRUE(lab.network.is_closed(lively));
    EXPECT_EQ(lab.counts().expired, 2U);
    lab.pass(60s);
    EXPECT_FALSE(lab.network.is_closed(none));
    EXPECT_EQ(lab.counts().connected, 1U);
}

TEST(Broker, KeepAliveCanBeSwitchedOff) {
    BrokerLab lab({.keep_alive = false});
    const Id id = lab.client("c", kV311, 1);
    lab.pass(30s);
    EXPECT_FALSE(lab.network.is_closed(id));
}

TEST(Broker, WaitsForConnectNoLongerThanItSays) {
    BrokerLab lab({.connect_timeout = 5s});
    const Id id = lab.arrive(raw({0x10}));
    const Id client = lab.client("c");
    lab.pass(4900ms);
    EXPECT_FALSE(lab.network.is_closed(id));
    lab.pass(200ms);
    EXPECT_TRUE(lab.network.is_closed(id));
    EXPECT_FALSE(lab.network.is_closed(client));
    EXPECT_EQ(lab.counts().connect_timeouts, 1U);
}

// A number that is used again has nothing of its past.
TEST(Broker, NumbersAreUsedAgain) {
    BrokerLab lab({}, 1);
    for (int i = 0; i < 3; ++i) {
        const Id id = lab.client("c", kV5, 10);
        lab.say(id, publish({.topic = "a", .payload = as_bytes(std::string_view("x"))}, kV5).substr(0, 3));
        lab.pass(9s);
        lab.network.end(lab.now, id, End::Finished);
    }
    EXPECT_EQ(lab.counts().expired, 0U);
    EXPECT_EQ(lab.counts().opened, 3U);
    EXPECT_EQ(lab.counts().ends[static_cast<std::size_t>(End::Finished)], 3U);
    EXPECT_EQ(lab.counts().connected, 0U);
}

TEST(Broker, OlderConnectionGivesWay) {
    BrokerLab lab({.take_over = true});
    const Id old5 = lab.client("c", kV5);
    const Id other = lab.client("d");
    const Id young = lab.client("c", kV311);
    EXPECT_EQ(lab.heard(old5), disconnect(kV5, 0x8e));
    EXPECT_TRUE(lab.network.is_closed(old5));
    EXPECT_FALSE(lab.network.is_closed(other));
    lab.network.end(lab.now, old5, End::Finished);  // does not forget the younger one
    const Id youngest = lab.client("c", kV311);
    EXPECT_EQ(lab.heard(young), "");  // 3.1.1 has no word for it
    EXPECT_TRUE(lab.network.is_closed(young));
    EXPECT_EQ(lab.counts().taken_over, 2U);
    lab.say(youngest, disconnect());
    lab.client("c");
    EXPECT_EQ(lab.counts().taken_over, 2U);
    EXPECT_EQ(lab.counts().connected, 2U);
}

TEST(Broker, WithoutTakeOverBothStay) {
    BrokerLab lab;
    const Id a = lab.client("c");
    lab.client("c");
    EXPECT_FALSE(lab.network.is_closed(a));
    EXPECT_EQ(lab.counts().connected, 2U);
}

TEST(Broker, CountsWhoMoved) {
    BrokerLab lab({.numbered_clients = 100});
    for (const char* name : {"dev-7", "dev-8", "x", "dev-100", "99999999999999"}) lab.client(name);
    lab.client("dev-7");
    EXPECT_EQ(lab.counts().stayed, 1U);
    EXPECT_EQ(lab.counts().moved, 0U);
    lab.client("dev-8", kV311, 0, kOther);
    lab.client("x", kV311, 0, kOther);
    lab.client("dev-100", kV311, 0, kOther);
    EXPECT_EQ(lab.counts().moved, 1U);
    lab.client("dev-8", kV311, 0, kOther);
    EXPECT_EQ(lab.counts().stayed, 2U);
    ASSERT_EQ(lab.counts().listeners.size(), 2U);
    EXPECT_EQ(lab.counts().listeners[0].address, FakeTransport::kServer);
    EXPECT_EQ(lab.counts().listeners[0].connects, 6U);
    EXPECT_EQ(lab.counts().listeners[1].connects, 4U);
}

TEST(Broker, KnowsItsBusiestSecond) {
    BrokerLab lab({}, 200);
    for (const int connects : {3, 10, 5}) {
        for (int i = 0; i < connects; ++i)
            lab.client("c", kV311, 0, i % 2 == 0 ? FakeTransport::kServer : kOther);
        lab.pass(1s);
    }
    EXPECT_EQ(lab.counts().rate.peak(), 10U);
    EXPECT_EQ(lab.counts().listeners[0].rate.peak(), 5U);
}

// Who does not read its answers is reset, once.
TEST(Broker, WhoDoesNotReadIsReset) {
    BrokerLab lab;
    const Id id = lab.client("c");
    lab.network.set_room(id, 3);
    lab.say(id, pingreq());
    lab.say(id, pingreq());
    EXPECT_FALSE(lab.network.exists(id));
    EXPECT_EQ(lab.counts().overruns, 1U);
    EXPECT_EQ(lab.counts().ends[static_cast<std::size_t>(End::Aborted)], 1U);
    EXPECT_EQ(lab.counts().connected, 0U);
}

// Ten million connections must fit; and that many are only reserved, not used, until they come.
TEST(Broker, MemoryOfAConnection) {
    EXPECT_LE(BrokerSink::kBytesPerConnection, 48U);
    BrokerLab lab({}, 10'000'000);
    EXPECT_EQ(lab.broker.memory_bytes(), 0U);
    for (int i = 0; i < 1000; ++i) lab.client("c", kV311, 60);
    EXPECT_EQ(lab.broker.memory_bytes(), 48'000U);
    for (Id id = 0; id < 1000; ++id) lab.network.end(lab.now, id, End::Reset);
    for (int i = 0; i < 1000; ++i) lab.client("c", kV311, 60);
    EXPECT_EQ(lab.broker.memory_bytes(), 48'000U);
}

}  // namespace
}  // namespace sluice::load::test
