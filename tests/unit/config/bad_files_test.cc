// Files as operators get them wrong, and all that they are told, to the letter. Each file is the good one
// below with one slip, sometimes one that shows in several places.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>

#include "sluice/config/reader.h"

namespace sluice::config {
namespace {

constexpr std::string_view kGood = R"([runtime]
workers = 2
shutdown_timeout = "30s"

[[port]]
name = "front"
device = "0000:03:00.0"
addresses = ["192.0.2.2/24", "2001:db8:1::2/64"]
gateway = ["192.0.2.1"]

[[port]]
name = "back"
interface = "eth1"
addresses = ["10.2.0.1/24"]

[admin]
metrics = "127.0.0.1:9187"
connection_log = "/var/log/sluice/connections.log"

[[listener]]
name = "mqtt"
address = "192.0.2.10:1883"
pool = "brokers"
connect_timeout = "10s"

[[route]]
client_id_prefix = "meter-"
version = ["3.1.1", "5"]
pool = "meters"

[[route]]
network = "198.51.100.0/24"
refuse = "not_authorized"

[[pool]]
name = "brokers"
hash_pattern = '^([^/]+)/'
source_addresses = ["10.2.0.10-10.2.0.33"]
drain_rate = 500
slow_start = "1m"

[pool.health]
type = "mqtt"
username = "probe"

[[pool.backend]]
name = "broker-1"
address = "10.2.0.2:1883"

[[pool.backend]]
name = "broker-2"
address = "10.2.0.3:1883"

[[pool]]
name = "meters"
source_addresses = ["10.2.0.40"]

[pool.health]
type = "http"
path = "/ready"
expect = 200

[[pool.backend]]
name = "broker-9"
address = "10.2.0.9:1883"
)";

struct BadFile {
    const char* from;  // in kGood
    const char* to;
    const char* told;  // every line of it
};

std::ostream& operator<<(std::ostream& out, const BadFile& file) { return out << file.to; }

class BadFiles : public testing::TestWithParam<BadFile> {};

TEST_P(BadFiles, AreToldWhatIsWrong) {
    const auto& [from, to, told] = GetParam();
    std::string text(kGood);
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, std::string_view(from).size(), to);
    const LoadResult result = read(text, "s.toml");
    EXPECT_FALSE(result.config);
    std::string all;
    for (const Problem& problem : result.problems) all += to_string(problem) + "\n";
    EXPECT_EQ(all, std::string(told) + "\n");
}

TEST(BadFiles, AreOtherwiseGood) {
    const LoadResult result = read(kGood, "s.toml");
    EXPECT_TRUE(result.config) << to_string(result.problems.at(0));
}

// The file and its sections.
INSTANTIATE_TEST_SUITE_P(
    Sections, BadFiles,
    testing::Values(
        // A quote forgotten: TOML's own fault, at its place.
        BadFile{R"(connect_timeout = "10s")", R"(connect_timeout = 10s")",
                "s.toml:24: Error while parsing decimal integer: expected digit, saw 's'; see "
                "https://toml.io for the syntax"},
        BadFile{"hash_pattern = '^([^/]+)/'", R"(hash_pattern = "^(\d+)/")",
                R"(s.toml:37: Error while parsing string: unknown escape sequence '\d'; see https://toml.io )"
                "for the syntax"},
        BadFile{"[[listener]]", "[listener]",
                "s.toml:20: listener: is a table; must be an array of tables, each written [[listener]]"},
        BadFile{"[admin]", "[adnim]",
                R"(s.toml:16: adnim: unknown section; known here: "runtime", "port", "admin", "listener", )"
                R"("route" and "pool")"},
        BadFile{"[[route]]", "[[routes]]", R"(s.toml:26: routes: unknown section; did you mean "route"?)"},
        BadFile{"[pool.health]", "[[pool.health]]",
                "s.toml:42: pool.health: is an array of tables; must be one table, written [pool.health]"},
        BadFile{"[pool.health]", "[health]",
                R"(s.toml:42: health: unknown section; known here: "runtime", "port", "admin", "listener", )"
                R"("route" and "pool")"},
        BadFile{"[[pool.backend]]", "[[pool.server]]",
                R"(s.toml:46: pool.server: unknown section; known here: "name", "balance", "hash_key", )"
                R"("hash_pattern", "bounded_load", "source_addresses", "source_ports", "retries", )"
                R"("attempt_timeout", "drain_rate", "slow_start", "on_down", "health" and "backend")"},
        // What belongs into the section around it.
        BadFile{
            R"(username = "probe")", "drain_rate = 100",
            R"(s.toml:44: pool.health.drain_rate: unknown key; known here: "type", "interval", "timeout", )"
            R"("rise", "fall", "username", "version", "password_file", "path", "port", "expect" and )"
            R"("expect_body")"},
        BadFile{"[[pool]]\nname = \"meters\"", "[[pool]]",
                "s.toml:54: pool.name: is missing; this section needs it"}));

