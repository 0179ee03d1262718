// The command line: what it means, and what is said of a wrong one.
#include "options.h"

#include <gtest/gtest.h>

#include <array>
#include <sstream>
#include <string>

namespace sluice::load {
namespace {

struct Answer {
    std::variant<Options, int> result;
    std::string out;
    std::string err;

    const Options& options() const { return std::get<Options>(result); }
};

Answer ask(std::vector<const char*> words) {
    words.insert(words.begin(), "sluice-load");
    std::ostringstream out;
    std::ostringstream err;
    auto result = parse(static_cast<int>(words.size()), words.data(), out, err);
    return {.result = std::move(result), .out = out.str(), .err = err.str()};
}

TEST(Options, ScenariosHaveTheirDefaults) {
    const Answer publish = ask({"publish", "-t", "10.1.0.1:1883"});
    ASSERT_TRUE(std::holds_alternative<Options>(publish.result)) << publish.err;
    EXPECT_EQ(publish.options().plan.name, "publish");
    EXPECT_TRUE(publish.options().plan.publish);
    EXPECT_EQ(publish.options().swarm.qos, 1);
    EXPECT_EQ(publish.options().swarm.clients, 1000U);
    EXPECT_TRUE(publish.options().network.sockets());
    EXPECT_FALSE(publish.options().broker);

    const Answer courier = ask({"story", "courier", "-t", "10.1.0.1:1883", "-n", "50"});
    ASSERT_TRUE(std::holds_alternative<Options>(courier.result)) << courier.err;
    EXPECT_EQ(courier.options().plan.name, "courier");
    EXPECT_EQ(courier.options().plan.message_rate, 4680);
    EXPECT_EQ(courier.options().plan.churn_rate, 1000);
    EXPECT_EQ(courier.options().swarm.clients, 50U) << "what is said holds";

    const Answer broker = ask({"broker", "-l", "10.2.0.2:1883", "-l", "10.2.0.3:1883"});
    ASSERT_TRUE(std::holds_alternative<Options>(broker.result)) << broker.err;
    EXPECT_TRUE(broker.options().broker);
    EXPECT_EQ(broker.options().capacity, 20'000U);
    EXPECT_EQ(broker.options().addresses.size(), 2U);
}

TEST(Options, AreUnderstood) {
    const Answer answer = ask({"hold",
                               "-t",
                               "10.1.0.1:1883",
                               "-t",
                               "10.1.0.2:1883",
                               "-s",
                               "10.1.1.1-10.1.1.3",
                               "-s",
                               "10.1.2.1",
                               "--ports",
                               "2000",
                               "2999",
                               "-n",
                               "7",
                               "-r",
                               "2.5",
                               "-w",
                               "3",
                               "--mqtt",
                               "5",
                               "-k",
                               "5m",
                               "-i",
                               "dev",
                               "-u",
                               "me",
                               "-P",
                               "secret",
                               "--persistent",
                               "-d",
                               "2m",
                               "--come-back",
                               "500ms",
                               "--connect-timeout",
                               "3s",
                               "--patience",
                               "1s",
                               "-p",
                               "2KiB",
                               "--interface",
                               "veth0",
                               "--prefix",
                               "16",
                               "--gateway",
                               "10.1.0.254",
                               "--mtu",
                               "9000",
                               "--eal=--log-level=8",
                               "--json",
                               "-",
                               "--expect",
                               "a==1",
                               "-q"});
    ASSERT_TRUE(std::holds_alternative<Options>(answer.result)) << answer.err;
    const Options& o = answer.options();
    EXPECT_EQ(o.addresses.size(), 2U);
    ASSERT_EQ(o.network.sources.size(), 4U);
    EXPECT_EQ(o.network.sources[3], IpAddress::v4(10, 1, 2, 1));
    EXPECT_EQ(o.network.first_port, 2000);
    EXPECT_EQ(o.network.last_port, 2999);
    EXPECT_EQ(o.plan.arrivals, 2.5);
    EXPECT_EQ(o.plan.window, 3U);
    EXPECT_EQ(o.swarm.version, mqtt::Version::V5);
    EXPECT_EQ(o.swarm.keep_alive, 300);
    EXPECT_EQ(o.swarm.username, "me");
    EXPECT_EQ(o.swarm.password, "secret");
    EXPECT_FALSE(o.swarm.clean_start);
    EXPECT_EQ(o.plan.hold, 2min);
    EXPECT_EQ(o.swarm.come_back, 500ms);
    EXPECT_EQ(o.swarm.connect_timeout, 3s);
    EXPECT_EQ(o.swarm.payload, 2048U);
    EXPECT_FALSE(o.network.sockets());
    EXPECT_EQ(o.network.prefix, 16U);
    EXPECT_EQ(o.network.mtu, 9000);
    EXPECT_EQ(o.network.eal, std::vector<std::string>{"--log-level=8"});
    EXPECT_EQ(o.json, "-");
    EXPECT_TRUE(o.quiet);
}

TEST(Options, OfTheBrokerAreUnderstood) {
    const Answer plain = ask({"broker", "-l", "10.2.0.2:1883"});
    ASSERT_TRUE(std::holds_alternative<Options>(plain.result)) << plain.err;
    EXPECT_FALSE(plain.options().sink.connack_code);
    EXPECT_EQ(plain.options().sink.delay, Duration::zero());
    EXPECT_EQ(plain.options().sink.accept_rate, 0U);
    EXPECT_EQ(plain.options().sink.connect_timeout, 30s);
    EXPECT_EQ(plain.options().sink.queue_limit, 1000U);
    EXPECT_TRUE(plain.options().sink.keep_alive);

    const Answer answer = ask({"broker",
                               "-l",
                               "10.2.0.2:1883",
                               "-n",
                               "7",
                               "-d",
                               "2m",
                               "--route",
                               "--take-over",
                               "--no-keep-alive",
                               "--connack",
                               "0x89",
                               "--connack-delay",
                               "500ms",
                               "--accept-rate",
                               "100",
                               "--delay-above-rate",
                               "--connect-timeout",
                               "0s",
                               "--queue-limit",
                               "3",
                               "--watch-placement",
                               "50"});
    ASSERT_TRUE(std::holds_alternative<Options>(answer.result)) << answer.err;
    const BrokerOptions& o = answer.options().sink;
    EXPECT_EQ(answer.options().capacity, 7U);
    EXPECT_EQ(answer.options().duration, 2min);
    EXPECT_TRUE(o.route);
    EXPECT_TRUE(o.take_over);
    EXPECT_FALSE(o.keep_alive);
    EXPECT_EQ(o.connack_code, 0x89);
    EXPECT_EQ(o.delay, 500ms);
    EXPECT_EQ(o.accept_rate, 100U);
    EXPECT_TRUE(o.delay_above_rate);
    EXPECT_EQ(o.connect_timeout, Duration::zero());
    EXPECT_EQ(o.queue_limit, 3U);
    EXPECT_EQ(o.numbered_clients, 50U);

    // A return code of 3.1.1 comes back as itself: the broker turns the reason code into it.
    const std::array<std::uint8_t, 5> reasons{0x84, 0x85, 0x88, 0x86, 0x87};
    for (std::size_t code = 1; code <= reasons.size(); ++code) {
        const Answer refusal =
            ask({"broker", "-l", "10.2.0.2:1883", "--connack", std::to_string(code).c_str()});
        ASSERT_TRUE(std::holds_alternative<Options>(refusal.result)) << refusal.err;
        EXPECT_EQ(refusal.options().sink.connack_code, reasons[code - 1]);
    }
}

TEST(Options, SayWhatIsWrong) {
    struct Case {
        std::vector<const char*> words;
        const char* said;
    };
    for (const Case& c : {
             Case{{}, "A subcommand is required"},
             Case{{"dance"}, "A subcommand is required"},
             Case{{"hold"}, "--target is required"},
             Case{{"hold", "-t", "10.1.0.1"},
                  "--target: \"10.1.0.1\" is not ADDRESS:PORT, such as 10.1.0.1:1883"},
             Case{{"hold", "-t", "10.1.0.1:1", "-t", "10.1.0.1:1"}, "--target: 10.1.0.1:1 is given twice"},
             Case{{"hold", "-t", "10.1.0.1:1", "-s", "10.1.0.9-10.1.0.2"},
                  "--source: \"10.1.0.9-10.1.0.2\" is not a range"},
             Case{{"hold", "-t", "10.1.0.1:1", "-s", "10.1.0.2-10.1.0.4", "-s", "10.1.0.3"},
                  "--source: 10.1.0.3 is given twice"},
             Case{{"hold", "-t", "[fd00::1]:1", "-s", "10.1.0.2"}, "of one family"},
             Case{{"hold", "-t", "10.1.0.1:1", "--device", "net_null0"}, "--source: a DPDK port needs"},
             Case{{"hold", "-t", "10.1.0.1:1", "--device", "net_null0", "-s", "10.1.0.2", "--ports", "5", "9",
                   "-n", "6"},
                  "enough for 5 clients"},
             Case{{"hold", "-t", "10.1.0.1:1", "--device", "a", "--interface", "b"}, "excludes"},
             Case{{"hold", "-t", "10.1.0.1:1", "--ports", "9", "5"}, "--ports: give the first and the last"},
             Case{{"hold", "-t", "10.1.0.1:1", "-k", "1d"}, "--keep-alive: 65535s at most"},
             Case{{"hold", "-t", "10.1.0.1:1", "-d", "5"}, "--hold: \"5\" is not a duration"},
             Case{{"hold", "-t", "10.1.0.1:1", "-p", "5"}, "--payload: \"5\" is not a size"},
             Case{{"hold", "-t", "10.1.0.1:1", "-Q", "3"}, "--qos: Value 3 not in range 0 to 2"},
             Case{{"hold", "-t", "10.1.0.1:1", "--mqtt", "4"}, "--mqtt: \"4\" is not a version"},
             Case{{"hold", "-t", "10.1.0.1:1", "-P", "x"}, "requires --username"},
             Case{{"hold", "-t", "10.1.0.1:1", "--subscribers", "1001"}, "more than there are clients"},
             Case{{"hold", "-t", "10.1.0.1:1", "--gateway", "x"}, "--gateway: \"x\" is not an address"},
             Case{{"broker"}, "--listen is required"},
             Case{{"broker", "-l", "x"}, "--listen: \"x\" is not ADDRESS:PORT"},
             Case{{"broker", "-l", "10.1.0.1:1", "--connack", "6"}, "--connack: give a return code"},
             Case{{"broker", "-l", "10.1.0.1:1", "--connack", "256"}, "--connack: give a return code"},
             Case{{"broker", "-l", "10.1.0.1:1", "--connack-delay", "5"},
                  "--connack-delay: \"5\" is not a duration"},
             Case{{"broker", "-l", "10.1.0.1:1", "--delay-above-rate"}, "requires --accept-rate"},
         }) {
        const Answer answer = ask(c.words);
        ASSERT_TRUE(std::holds_alternative<int>(answer.result)) << c.said;
        EXPECT_EQ(std::get<int>(answer.result), kExitUsage);
        EXPECT_NE(answer.err.find(c.said), std::string::npos) << answer.err;
        EXPECT_EQ(answer.err.find("sluice-load: "), 0U);
        EXPECT_EQ(answer.out, "");
    }
}

TEST(Options, HelpNamesAllScenarios) {
    const Answer answer = ask({"--help"});
    EXPECT_EQ(std::get<int>(answer.result), kExitGood);
    for (const char* const name : {"connect", "hold", "publish", "churn", "reconnect", "story", "broker"})
        EXPECT_NE(answer.out.find(name), std::string::npos) << name;
    EXPECT_EQ(std::get<int>(ask({"--version"}).result), kExitGood);
}

}  // namespace
}  // namespace sluice::load
