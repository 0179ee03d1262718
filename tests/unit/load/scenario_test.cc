// Whole scenarios, a swarm against the broker under a clock of the test's: what each leads to, and what is
// counted.
#include <gtest/gtest.h>

#include "broker.h"
#include "conductor.h"
#include "pair_transport.h"
#include "report.h"
#include "sluice/mqtt/acknowledge.h"
#include "sluice/mqtt/connack.h"
#include "sluice/mqtt/writer.h"
#include "swarm.h"

namespace sluice::load {
namespace {

using test::PairTransport;

constexpr Instant kStart = Instant{} + 1h;

class Scenario {
  public:
    explicit Scenario(const SwarmOptions& options, const Plan& plan, const BrokerOptions& broker_options = {})
        : swarm(options, kStart),
          broker(broker_options, options.clients + 10, kStart),
          clients(swarm, options.clients),
          brokers(broker, options.clients + 10),
          conductor(plan, swarm, kStart) {
        clients.join(brokers);
        swarm.use(clients);
        broker.use(brokers);
    }

    void turn(Duration step = 1ms) {
        now += step;
        clients.turn(now);
        brokers.turn(now);
        swarm.turn(now);
        broker.turn(now);
        conductor.turn(now);
    }
    template <typename Condition>
    bool until(Condition&& condition, Duration limit = 10min) {
        const Instant end = now + limit;
        while (!condition() && now < end) turn();
        return condition();
    }
    bool to_its_end(Duration limit = 10min) {
        return until([&] { return conductor.over(); }, limit);
    }
    void expect_nobody_left() {
        EXPECT_EQ(swarm.tally().connected, 0U);
        EXPECT_EQ(swarm.tally().opening, 0U);
        EXPECT_EQ(swarm.tally().leaving, 0U);
        EXPECT_EQ(swarm.tally().in_flight, 0U);
        EXPECT_EQ(broker.statistics().connected, 0U);
        EXPECT_EQ(swarm.tally().protocol_errors, 0U) << swarm.tally().last_protocol_error;
        EXPECT_EQ(broker.statistics().protocol_errors(), 0U) << broker.statistics().last_error;
    }

