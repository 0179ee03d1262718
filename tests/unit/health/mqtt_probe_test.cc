// An MQTT probe is a client that comes, asks whether the broker lives, and leaves in order.
#include "sluice/health/mqtt_probe.h"

#include <gtest/gtest.h>

#include <string>

#include "exchange.h"
#include "sluice/mqtt/connect.h"
#include "sluice/mqtt/writer.h"

namespace sluice::health::mqtt_probe_test {
namespace {

using backend::Outcome;
using backend::ProbeFailure;

constexpr Duration kTimeout = 1s;
const std::string kConnack("\x20\x02\x00\x00", 4);
const std::string kConnack5("\x20\x03\x00\x00\x00", 5);
const std::string kPingreq("\xc0\x00", 2);
const std::string kPingresp("\xd0\x00", 2);
const std::string kDisconnect("\xe0\x00", 2);

config::Health health(mqtt::Version version = mqtt::Version::V311) {
    config::Health h;
    h.type = config::HealthType::Mqtt;
    h.timeout = kTimeout;
    h.version = version;
    return h;
}

std::unique_ptr<Probe> make(const config::Health& h = health()) {
    return make_probe(h, {.initial_sequence = kIss, .mss = 1460, .timeout = h.timeout},
                      *SocketAddress::parse("10.0.0.1:1883"), "sluice0123456789abcdef");
}

std::size_t connect_size(const std::string& heard) {
    const auto result = mqtt::read_connect(as_bytes(heard), 1 << 20);
    const auto* const connect = std::get_if<mqtt::Connect>(&result);
    return connect == nullptr ? 0 : connect->size;
}

// A broker that does what it should, with these bytes; nothing where one is empty.
std::function<void(Exchange&)> broker(std::string connack = kConnack, std::string pingresp = kPingresp) {
    return [=, step = 0](Exchange& e) mutable {
        const std::size_t size = connect_size(e.heard);
        if (size == 0) return;
        const std::string rest = e.heard.substr(size);
        if (step == 0) {
            step = 1;
            e.say(connack);
        }
        if (step == 1 && rest.starts_with(kPingreq)) {
            step = 2;
            e.say(pingresp);
        }
        if (e.server.peer_finished()) e.hang_up();
    };
}

Outcome outcome(Exchange& e) {
    e.finish();
    EXPECT_TRUE(e.probe->over());
    EXPECT_EQ(e.probe->next_deadline(), kNever);
    EXPECT_LE(e.decided, kStart + kTimeout);
    EXPECT_LE(e.over, e.decided + kTimeout);
    EXPECT_NE(e.probe->status(), Probe::Status::Pending);
    return e.probe->outcome();
}

TEST(MqttProbe, ComesAndGoesAsAClientInOrder) {
    for (const mqtt::Version version : {mqtt::Version::V31, mqtt::Version::V311, mqtt::Version::V5}) {
        config::Health h = health(version);
        h.username = "monitor";
        h.password = "secret";
        Exchange e(make(h));
        e.serve = broker(version == mqtt::Version::V5 ? kConnack5 : kConnack);
        EXPECT_EQ(outcome(e), ProbeFailure::None);
        EXPECT_EQ(e.probe->status(), Probe::Status::Succeeded);

        const auto result = mqtt::read_connect(as_bytes(e.heard), 1 << 20);
        const auto* const connect = std::get_if<mqtt::Connect>(&result);
        ASSERT_NE(connect, nullptr);
        EXPECT_EQ(connect->version, version);
        EXPECT_EQ(connect->client_id, "sluice0123456789abcdef");
        EXPECT_EQ(connect->username, "monitor");
        EXPECT_EQ(as_text(connect->password.value()), "secret");
        EXPECT_TRUE(connect->clean_start);
        EXPECT_EQ(connect->keep_alive, 2) << "two timeouts";
        EXPECT_EQ(e.heard.substr(connect->size), kPingreq + kDisconnect);
        EXPECT_TRUE(e.sent_fin());
        EXPECT_FALSE(e.sent_reset());
        EXPECT_EQ(e.server.state(), tcp::State::Closed);
        EXPECT_EQ(e.server.failure(), tcp::Failure::None);
        EXPECT_EQ(e.probe->offer(),
                  (backend::Offer{
                      .mss = 1400, .window = 65535, .window_scale = 5, .sack = true, .timestamps = false}));
        EXPECT_EQ(e.probe->latency(), Duration(6ms)) << "three round trips";
    }
}

TEST(MqttProbe, SaysNoUserNameWhereThereIsNone) {
    Exchange e(make());
    e.serve = broker();
    EXPECT_EQ(outcome(e), ProbeFailure::None);
    const auto result = mqtt::read_connect(as_bytes(e.heard), 1 << 20);
    EXPECT_FALSE(std::get<mqtt::Connect>(result).username);
    EXPECT_FALSE(std::get<mqtt::Connect>(result).password);
}

TEST(MqttProbe, ItsConnectLeavesWithTheAckOfTheHandshake) {
    Exchange e(make());
    e.start();
    e.run(10ms);
    EXPECT_GT(connect_size(e.heard), 0U);
    EXPECT_EQ(e.sent(&wire::TcpFlags::ack), 1);
}

TEST(MqttProbe, TellsHowABrokerFailed) {
    const auto connack_then = [](std::string connack, void (Exchange::*then)()) {
        return [=](Exchange& e) {
            if (connect_size(e.heard) == 0) return;
            e.say(connack);
            (e.*then)();
        };
    };
    const auto on_connect = [](void (Exchange::*then)()) {
        return [=](Exchange& e) {
            if (connect_size(e.heard) != 0) (e.*then)();
        };
    };
    struct Case {
        const char* what;
        std::function<void(Exchange&)> serve;
        Outcome expected;
        bool reset;  // we end it by a reset
    };
    const Case cases[] = {
        {"takes the connection and is silent", [](Exchange&) {}, ProbeFailure::NoAnswer, true},
        {"lets clients in and answers no ping", broker(kConnack, ""), ProbeFailure::NoAnswer, true},
        {"says half a CONNACK", broker(kConnack.substr(0, 3)), ProbeFailure::NoAnswer, true},
        {"unavailable", broker({"\x20\x02\x00\x03", 4}), {ProbeFailure::Rejected, 3}, false},
        {"rejects and closes",
         connack_then({"\x20\x02\x00\x05", 4}, &Exchange::hang_up),
         {ProbeFailure::Rejected, 5},
         false},
        {"rejects and resets",
         connack_then({"\x20\x02\x00\x04", 4}, &Exchange::reset),
         {ProbeFailure::Rejected, 4},
         false},
        {"speaks HTTP", broker("HTTP/1.1 400 Bad Request\r\n\r\n"), ProbeFailure::Protocol, true},
        {"answers CONNECT by a ping", broker(kPingresp), ProbeFailure::Protocol, true},
        {"answers the ping by a SUBACK", broker(kConnack, {"\x90\x03\x00\x01\x00", 5}),
         ProbeFailure::Protocol, true},
        {"sends a bad PINGRESP", broker(kConnack, {"\xd1\x00", 2}), ProbeFailure::Protocol, true},
        {"sends a PINGRESP with a body", broker(kConnack, {"\xd0\x01\x00", 3}), ProbeFailure::Protocol, true},
        {"sends an endless length", broker(kConnack, "\x30\xff\xff\xff\xff"), ProbeFailure::Protocol, true},
        {"closes on CONNECT", on_connect(&Exchange::hang_up), ProbeFailure::Closed, false},
        {"resets on CONNECT", on_connect(&Exchange::reset), ProbeFailure::Closed, false},
        {"closes after CONNACK", connack_then(kConnack, &Exchange::hang_up), ProbeFailure::Closed, false},
        {"resets after CONNACK", connack_then(kConnack, &Exchange::reset), ProbeFailure::Closed, false},
        {"closes within CONNACK", connack_then("\x20", &Exchange::hang_up), ProbeFailure::Closed, false},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.what);
        Exchange e(make());
        e.serve = c.serve;
        EXPECT_EQ(outcome(e), c.expected);
        EXPECT_EQ(e.probe->status(), Probe::Status::Failed);
        EXPECT_EQ(e.sent_reset(), c.reset);
        EXPECT_EQ(e.heard.find(kDisconnect, connect_size(e.heard)), std::string::npos)
            << "there is nothing to disconnect from";
    }
}

TEST(MqttProbe, OverVersion5) {
    struct Case {
        const char* what;
        std::string connack;
        std::string pingresp;
        Outcome expected;
    };
    const Case cases[] = {
        {"busy", {"\x20\x03\x00\x89\x00", 5}, {}, {ProbeFailure::Rejected, 0x89}},
        {"asks for enhanced authentication", {"\xf0\x02\x18\x00", 4}, {}, ProbeFailure::Protocol},
        {"disconnects", kConnack5, {"\xe0\x01\x8b", 3}, ProbeFailure::Closed},
        {"a CONNACK of version 3", kConnack, {}, ProbeFailure::Protocol},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.what);
        Exchange e(make(health(mqtt::Version::V5)));
        e.serve = broker(c.connack, c.pingresp);
        EXPECT_EQ(outcome(e), c.expected);
    }
    // Only version 5 knows a DISCONNECT of the server.
    Exchange e(make());
    e.serve = broker(kConnack, {"\xe0\x00", 2});
    EXPECT_EQ(outcome(e), ProbeFailure::Protocol);
}

