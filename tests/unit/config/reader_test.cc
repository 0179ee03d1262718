// The reader as its callers see it: text in, values or problems out.
#include "sluice/config/reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sluice::config {
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

}  // namespace
}  // namespace sluice::config
