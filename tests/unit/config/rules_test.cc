// Every rule of the configuration, each by one edit of a good file that breaks it and nothing else. The edit
// marks with #! the line that the problem must name.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>

#include "sluice/config/reader.h"

namespace sluice::config::rules_test {
namespace {

constexpr std::string_view kGood = R"([runtime]
workers = 2
[[port]]
name = "front"
device = "0000:03:00.0"
addresses = ["10.1.0.1/24", "fd00:1::1/64"]
gateway = ["10.1.0.254"]
[[port]]
name = "back"
interface = "eth1"
addresses = ["10.2.0.1/24"]
[admin]
log = "info"
[[listener]]
name = "mqtt"
address = "10.1.0.1:1883"
pool = "brokers"
[[pool]]
name = "brokers"
source_addresses = ["10.2.0.10-10.2.0.33"]
[pool.health]
type = "tcp"
[[pool.backend]]
name = "broker-1"
address = "10.2.0.2:1883"
)";

std::string edited(std::string_view from, std::string_view to) {
    std::string text(kGood);
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
    return text;
}

// The first line with the mark, or 0.
unsigned marked_line(std::string_view text) {
    const std::size_t mark = text.find("#!");
    if (mark == std::string_view::npos) return 0;
    return 1U + static_cast<unsigned>(std::ranges::count(text.substr(0, mark), '\n'));
}

std::string describe(const LoadResult& result) {
    std::string out;
    for (const Problem& problem : result.problems) out += to_string(problem) + "\n";
    return out;
}

struct Fault {
    const char* from;  // in kGood
    const char* to;
    const char* key;
    const char* part;  // of "message; remedy"
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.to; }

class Rules : public testing::TestWithParam<Fault> {};

TEST_P(Rules, AreToldOnceAtTheirLine) {
    const Fault& fault = GetParam();
    const std::string text = edited(fault.from, fault.to);
    const LoadResult result = read(text, "sluice.toml");
    EXPECT_FALSE(result.config);
    ASSERT_EQ(result.problems.size(), 1U) << text << "\n" << describe(result);
    const Problem& problem = result.problems[0];
    EXPECT_EQ(problem.file, "sluice.toml");
    EXPECT_EQ(problem.line, marked_line(text)) << to_string(problem);
    EXPECT_NE(problem.column, 0U);
    EXPECT_EQ(problem.key, fault.key);
    EXPECT_FALSE(problem.remedy.empty());
    EXPECT_NE((problem.message + "; " + problem.remedy).find(fault.part), std::string::npos)
        << to_string(problem);
}

INSTANTIATE_TEST_SUITE_P(
    Toml, Rules,
    testing::Values(Fault{"workers = 2", "workers = #!", "", "toml.io"},
                    Fault{"[[listener]]", "[[[listener]]] #!", "", "toml.io"},
                    Fault{"workers = 2", "w\u00f6rkers = 2 #!", "", "toml.io"},
                    Fault{"workers = 2", "workers = 2\u20ac #!", "", "toml.io"},
                    Fault{"name = \"mqtt\"", "name = \u201cmqtt\u201d #!", "", "toml.io"},
                    Fault{"[[pool]]", "[`pool] #!", "", "toml.io"},
                    Fault{"log = \"info\"", "log = \"info\"\nlog = \"info\" #!", "", "log"},
                    Fault{"[runtime]", "[runtme] #!", "runtme", "unknown section; did you mean \"runtime\"?"},
                    Fault{"[admin]", "[[admin]] #!", "admin",
                          "is an array of tables; must be one table, written [admin]"},
                    Fault{"[runtime]", "zebra = 1 #!\n[runtime]", "zebra",
                          R"(known here: "runtime", "port", "admin", "listener", "route" and "pool")"}));

INSTANTIATE_TEST_SUITE_P(
    Runtime, Rules,
    testing::Values(
        Fault{"workers = 2", "workers = 0 #!", "runtime.workers", "0 is out of range; must be 1 to 16"},
        Fault{"workers = 2", "workers = -1 #!", "runtime.workers", "-1 is out of range"},
        Fault{"workers = 2", "workers = 17 #!", "runtime.workers", "must be 1 to 16"},
        Fault{"workers = 2", "workers = \"2\" #!", "runtime.workers", "is a string; must be an integer"},
        Fault{"workers = 2", "workers = 2.0 #!", "runtime.workers", "must be an integer"},
        Fault{"workers = 2", "wrokers = 2 #!", "runtime.wrokers", "unknown key; did you mean \"workers\"?"},
        Fault{"workers = 2", "user = \"nobody\" #!", "runtime.user", "not supported by this version"},
        Fault{"workers = 2", "usr = \"nobody\" #!", "runtime.usr", "did you mean \"user\"?"},
        Fault{"workers = 2", "cores = \"3-1\" #!", "runtime.cores", "write \"1-3\""},
        Fault{"workers = 2", "cores = \"1-17\" #!", "runtime.cores", "names 17 CPUs"},
        Fault{"workers = 2", "cores = \"1-3,2\" #!", "runtime.cores", "twice"},
        Fault{"workers = 2", "workers = 2\ncores = \"1-2\" #!", "runtime.cores", "both given"},
        Fault{"workers = 2", "idle = \"adaptve\" #!", "runtime.idle",
              R"(did you mean "adaptive"? It must be one of "adaptive" and "poll")"},
        Fault{"workers = 2", "idle = true #!", "runtime.idle", "is a boolean; must be a string"},
        Fault{"workers = 2", "max_connections = 0 #!", "runtime.max_connections", "1 to 50000000"},
        Fault{"workers = 2", "max_connections = 50_000_001 #!", "runtime.max_connections", "out of range"},
        Fault{"workers = 2", "memory = \"hugepage\" #!", "runtime.memory", "\"hugepages\""},
        Fault{"workers = 2", "eal = \"-n 4\" #!", "runtime.eal", "must be an array of strings"},
        Fault{"workers = 2", "eal = [\n\"-n\",\n4 #!\n]", "runtime.eal", "is an integer"},
        Fault{"workers = 2", "eal = [\"\"] #!", "runtime.eal", "not an argument"},
        Fault{"workers = 2", "connect_memory = \"1KiB\" #!", "runtime.connect_memory",
              "must be 1MiB to 1024GiB"},
        Fault{"workers = 2", "connect_memory = \"1MiB\" #!\nworkers = 3", "runtime.connect_memory",
              "too little for CONNECTs of 64KiB and 3 workers; write at least \"1536KiB\""},
        Fault{"workers = 2", "shutdown_timeout = 30 #!", "runtime.shutdown_timeout", "a string with a unit"},
        Fault{"workers = 2", "shutdown_timeout = \"30\" #!", "runtime.shutdown_timeout", "is not a duration"},
        Fault{"workers = 2", "shutdown_timeout = \"2d\" #!", "runtime.shutdown_timeout",
              "must be 0s to 1d"}));

INSTANTIATE_TEST_SUITE_P(
    Admin, Rules,
    testing::Values(Fault{"log = \"info\"", "log = \"warn\" #!", "admin.log", "\"warning\""},
                    Fault{"log = \"info\"", "metrics = \"127.0.0.1\" #!", "admin.metrics",
                          "not an address with a port"},
                    Fault{"log = \"info\"", "metrics = \"10.2.0.33:9187\" #!", "admin.metrics",
                          "one of Sluice's own addresses"},
                    Fault{"log = \"info\"", "metrics = \"[ff02::1]:9187\" #!", "admin.metrics", "multicast"},
                    Fault{"log = \"info\"", "connection_log = \"log\" #!", "admin.connection_log",
                          "\"log\" is not an absolute path; begin the path with /"},
                    Fault{"log = \"info\"", "socket = \"admin.sock\" #!", "admin.socket", "absolute path"},
                    Fault{"log = \"info\"", "socket = \"\" #!", "admin.socket", "is empty"},
                    Fault{"log = \"info\"", "socket = \"/a\\u0000b\" #!", "admin.socket", "zero byte"}));

INSTANTIATE_TEST_SUITE_P(
    Port, Rules,
    testing::Values(
        Fault{"[[port]]\nname = \"front\"", "[[port]] #!", "port.name", "is missing"},
        Fault{"name = \"front\"", "name = \"the front\" #!", "port.name", "is not a valid name"},
        Fault{"name = \"back\"", "name = \"front\" #!", "port.name",
              "the name \"front\" is taken; it is used on line 4"},
        Fault{"name = \"back\"", "name = \"back\"\nspeed = 1 #!", "port.speed", "unknown key"},
        Fault{"[[port]]\nname = \"back\"\ninterface = \"eth1\"", "[[port]] #!\nname = \"back\"", "port",
              "neither device nor interface"},
        Fault{"interface = \"eth1\"", "device = \"net_null0\"\ninterface = \"eth1\" #!", "port.interface",
              "both given"},
        Fault{"interface = \"eth1\"", "interface = \"a-name-of-16-byt\" #!", "port.interface", "ip link"},
        Fault{"interface = \"eth1\"", "interface = \"eth1,x\" #!", "port.interface", "not an interface name"},
        Fault{"interface = \"eth1\"", "device = \"03:00.0,a=1\" #!", "port.device",
              "the device \"0000:03:00.0\" is taken"},
        Fault{"[[port]]\nname = \"back\"\ninterface = \"eth1\"",
              "[[port]]\nname = \"side\"\ninterface = \"eth1\"\naddresses = [\"10.3.0.1/24\"]\n"
              "[[port]]\nname = \"back\"\ninterface = \"eth1\" #!",
              "port.interface", "the interface \"eth1\" is taken; it is used on line 10"},
        Fault{"addresses = [\"10.2.0.1/24\"]", "addresses = [] #!", "port.addresses", "is empty"},
        Fault{"addresses = [\"10.2.0.1/24\"]", "addresses = [\"10.2.0.1\"] #!", "port.addresses",
              "with the prefix length of its network"},
        Fault{"addresses = [\"10.2.0.1/24\"]", "addresses = [\"10.2.0.1/0\"] #!", "port.addresses",
              "not an interface address"},
        Fault{"addresses = [\"10.2.0.1/24\"]", "addresses = [\n\"10.2.0.1/24\",\n\"10.2.0.300/24\" #!\n]",
              "port.addresses", "\"10.2.0.300/24\" is not an interface address"},
        Fault{"[\"10.2.0.1/24\"]", "[\"10.2.0.1/24\", \"10.2.0.1/24\"] #!", "port.addresses", "given twice"},
        Fault{"[\"10.2.0.1/24\"]", "[\"10.2.0.1/24\", \"10.2.0.0/24\"] #!", "port.addresses",
              "is the network address of 10.2.0.0/24"},
        Fault{"[\"10.2.0.1/24\"]", "[\"10.2.0.1/24\", \"10.2.0.255/24\"] #!", "port.addresses",
              "is the broadcast address of 10.2.0.0/24"},
        Fault{"[\"10.2.0.1/24\"]", "[\"10.2.0.1/24\", \"fd00:2::/64\"] #!", "port.addresses", "anycast"},
        Fault{"[\"10.2.0.1/24\"]", "[\"10.2.0.1/24\", \"127.0.0.1/8\"] #!", "port.addresses", "loopback"},
        Fault{"[\"10.2.0.1/24\"]", "[\"10.2.0.1/24\", \"ff02::5/64\"] #!", "port.addresses", "multicast"},
        Fault{"[\"10.2.0.1/24\"]", "[\"10.2.0.1/24\", \"10.1.0.9/16\"] #!", "port.addresses",
              "10.1.0.0/16 overlaps 10.1.0.0/24 of port \"front\""},
        Fault{"gateway = [\"10.1.0.254\"]", "gateway = \"10.1.0.254\" #!", "port.gateway",
              "array of strings"},
        Fault{"gateway = [\"10.1.0.254\"]", "gateway = [\"10.1.0.254/24\"] #!", "port.gateway",
              "not an address"},
        Fault{"gateway = [\"10.1.0.254\"]", "gateway = [\"10.2.0.254\"] #!", "port.gateway",
              "none of the port's networks; use a router's address within 10.1.0.0/24 and fd00:1::/64"},
        Fault{"gateway = [\"10.1.0.254\"]", "gateway = [\"10.1.0.1\"] #!", "port.gateway", "own address"},
        Fault{"gateway = [\"10.1.0.254\"]", "gateway = [\"10.1.0.255\"] #!", "port.gateway", "broadcast"},
        Fault{"gateway = [\"10.1.0.254\"]", "gateway = [\"224.0.0.1\"] #!", "port.gateway", "multicast"},
        Fault{"gateway = [\"10.1.0.254\"]", "gateway = [\n\"10.1.0.254\",\n\"10.1.0.253\" #!\n]",
              "port.gateway", "a second gateway for IPv4"},
        Fault{"gateway = [\"10.1.0.254\"]", "mtu = 1279 #!", "port.mtu", "IPv6 address; must be 1280"},
        Fault{"interface = \"eth1\"", "interface = \"eth1\"\nmtu = 575 #!", "port.mtu", "576 to 9000"},
        Fault{"interface = \"eth1\"", "interface = \"eth1\"\nmtu = 9001 #!", "port.mtu", "576 to 9000"}));

INSTANTIATE_TEST_SUITE_P(
    Listener, Rules,
    testing::Values(
        Fault{"address = \"10.1.0.1:1883\"", "address = \"10.1.0.1\" #!", "listener.address",
              "not an address with a port"},
        Fault{"address = \"10.1.0.1:1883\"", "address = \"10.9.0.1:1883\" #!", "listener.address",
              "10.9.0.1 is in no network of a port; use an address within 10.1.0.0/24 (front), "
              "fd00:1::/64 (front) and 10.2.0.0/24 (back)"},
        Fault{"address = \"10.1.0.1:1883\"", "address = \"10.1.0.255:1883\" #!", "listener.address",
              "broadcast"},
        Fault{"address = \"10.1.0.1:1883\"", "address = \"10.1.0.0:1883\" #!", "listener.address",
              "network address"},
        Fault{"address = \"10.1.0.1:1883\"", "address = \"10.1.0.254:1883\" #!", "listener.address",
              "gateway"},
        Fault{"address = \"10.1.0.1:1883\"", "address = \"239.1.1.1:1883\" #!", "listener.address",
              "multicast"},
        Fault{"address = \"10.1.0.1:1883\"", "address = \"127.0.0.1:1883\" #!", "listener.address",
              "loopback"},
        Fault{"address = \"10.1.0.1:1883\"", "address = \"[::]:1883\" #!", "listener.address", "unspecified"},
        Fault{"address = \"10.1.0.1:1883\"", "address = \"10.2.0.10:1883\" #!", "listener.address",
              "among its source addresses and ports; use another address, or source_ports without port 1883"},
        Fault{"pool = \"brokers\"", "pool = \"broker\" #!", "listener.pool",
              "there is no pool \"broker\"; did you mean \"brokers\"?"},
        Fault{"pool = \"brokers\"", "pool = \"zebra\" #!", "listener.pool", "the pools are \"brokers\""},
        Fault{"[[listener]]\nname = \"mqtt\"\naddress = \"10.1.0.1:1883\"\npool = \"brokers\"",
              "[[listener]] #!\nname = \"mqtt\"\naddress = \"10.1.0.1:1883\"", "listener.pool", "is missing"},
        Fault{"pool = \"brokers\"",
              "pool = \"brokers\"\n[[listener]]\nname = \"mqtt\" #!\naddress = \"10.1.0.1:1884\"\n"
              "pool = \"brokers\"",
              "listener.name", "the name \"mqtt\" is taken; it is used on line 15"},
        Fault{"pool = \"brokers\"",
              "pool = \"brokers\"\n[[listener]]\nname = \"two\"\naddress = \"10.1.0.1:1883\" #!\n"
              "pool = \"brokers\"",
              "listener.address", "the address \"10.1.0.1:1883\" is taken; it is used on line 16"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nconnect_timeout = \"10 seconds\" #!",
              "listener.connect_timeout", "\"500ms\", \"10s\", \"2m\", \"1h\" or \"1d\""},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nconnect_timeout = \"99ms\" #!", "listener.connect_timeout",
              "must be 100ms to 10m"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nmax_connect_size = 65536 #!", "listener.max_connect_size",
              "is an integer; must be a string with a unit"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nmax_connect_size = \"65536\" #!",
              "listener.max_connect_size", "is not a size"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nmax_connect_size = \"63B\" #!",
              "listener.max_connect_size", "must be 64B to 16MiB"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nmax_connect_size = \"17MiB\" #!",
              "listener.max_connect_size", "must be 64B to 16MiB"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nconnect_window = \"1000B\" #!", "listener.connect_window",
              "must be 1KiB to 16MiB"},
        Fault{"name = \"mqtt\"",
              "name = \"mqtt\"\nmax_connect_size = \"128KiB\"\nconnect_window = \"32KiB\" #!",
              "listener.connect_window", "write at least \"128KiB\""},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nallow = [\"10.0.0.0/33\"] #!", "listener.allow",
              "not a network"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nallow = [] #!", "listener.allow", "admits nobody"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nallow = [\"::/0\"] #!", "listener.allow",
              "no network in it is IPv4"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\ndeny = [\"nobody\"] #!", "listener.deny", "not a network"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nmax_connections = -1 #!", "listener.max_connections",
              "must be 0 to 50000000"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nhalf_open = 0 #!", "listener.half_open",
              "must be 1 to 16777216"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nidle_timeout = \"366d\" #!", "listener.idle_timeout",
              "must be 0s to 30d"},
        Fault{"name = \"mqtt\"", "name = \"mqtt\"\nconnect_rate = 100 #!", "listener.connect_rate",
              "this key is not supported by this version"},
        Fault{"[[pool]]", "[listener.tls] #!\n[[pool]]", "listener.tls",
              "this section is not supported by this version"}));

// The whole pool of kGood.
constexpr const char* kPool = R"([[pool]]
name = "brokers"
source_addresses = ["10.2.0.10-10.2.0.33"]
[pool.health]
type = "tcp"
[[pool.backend]]
name = "broker-1"
address = "10.2.0.2:1883"
)";