INSTANTIATE_TEST_SUITE_P(
    Runtime, BadFiles,
    testing::Values(
        BadFile{"workers = 2", "wokers = 2",
                R"(s.toml:2: runtime.wokers: unknown key; did you mean "workers"?)"},
        BadFile{"workers = 2", "workers = 2\ncores = \"2-3\"",
                "s.toml:3: runtime.cores: cores and workers are both given; give one of them: cores makes "
                "one worker for each CPU"},
        BadFile{
            R"(interface = "eth1")", "interface = \"eth1\"\ndriver = \"afxdp\"",
            R"(s.toml:14: port.driver: "afxdp" is not a known value; did you mean "af_xdp"? It must be one of )"
            R"("af_packet" and "af_xdp")"},
        BadFile{R"(interface = "eth1")", "device = \"0000:03:00.1\"\ndriver = \"af_xdp\"",
                "s.toml:14: port.driver: driver is given without interface; leave it out: a device string "
                "names its driver itself"},
        BadFile{R"(shutdown_timeout = "30s")", "shutdown_timeout = 30",
                "s.toml:3: runtime.shutdown_timeout: is an integer; must be a string with a unit, such as "
                R"("500ms", "10s", "2m", "1h" or "1d")"},
        BadFile{
            R"(shutdown_timeout = "30s")", R"(shutdown_timeout = "30sec")",
            R"(s.toml:3: runtime.shutdown_timeout: "30sec" is not a duration; write a whole number and a )"
            R"(unit, such as "500ms", "10s", "2m", "1h" or "1d")"},
        BadFile{R"(shutdown_timeout = "30s")", R"(max_connections = "1M")",
                "s.toml:3: runtime.max_connections: is a string; must be an integer"},
        BadFile{R"(shutdown_timeout = "30s")", R"(user = "sluice")",
                "s.toml:3: runtime.user: this key is not supported by this version; remove it"},
        BadFile{
            R"(connection_log = "/var)", R"(connection_log = "var)",
            R"(s.toml:18: admin.connection_log: "var/log/sluice/connections.log" is not an absolute path; )"
            "begin the path with /"},
        BadFile{
            "127.0.0.1:9187", "localhost:9187",
            R"(s.toml:17: admin.metrics: "localhost:9187" is not an address with a port; write "10.1.0.1:1883" )"
            R"(or "[fd00::1]:1883", with a port of 1 to 65535)"},
        BadFile{"127.0.0.1:9187", "192.0.2.10:9187",
                "s.toml:17: admin.metrics: 192.0.2.10 is one of Sluice's own addresses, which the kernel "
                R"(does not have; use an address of the kernel's, such as "127.0.0.1:9187")"}));

