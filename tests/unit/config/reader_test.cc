// The reader as its callers see it: text in, values or problems out.
#include "sluice/config/reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sluice::config::reader_test {
namespace {

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

constexpr std::string_view kExample = R"(
[runtime]
workers = 1                        # or cores = "1-3"
idle = "adaptive"                  # "poll"
max_connections = 1_000_000        # memory is reserved for this at start
memory = "auto"                    # hugepages when reserved, else ordinary pages with a logged hint
eal = []                           # extra EAL arguments, passed through

[[port]]
name = "front"
device = "0000:03:00.0"
addresses = ["10.1.0.1/24", "fd00:1::1/64"]
gateway = ["10.1.0.254"]
mtu = 1500

[[port]]
name = "back"
interface = "veth0"
addresses = ["10.2.0.1/24"]

[admin]
socket = "/run/sluice/admin.sock"
log = "info"

[[listener]]
name = "mqtt"
address = "10.1.0.1:1883"
pool = "brokers"
connect_timeout = "10s"
max_connect_size = "64KiB"
allow = ["0.0.0.0/0"]

[[pool]]
name = "brokers"
balance = "maglev"
hash_key = "client_id"
source_addresses = ["10.2.0.10-10.2.0.33"]
source_ports = "1024-65535"

[pool.health]
type = "tcp"
interval = "2s"
timeout = "1s"
rise = 2
fall = 3

[[pool.backend]]
name = "broker-1"
address = "10.2.0.2:1883"
weight = 100
)";

std::string describe(const LoadResult& result) {
    std::string out;
    for (const Problem& problem : result.problems) out += to_string(problem) + "\n";
    return out;
}

TEST(Reader, ReadsTheExample) {
    const LoadResult result = read(kExample, "sluice.toml");
    ASSERT_TRUE(result.config) << describe(result);
    EXPECT_TRUE(result.problems.empty());
    const Config& config = *result.config;

    ASSERT_EQ(config.ports.size(), 2U);
    EXPECT_EQ(config.ports[0].name, "front");
    EXPECT_EQ(config.ports[0].device, "0000:03:00.0");
    EXPECT_EQ(config.ports[0].interface, "");
    EXPECT_EQ(config.ports[0].addresses,
              (std::vector{IpPrefix{address("10.1.0.1"), 24}, IpPrefix{address("fd00:1::1"), 64}}));
    EXPECT_EQ(config.ports[0].gateways, std::vector{address("10.1.0.254")});
    EXPECT_EQ(config.ports[1].interface, "veth0");

    ASSERT_EQ(config.listeners.size(), 1U);
    EXPECT_EQ(config.listeners[0].address, (SocketAddress{address("10.1.0.1"), 1883}));
    EXPECT_EQ(config.listeners[0].pool_index, 0U);
    EXPECT_EQ(config.listeners[0].allow, std::vector{*IpPrefix::parse("0.0.0.0/0")});

    ASSERT_EQ(config.pools.size(), 1U);
    const Pool& pool = config.pools[0];
    ASSERT_EQ(pool.source_addresses.size(), 24U);
    EXPECT_EQ(pool.source_addresses.front(), address("10.2.0.10"));
    EXPECT_EQ(pool.source_addresses.back(), address("10.2.0.33"));
    EXPECT_EQ(pool.health.type, HealthType::Tcp);
    ASSERT_EQ(pool.backends.size(), 1U);
    EXPECT_EQ(pool.backends[0].name, "broker-1");
    EXPECT_EQ(pool.backends[0].address, (SocketAddress{address("10.2.0.2"), 1883}));
}

constexpr std::string_view kLeast = R"([[port]]
name = "net"
interface = "eth1"
addresses = ["10.1.0.1/24"]
[[listener]]
name = "mqtt"
address = "10.1.0.1:1883"
pool = "brokers"
[[pool]]
name = "brokers"
source_addresses = ["10.1.0.10"]
[[pool.backend]]
name = "broker-1"
address = "10.1.0.2:1883"
)";