INSTANTIATE_TEST_SUITE_P(
    Pool, Rules,
    testing::Values(
        Fault{"[pool.health]", "balance = \"maglv\" #!\n[pool.health]", "pool.balance",
              "did you mean \"maglev\"?"},
        Fault{"[pool.health]", "hash_key = \"clientid\" #!\n[pool.health]", "pool.hash_key",
              "did you mean \"client_id\"?"},
        Fault{"[pool.health]", "retries = 11 #!\n[pool.health]", "pool.retries", "must be 0 to 10"},
        Fault{"[pool.health]", "attempt_timeout = \"0s\" #!\n[pool.health]", "pool.attempt_timeout",
              "must be 10ms to 10m"},
        Fault{"[pool.health]", "bounded_load = 0.9 #!\n[pool.health]", "pool.bounded_load", "1.25"},
        Fault{"[pool.health]", "bounded_load = nan #!\n[pool.health]", "pool.bounded_load", "1.25"},
        Fault{"[pool.health]", "bounded_load = inf #!\n[pool.health]", "pool.bounded_load", "1.25"},
        Fault{"[pool.health]", "bounded_load = \"x\" #!\n[pool.health]", "pool.bounded_load", "a number"},
        Fault{"[pool.health]", "send_proxy = \"v2\" #!\n[pool.health]", "pool.send_proxy", "not supported"},
        Fault{"type = \"tcp\"", "type = \"mqqt\" #!", "pool.health.type",
              R"(did you mean "mqtt"? It must be one of "none", "tcp", "mqtt" and "http")"},
        Fault{"type = \"tcp\"", "interval = \"99ms\" #!", "pool.health.interval", "must be 100ms to 1h"},
        Fault{"type = \"tcp\"", "timeout = \"9ms\" #!", "pool.health.timeout", "must be 10ms to 10m"},
        Fault{"type = \"tcp\"", "rise = 0 #!", "pool.health.rise", "must be 1 to 1000"},
        Fault{"type = \"tcp\"", "fall = 1001 #!", "pool.health.fall", "must be 1 to 1000"},
        Fault{"type = \"tcp\"", "path = \"/\" #!", "pool.health.path",
              "a probe of type \"tcp\" does not use it; remove it, or set type = \"http\""},
        Fault{kPool, "[[pool]] #!\nname = \"brokers\"\nsource_addresses = [\"10.2.0.10\"]\n", "pool.backend",
              "the pool has no backend; add a [[pool.backend]] section"},
        Fault{kPool, "[[pool]]\nname = \"brokers\"\nsource_addresses = [\"10.2.0.10\"]\nbackend = 7 #!\n",
              "pool.backend", "is an integer; must be an array of tables, each written [[pool.backend]]"},
        Fault{"address = \"10.2.0.2:1883\"", "address = \"10.2.0.2:0\" #!", "pool.backend.address",
              "a port of 1 to 65535"},
        Fault{"address = \"10.2.0.2:1883\"", "address = \"224.2.0.2:1883\" #!", "pool.backend.address",
              "multicast"},
        Fault{"address = \"10.2.0.2:1883\"", "address = \"10.2.0.255:1883\" #!", "pool.backend.address",
              "broadcast"},
        Fault{"address = \"10.2.0.2:1883\"", "address = \"10.2.0.1:1883\" #!", "pool.backend.address",
              "Sluice's own"},
        Fault{"address = \"10.2.0.2:1883\"", "address = \"[fd00:1::9]:1883\" #!", "pool.backend.address",
              "no IPv6 source address"},
        Fault{"address = \"10.2.0.2:1883\"", "address = \"10.3.0.2:1883\" #!", "pool.backend.address",
              "cannot be reached from the pool's source addresses on port \"back\""},
        Fault{"name = \"broker-1\"", "name = \"broker-1\"\nweight = 1001 #!", "pool.backend.weight",
              "must be 0 to 1000"},
        Fault{"name = \"broker-1\"", "name = \"broker-1\"\nmax_connections = 1.5 #!",
              "pool.backend.max_connections", "must be an integer"},
        Fault{"name = \"broker-1\"", "name = \"broker-1\"\nstate = \"down\" #!", "pool.backend.state",
              R"("up", "drain" and "maintenance")"},
        Fault{"name = \"broker-1\"", "name = \"broker-1\"\nconnect_rate = 1 #!", "pool.backend.connect_rate",
              "not supported"},
        Fault{"name = \"broker-1\"",
              "name = \"broker-2\"\naddress = \"10.2.0.3:1883\"\n[[pool.backend]]\nname = \"broker-2\" #!",
              "pool.backend.name", "the name \"broker-2\" is taken"},
        Fault{"name = \"broker-1\"\naddress = \"10.2.0.2:1883\"",
              "name = \"broker-2\"\naddress = \"10.2.0.2:1883\"\n"
              "[[pool.backend]]\nname = \"broker-1\"\naddress = \"10.2.0.2:1883\" #!",
              "pool.backend.address", "the address \"10.2.0.2:1883\" is taken"}));

