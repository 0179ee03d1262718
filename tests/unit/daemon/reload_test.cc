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
    for (const auto& move : bench.control.reload(true).moves) shares[move.pool] = move.share;
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
    ASSERT_EQ(bench.control.backends()[1].state, "down");
    const std::string unprobed =
        with(kOnePool, "[[pool.backend]]\nname = \"b1\"", "[pool.health]\ntype = \"none\"\n");
    EXPECT_NEAR(moves(bench, unprobed).at("brokers"), 0.5, kNear);
    EXPECT_EQ(moves(bench, kOnePool).at("brokers"), 0);
}

}  // namespace
}  // namespace sluice::daemon