TEST(Reader, FillsInTheDefaults) {
    const LoadResult result = read(kLeast, "sluice.toml");
    ASSERT_TRUE(result.config) << describe(result);
    const auto& [runtime, ports, admin, listeners, routes, pools] = *result.config;
    EXPECT_TRUE(routes.empty());
    EXPECT_EQ(runtime.workers, 1U);
    EXPECT_TRUE(runtime.cores.empty());
    EXPECT_EQ(runtime.idle, Idle::Adaptive);
    EXPECT_EQ(runtime.max_connections, 1'000'000U);
    EXPECT_EQ(runtime.connect_memory, 256U << 20U);
    EXPECT_EQ(runtime.memory, Memory::Auto);
    EXPECT_TRUE(runtime.eal.empty());
    EXPECT_EQ(runtime.shutdown_timeout, 30s);
    EXPECT_TRUE(ports[0].gateways.empty());
    EXPECT_EQ(ports[0].mtu, 1500);
    EXPECT_EQ(admin.socket, "/run/sluice/admin.sock");
    EXPECT_EQ(admin.log, LogLevel::Info);
    EXPECT_EQ(listeners[0].connect_timeout, 10s);
    EXPECT_EQ(listeners[0].max_connect_size, 65536U);
    EXPECT_EQ(listeners[0].connect_window, 262144U);
    EXPECT_TRUE(listeners[0].allow.empty());
    EXPECT_TRUE(listeners[0].deny.empty());
    EXPECT_EQ(listeners[0].max_connections, 0U);
    EXPECT_EQ(listeners[0].half_open, 16384U);
    EXPECT_EQ(listeners[0].idle_timeout, 1h);
    EXPECT_EQ(pools[0].balance, Balance::Maglev);
    EXPECT_EQ(pools[0].hash_key, HashKey::ClientId);
    EXPECT_EQ(pools[0].source_ports, (PortRange{1024, 65535}));
    EXPECT_EQ(pools[0].retries, 3U);
    EXPECT_EQ(pools[0].attempt_timeout, 3s);
    EXPECT_EQ(pools[0].bounded_load, 0.0);
    EXPECT_EQ(pools[0].health.type, HealthType::Tcp);
    EXPECT_EQ(pools[0].health.interval, 2s);
    EXPECT_EQ(pools[0].health.timeout, 1s);
    EXPECT_EQ(pools[0].health.rise, 2U);
    EXPECT_EQ(pools[0].health.fall, 3U);
    EXPECT_EQ(pools[0].backends[0].weight, 100U);
    EXPECT_EQ(pools[0].backends[0].max_connections, 0U);
    EXPECT_EQ(pools[0].backends[0].state, BackendState::Up);
}

constexpr std::string_view kEveryKey = R"(
[runtime]
cores = "3,1"
idle = "poll"
max_connections = 5000
connect_memory = "2MiB"
memory = "pages"
eal = ["--no-telemetry", "-n4"]
shutdown_timeout = "0s"
[[port]]
name = "front"
device = "net_tap0,iface=tap0"
addresses = ["10.1.0.1/24"]
gateway = ["10.1.0.254"]
mtu = 576
[[port]]
name = "back"
device = "net_tap1,iface=tap1"
addresses = ["10.2.0.1/24", "fd00:2::1/64"]
gateway = ["fd00:2::ff", "10.2.0.254"]
mtu = 9000
[admin]
socket = "/tmp/a.sock"
log = "debug"
[[listener]]
name = "one"
address = "10.1.0.1:1883"
pool = "second"
connect_timeout = "500ms"
max_connect_size = "512B"
connect_window = "2KiB"
allow = ["10.0.0.0/8", "192.168.1.1"]
deny = ["10.66.0.0/16"]
max_connections = 10
half_open = 20
idle_timeout = "0s"
[[pool]]
name = "first"
source_addresses = ["10.2.0.10"]
source_ports = "1024-2047"
[[pool.backend]]
name = "a"
address = "10.3.0.2:1883"
[[pool]]
name = "second"
balance = "two_choices"
hash_key = "username"
source_addresses = ["10.2.0.10", "fd00:2::10-fd00:2::11"]
source_ports = "2048-4096"
retries = 0
attempt_timeout = "1s"
bounded_load = 1
[pool.health]
type = "none"
interval = "1m"
timeout = "2m"
rise = 1
fall = 1
[[pool.backend]]
name = "a"
address = "10.3.0.2:1883"
weight = 0
max_connections = 7
state = "drain"
[[pool.backend]]
name = "b"
address = "[fd00:3::2]:1883"
state = "maintenance"
)";

