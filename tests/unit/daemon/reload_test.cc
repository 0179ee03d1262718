// What a reload says of itself, and backends that come and go by the operator's word.
#include <gtest/gtest.h>

#include <map>

#include "clients.h"

namespace sluice::daemon {
namespace {

std::string with(std::string_view text, std::string_view before, std::string_view lines) {
    std::string changed(text);
    changed.insert(changed.find(before), lines);
    return changed;
}
std::string with(std::string_view lines) { return with(kOnePool, "source_addresses", lines); }

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

// By pool, of a dry run.
std::map<std::string, double> moves(Bench& bench, std::string_view text) {
    bench.file = file_of(text);
    std::map<std::string, double> shares;
    for (const auto& move : bench.controller.reload(true).moves) shares[move.pool] = move.share;
    return shares;
}

std::map<std::string, double> moves(std::string_view running, std::string_view wanted) {
    Bench bench(config_of(running));
    return moves(bench, wanted);
}

constexpr double kNear = 0.03;

TEST(Moves, NobodyWhereNothingChangesForThem) {
    EXPECT_EQ(moves(kOnePool, kOnePool).at("brokers"), 0);
    EXPECT_EQ(moves(kOnePool, with("drain_rate = 5\n")).at("brokers"), 0);
    EXPECT_EQ(moves(kOnePool, replaced(std::string(kOnePool), "\"brokers\"", "\"renamed\"")).at("renamed"),
              0);
}

TEST(Moves, WhoseBrokerWeighsLessOrTakesNobody) {
    const std::string b2 = "max_connections = 5\n";
    for (const char* line : {"state = \"drain\"\n", "state = \"maintenance\"\n", "weight = 0\n"}) {
        EXPECT_NEAR(moves(kOnePool, with(kOnePool, b2, line)).at("brokers"), 0.5, kNear) << line;
    }
    EXPECT_NEAR(moves(kOnePool, with(kOnePool, b2, "weight = 300\n")).at("brokers"), 0.25, kNear);
    EXPECT_NEAR(moves(kOnePool, std::string(kOnePool) +
                                    "[[pool.backend]]\nname = \"b3\"\naddress = \"10.1.0.23:1883\"\n")
                    .at("brokers"),
                1.0 / 3, kNear);
}

// The other key of a client has nothing to do with the one that it has now.
TEST(Moves, EverybodyWhoDoesNotMeetTheSameBrokerByChanceWhereTheKeyIsAnother) {
    EXPECT_NEAR(moves(kOnePool, with("hash_key = \"client_ip\"\n")).at("brokers"), 0.5, kNear);
    const std::string by_part = with("hash_pattern = \"^([a-z]+)\"\n");
    EXPECT_NEAR(moves(kOnePool, by_part).at("brokers"), 0.5, kNear);
    EXPECT_NEAR(moves(by_part, with("hash_pattern = \"^([0-9]+)\"\n")).at("brokers"), 0.5, kNear);
    EXPECT_EQ(moves(by_part, by_part).at("brokers"), 0);
}

TEST(Moves, LikewiseWhereThePoolGoesByLoadBeforeOrAfter) {
    const std::string by_load = with("balance = \"round_robin\"\n");
    EXPECT_NEAR(moves(kOnePool, by_load).at("brokers"), 0.5, kNear);
    EXPECT_NEAR(moves(by_load, kOnePool).at("brokers"), 0.5, kNear);
    EXPECT_TRUE(moves(by_load, with("balance = \"least_connections\"\n")).empty());
}

// A pool without probes has no broker that is down.
TEST(Moves, BackToABrokerThatWasDownWhereProbesEnd) {
    const CapturedLog log;
    Bench bench(config_of(kOnePool));
    Clients world(bench);
    world.serve(*IpAddress::parse("10.1.0.21"));
    world.pass(20s);
    ASSERT_EQ(bench.controller.backends()[1].state, "down");
    const std::string unprobed =
        with(kOnePool, "[[pool.backend]]\nname = \"b1\"", "[pool.health]\ntype = \"none\"\n");
    EXPECT_NEAR(moves(bench, unprobed).at("brokers"), 0.5, kNear);
    EXPECT_EQ(moves(bench, kOnePool).at("brokers"), 0);
}

// Workers number ports as they were at start.
TEST(Reload, PortsKeepTheirNamesInWhateverOrderTheFileHasThem) {
    const CapturedLog log;
    const std::string other =
        "[[port]]\nname = \"back\"\ninterface = \"veth1\"\naddresses = [\"10.2.0.2/24\"]\n";
    Bench bench(config_of(with(kOnePool, "[[listener]]", other)));
    bench.file = file_of(other + std::string(kOnePool));
    EXPECT_TRUE(bench.controller.reload(false).changes.empty());
    bench.memory_ports[0]->inject(from_hex(kPartialSyn));
    bench.pass(1s);
    EXPECT_EQ(log.count("port front: 10.1.0.1 sends packets with unfinished checksums"), 1U);
}

// Source addresses and ports of `brokers` are those of `two`, whose backends are others.
constexpr std::string_view kShared = R"(
[[pool]]
name = "two"
source_addresses = ["10.1.0.10"]
[[pool.backend]]
name = "b9"
address = "10.1.0.29:1883"
)";

class Backends : public testing::Test {
  protected:
    std::string add(const std::string& name, const char* address, const char* pool = "brokers") {
        return refusal(
            [&] { bench_.controller.add_backend(pool, name, *SocketAddress::parse(address), 100); });
    }
    std::string remove(const std::string& name) {
        return refusal([&] { bench_.controller.remove_backend(name); });
    }
    static std::string refusal(const std::function<void()>& command) {
        try {
            command();
        } catch (const admin::Refused& refused) {
            return refused.what();
        }
        return "";
    }
    std::string state_of(const std::string& name) {
        std::string states;
        for (const admin::BackendRow& row : bench_.controller.backends()) {
            if (row.name == name) states.append(states.empty() ? "" : ", ").append(row.state);
        }
        return states;
    }

