#include "sluice/admin/commands.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::admin {
namespace {

using nlohmann::json;

class FakeView final : public View {
  public:
    Info info() override {
        return {.version = "1.2.3",
                .uptime = 90s,
                .workers = 2,
                .idle = "adaptive",
                .draining = false,
                .connections = 7,
                .max_connections = 1000,
                .half_open = 1,
                .timers = 6,
                .frames_used = 100,
                .frames_capacity = 4096,
                .spliced = 5,
                .reserved_bytes = 4096,
                .used_bytes = 1400,
                .dpdk = "22.11.4",
                .memory = "pages",
                .snapshot_generation = 3};
    }
    std::vector<ListenerRow> listeners() override {
        return {{.name = "mqtt",
                 .address = *SocketAddress::parse("10.1.0.1:1883"),
                 .pool = "brokers",
                 .state = "listening",
                 .connect_timeout = 10s,
                 .max_connect_size = 65536,
                 .allow = {*IpPrefix::parse("10.0.0.0/8")},
                 .deny = {}}};
    }
    std::vector<PoolRow> pools() override {
        return {{.name = "brokers",
                 .balance = "maglev",
                 .hash_key = "client_id",
                 .backends = 2,
                 .usable = 1,
                 .connections = 7,
                 .health = "tcp",
                 .offer = {.mss = 1460, .window_scale = std::uint8_t{7}, .sack = true}}};
    }
    std::vector<BackendRow> backends() override {
        BackendRow up;
        up.pool = "brokers";
        up.name = "b1";
        up.address = *SocketAddress::parse("10.2.0.2:1883");
        up.state = "up";
        up.health = {.probed = true, .successes = 9, .last_failure = "none", .latency = 1500us, .since = {}};
        up.leases = {.capacity = 100, .leased = 7, .quarantined = 2};
        BackendRow down = up;
        up.tally.connects = 9;
        up.tally.failures[0] = 2;
        up.tally.connacks[backend::connack_cell(mqtt::Version::V311, 0)] = 8;
        up.tally.connacks[backend::connack_cell(mqtt::Version::V5, 0x87)] = 1;
        up.tally.endings[0] = 3;
        up.tally.connack.counts.front() = 7;
        up.tally.connack.counts.back() = 1;
        up.tally.connack.nanoseconds = 12'000'000'000;
        up.traffic.to_broker = {.packets = 20, .bytes = 700};
        down.address = *SocketAddress::parse("[fd00::2]:1883");
        down.state = "down";
        down.health = {.probed = true, .failures = 4, .last_failure = "refused", .since = 12s};
        return {up, down};
    }
    ConnectionList connections(const ConnectionFilter& filter) override {
        asked = filter;
        if (filter.backend == "nobody") throw Refused("no backend is named 'nobody'");
        ConnectionRow row{.id = 5,
                          .worker = 1,
                          .phase = "relayed",
                          .listener = "mqtt",
                          .pool = "brokers",
                          .backend = "b1",
                          .client = *SocketAddress::parse("10.1.0.9:40000"),
                          .source = SocketAddress::parse("10.2.0.10:1024"),
                          .client_id = "caf\xe9",
                          .version = "3.1.1",
                          .keep_alive = 60,
                          .bytes_from_client = 1,
                          .bytes_from_broker = 2,
                          .age = 3s,
                          .idle = 250ms};
        return {.rows = {row}, .truncated = true};
    }
    std::vector<PortRow> ports() override {
        return {{.name = "front",
                 .driver = "net_af_packet",
                 .mac = {{2, 0, 0, 0, 0, 1}},
                 .mtu = 1500,
                 .queues = 2,
                 .link_up = true,
                 .link_mbps = 10000,
                 .addresses = {*IpAddress::parse("10.1.0.1")},
                 .statistics = {{"rx_frames", 11}}}};
    }
    std::vector<NeighborRow> neighbors() override {
        return {{.worker = 0,
                 .port = "front",
                 .address = *IpAddress::parse("10.1.0.9"),
                 .mac = {},
                 .state = "incomplete",
                 .age = 1s}};
    }
    std::string config_json() override { return R"({"runtime": {"workers": 2, "cores": null}})"; }
    std::uint64_t counter(Counter id) override { return id == Counter::DropTcpChecksum ? 42 : 0; }
    Explanation explain(const Question& question) override {
        questioned = question;
        Explanation e;
        e.client_id = question.client_id;
        e.listener = question.listener;
        e.route_text = "none fits: the listener's pool";
        e.pool = question.pool.empty() ? "of " + question.listener : question.pool;
        e.hash = 0xfedcba9876543210U;
        e.slot = 17;
        e.backend = "b1";
        e.address = SocketAddress::parse("10.2.0.2:1883");
        e.state = "up";
        e.by_key = true;
        e.why = "its hash";
        return e;
    }
    void set_log_level(const std::string& level) override {
        if (level != "debug") throw Refused("no such level");
        log_level = level;
    }

    ReloadReport reload(bool dry_run) override {
        if (broken)
            throw ReloadRefused("the configuration has 1 problem; nothing has changed", {"f:3: x: bad"});
        return {.applied = !dry_run,
                .changes = {{"backend brokers/b3", "added", "", "", ""},
                            {"pool brokers", "changed", "drain_rate", "1000", "200"}},
                .moves = {{"brokers", 0.25}}};
    }
    void set_state(const std::string& backend, Wish wish) override {
        done = std::string(to_string(wish)) + " " + backend;
    }
    void set_weight(const std::string& backend, std::uint32_t weight) override {
        done = "weight " + backend + " " + std::to_string(weight);
    }
    void add_backend(const std::string& pool, const std::string& name, const SocketAddress& address,
                     std::uint32_t weight) override {
        done = "add " + pool + " " + name + " " + address.to_string() + " " + std::to_string(weight);
    }
    void remove_backend(const std::string& backend) override { done = "remove " + backend; }
    std::uint64_t kill_connections(const ConnectionFilter& filter) override {
        asked = filter;
        return 3;
    }

    Question questioned;
    std::string done;
    bool broken = false;
    ConnectionFilter asked;
    std::string log_level;
};

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
    EXPECT_EQ(row["offer"],
              json({{"mss", 1460}, {"window_scale", 7}, {"sack", true}, {"timestamps", false}}));
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
    EXPECT_EQ(tally["failures"], json({{"refused", 2}, {"silent", 0}, {"unreachable", 0}}));
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
    EXPECT_EQ(ask("show info now")["error"], "wrong number of words; write: show info");
    EXPECT_EQ(ask("log level")["error"], "wrong number of words; write: log level LEVEL");
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