TEST(MqttProbe, ARefusedConnectionAndASilentHostAreToldApart) {
    Exchange refused(make());
    refused.server = tcp::Endpoint({});  // Closed: answers by a reset
    EXPECT_EQ(outcome(refused), ProbeFailure::Refused);
    EXPECT_FALSE(refused.sent_reset());

    Exchange silent(make());
    silent.deaf = true;
    EXPECT_EQ(outcome(silent), ProbeFailure::Silent);
    EXPECT_EQ(silent.sent(&wire::TcpFlags::syn), 4) << "evenly within the timeout";
    EXPECT_EQ(silent.decided, kStart + kTimeout);
    EXPECT_FALSE(silent.sent_reset());
}

TEST(MqttProbe, OnlyAnIcmpErrorAboutItsSynIsBelieved) {
    Exchange e(make());
    e.serve = broker("", "");
    e.start();
    e.probe->on_icmp_unreachable(kIss.advance(1));
    EXPECT_EQ(e.probe->status(), Probe::Status::Pending);
    e.run(10ms);
    e.probe->on_icmp_unreachable(kIss);
    EXPECT_EQ(e.probe->status(), Probe::Status::Pending) << "the handshake is over";

    Exchange lost(make());
    lost.start();
    lost.probe->on_icmp_unreachable(kIss);
    EXPECT_EQ(lost.probe->outcome(), ProbeFailure::Unreachable);
    EXPECT_TRUE(lost.probe->over());
}