    const CapturedLog log_;
    Bench bench_{config_of(std::string(kOnePool) + std::string(kShared))};
};

TEST_F(Backends, AreRefusedInTheWordsOfTheFile) {
    EXPECT_EQ(add("b3", "10.1.0.23:1883", "nowhere"), "no pool is named 'nowhere'; see show pools");
    EXPECT_EQ(
        add("b 3", "10.1.0.23:1883"),
        "backend.name: \"b 3\" is not a valid name; use at most 64 letters, digits, and the signs . _ - :");
    EXPECT_EQ(add("b1", "10.1.0.23:1883").find("backend.name: the name \"b1\" is taken; "), 0U);
    EXPECT_EQ(add("b3", "10.1.0.21:1883").find("backend.address: the address \"10.1.0.21:1883\" is taken; "),
              0U);
    EXPECT_EQ(add("b3", "[fd00::5]:1883"),
              "backend.address: the pool has no IPv6 source address to reach it from; add one to "
              "source_addresses");
    EXPECT_EQ(add("b3", "10.9.0.1:1883").find("backend.address: 10.9.0.1 cannot be reached from "), 0U);
    EXPECT_EQ(add("b3", "10.1.0.2:1884"),
              "backend.address: 10.1.0.2 is one of Sluice's own addresses; give the broker's own address");
    EXPECT_EQ(bench_.controller.backends().size(), 3U);
    EXPECT_EQ(log_.count("added"), 0U);
}

TEST_F(Backends, ComeAfterAProbeAndGoWithTheNextReload) {
    EXPECT_EQ(add("b3", "10.1.0.23:1883"), "");
    EXPECT_EQ(state_of("b3"), "down");
    EXPECT_EQ(log_.count("info: pool brokers: broker b3 (10.1.0.23:1883) added"), 1U);
    bench_.file = file_of(std::string(kOnePool) + std::string(kShared));
    const admin::ReloadReport report = bench_.controller.reload(false);
    ASSERT_EQ(report.changes.size(), 1U);
    EXPECT_EQ(report.changes[0].what, "backend brokers/b3");
    EXPECT_EQ(report.changes[0].kind, "removed");
}

TEST_F(Backends, ReturnToTheirPlaceUnderAnyName) {
    EXPECT_EQ(remove("b1"), "");
    EXPECT_EQ(remove("b1"), "no backend is named 'b1'; see show backends");
    EXPECT_EQ(remove("b2").find("'b2' is the only backend of pool brokers; "), 0U);
    EXPECT_EQ(add("again", "10.1.0.21:1883"), "");
    EXPECT_EQ(state_of("b1"), "");
    EXPECT_EQ(state_of("again"), "slow-start");
    // The name is free, whoever had it.
    EXPECT_EQ(add("b1", "10.1.0.24:1883"), "");
    EXPECT_EQ(state_of("b1"), "down");
}

// What was refused last, by what is still there, is not said to have been done.
TEST_F(Backends, AreNotSaidToBeAddedWhereConnectionsOfOthersAreInTheWay) {
    EXPECT_EQ(remove("b2"), "");
    EXPECT_EQ(
        add("b2", "10.1.0.22:1883", "two")
            .find("pool two reaches backend b2 from source addresses of pool brokers, whose connections "
                  "are still there"),
        0U);
    EXPECT_EQ(log_.count("added"), 0U);
    bench_.pass(2s);  // nobody was there
    EXPECT_EQ(add("b2", "10.1.0.22:1883", "two"), "");
    EXPECT_EQ(log_.count("info: pool two: broker b2 (10.1.0.22:1883) added"), 1U);
}

}  // namespace
}  // namespace sluice::daemon
