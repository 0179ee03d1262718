// From publishers to subscribers.
#include <gtest/gtest.h>

#include "broker_lab.h"

namespace sluice::load::test {
namespace {

using mqtt::PacketType;

class Routing : public BrokerLab {
  public:
    explicit Routing(std::size_t queue_limit = 1000)
        : BrokerLab({.route = true, .queue_limit = queue_limit}) {}

    Id subscriber(std::string_view filter, std::uint8_t qos, mqtt::Version version = kV311) {
        const Id id = client("s", version);
        subscribe_to(id, filter, qos, version);
        return id;
    }
    void subscribe_to(Id id, std::string_view filter, std::uint8_t qos, mqtt::Version version = kV311) {
        EXPECT_EQ(ask(id, subscribe(1, {{.filter = filter, .qos = qos}}, version)),
                  suback(1, raw({qos}), version));
    }
};

TEST(BrokerRouting, SaysWhatItCannotDo) {
    Routing lab;
    const Id id = lab.arrive(connect({.version = kV5, .client_id = "c"}));
    EXPECT_EQ(lab.heard(id), connack(kV5, 0, usual(true)));
}

// The lower of both QoS; each subscriber in its own dialect; retain and dup are not passed on.
TEST(BrokerRouting, DeliversWithTheLowerQos) {
    Routing lab;
    const Id zero = lab.subscriber("a/b", 0);
    const Id one = lab.subscriber("a/b", 1, kV5);
    const Id two = lab.subscriber("a/+", 2);
    const Id nobody = lab.subscriber("a/c", 2);
    const Id publisher = lab.client("p");
    EXPECT_EQ(
        lab.ask(publisher, publish({.topic = "a/b", .payload = as_bytes("x"), .packet_id = 9, .qos = 2})),
        ack(PacketType::Pubrec, 9));
    EXPECT_EQ(lab.heard(zero), publish({.topic = "a/b", .payload = as_bytes("x")}));
    EXPECT_EQ(lab.heard(one),
              publish({.topic = "a/b", .payload = as_bytes("x"), .packet_id = 1, .qos = 1}, kV5));
    EXPECT_EQ(lab.heard(two), publish({.topic = "a/b", .payload = as_bytes("x"), .packet_id = 1, .qos = 2}));
    EXPECT_EQ(lab.heard(nobody), "");
    EXPECT_EQ(lab.ask(publisher, ack(PacketType::Pubrel, 9)), ack(PacketType::Pubcomp, 9));

    lab.say(publisher, publish({.topic = "a/b", .payload = as_bytes("y"), .retain = true}));
    EXPECT_EQ(lab.heard(zero), publish({.topic = "a/b", .payload = as_bytes("y")}));
    EXPECT_EQ(lab.heard(one), publish({.topic = "a/b", .payload = as_bytes("y")}, kV5));
    EXPECT_EQ(lab.heard(two), publish({.topic = "a/b", .payload = as_bytes("y")}));

    EXPECT_EQ(lab.ask(one, ack(PacketType::Puback, 1)), "");
    EXPECT_EQ(lab.ask(two, ack(PacketType::Pubrec, 1)), ack(PacketType::Pubrel, 1));
    EXPECT_EQ(lab.ask(two, ack(PacketType::Pubcomp, 1)), "");
    EXPECT_EQ(lab.broker.deliveries().delivered, 6U);
    EXPECT_EQ(lab.broker.deliveries().acknowledged, 2U);
    EXPECT_EQ(lab.broker.deliveries().unknown_acks, 0U);
}

TEST(BrokerRouting, OneCopyWhereFiltersOverlap) {
    Routing lab;
    const Id id = lab.subscriber("#", 0);
    lab.subscribe_to(id, "a/+", 1);
    lab.subscribe_to(id, "a/b", 0);
    lab.say(lab.client("p"), publish({.topic = "a/b", .packet_id = 1, .qos = 2}));
    EXPECT_EQ(lab.heard(id), publish({.topic = "a/b", .packet_id = 1, .qos = 1}));
}

TEST(BrokerRouting, NotToItselfIfItSaysSo) {
    Routing lab;
    const Id id = lab.client("c", kV5);
    const Id other = lab.subscriber("a", 0, kV5);
    lab.ask(id, subscribe(1, {{.filter = "a", .no_local = true}}, kV5));
    EXPECT_EQ(lab.ask(id, publish({.topic = "a"}, kV5)), "");
    EXPECT_EQ(lab.heard(other), publish({.topic = "a"}, kV5));
    EXPECT_EQ(lab.ask(other, publish({.topic = "a"}, kV5)), publish({.topic = "a"}, kV5));
    EXPECT_EQ(lab.heard(id), publish({.topic = "a"}, kV5));
}

TEST(BrokerRouting, UnsubscribeAndEndStopDelivery) {
    Routing lab;
    const Id a = lab.subscriber("a/#", 0, kV5);
    const Id b = lab.subscriber("a/b", 0);
    const Id gone = lab.subscriber("a/b", 0);
    std::vector<std::byte> unsuback;
    const std::string reasons = raw({0, 0x11});
    mqtt::append_unsuback(unsuback, {.packet_id = 2, .reasons = as_bytes(reasons)}, kV5);
    EXPECT_EQ(lab.ask(a, unsubscribe(2, {"a/#", "a/b"}, kV5)), text_of(unsuback));
    lab.network.end(lab.now, gone, End::Reset);
    const Id again = lab.client("n");  // has the number of who is gone
    EXPECT_EQ(again, gone);
    lab.say(lab.client("p"), publish({.topic = "a/b"}));
    EXPECT_EQ(lab.heard(a), "");
    EXPECT_EQ(lab.heard(again), "");
    EXPECT_EQ(lab.heard(b), publish({.topic = "a/b"}));
}

// No more are under way than the subscriber allows; the others wait in order.
TEST(BrokerRouting, ReceiveMaximum) {
    Routing lab(3);
    // CONNECT with Receive Maximum 2.
    const Id id = lab.arrive(raw({0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 0, 3, 0x21, 0, 2, 0, 1, 's'}));
    lab.heard(id);
    lab.subscribe_to(id, "t", 2, kV5);
    const Id publisher = lab.client("p");
    const auto message = [](std::string_view text, std::uint16_t packet_id, std::uint8_t qos) {
        return publish({.topic = "t", .payload = as_bytes(text), .packet_id = packet_id, .qos = qos}, kV5);
    };
    for (const char* text : {"1", "2", "3", "4", "5", "6"}) {
        lab.say(publisher, publish({.topic = "t", .payload = as_bytes(text), .packet_id = 1, .qos = 2}));
    }
    EXPECT_EQ(lab.heard(id), message("1", 1, 2) + message("2", 2, 2));
    EXPECT_EQ(lab.broker.deliveries().dropped, 1U);  // three may wait
    lab.say(publisher, publish({.topic = "t"}));     // QoS 0 does not count
    EXPECT_EQ(lab.heard(id), publish({.topic = "t"}, kV5));

    EXPECT_EQ(lab.ask(id, ack(PacketType::Pubrec, 1)), ack(PacketType::Pubrel, 1));
    EXPECT_EQ(lab.ask(id, ack(PacketType::Pubcomp, 1)), message("3", 3, 2));
    // A PUBREC that refuses ends its exchange.
    EXPECT_EQ(lab.ask(id, ack(PacketType::Pubrec, 2, 0x97)), message("4", 4, 2));
    lab.network.end(lab.now, id, End::Finished);
    EXPECT_EQ(lab.broker.deliveries().unacknowledged, 2U);
    EXPECT_EQ(lab.broker.deliveries().undelivered, 1U);
}

TEST(BrokerRouting, MaximumPacketSize) {
    Routing lab;
    // CONNECT with Maximum Packet Size 20.
    const Id id =
        lab.arrive(raw({0x10, 19, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 0, 5, 0x27, 0, 0, 0, 20, 0, 1, 's'}));
    lab.heard(id);
    lab.subscribe_to(id, "t", 1, kV5);
    const Id publisher = lab.client("p");
    const std::string fits(14, 'x');
    lab.say(publisher, publish({.topic = "t", .payload = as_bytes(fits + "x")}));
    EXPECT_EQ(lab.heard(id), "");
    EXPECT_EQ(lab.broker.deliveries().dropped, 1U);
    lab.say(publisher, publish({.topic = "t", .payload = as_bytes(fits)}));
    EXPECT_EQ(lab.heard(id).size(), 20U);
}

TEST(BrokerRouting, AcksOfNothing) {
    Routing lab;
    const Id id = lab.client("c", kV5);
    EXPECT_EQ(lab.ask(id, ack(PacketType::Puback, 5) + ack(PacketType::Pubcomp, 5)), "");
    EXPECT_EQ(lab.ask(id, ack(PacketType::Pubrec, 5)), ack(PacketType::Pubrel, 5, 0x92));
    EXPECT_EQ(lab.broker.deliveries().unknown_acks, 3U);
    // One of the wrong kind does not end an exchange.
    lab.subscribe_to(id, "t", 1, kV5);
    lab.say(lab.client("p"), publish({.topic = "t", .packet_id = 1, .qos = 1}));
    lab.heard(id);
    lab.say(id, ack(PacketType::Pubcomp, 1));
    EXPECT_EQ(lab.broker.deliveries().acknowledged, 0U);
    lab.say(id, ack(PacketType::Puback, 1));
    EXPECT_EQ(lab.broker.deliveries().acknowledged, 1U);
}

// A subscriber that does not read loses messages; the others do not.
TEST(BrokerRouting, SlowReaderLosesItsOwn) {
    Routing lab;
    const Id slow = lab.subscriber("t", 1);
    const Id other = lab.subscriber("t", 1);
    const Id publisher = lab.client("p");
    lab.network.set_room(slow, 4);
    lab.say(publisher, publish({.topic = "t", .packet_id = 1, .qos = 1}));
    EXPECT_EQ(lab.heard(slow), "");
    EXPECT_EQ(lab.heard(other), publish({.topic = "t", .packet_id = 1, .qos = 1}));
    EXPECT_EQ(lab.broker.deliveries().dropped, 1U);
    lab.network.set_room(slow, 1000);
    lab.say(publisher, publish({.topic = "t", .packet_id = 1, .qos = 1}));
    EXPECT_EQ(lab.heard(slow), publish({.topic = "t", .packet_id = 2, .qos = 1}));
}

// 65535 identifiers, without 0, and again from the start.
TEST(BrokerRouting, PacketIdentifiersComeRound) {
    Routing lab;
    const Id id = lab.subscriber("t", 1);
    const Id publisher = lab.client("p");
    for (std::uint32_t n = 1; n <= 65'540; ++n) {
        lab.say(publisher, publish({.topic = "t", .packet_id = 1, .qos = 1}));
        const auto expected = static_cast<std::uint16_t>(n <= 65'535 ? n : n - 65'535);
        ASSERT_EQ(lab.heard(id), publish({.topic = "t", .packet_id = expected, .qos = 1}));
        lab.say(id, ack(PacketType::Puback, expected));
        lab.heard(publisher);
    }
    EXPECT_EQ(lab.broker.deliveries().acknowledged, 65'540U);
}

}  // namespace
}  // namespace sluice::load::test