TEST(MqttProbe, ANeighborThatDoesNotAnswerFailsItAtAnyTime) {
    Exchange e(make());
    e.start();
    e.run(10ms);
    e.probe->on_unreachable();
    EXPECT_EQ(e.probe->outcome(), ProbeFailure::Unreachable);
    EXPECT_TRUE(e.probe->over());
    e.probe->on_unreachable();
    EXPECT_EQ(e.probe->outcome(), ProbeFailure::Unreachable);
}

// Wherever a broker's bytes are cut, the answer is the same.
TEST(MqttProbe, AnswersMayBeCutAnywhere) {
    // CONNACK with a reason string, a PUBLISH that a subscription of the broker's own brings, the PINGRESP.
    const std::string connack("\x20\x08\x00\x00\x05\x1f\x00\x02ok", 10);
    const std::string publish = std::string("\x31\x86\x01\x00\x01t\x00", 7) + std::string(130, '\xd0');
    const std::string early = connack + publish;
    for (std::size_t cut = 0; cut <= early.size(); ++cut) {
        Exchange e(make(health(mqtt::Version::V5)));
        e.serve = [&, step = 0](Exchange& x) mutable {
            if (connect_size(x.heard) == 0) return;
            const bool pinged = x.heard.substr(connect_size(x.heard)).starts_with(kPingreq);
            if (step == 0) {
                ++step;
                x.say(std::string_view(early).substr(0, cut));
                x.say(std::string_view(early).substr(cut));
            } else if (step == 1 && pinged) {
                ++step;
                x.say("\xd0");
                x.say(std::string_view("\0", 1));
            } else if (x.server.peer_finished()) {
                x.hang_up();
            }
        };
        ASSERT_EQ(outcome(e), ProbeFailure::None) << cut;
        ASSERT_FALSE(e.sent_reset());
    }
}

