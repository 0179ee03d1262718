#include "sluice/admin/commands.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_view.h"

namespace sluice::admin {
namespace {

using nlohmann::json;

json ask(FakeView& view, std::string_view line) {
    const std::string reply = answer(view, line);
    EXPECT_EQ(reply.find('\n'), std::string::npos);
    const json parsed = json::parse(reply);
    EXPECT_TRUE(parsed.is_object());
    return parsed;
}
json ask(std::string_view line) {
    FakeView view;
    return ask(view, line);
}

TEST(Commands, ShowInfo) {
    const json info = ask("show info")["info"];
    EXPECT_EQ(info["version"], "1.2.3");
    EXPECT_EQ(info["uptime_seconds"], 90.0);
    EXPECT_EQ(info["workers"], 2);
    EXPECT_EQ(info["memory"], "pages");
    EXPECT_EQ(info["max_connections"], 1000);
    EXPECT_EQ(info["snapshot_generation"], 3);
}

TEST(Commands, ShowConfig) {
    EXPECT_EQ(ask("show config")["config"], json({{"runtime", {{"workers", 2}, {"cores", nullptr}}}}));
}

TEST(Commands, ShowListeners) {
    const json row = ask("show listeners")["listeners"][0];
    EXPECT_EQ(row["address"], "10.1.0.1:1883");
    EXPECT_EQ(row["pool"], "brokers");
    EXPECT_EQ(row["connect_timeout_seconds"], 10.0);
    EXPECT_EQ(row["allow"], json({"10.0.0.0/8"}));
    EXPECT_EQ(row["deny"], json::array());
}

TEST(Commands, ShowPools) {
    const json row = ask("show pools")["pools"][0];
    EXPECT_EQ(row["usable"], 1);
    EXPECT_EQ(row["offer"], json({{"mss", 1460},
                                  {"window_bytes", 4096},
                                  {"window_scale", 7},
                                  {"sack", true},
                                  {"timestamps", false}}));
}

TEST(Commands, ShowBackends) {
    const json rows = ask("show backends")["backends"];
    EXPECT_EQ(rows[0]["state"], "up");
    EXPECT_EQ(rows[0]["leases"], json({{"leased", 7}, {"quarantined", 2}, {"capacity", 100}}));
    EXPECT_EQ(rows[0]["health"]["latency_seconds"], 0.0015);
    EXPECT_EQ(rows[0]["health"]["since_seconds"], nullptr);
    EXPECT_EQ(rows[0]["offer"], nullptr);
    EXPECT_EQ(rows[1]["address"], "[fd00::2]:1883");
    EXPECT_EQ(rows[1]["health"]["last_failure"], "refused");
    EXPECT_EQ(rows[1]["health"]["since_seconds"], 12.0);
}

TEST(Commands, ShowBackendsTalliesWhatTheyDid) {
    const json rows = ask("show backends")["backends"];
    const json tally = rows[0]["tally"];
    EXPECT_EQ(tally["connects"], 9);
    EXPECT_EQ(tally["failures"], json({{"refused", 2}, {"silent", 0}, {"unreachable", 0}, {"closed", 0}}));
    EXPECT_EQ(tally["connacks"], json::parse(R"([{"version":"3","code":"0x00","count":8},
                                                 {"version":"5","code":"0x87","count":1}])"));
    EXPECT_EQ(tally["endings"],
              json({{kCounterTable[static_cast<std::size_t>(backend::kEndings[0])].name, 3}}));
    EXPECT_EQ(tally["connack_latency"], json::parse(R"({"sum_seconds":12.0, "buckets":[
        {"above_seconds":0.0,"up_to_seconds":0.0001,"count":7},
        {"above_seconds":10.0,"up_to_seconds":null,"count":1}]})"));
    EXPECT_EQ(tally["connect_latency"]["buckets"], json::array());
    EXPECT_EQ(tally["to_broker_packets"], 20);
    EXPECT_EQ(tally["to_broker_bytes"], 700);
    EXPECT_EQ(tally["to_client_bytes"], 0);
    EXPECT_EQ(rows[1]["tally"]["connacks"], json::array());
}

TEST(Commands, ShowConnectionsMakesClientTextValidUtf8) {
    const json reply = ask("show connections");
    EXPECT_EQ(reply["truncated"], true);
    const json row = reply["connections"][0];
    EXPECT_EQ(row["client_id"], "caf\xef\xbf\xbd");
    EXPECT_FALSE(row.contains("client_id_cut"));
    EXPECT_EQ(row["source"], "10.2.0.10:1024");
    EXPECT_EQ(row["idle_seconds"], 0.25);
}

TEST(Commands, AnswersHoldNothingThatATerminalWouldObey) {
    FakeView view;
    const std::string id = "caf\xc3\xa9\x7f\xc2\x9b\xe2\x80\xae";
    const std::string reply = answer(view, "explain \"" + id + "\"");
    EXPECT_NE(reply.find("\"caf\xc3\xa9\\u007f\\u009b\\u202e\""), std::string::npos) << reply;
    EXPECT_EQ(json::parse(reply)["client_id"], id);
}

TEST(Commands, ShowConnectionsReadsItsFilter) {
    FakeView view;
    ask(view,
        R"(show connections backend=b1 client_id="a b" client_id_prefix=x= address=[fd00::1]:7 phase=relayed limit=5)");
    EXPECT_EQ(view.asked.backend, "b1");
    EXPECT_EQ(view.asked.client_id, "a b");
    EXPECT_EQ(view.asked.client_id_prefix, "x=");
    EXPECT_EQ(view.asked.address, SocketAddress::parse("[fd00::1]:7"));
    EXPECT_EQ(view.asked.phase, "relayed");
    EXPECT_EQ(view.asked.limit, 5U);

    ask(view, "show connections address=10.0.0.1");
    EXPECT_EQ(view.asked.address, (SocketAddress{*IpAddress::parse("10.0.0.1"), 0}));
    EXPECT_EQ(view.asked.limit, 1000U);
    EXPECT_FALSE(view.asked.backend);
}

TEST(Commands, ShowConnectionsRefusesABadFilter) {
    for (const char* line : {"show connections b1", "show connections color=red", "show connections limit=0",
                             "show connections limit=5x", "show connections limit=100001",
                             "show connections address=10.0.0", "show connections backend=nobody"}) {
        EXPECT_TRUE(ask(line).contains("error")) << line;
    }
    EXPECT_EQ(ask("show connections backend=nobody")["error"], "no backend is named 'nobody'");
}

TEST(Commands, ShowPorts) {
    const json row = ask("show ports")["ports"][0];
    EXPECT_EQ(row["mac"], "02:00:00:00:00:01");
    EXPECT_EQ(row["link"], "up");
    EXPECT_EQ(row["statistics"]["rx_frames"], 11);
    EXPECT_EQ(row["addresses"], json({"10.1.0.1"}));
}

TEST(Commands, ShowNeighbors) {
    const json row = ask("show neighbors")["neighbors"][0];
    EXPECT_EQ(row["mac"], nullptr);
    EXPECT_EQ(row["state"], "incomplete");
}

TEST(Commands, ShowCountersLeavesZeroesOutUnlessAskedForAll) {
    const json some = ask("show counters")["counters"];
    ASSERT_EQ(some.size(), 1U);
    EXPECT_EQ(some[0]["name"], "drop_tcp_checksum");
    EXPECT_EQ(some[0]["value"], 42);
    EXPECT_EQ(some[0]["severity"], "notice");
    EXPECT_FALSE(some[0]["meaning"].get<std::string>().empty());
    EXPECT_EQ(ask("show counters all")["counters"].size(), kCounterCount);
    EXPECT_TRUE(ask("show counters some").contains("error"));
}

TEST(Commands, ExplainByPoolByListenerOrAlone) {
    const json reply = ask("explain sensor-1 pool=brokers");
    EXPECT_EQ(reply["client_id"], "sensor-1");
    EXPECT_EQ(reply["pool"], "brokers");
    EXPECT_EQ(reply["hash"], "0xfedcba9876543210");
    EXPECT_EQ(reply["backend"], "b1");
    EXPECT_EQ(reply["by_key"], true);
    EXPECT_EQ(reply["why"], "its hash");
    EXPECT_EQ(ask("explain sensor-1 listener=mqtt")["pool"], "of mqtt");
    EXPECT_FALSE(ask("explain sensor-1").contains("error"));
    EXPECT_TRUE(ask("explain sensor-1 pool").contains("error"));
    EXPECT_TRUE(ask("explain sensor-1 port=brokers").contains("error"));
}

TEST(Commands, LogLevel) {
    FakeView view;
    EXPECT_EQ(ask(view, "log level debug")["log_level"], "debug");
    EXPECT_EQ(view.log_level, "debug");
    EXPECT_EQ(ask(view, "log level loud")["error"], "no such level");
}

TEST(Commands, HelpNamesEveryCommand) {
    const json commands = ask("help")["commands"];
    EXPECT_EQ(commands.size(), 20U);
    for (const json& row : commands) EXPECT_FALSE(row["meaning"].get<std::string>().empty());
}

TEST(Commands, WhatIsNotUnderstoodNamesTheNearestCommand) {
    EXPECT_EQ(ask("show backend")["error"], "unknown command; did you mean 'show backends'?");
    EXPECT_EQ(ask("shw conections limit=5")["error"], "unknown command; did you mean 'show connections'?");
    EXPECT_EQ(ask("explian sensor-1")["error"], "unknown command; did you mean 'explain'?");
    EXPECT_EQ(ask("hlep")["error"], "unknown command; did you mean 'help'?");
}

TEST(Commands, WrongNumberOfWordsShowsTheUsage) {
    EXPECT_EQ(ask("show info now")["error"], "wrong number of arguments; usage: show info");
    EXPECT_EQ(ask("log level")["error"], "wrong number of arguments; usage: log level LEVEL");
    EXPECT_TRUE(ask("explain").contains("error"));
}

TEST(Commands, OddLinesAreAnsweredToo) {
    EXPECT_TRUE(ask("").contains("error"));
    EXPECT_TRUE(ask("\"open").contains("error"));
    EXPECT_TRUE(ask(std::string_view("show\0info", 9)).contains("error"));
    EXPECT_TRUE(ask("\xff\xfe").contains("error"));
}

}  // namespace
}  // namespace sluice::admin