INSTANTIATE_TEST_SUITE_P(
    Networks, BadFiles,
    testing::Values(
        BadFile{R"(name = "back")", R"(name = "front")",
                R"(s.toml:12: port.name: the name "front" is taken; it is used on line 6 already; choose )"
                "another"},
        BadFile{R"(addresses = ["10.2.0.1/24"])", R"(adresses = ["10.2.0.1/24"])",
                "s.toml:11: port.addresses: is missing; this section needs it\n"
                R"(s.toml:14: port.adresses: unknown key; did you mean "addresses"?)"},
        BadFile{"10.2.0.1/24", "10.2.0.0/24",
                "s.toml:14: port.addresses: 10.2.0.0 is the network address of 10.2.0.0/24; give the port a "
                "host's address"},
        // A mask too wide: the networks of the ports overlap.
        BadFile{"10.2.0.1/24", "192.0.3.1/22",
                R"(s.toml:14: port.addresses: 192.0.0.0/22 overlaps 192.0.2.0/24 of port "front"; give each )"
                "port networks of its own\n"
                "s.toml:38: pool.source_addresses: 10.2.0.10 is in no network of a port; use addresses "
                "within 192.0.2.0/24 (front), 2001:db8:1::/64 (front) and 192.0.0.0/22 (back)\n"
                "s.toml:56: pool.source_addresses: 10.2.0.40 is in no network of a port; use addresses "
                "within 192.0.2.0/24 (front), 2001:db8:1::/64 (front) and 192.0.0.0/22 (back)"},
        BadFile{R"(gateway = ["192.0.2.1"])", R"(gateway = "192.0.2.1")",
                R"(s.toml:9: port.gateway: is a string; must be an array of strings, such as ["..."])"},
        BadFile{R"(gateway = ["192.0.2.1"])", R"(gateway = ["192.0.1.1"])",
                "s.toml:9: port.gateway: 192.0.1.1 is in none of the port's networks; use a router's "
                "address within 192.0.2.0/24 and 2001:db8:1::/64"},
        BadFile{"192.0.2.10:1883", "192.0.20.10:1883",
                "s.toml:22: listener.address: 192.0.20.10 is in no network of a port; use an address "
                "within 192.0.2.0/24 (front), 2001:db8:1::/64 (front) and 10.2.0.0/24 (back)"},
        BadFile{
            "192.0.2.10:1883", "10.2.0.12:1883",
            R"(s.toml:22: listener.address: pool "brokers" has 10.2.0.12:1883 among its source addresses )"
            "and ports; use another address, or source_ports without port 1883"},
        BadFile{
            R"(connect_timeout = "10s")", R"(max_connect_size = "64kB")",
            R"(s.toml:24: listener.max_connect_size: "64kB" is not a size; write a whole number and a unit, )"
            R"(such as "512B", "64KiB", "64KB" or "1MiB")"},
        BadFile{R"(connect_timeout = "10s")", R"(allow = ["::/0"])",
                "s.toml:24: listener.allow: admits nobody: no network in it is IPv4; name the clients' "
                "networks, or leave the key out to admit everybody"},
        BadFile{R"(pool = "brokers")", R"(pool = "borkers")",
                R"(s.toml:23: listener.pool: there is no pool "borkers"; did you mean "brokers"?)"}));