    Swarm swarm;
    BrokerSink broker;
    PairTransport clients;
    PairTransport brokers;
    Conductor conductor;
    Instant now = kStart;
};

SwarmOptions swarm_of(std::uint32_t clients, mqtt::Version version = mqtt::Version::V311) {
    SwarmOptions options;
    options.clients = clients;
    options.version = version;
    return options;
}

constexpr mqtt::Version kVersions[] = {mqtt::Version::V31, mqtt::Version::V311, mqtt::Version::V5};

TEST(Connect, EverybodyComesAndLeaves) {
    for (const mqtt::Version version : kVersions) {
        Scenario s(swarm_of(200, version), {.name = "connect"});
        ASSERT_TRUE(s.to_its_end());
        s.expect_nobody_left();
        EXPECT_EQ(s.swarm.tally().accepted, 200U);
        EXPECT_EQ(s.swarm.tally().peak_connected, 200U);
        EXPECT_EQ(s.swarm.tally().left, 200U);
        EXPECT_EQ(s.swarm.tally().connack.count(), 200U);
        EXPECT_EQ(s.broker.statistics().connects, 200U);
        EXPECT_EQ(s.broker.statistics().disconnects, 200U);
    }
}

TEST(Connect, KeepsToTheRate) {
    Scenario s(swarm_of(500), {.name = "connect", .arrivals = 100});
    ASSERT_TRUE(s.to_its_end());
    EXPECT_NEAR(std::chrono::duration<double>(s.conductor.findings().arriving).count(), 5, 0.1);
    EXPECT_LE(s.conductor.findings().fastest_arrivals, 110U);
}

TEST(Connect, KeepsToTheWindow) {
    Scenario s(swarm_of(500), {.name = "connect", .window = 7});
    std::uint32_t most = 0;
    ASSERT_TRUE(s.until([&] {
        most = std::max(most, s.swarm.tally().opening);
        return s.conductor.over();
    }));
    EXPECT_EQ(most, 7U);
}

// Bytes come in any pieces.
TEST(Connect, TakesPacketsInPieces) {
    for (const std::size_t piece : {1U, 2U, 3U, 7U}) {
        SwarmOptions options = swarm_of(20, mqtt::Version::V5);
        options.qos = 2;
        options.subscribers = 5;
        options.filter_qos = 2;
        Scenario s(options, {.name = "publish", .hold = 1s, .publish = true, .messages = 3}, {.route = true});
        s.clients.piece = s.brokers.piece = piece;
        ASSERT_TRUE(s.to_its_end());
        s.expect_nobody_left();
        EXPECT_EQ(s.swarm.tally().published, 45U);
        EXPECT_EQ(s.swarm.tally().acknowledged, 45U);
        EXPECT_EQ(s.broker.statistics().completed, 45U);
        EXPECT_EQ(s.swarm.tally().received, 5U * 45U);
        EXPECT_EQ(s.broker.deliveries().acknowledged, 5U * 45U);
    }
}

TEST(Connect, RefusalsAreCountedByCode) {
    Scenario s(swarm_of(10), {.name = "connect"}, {.connack_code = 0x88});
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    EXPECT_EQ(s.swarm.tally().refused, 10U);
    EXPECT_EQ(s.swarm.tally().refusals.at(3), 10U);
    EXPECT_EQ(s.swarm.tally().accepted, 0U);
    EXPECT_EQ(s.broker.statistics().refused, 10U);
}

TEST(Connect, FailuresAreCountedByEnd) {
    Scenario s(swarm_of(10), {.name = "connect"});
    s.brokers.refuse = true;
    ASSERT_TRUE(s.to_its_end());
    EXPECT_EQ(s.swarm.tally().failed, 10U);
    EXPECT_EQ(s.swarm.tally().failures[static_cast<std::size_t>(End::Refused)], 10U);
}

TEST(Connect, SilenceIsATimeOut) {
    SwarmOptions options = swarm_of(10);
    options.connect_timeout = 3s;
    Scenario s(options, {.name = "connect"});
    s.brokers.ignore = true;
    ASSERT_TRUE(s.to_its_end());
    EXPECT_EQ(s.swarm.tally().failures[static_cast<std::size_t>(End::TimedOut)], 10U);
    EXPECT_GE(s.now - kStart, 3s);
    EXPECT_LE(s.now - kStart, 4s);
}

TEST(Connect, WaitsForSocketsThatAreNotThereYet) {
    Scenario s(swarm_of(10), {.name = "connect"});
    s.clients.out_of_files = true;
    EXPECT_FALSE(s.to_its_end(5s));
    EXPECT_EQ(s.swarm.tally().attempts, 0U);
    s.clients.out_of_files = false;
    ASSERT_TRUE(s.to_its_end());
    EXPECT_EQ(s.swarm.tally().accepted, 10U);
}

TEST(Hold, SilentClientsPing) {
    SwarmOptions options = swarm_of(50);
    options.keep_alive = 10;
    Scenario s(options, {.name = "hold", .hold = 65s});
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    EXPECT_EQ(s.swarm.tally().pings, 50U * 6U);
    EXPECT_EQ(s.swarm.tally().pongs, 50U * 6U);
    EXPECT_EQ(s.broker.statistics().pings, 50U * 6U);
    EXPECT_EQ(s.swarm.tally().lost, 0U);
    EXPECT_EQ(s.broker.statistics().expired, 0U);
}

TEST(Hold, WhoSpeaksDoesNotPing) {
    SwarmOptions options = swarm_of(10);
    options.keep_alive = 10;
    Scenario s(options, {.name = "publish", .hold = 60s, .publish = true, .message_rate = 10});
    ASSERT_TRUE(s.to_its_end());
    EXPECT_EQ(s.swarm.tally().pings, 0U);
    EXPECT_NEAR(static_cast<double>(s.swarm.tally().published), 600, 5);
}

TEST(Hold, TheSilentAreCutOffByTheBroker) {
    SwarmOptions options = swarm_of(5);
    options.keep_alive = 0;
    Scenario s(options, {.name = "hold", .hold = 1h});
    ASSERT_TRUE(s.until([&] { return s.swarm.tally().connected == 5; }));
    EXPECT_FALSE(s.until([&] { return s.swarm.tally().lost != 0; }, 2min)) << "Keep Alive 0 knows no silence";

    // A swarm whose PINGREQs get lost.
    options.keep_alive = 4;
    Scenario deaf(options, {.name = "hold", .hold = 1h});
    ASSERT_TRUE(deaf.until([&] { return deaf.swarm.tally().connected == 5; }));
    const Instant before = deaf.now;
    while (deaf.broker.statistics().expired == 0 && deaf.now < before + 1min) {
        deaf.now += 10ms;
        deaf.broker.turn(deaf.now);
    }
    EXPECT_GE(deaf.now - before, 5900ms);
    EXPECT_LE(deaf.now - before, 6200ms);
}

TEST(Hold, AnUnansweredPingIsALostConnection) {
    SwarmOptions options = swarm_of(5);
    options.keep_alive = 4;
    Scenario s(options, {.name = "hold", .hold = 1h});
    ASSERT_TRUE(s.until([&] { return s.swarm.tally().connected == 5; }));
    const Instant before = s.now;
    while (s.swarm.tally().lost == 0 && s.now < before + 1min) {
        s.now += 10ms;
        s.swarm.turn(s.now);
    }
    EXPECT_GE(s.now - before, 7900ms);
    EXPECT_LE(s.now - before, 8200ms);
    EXPECT_EQ(s.swarm.tally().losses[static_cast<std::size_t>(End::TimedOut)], s.swarm.tally().lost);
}

TEST(Publish, EveryQosIsAcknowledged) {
    for (const mqtt::Version version : kVersions) {
        for (const std::uint8_t qos : std::initializer_list<std::uint8_t>{0, 1, 2}) {
            SwarmOptions options = swarm_of(20, version);
            options.qos = qos;
            Scenario s(options, {.name = "publish", .publish = true, .message_rate = 1000, .messages = 10});
            ASSERT_TRUE(s.to_its_end());
            s.expect_nobody_left();
            EXPECT_EQ(s.swarm.tally().published, 200U);
            EXPECT_EQ(s.swarm.tally().acknowledged, 200U);
            EXPECT_EQ(s.broker.statistics().publishes[qos], 200U);
            EXPECT_EQ(s.broker.statistics().completed, qos == 2 ? 200U : 0U);
            EXPECT_EQ(s.swarm.tally().answer.count(), qos == 0 ? 0U : 200U);
        }
    }
}

TEST(Publish, FlatOutEachAnswerBringsTheNext) {
    SwarmOptions options = swarm_of(10);
    options.qos = 1;
    Scenario s(options, {.name = "publish", .hold = 2s, .publish = true});
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    // There and back take two turns of a millisecond.
    EXPECT_GT(s.swarm.tally().published, 10U * 900U);
    EXPECT_EQ(s.swarm.tally().published, s.swarm.tally().acknowledged);
}

TEST(Publish, KeepsToWhatMayBeInFlight) {
    SwarmOptions options = swarm_of(50);
    options.qos = 1;
    Scenario s(options,
               {.name = "publish", .publish = true, .message_rate = 100'000, .messages = 10, .in_flight = 7});
    std::uint32_t most = 0;
    ASSERT_TRUE(s.until([&] {
        most = std::max(most, s.swarm.tally().in_flight);
        return s.conductor.over();
    }));
    EXPECT_EQ(most, 7U);
    EXPECT_EQ(s.swarm.tally().acknowledged, 500U);
}

// Packet identifiers go around, and skip 0.
TEST(Publish, PacketIdentifiersWrapAround) {
    SwarmOptions options = swarm_of(1);
    options.qos = 1;
    options.payload = 0;
    Scenario s(options, {.name = "publish", .publish = true, .messages = 70'000});
    ASSERT_TRUE(s.to_its_end(1h));
    s.expect_nobody_left();
    EXPECT_EQ(s.broker.statistics().publishes[1], 70'000U);
}

TEST(Publish, SubscribersMeasureTheWay) {
    SwarmOptions options = swarm_of(11);
    options.subscribers = 1;
    options.filter = "load/+";
    options.filter_qos = 1;
    options.qos = 1;
    Scenario s(options, {.name = "publish", .publish = true, .message_rate = 100, .messages = 5},
               {.route = true});
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    EXPECT_EQ(s.swarm.tally().received, 50U);
    EXPECT_EQ(s.swarm.tally().received_bytes, 50U * 64U);
    ASSERT_EQ(s.swarm.tally().delivery.count(), 50U);
    EXPECT_GE(s.swarm.tally().delivery.percentile(0.5), 1ms);
    EXPECT_LE(s.swarm.tally().delivery.largest(), 5ms);
}

TEST(Publish, LargeMessagesArePassedOver) {
    SwarmOptions options = swarm_of(3, mqtt::Version::V5);
    options.qos = 1;
    options.payload = 1'000'000;
    Scenario s(options, {.name = "publish", .publish = true, .messages = 2});
    s.brokers.piece = 1000;
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    EXPECT_EQ(s.broker.statistics().publishes[1], 6U);
    EXPECT_EQ(s.broker.statistics().payload_bytes, 6'000'000U);
}

TEST(Publish, WhatIsUnderWayAtAnEndIsUnacknowledged) {
    SwarmOptions options = swarm_of(10);
    options.qos = 1;
    Scenario s(options, {.name = "publish", .hold = 1h, .publish = true});
    ASSERT_TRUE(s.until([&] { return s.swarm.tally().acknowledged > 100; }));
    ASSERT_EQ(s.swarm.tally().in_flight, 10U);
    s.brokers.reset_all(s.now);
    s.turn();
    s.turn();
    EXPECT_EQ(s.swarm.tally().lost, 10U);
    EXPECT_EQ(s.swarm.tally().in_flight, 0U);
    EXPECT_EQ(s.swarm.tally().unacknowledged, 10U);
    EXPECT_EQ(s.swarm.tally().published, s.swarm.tally().acknowledged + 10);
}

TEST(Churn, KeepsToTheRate) {
    Scenario s(swarm_of(100), {.name = "churn", .hold = 10s, .churn = true, .churn_rate = 50});
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    EXPECT_NEAR(static_cast<double>(s.conductor.findings().churned), 500, 5);
    EXPECT_EQ(s.swarm.tally().accepted, 100 + s.conductor.findings().churned);
    EXPECT_EQ(s.swarm.tally().lost, 0U);
}

TEST(Churn, FlatOutEverybodyLeavesAtOnce) {
    Scenario s(swarm_of(20), {.name = "churn", .hold = 2s, .churn = true});
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    EXPECT_GT(s.conductor.findings().churned, 20U * 100U);
    EXPECT_EQ(s.swarm.tally().failed, 0U);
}

TEST(Reconnect, AllAreCutOffAndAllComeBack) {
    Scenario s(swarm_of(1000), {.name = "reconnect", .window = 50, .rounds = 3});
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    ASSERT_EQ(s.conductor.findings().rounds.size(), 3U);
    for (const Outage& round : s.conductor.findings().rounds) {
        EXPECT_TRUE(round.over);
        EXPECT_EQ(round.fewest, 0U);
        EXPECT_GT(round.length, Duration::zero());
        EXPECT_EQ(round.fastest, 1000U);
    }
    EXPECT_EQ(s.swarm.tally().accepted, 4000U);
}

TEST(Reconnect, AnOutageIsMeasured) {
    SwarmOptions options = swarm_of(100);
    options.come_back = 1s;
    Scenario s(options, {.name = "hold", .hold = 30s});
    ASSERT_TRUE(s.until([&] { return s.swarm.tally().connected == 100; }));
    s.brokers.reset_all(s.now);
    s.brokers.refuse = true;
    const Instant down = s.now;
    EXPECT_FALSE(s.until([&] { return s.swarm.tally().connected != 0 && s.now > down + 1s; }, 5s));
    s.brokers.refuse = false;
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    ASSERT_EQ(s.conductor.findings().outages.size(), 1U);
    const Outage& outage = s.conductor.findings().outages[0];
    EXPECT_TRUE(outage.over);
    EXPECT_EQ(outage.fewest, 0U);
    EXPECT_GE(outage.length, 5s);
    EXPECT_LE(outage.length, 8s);
    EXPECT_EQ(s.swarm.tally().lost, 100U);
}

TEST(Story, EverybodyPublishesAndSomeComeAgainToTheirBroker) {
    SwarmOptions options = swarm_of(300);
    options.qos = 1;
    Scenario s(options,
               {.name = "thingsphere",
                .arrivals = 100,
                .hold = 1h,
                .publish = true,
                .message_rate = 1000,
                .messages = 10,
                .publish_at_once = true,
                .share_again = 0.1},
               {.numbered_clients = 300});
    ASSERT_TRUE(s.to_its_end());
    s.expect_nobody_left();
    EXPECT_EQ(s.swarm.tally().acknowledged, 3000U);
    EXPECT_EQ(s.broker.statistics().connects, 330U);
    EXPECT_EQ(s.broker.statistics().moved, 0U);
}

TEST(Story, WhoComesToAnotherBrokerHasMoved) {
    SwarmOptions options = swarm_of(30);
    Scenario s(options, {.name = "again", .share_again = 1}, {.numbered_clients = 20});
    ASSERT_TRUE(s.until([&] { return s.broker.statistics().connected == 30; }));
    s.brokers.local.address = IpAddress::v4(10, 2, 0, 3);
    ASSERT_TRUE(s.to_its_end());
    EXPECT_EQ(s.broker.statistics().moved, 20U) << "the first twenty are watched";
    EXPECT_EQ(s.broker.statistics().listeners.size(), 2U);
}

TEST(Stop, WhoeverIsThereLeaves) {
    Scenario s(swarm_of(50), {.name = "hold", .hold = 1h});
    ASSERT_TRUE(s.until([&] { return s.swarm.tally().connected == 50; }));
    s.conductor.stop(s.now);
    ASSERT_TRUE(s.to_its_end(5s));
    s.expect_nobody_left();
    EXPECT_EQ(s.swarm.tally().left, 50U);
}

// Two devices with one client ID.
class Twins final : public Events {
  public:
    void on_open(Instant now, Id id) override {
        const auto connect = mqtt::write_connect({.version = mqtt::Version::V5, .client_id = "twin"});
        EXPECT_TRUE(transport->send(now, id, connect));
    }
    std::size_t on_bytes(Instant, Id id, ByteView bytes) override {
        heard[id].insert(heard[id].end(), bytes.begin(), bytes.end());
        return bytes.size();
    }
    void on_end(Instant, Id id, End end) override { ends.emplace_back(id, end); }

    PairTransport* transport = nullptr;
    std::map<Id, std::vector<std::byte>> heard;
    std::vector<std::pair<Id, End>> ends;
};

TEST(TakeOver, TheOlderConnectionEnds) {
    Twins twins;
    BrokerSink broker({.take_over = true}, 10, kStart);
    PairTransport clients(twins, 10);
    PairTransport brokers(broker, 10);
    clients.join(brokers);
    twins.transport = &clients;
    broker.use(brokers);
    for (Id id = 0; id < 2; ++id) {
        ASSERT_TRUE(clients.open(kStart, id));
        for (int turn = 0; turn < 5; ++turn) {
            brokers.turn(kStart);
            clients.turn(kStart);
        }
        EXPECT_EQ(broker.statistics().connected, 1U);
    }
    EXPECT_EQ(broker.statistics().taken_over, 1U);
    ASSERT_EQ(twins.ends.size(), 1U);
    EXPECT_EQ(twins.ends[0], (std::pair<Id, End>{0, End::Finished}));
    // The CONNACK, then a DISCONNECT that says why.
    std::vector<std::byte> heard = twins.heard[1];
    mqtt::append_disconnect(heard, mqtt::Version::V5, 0x8e);
    EXPECT_EQ(twins.heard[0], heard);
    const mqtt::ConnackResult connack =
        mqtt::read_connack(twins.heard[1], mqtt::Version::V5, twins.heard[1].size());
    ASSERT_TRUE(std::holds_alternative<mqtt::Connack>(connack));
    EXPECT_TRUE(std::get<mqtt::Connack>(connack).accepted());
    EXPECT_EQ(std::get<mqtt::Connack>(connack).size, twins.heard[1].size());
}

TEST(Report, HoldsWhatHappened) {
    SwarmOptions options = swarm_of(20);
    options.qos = 1;
    const Plan plan{.name = "publish", .publish = true, .messages = 5};
    Scenario s(options, plan);
    ASSERT_TRUE(s.to_its_end());
    const Json client = report(plan, s.swarm, s.conductor, s.clients.totals(), s.now - kStart);
    EXPECT_EQ(client["connects"]["accepted"], 20);
    EXPECT_EQ(client["messages"]["acknowledged"], 100);
    EXPECT_EQ(client["messages"]["answer_us"]["count"], 100);
    const Json broker = report(s.broker, s.brokers.totals(), s.now - kStart);
    EXPECT_EQ(broker["published"], 100);
    EXPECT_EQ(broker["addresses"][0]["connects"], 20);
    EXPECT_NE(summary(client).find("100 published"), std::string::npos);
    EXPECT_NE(summary(broker).find("20 connects"), std::string::npos);

    const auto expect = [&](const char* text) {
        const auto expectation = parse_expectation(text);
        EXPECT_TRUE(expectation) << text;
        return unmet(client, {*expectation});
    };
    EXPECT_TRUE(expect("connects.accepted==20").empty());
    EXPECT_TRUE(expect("messages.answer_us.p99<=5000").empty());
    EXPECT_TRUE(expect("seconds<100").empty());
    EXPECT_EQ(expect("connects.failed>0"), std::vector<std::string>{"connects.failed is 0, expected > 0"});
    EXPECT_EQ(expect("connects.nonsense==0"),
              std::vector<std::string>{"the results have no number connects.nonsense"});
    for (const char* const wrong : {"", "connects", "==3", "a=3", "a==", "a==x", "a==3x", "a<>3"})
        EXPECT_FALSE(parse_expectation(wrong)) << wrong;
}

}  // namespace
}  // namespace sluice::load