constexpr const char* kSources = "source_addresses = [\"10.2.0.10-10.2.0.33\"]";

INSTANTIATE_TEST_SUITE_P(
    Sources, Rules,
    testing::Values(
        Fault{"[[pool]]\nname = \"brokers\"\nsource_addresses = [\"10.2.0.10-10.2.0.33\"]",
              "[[pool]] #!\nname = \"brokers\"", "pool.source_addresses", "is missing"},
        Fault{kSources, "source_addresses = [] #!", "pool.source_addresses", "is empty"},
        Fault{kSources, "source_addresses = [\"10.2.0.33-10.2.0.10\"] #!", "pool.source_addresses",
              "not an address or a range"},
        Fault{kSources, "source_addresses = [\"10.2.0.10-fd00:1::1\"] #!", "pool.source_addresses",
              "not an address or a range"},
        Fault{kSources, "source_addresses = [\"10.2.0.0/24\"] #!", "pool.source_addresses",
              "not an address or a range"},
        Fault{kSources, "source_addresses = [\n\"10.2.0.10\",\n\"fd00:1::100-fd00:1::10ff\" #!\n]",
              "pool.source_addresses", "more than 4096"},
        Fault{kSources, "source_addresses = [\n\"10.2.0.10\",\n\"10.9.0.10\" #!\n]", "pool.source_addresses",
              "10.9.0.10 is in no network of a port; use addresses within 10.1.0.0/24 (front)"},
        Fault{kSources, "source_addresses = [\"10.2.0.10\", \"10.2.0.5-10.2.0.12\"] #!",
              "pool.source_addresses", "10.2.0.10 is given twice"},
        Fault{kSources, "source_addresses = [\"10.2.0.1-10.2.0.9\"] #!", "pool.source_addresses",
              "10.2.0.2 is the address of backend \"broker-1\""},
        Fault{kSources, "source_addresses = [\"10.2.0.250-10.2.0.255\"] #!", "pool.source_addresses",
              "10.2.0.255 is the broadcast address of 10.2.0.0/24"},
        Fault{kSources, "source_addresses = [\"10.2.0.10\", \"10.1.0.254\"] #!", "pool.source_addresses",
              "10.1.0.254 is the address of a gateway"},
        Fault{kSources, "source_addresses = [\"10.2.0.10\", \"224.0.0.5\"] #!", "pool.source_addresses",
              "multicast"},
        Fault{"[pool.health]", "source_ports = \"1023-65535\" #!\n[pool.health]", "pool.source_ports",
              "begins below 1024; begin at 1024 or above: health probes leave from the ports below"},
        Fault{"[pool.health]", "source_ports = \"2000-1999\" #!\n[pool.health]", "pool.source_ports",
              "not a range of ports"},
        Fault{"[pool.health]", "source_ports = \"2000-65536\" #!\n[pool.health]", "pool.source_ports",
              "not a range of ports"},
        Fault{"[pool.health]", "source_ports = 2000 #!\n[pool.health]", "pool.source_ports",
              "must be a string"},
        Fault{"[pool.health]", "source_ports = \"2000-2000\" #!\n[pool.health]", "pool.source_ports",
              "fewer ports than workers: 1 for 2"},
        Fault{"[[pool]]\nname = \"brokers\"\nsource_addresses = [\"10.2.0.10-10.2.0.33\"]",
              "[[pool]]\nname = \"other\"\nsource_addresses = [\"10.2.0.33-10.2.0.40\"]\n"
              "source_ports = \"60000-65535\"\n[[pool.backend]]\nname = \"same\"\n"
              "address = \"10.2.0.2:1883\"\n[[pool]]\nname = \"brokers\"\n"
              "source_addresses = [\"10.2.0.10-10.2.0.33\"] #!",
              "pool.source_addresses",
              "pool \"other\" reaches 10.2.0.2:1883 from 10.2.0.33 with the same ports too; give the pools "
              "different source_addresses or source_ports"},
        Fault{"[[pool]]\nname = \"brokers\"",
              "[[pool]]\nname = \"brokers\"\nsource_addresses = [\"10.2.0.40\"]\n[[pool.backend]]\n"
              "name = \"same\"\naddress = \"10.2.0.2:1883\"\n[[pool]]\nname = \"brokers\" #!",
              "pool.name", "the name \"brokers\" is taken"}));

}  // namespace
}  // namespace sluice::config::rules_test