INSTANTIATE_TEST_SUITE_P(
    Routes, BadFiles,
    testing::Values(
        BadFile{R"(pool = "meters")", R"(pool = "meter")",
                R"(s.toml:29: route.pool: there is no pool "meter"; did you mean "meters"?)"},
        BadFile{R"(pool = "meters")", "listener = \"mqtts\"\npool = \"meters\"",
                R"(s.toml:29: route.listener: there is no listener "mqtts"; did you mean "mqtt"?)"},
        BadFile{R"(pool = "meters")", "",
                "s.toml:26: route: neither pool nor refuse is given; give one of them: pool for the brokers "
                R"(that serve these clients, or refuse = "not_authorized")"},
        BadFile{R"(pool = "meters")", "pool = \"meters\"\nrefuse = \"unavailable\"",
                "s.toml:30: route.refuse: pool and refuse are both given; give one of them: pool for the "
                R"(brokers that serve these clients, or refuse = "not_authorized")"},
        BadFile{
            R"("not_authorized")", R"("not_authorised")",
            R"(s.toml:33: route.refuse: "not_authorised" is not a known value; did you mean "not_authorized"? )"
            R"(It must be one of "not_authorized" and "unavailable")"},
        BadFile{R"("not_authorized")", "true", "s.toml:33: route.refuse: is a boolean; must be a string"},
        BadFile{R"(["3.1.1", "5"])", "5",
                "s.toml:28: route.version: is an integer; must be a string or an array of strings"},
        BadFile{
            R"(["3.1.1", "5"])", R"(["3.1.1", "5.0", "4"])",
            R"(s.toml:28: route.version: "5.0" is not a known value; must be one of "3.1", "3.1.1" and "5")"
            "\n"
            R"(s.toml:28: route.version: "4" is not a known value; must be one of "3.1", "3.1.1" and "5")"},
        BadFile{R"(["3.1.1", "5"])", "[]",
                "s.toml:28: route.version: is empty; leave the key out, or give at least one"},
        BadFile{
            "198.51.100.0/24", "198.51.100.0/240",
            R"(s.toml:32: route.network: "198.51.100.0/240" is not a network; write "10.0.0.0/8", "fd00::/16" )"
            "or a single address"},
        BadFile{
            R"(client_id_prefix = "meter-")", R"(client_id_pattern = "meter-[0-9")",
            R"(s.toml:27: route.client_id_pattern: "meter-[0-9" is not a valid pattern: missing ]: [0-9; write it )"
            "in the syntax of RE2, between '...' where it contains a backslash"},
        BadFile{R"(client_id_prefix = "meter-")", R"(server_name = "meters.example")",
                "s.toml:27: route.server_name: this key is not supported by this version; remove it"},
        BadFile{"client_id_prefix = \"meter-\"\nversion = [\"3.1.1\", \"5\"]\n", "",
                "s.toml:29: route: is never reached: the route on line 26 has no condition and takes every "
                "client; give that route a condition, or put it last"},
        // Only the misspelt condition is told, not that the route then has none.
        BadFile{"client_id_prefix = \"meter-\"\nversion = [\"3.1.1\", \"5\"]\n",
                "clientid_prefix = \"meter-\"\n",
                R"(s.toml:27: route.clientid_prefix: unknown key; did you mean "client_id_prefix"?)"}));

INSTANTIATE_TEST_SUITE_P(
    Pools, BadFiles,
    testing::Values(
        BadFile{
            "'^([^/]+)/'", "'^([^/]+/'",
            R"(s.toml:37: pool.hash_pattern: "^([^/]+/" is not a valid pattern: missing ): ^([^/]+/; write it in )"
            "the syntax of RE2, between '...' where it contains a backslash"},
        BadFile{
            "'^([^/]+)/'", "'^[^/]+/'",
            R"(s.toml:37: pool.hash_pattern: "^[^/]+/" has no group; put ( ) around what is to be hashed, )"
            R"(as in "^([^/]+)/")"},
        BadFile{
            "'^([^/]+)/'", "'^(?=x)(y)'",
            R"x(s.toml:37: pool.hash_pattern: "^(?=x)(y)" is not a valid pattern: invalid perl operator: (?=; write )x"
            "it in the syntax of RE2, between '...' where it contains a backslash"},
        BadFile{"hash_pattern = '^([^/]+)/'", "hash_pattern = '^([^/]+)/'\nhash_key = \"username\"",
                R"(s.toml:37: pool.hash_pattern: hash_key is not "client_id", to which alone the )"
                "pattern applies; remove one of the two"},
        BadFile{"drain_rate = 500", R"(drain_rate = "500/s")",
                "s.toml:39: pool.drain_rate: is a string; must be an integer"},
        BadFile{
            R"(slow_start = "1m")", R"(slow_start = "1 min")",
            R"(s.toml:40: pool.slow_start: "1 min" is not a duration; write a whole number and a unit, such )"
            R"(as "500ms", "10s", "2m", "1h" or "1d")"},
        BadFile{R"(slow_start = "1m")", R"(on_down = "kill")",
                R"(s.toml:40: pool.on_down: "kill" is not a known value; must be one of "reset" and "keep")"},
        BadFile{R"(slow_start = "1m")", "queue_size = 1000",
                "s.toml:40: pool.queue_size: this key is not supported by this version; remove it"},
        BadFile{"10.2.0.10-10.2.0.33", "10.2.0.1-10.2.0.33",
                R"(s.toml:38: pool.source_addresses: 10.2.0.2 is the address of backend "broker-1"; use )"
                "addresses that no other host has"},
        BadFile{"10.2.0.10-10.2.0.33", "10.20.0.10",
                "s.toml:38: pool.source_addresses: 10.20.0.10 is in no network of a port; use addresses "
                "within 192.0.2.0/24 (front), 2001:db8:1::/64 (front) and 10.2.0.0/24 (back)"},
        BadFile{R"("10.2.0.40")", R"("10.2.0.40", "2001:db8:2::40")",
                "s.toml:56: pool.source_addresses: 2001:db8:2::40 is in no network of a port; use "
                "addresses within 192.0.2.0/24 (front), 2001:db8:1::/64 (front) and 10.2.0.0/24 (back)"},
        BadFile{
            "name = \"broker-2\"\naddress = \"10.2.0.3:1883\"",
            "name = \"broker-1\"\naddress = \"10.2.0.2:1883\"",
            R"(s.toml:51: pool.backend.name: the name "broker-1" is taken; it is used on line 47 already; )"
            "choose another\n"
            R"(s.toml:52: pool.backend.address: the address "10.2.0.2:1883" is taken; it is used on line )"
            "48 already; choose another"},
        BadFile{"10.2.0.3:1883", "10.3.0.3:1883",
                "s.toml:52: pool.backend.address: 10.3.0.3 cannot be reached from the pool's source "
                R"(addresses on port "back", which has no network with it and no IPv4 gateway; give port )"
                R"("back" a gateway, or the pool source_addresses of another port)"},
        BadFile{
            "10.2.0.3:1883", "broker-2.example:1883",
            R"(s.toml:52: pool.backend.address: "broker-2.example:1883" is not an address with a port; write )"
            R"("10.1.0.1:1883" or "[fd00::1]:1883", with a port of 1 to 65535)"},
        BadFile{R"(10.2.0.3:1883")", "10.2.0.3:1883\"\nweight = 1.5",
                "s.toml:53: pool.backend.weight: is a number with a fraction; must be an integer"},
        BadFile{
            R"(10.2.0.3:1883")", "10.2.0.3:1883\"\nstate = \"draining\"",
            R"(s.toml:53: pool.backend.state: "draining" is not a known value; must be one of "up", "drain" )"
            R"(and "maintenance")"}));

INSTANTIATE_TEST_SUITE_P(
    Health, BadFiles,
    testing::Values(
        BadFile{
            R"(type = "mqtt")", R"(type = "mqtts")",
            R"(s.toml:43: pool.health.type: "mqtts" is not a known value; did you mean "mqtt"? It must be one )"
            R"(of "none", "tcp", "mqtt" and "http")"},
        BadFile{
            R"(type = "mqtt")", R"(type = "tcp")",
            R"(s.toml:44: pool.health.username: a probe of type "tcp" does not use it; remove it, or set )"
            R"(type = "mqtt")"},
        BadFile{"type = \"mqtt\"\n", "type = \"mqtt\"\npath = \"/\"\nexpect = 200\n",
                R"(s.toml:44: pool.health.path: a probe of type "mqtt" does not use it; remove it, or set )"
                R"(type = "http")"
                "\n"
                R"(s.toml:45: pool.health.expect: a probe of type "mqtt" does not use it; remove it, or set )"
                R"(type = "http")"},
        BadFile{
            "type = \"mqtt\"\n", "",
            R"(s.toml:43: pool.health.username: a probe of type "tcp" does not use it; remove it, or set )"
            R"(type = "mqtt")"},
        BadFile{R"(username = "probe")", R"(username = "")",
                "s.toml:44: pool.health.username: is empty; leave the key out, or give it a value"},
        BadFile{R"(username = "probe")", "version = 5",
                "s.toml:44: pool.health.version: is an integer; must be a string"},
        BadFile{R"(username = "probe")", "username = \"probe\"\npassword = \"secret\"",
                R"(s.toml:45: pool.health.password: unknown key; did you mean "password_file"?)"},
        BadFile{R"(username = "probe")", "username = \"probe\"\npassword_file = \"/etc/sluice/none\"",
                R"(s.toml:45: pool.health.password_file: "/etc/sluice/none" cannot be read: No such file or )"
                "directory; name a file that holds the password and that Sluice may read"},
        BadFile{
            R"(username = "probe")", "username = \"probe\"\npassword_file = \"secret\"",
            R"(s.toml:45: pool.health.password_file: "secret" is not an absolute path; begin the path with /)"},
        BadFile{
            R"(username = "probe")", R"(password_file = "/dev/null")",
            R"(s.toml:44: pool.health.password_file: "/dev/null" is not a regular file; name a file that )"
            "holds the password and that Sluice may read\n"
            "s.toml:44: pool.health.password_file: a password without a username, which MQTT allows only "
            "from "
            R"(version 5 on; give a username, or set version = "5")"},
        BadFile{R"(path = "/ready")", R"(path = "ready")",
                R"(s.toml:60: pool.health.path: "ready" is not an absolute path; begin the path with /)"},
        BadFile{R"(path = "/ready")", R"(path = "/is ready")",
                R"(s.toml:60: pool.health.path: "/is ready" cannot be sent in a request; use visible ASCII )"
                "characters, others as %XX"},
        BadFile{R"(path = "/ready")", "port = 80_000",
                "s.toml:60: pool.health.port: 80000 is out of range; must be 0 to 65535"},
        BadFile{
            "expect = 200", R"(expect = "2xx")",
            R"(s.toml:61: pool.health.expect: "2xx" is not a range; write a number such as 200, or a range )"
            R"(such as "200-299")"},
        BadFile{
            "expect = 200", R"(expect = "299-200")",
            R"(s.toml:61: pool.health.expect: "299-200" is not a range; write a number such as 200, or a )"
            R"(range such as "200-299")"},
        BadFile{"expect = 200", "expect = [200, 204]",
                "s.toml:61: pool.health.expect: is an array; must be a number such as 200, or a range such "
                R"(as "200-299")"},
        BadFile{"expect = 200", R"(expect = "200-600")",
                R"(s.toml:61: pool.health.expect: "200-600" is out of range; must be within 100 to 599)"},
        BadFile{
            "expect = 200", "interval = \"2\"\ntimeout = 1",
            R"(s.toml:61: pool.health.interval: "2" is not a duration; write a whole number and a unit, such )"
            R"(as "500ms", "10s", "2m", "1h" or "1d")"
            "\n"
            "s.toml:62: pool.health.timeout: is an integer; must be a string with a unit, such as "
            R"("500ms", "10s", "2m", "1h" or "1d")"}));

}  // namespace
}  // namespace sluice::config