TEST(Reader, ReadsEveryKey) {
    const LoadResult result = read(kEveryKey, "sluice.toml");
    ASSERT_TRUE(result.config) << describe(result);
    const auto& [runtime, ports, admin, listeners, routes, pools] = *result.config;
    EXPECT_TRUE(routes.empty());
    EXPECT_EQ(runtime.workers, 2U);
    EXPECT_EQ(runtime.cores, (std::vector{3U, 1U}));
    EXPECT_EQ(runtime.idle, Idle::Poll);
    EXPECT_EQ(runtime.max_connections, 5000U);
    EXPECT_EQ(runtime.connect_memory, 2U << 20U);
    EXPECT_EQ(runtime.memory, Memory::Ordinary);
    EXPECT_EQ(runtime.eal, (std::vector<std::string>{"--no-telemetry", "-n4"}));
    EXPECT_EQ(runtime.shutdown_timeout, 0s);
    EXPECT_EQ(ports[0].mtu, 576);
    EXPECT_EQ(ports[1].device, "net_tap1,iface=tap1");
    EXPECT_EQ(ports[1].gateways, (std::vector{address("fd00:2::ff"), address("10.2.0.254")}));
    EXPECT_EQ(admin.socket, "/tmp/a.sock");
    EXPECT_EQ(admin.log, LogLevel::Debug);
    EXPECT_EQ(listeners[0].pool, "second");
    EXPECT_EQ(listeners[0].pool_index, 1U);
    EXPECT_EQ(listeners[0].connect_timeout, 500ms);
    EXPECT_EQ(listeners[0].max_connect_size, 512U);
    EXPECT_EQ(listeners[0].connect_window, 2048U);
    EXPECT_EQ(listeners[0].allow,
              (std::vector{*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("192.168.1.1")}));
    EXPECT_EQ(listeners[0].deny, std::vector{*IpPrefix::parse("10.66.0.0/16")});
    EXPECT_EQ(listeners[0].max_connections, 10U);
    EXPECT_EQ(listeners[0].half_open, 20U);
    EXPECT_EQ(listeners[0].idle_timeout, 0s);
    EXPECT_EQ(pools[1].balance, Balance::TwoChoices);
    EXPECT_EQ(pools[1].hash_key, HashKey::Username);
    EXPECT_EQ(pools[1].source_addresses,
              (std::vector{address("10.2.0.10"), address("fd00:2::10"), address("fd00:2::11")}));
    EXPECT_EQ(pools[1].source_ports, (PortRange{2048, 4096}));
    EXPECT_EQ(pools[1].retries, 0U);
    EXPECT_EQ(pools[1].attempt_timeout, 1s);
    EXPECT_EQ(pools[1].bounded_load, 1.0);
    EXPECT_EQ(pools[1].health.type, HealthType::None);
    EXPECT_EQ(pools[1].health.interval, 1min);
    EXPECT_EQ(pools[1].health.timeout, 2min);
    EXPECT_EQ(pools[1].health.rise, 1U);
    EXPECT_EQ(pools[1].health.fall, 1U);
    ASSERT_EQ(pools[1].backends.size(), 2U);
    EXPECT_EQ(pools[1].backends[0].weight, 0U);
    EXPECT_EQ(pools[1].backends[0].max_connections, 7U);
    EXPECT_EQ(pools[1].backends[0].state, BackendState::Drain);
    EXPECT_EQ(pools[1].backends[1].address, (SocketAddress{address("fd00:3::2"), 1883}));
    EXPECT_EQ(pools[1].backends[1].state, BackendState::Maintenance);
}

// kLeast with one more line in its listener.
LoadResult with_listener_key(std::string_view line) {
    std::string text(kLeast);
    text.insert(text.find("pool = "), std::string(line) + "\n");
    return read(text, "sluice.toml");
}

TEST(Reader, KeepsRoomForTheLargestConnectOfEachWorker) {
    const auto larger = with_listener_key("max_connect_size = \"16MiB\"\nconnect_window = \"16MiB\"");
    ASSERT_TRUE(larger.config) << describe(larger);
    EXPECT_EQ(larger.config->runtime.connect_memory, 256U << 20U);
    std::string text = "[runtime]\nworkers = 3\n" + std::string(kLeast);
    text.insert(text.find("name = \"mqtt\""), "max_connect_size = \"16MiB\"\n");
    const LoadResult more = read(text, "sluice.toml");
    ASSERT_TRUE(more.config) << describe(more);
    EXPECT_EQ(more.config->runtime.connect_memory, 384U << 20U);
}

TEST(Reader, KeepsTheLargestConnectWithinTheWindow) {
    const auto larger = with_listener_key("max_connect_size = \"1MiB\"");
    ASSERT_TRUE(larger.config) << describe(larger);
    EXPECT_EQ(larger.config->listeners[0].connect_window, 1U << 20U);
    const auto narrower = with_listener_key("connect_window = \"4KiB\"");
    ASSERT_TRUE(narrower.config) << describe(narrower);
    EXPECT_EQ(narrower.config->listeners[0].max_connect_size, 4096U);
}