TEST(MqttProbe, ABrokerThatDoesNotFinishIsResetOneTimeoutAfterTheResult) {
    Exchange e(make());
    e.serve = [serve = broker()](Exchange& x) mutable {
        if (!x.server.peer_finished()) serve(x);
    };
    EXPECT_EQ(outcome(e), ProbeFailure::None);
    EXPECT_EQ(e.decided, kStart + 6ms);
    EXPECT_EQ(e.over, e.decided + kTimeout);
    EXPECT_TRUE(e.server_was_reset);
}

TEST(MqttProbe, ABrokerThatTalksOnIsCutOff) {
    Exchange e(make());
    e.serve = [step = 0](Exchange& x) mutable {
        if (connect_size(x.heard) == 0) return;
        if (step == 0) x.say(kConnack);
        if (step == 1) x.say(kPingresp);
        if (step < 2) ++step;
        if (step == 2) x.say(std::string(x.server.writable(), 'x'));
    };
    EXPECT_EQ(outcome(e), ProbeFailure::None);
    EXPECT_TRUE(e.sent_reset());
    EXPECT_LT(e.over, e.decided + kTimeout / 2);
}

// Any one segment of either side may be lost, its first copy.
TEST(MqttProbe, EveryLossIsRepaired) {
    for (const bool up : {true, false}) {
        for (int n = 0; n < 8; ++n) {
            SCOPED_TRACE((up ? "probe's segment " : "broker's segment ") + std::to_string(n));
            Exchange e(make());
            e.serve = broker();
            (up ? e.lose_up : e.lose_down) = [=](int i) { return i == n; };
            ASSERT_EQ(outcome(e), ProbeFailure::None);
            ASSERT_EQ(e.heard.substr(connect_size(e.heard)), kPingreq + kDisconnect);
        }
    }
}

TEST(MqttProbe, ABadWireFailsItInTimeOrNotAtAll) {
    int good = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Exchange e(make(), {.delay = 5ms, .jitter = 20ms, .loss = 0.15, .duplicate = 0.1, .reorder = 0.1},
                   seed);
        e.serve = broker();
        const Outcome o = outcome(e);
        const bool timed_out = o == ProbeFailure::NoAnswer || o == ProbeFailure::Silent;
        ASSERT_TRUE(o == ProbeFailure::None || timed_out) << seed << " " << describe(o);
        good += o == ProbeFailure::None ? 1 : 0;
    }
    EXPECT_GT(good, 250);
}

TEST(MqttProbe, AbandonedItResetsAConnectionThatStands) {
    Exchange e(make());
    e.start();
    e.abandon();
    EXPECT_TRUE(e.probe->over());
    EXPECT_FALSE(e.sent_reset()) << "nobody has answered";

    Exchange open(make());
    open.start();
    open.run(10ms);
    open.abandon();
    EXPECT_TRUE(open.probe->over());
    EXPECT_EQ(open.probe->status(), Probe::Status::Pending);
    open.run(10ms);
    EXPECT_TRUE(open.server_was_reset);
    open.abandon();
    EXPECT_EQ(open.sent(&wire::TcpFlags::rst), 1);
}

TEST(MqttProbe, TheLongestCredentialsPass) {
    config::Health h = health();
    h.username = std::string(65535, 'u');
    h.password = std::string(65535, 'p');
    Exchange e(make(h));
    e.serve = broker();
    EXPECT_EQ(outcome(e), ProbeFailure::None);
}

TEST(MqttProbe, AShortTimeoutIsKept) {
    config::Health h = health();
    h.timeout = 10ms;
    Exchange e(make(h));
    e.serve = broker();
    e.finish();
    EXPECT_EQ(e.probe->outcome(), ProbeFailure::None);
    Exchange silent(make(h));
    silent.finish();
    EXPECT_EQ(silent.probe->outcome(), ProbeFailure::NoAnswer);
    EXPECT_EQ(silent.over, kStart + 10ms);
}

}  // namespace
}  // namespace sluice::health::mqtt_probe_test
