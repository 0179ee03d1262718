// What a reload is told of: names, keys, and values as the file writes them.
#include "sluice/config/difference.h"

#include <gtest/gtest.h>

#include "known_keys.h"
#include "sluice/config/reader.h"

namespace sluice::config {
namespace {

constexpr std::string_view kRunning = R"([[port]]
name = "front"
interface = "eth1"
addresses = ["10.1.0.1/24"]
[[listener]]
name = "mqtt"
address = "10.1.0.1:1883"
pool = "brokers"
[[pool]]
name = "brokers"
source_addresses = ["10.1.0.10-10.1.0.12", "10.1.0.20"]
[[pool.backend]]
name = "broker-1"
address = "10.1.0.2:1883"
[[pool.backend]]
name = "broker-2"
address = "10.1.0.3:1883"
)";

Config parsed(const std::string& text) {
    const LoadResult result = read(text, "f");
    EXPECT_TRUE(result.config) << to_string(result.problems.at(0));
    return result.config.value_or(Config{});
}

std::string edited(std::string_view from, std::string_view to) {
    std::string text(kRunning);
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// A change a line: "what key: from -> to [reason]".
std::string described(const std::vector<Change>& changes) {
    static constexpr const char* kKinds[] = {"added", "removed", "changed"};
    std::string out;
    for (const Change& change : changes) {
        out += change.what;
        if (!change.key.empty()) out += " " + change.key;
        out += ": ";
        if (change.kind == ChangeKind::Changed) {
            out += change.from + " -> " + change.to;
        } else {
            out += kKinds[static_cast<unsigned>(change.kind)] + change.from + change.to;
        }
        if (change.needs_restart) out += " [" + *change.needs_restart + "]";
        out += "\n";
    }
    return out;
}

std::string changed(const std::string& text) {
    return described(difference(parsed(std::string(kRunning)), parsed(text)));
}

TEST(Difference, IsNoneOfTheSame) {
    EXPECT_EQ(changed(std::string(kRunning)), "");
    EXPECT_EQ(changed("[runtime]\nworkers = 1\nmax_connections = 1_000_000\n" + std::string(kRunning)), "");
}

TEST(Difference, TellsValuesAsTheFileWritesThem) {
    EXPECT_EQ(changed(edited("pool = \"brokers\"", R"(pool = "brokers"
connect_timeout = "90s"
max_connect_size = "1KiB"
allow = ["10.0.0.0/8", "192.0.2.1"]
idle_timeout = "2d")")),
              "listener mqtt connect_timeout: \"10s\" -> \"90s\"\n"
              "listener mqtt max_connect_size: \"64KiB\" -> \"1KiB\"\n"
              "listener mqtt allow:  -> [\"10.0.0.0/8\", \"192.0.2.1/32\"]\n"
              "listener mqtt idle_timeout: \"1h\" -> \"2d\"\n");
    EXPECT_EQ(changed(edited("[[pool.backend]]", R"(bounded_load = 1.25
hash_pattern = '^"(\w+)'
drain_rate = 50
on_down = "keep"
[pool.health]
type = "http"
expect = 204
[[pool.backend]])")),
              "pool brokers hash_pattern:  -> \"^\\\"(\\\\w+)\"\n"
              "pool brokers bounded_load: 0 -> 1.25\n"
              "pool brokers drain_rate: 1000 -> 50\n"
              "pool brokers on_down: \"reset\" -> \"keep\"\n"
              "pool brokers health.type: \"tcp\" -> \"http\"\n"
              "pool brokers health.expect: \"200-299\" -> 204\n");
}

TEST(Difference, TellsRunsOfSourceAddressesAsRanges) {
    EXPECT_EQ(changed(edited("[\"10.1.0.10-10.1.0.12\", \"10.1.0.20\"]", "[\"10.1.0.12\", \"10.1.0.11\"]")),
              "pool brokers source_addresses: [\"10.1.0.10-10.1.0.12\", \"10.1.0.20\"] -> "
              "[\"10.1.0.12\", \"10.1.0.11\"]\n");
}

TEST(Difference, ComparesByName) {
    EXPECT_EQ(changed(edited("name = \"broker-2\"\naddress = \"10.1.0.3:1883\"",
                             "name = \"broker-3\"\naddress = \"10.1.0.3:1883\"")),
              "backend brokers/broker-3: added\nbackend brokers/broker-2: removed\n");
    EXPECT_EQ(changed(edited("name = \"broker-1\"\naddress = \"10.1.0.2:1883\"\n[[pool.backend]]\n"
                             "name = \"broker-2\"\naddress = \"10.1.0.3:1883\"",
                             "name = \"broker-2\"\naddress = \"10.1.0.3:1883\"\n[[pool.backend]]\n"
                             "name = \"broker-1\"\naddress = \"10.1.0.4:1884\"\nstate = \"drain\"")),
              "backend brokers/broker-1 address: \"10.1.0.2:1883\" -> \"10.1.0.4:1884\"\n"
              "backend brokers/broker-1 state: \"up\" -> \"drain\"\n");
    const std::string more = std::string(kRunning) + R"([[pool]]
name = "more"
source_addresses = ["10.1.0.30"]
[[pool.backend]]
name = "broker-1"
address = "10.1.0.4:1883"
[[listener]]
name = "second"
address = "10.1.0.1:1884"
pool = "more"
)";
    EXPECT_EQ(changed(more), "listener second: added\npool more: added\n");
    EXPECT_EQ(described(difference(parsed(more), parsed(std::string(kRunning)))),
              "listener second: removed\npool more: removed\n");
}

TEST(Difference, ComparesRoutesByNumber) {
    const std::string route = "[[route]]\nversion = [\"3.1\"]\nrefuse = \"unavailable\"\n";
    EXPECT_EQ(changed(route + std::string(kRunning)), "route 1: added\n");
    const Config one = parsed(route + std::string(kRunning));
    const Config two = parsed("[[route]]\nusername = \"\"\nnetwork = \"10.0.0.0/8\"\npool = \"brokers\"\n" +
                              route + std::string(kRunning));
    EXPECT_EQ(described(difference(one, two)),
              "route 1 username:  -> \"\"\n"
              "route 1 version: [\"3.1\"] -> \n"
              "route 1 network:  -> [\"10.0.0.0/8\"]\n"
              "route 1 pool:  -> \"brokers\"\n"
              "route 1 refuse: \"unavailable\" -> \n"
              "route 2: added\n");
    EXPECT_EQ(described(difference(one, parsed(std::string(kRunning)))), "route 1: removed\n");
}

TEST(Difference, SaysWhatNeedsARestart) {
    EXPECT_EQ(
        changed(edited("[[port]]", R"([runtime]
cores = "3,5-7"
idle = "poll"
connect_memory = "512MiB"
shutdown_timeout = "1m"
[admin]
socket = "/tmp/admin.sock"
log = "debug"
metrics = "127.0.0.1:9187"
connection_log = "/tmp/log"
[[port]])")),
        "runtime workers: 1 ->  [workers, memory and DPDK's EAL are set up at start]\n"
        "runtime cores:  -> \"3,5-7\" [workers, memory and DPDK's EAL are set up at start]\n"
        "runtime idle: \"adaptive\" -> \"poll\" [workers, memory and DPDK's EAL are set up at start]\n"
        "runtime connect_memory: \"256MiB\" -> \"512MiB\"\n"
        "runtime shutdown_timeout: \"30s\" -> \"1m\"\n"
        "admin socket: \"/run/sluice/admin.sock\" -> \"/tmp/admin.sock\" [the address is bound at start]\n"
        "admin log: \"info\" -> \"debug\"\n"
        "admin metrics:  -> \"127.0.0.1:9187\" [the address is bound at start]\n"
        "admin connection_log:  -> \"/tmp/log\"\n");
    EXPECT_EQ(changed(edited("interface = \"eth1\"", "device = \"net_null0\"\nmtu = 9000")),
              "port front device:  -> \"net_null0\" [ports are opened at start]\n"
              "port front interface: \"eth1\" ->  [ports are opened at start]\n"
              "port front driver: \"af_packet\" ->  [ports are opened at start]\n"
              "port front mtu: 1500 -> 9000 [ports are opened at start]\n");
    EXPECT_EQ(changed(edited("interface = \"eth1\"", "interface = \"eth1\"\ndriver = \"af_xdp\"")),
              "port front driver: \"af_packet\" -> \"af_xdp\" [ports are opened at start]\n");
    EXPECT_EQ(
        changed(edited("name = \"front\"", "name = \"net\"")),
        "port net: added [ports are opened at start]\nport front: removed [ports are opened at start]\n");
    EXPECT_EQ(changed(edited("[[pool.backend]]", "source_ports = \"2000-3000\"\n[[pool.backend]]")),
              "pool brokers source_ports: \"1024-65535\" -> \"2000-3000\" "
              "[source ports are shared out among the workers at start]\n");
}

TEST(Difference, TellsThatAPasswordChangedButNotWhich) {
    Config running = parsed(std::string(kRunning));
    running.pools[0].health.password_file = "/etc/password";
    running.pools[0].health.password = "old";
    Config wanted = running;
    wanted.pools[0].health.password = "new";
    EXPECT_EQ(described(difference(running, wanted)),
              "pool brokers health.password_file: \"/etc/password\" -> \"/etc/password\" (other content)\n");
}

// Everything in it differs from kRunning, but that a probe is of one type only: HEALTH.
constexpr std::string_view kEverything = R"([runtime]
cores = "3,1"
idle = "poll"
max_connections = 5000
connect_memory = "2MiB"
memory = "pages"
eal = ["-n4"]
shutdown_timeout = "0s"
[[port]]
name = "front"
device = "net_null0"
addresses = ["10.1.0.1/16"]
gateway = ["10.1.0.254"]
mtu = 576
[admin]
socket = "/tmp/a.sock"
log = "debug"
metrics = "127.0.0.1:9187"
connection_log = "/tmp/log"
[[listener]]
name = "mqtt"
address = "10.1.0.1:1884"
pool = "more"
connect_timeout = "500ms"
max_connect_size = "512B"
connect_window = "2KiB"
allow = ["10.0.0.0/8"]
deny = ["10.66.0.0/16"]
max_connections = 10
half_open = 20
idle_timeout = "0s"
[[route]]
listener = "mqtt"
client_id_prefix = "a"
client_id_pattern = "b"
username = ""
version = "5"
network = "10.0.0.0/8"
pool = "more"
[[pool]]
name = "more"
source_addresses = ["10.1.0.30"]
[[pool.backend]]
name = "broker-1"
address = "10.1.0.4:1883"
[[pool]]
name = "brokers"
balance = "two_choices"
hash_pattern = '(a)'
source_addresses = ["10.1.0.10"]
source_ports = "2048-4096"
retries = 0
attempt_timeout = "1s"
bounded_load = 1
drain_rate = 1
slow_start = "0s"
on_down = "keep"
[pool.health]
HEALTH
interval = "1m"
timeout = "2m"
rise = 1
fall = 1
[[pool.backend]]
name = "broker-1"
address = "10.1.0.9:1883"
weight = 0
max_connections = 7
state = "drain"
)";

void add_keys(const std::string& running, const std::string& health, Keys& keys) {
    std::string wanted(kEverything);
    wanted.replace(wanted.find("HEALTH"), 6, health);
    for (const Change& change : difference(parsed(running), parsed(wanted))) {
        if (change.kind != ChangeKind::Changed) continue;
        std::string section = change.what.substr(0, change.what.find(' '));
        if (section == "backend") section = "pool.backend";
        const bool of_health = change.key.starts_with("health.");
        keys[of_health ? "pool.health" : section].insert(of_health ? change.key.substr(7) : change.key);
    }
}

// A key that the reader takes and the comparison forgets would be changed by no reload.
TEST(Difference, KnowsEveryKey) {
    const std::string running = "[[route]]\nrefuse = \"unavailable\"\n" + std::string(kRunning);
    const std::string hashed = edited("[[pool.backend]]", "hash_key = \"username\"\n[[pool.backend]]");
    Keys compared;
    add_keys(running,
             "type = \"mqtt\"\nusername = \"a\"\nversion = \"5\"\npassword_file = \"" ROOT_DIRECTORY
             "/LICENSE\"",
             compared);
    add_keys(hashed, "type = \"http\"\npath = \"/a\"\nport = 1\nexpect = 201\nexpect_body = \"a\"", compared);
    Keys known = known_keys();
    for (auto& [section, keys] : known) keys.erase("name");
    EXPECT_EQ(compared, known);
}

}  // namespace
}  // namespace sluice::config