TEST(Reader, TellsEveryProblemInLineOrder) {
    const LoadResult result = read(R"([[pool]]
name = "brokers"
retries = 99
source_addresses = ["10.1.0.10", "none"]
[[pool.backend]]
name = "broker-1"
adress = "10.1.0.2:1883"
[[listener]]
name = "mqtt"
address = "10.7.0.1:1883"
pool = "brokers"
[[port]]
name = "net"
interface = "eth1"
addresses = ["10.1.0.1/24"]
mtu = 1
)",
                                   "/etc/sluice.toml");
    EXPECT_FALSE(result.config);
    EXPECT_EQ(
        describe(result),
        "/etc/sluice.toml:3: pool.retries: 99 is out of range; must be 0 to 10\n"
        "/etc/sluice.toml:4: pool.source_addresses: \"none\" is not an address or a range of addresses; "
        "write \"10.2.0.10\" or \"10.2.0.10-10.2.0.33\"\n"
        "/etc/sluice.toml:5: pool.backend.address: is missing; this section needs it\n"
        "/etc/sluice.toml:7: pool.backend.adress: unknown key; did you mean \"address\"?\n"
        "/etc/sluice.toml:10: listener.address: 10.7.0.1 is in no network of a port; use an address "
        "within 10.1.0.0/24 (net)\n"
        "/etc/sluice.toml:16: port.mtu: 1 is out of range; must be 576 to 9000\n");
}

TEST(Reader, WantsAPortAListenerAndAPool) {
    const LoadResult result = read("", "empty.toml");
    EXPECT_FALSE(result.config);
    std::vector<std::string> keys;
    for (const Problem& problem : result.problems) keys.push_back(problem.key);
    EXPECT_EQ(keys, (std::vector<std::string>{"port", "listener", "pool"}));
}

// What cannot be judged because its other half is bad is not judged: one fault, one message.
TEST(Reader, ABadPartBringsNoFurtherComplaints) {
    std::string text(kLeast);
    text.replace(text.find("10.1.0.1/24"), 11, "10.1.0.1/99");
    EXPECT_EQ(read(text, "f").problems.size(), 1U) << describe(read(text, "f"));
    text = kLeast;
    text.replace(text.find("name = \"brokers\""), 16, "name = \"the brokers\"");
    EXPECT_EQ(read(text, "f").problems.size(), 1U) << describe(read(text, "f"));
}

TEST(Reader, TwoPoolsMayShareABrokerFromDifferentPorts) {
    std::string text(kLeast);
    text += R"([[pool]]
name = "more"
source_addresses = ["10.1.0.11"]
[[pool.backend]]
name = "broker-1"
address = "10.1.0.2:1883"
)";
    const LoadResult result = read(text, "f");
    EXPECT_TRUE(result.config) << describe(result);
}

TEST(Reader, AListenerMayStandOnASourceAddressBelowItsPorts) {
    std::string text(kLeast);
    text.replace(text.find("10.1.0.1:1883"), 13, "10.1.0.10:883");
    const LoadResult result = read(text, "f");
    EXPECT_TRUE(result.config) << describe(result);
}

TEST(Problem, IsOneLineWhateverTheFileHolds) {
    const LoadResult result = read("\"new\\nline\" = 1\n" + std::string(kLeast), "f");
    ASSERT_EQ(result.problems.size(), 1U);
    const std::string text = to_string(result.problems[0]);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    EXPECT_TRUE(text.starts_with("f:1: new\\x0aline: unknown key; ")) << text;
}

TEST(Load, ReadsAFile) {
    const auto path = std::filesystem::path(testing::TempDir()) / "sluice-config-test.toml";
    std::ofstream(path) << kLeast;
    const LoadResult result = load(path);
    std::filesystem::remove(path);
    EXPECT_TRUE(result.config) << describe(result);
}

TEST(Load, TheFilesInConfAreGood) {
    unsigned files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(ROOT_DIRECTORY "/conf")) {
        if (entry.path().extension() != ".toml") continue;
        const LoadResult result = load(entry.path());
        EXPECT_TRUE(result.config) << describe(result);
        ++files;
    }
    EXPECT_GE(files, 3U);
}

}  // namespace
}  // namespace sluice::config::reader_test
