// What operations are configured by: routes, the daemon's outputs, health over MQTT and HTTP, the pace of
// endings and returns; and how many sections there may be.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sluice/config/reader.h"

namespace sluice::config {
namespace {

constexpr std::string_view kNetwork = R"([[port]]
name = "net"
interface = "eth1"
addresses = ["10.1.0.1/24"]
[[listener]]
name = "mqtt"
address = "10.1.0.1:1883"
pool = "brokers"
[[pool]]
name = "meters"
source_addresses = ["10.1.0.11"]
[[pool.backend]]
name = "broker-9"
address = "10.1.0.9:1883"
[[pool]]
name = "brokers"
source_addresses = ["10.1.0.10"]
[[pool.backend]]
name = "broker-1"
address = "10.1.0.2:1883"
)";

std::string describe(const LoadResult& result) {
    std::string out;
    for (const Problem& problem : result.problems) out += to_string(problem) + "\n";
    return out;
}

Config good(const std::string& text) {
    const LoadResult result = read(text, "f");
    EXPECT_TRUE(result.config) << text << describe(result);
    return result.config.value_or(Config{});
}

// The first pool with these further lines, or sections.
Config with_pool(const std::string& lines) {
    std::string text(kNetwork);
    return good(text.insert(text.find("[[pool.backend]]"), lines + "\n"));
}

Config with_sections(const std::string& text) { return good(text + "\n" + std::string(kNetwork)); }

class Folder {
  public:
    Folder()
        : path_(std::filesystem::path(testing::TempDir()) / ("sluice-config-" + std::to_string(getpid()))) {
        std::filesystem::create_directory(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }

    std::string file(const std::string& content) const {
        const auto path = path_ / "password";
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

TEST(Routes, AreReadInTheirOrder) {
    const auto routes = with_sections(R"([[route]]
listener = "mqtt"
client_id_prefix = "meter-"
client_id_pattern = '^meter-\d+$'
username = "meters"
version = ["3.1.1", "5"]
network = ["10.0.0.0/8", "fd00::1"]
pool = "brokers"
[[route]]
username = ""
version = "3.1"
network = "192.0.2.0/24"
refuse = "not_authorized"
[[route]]
refuse = "unavailable"
)")
                            .routes;
    ASSERT_EQ(routes.size(), 3U);
    EXPECT_EQ(routes[0].listener, "mqtt");
    EXPECT_EQ(routes[0].client_id_prefix, "meter-");
    EXPECT_EQ(routes[0].client_id_pattern, "^meter-\\d+$");
    EXPECT_EQ(routes[0].username, "meters");
    EXPECT_EQ(routes[0].versions, (std::vector{mqtt::Version::V311, mqtt::Version::V5}));
    EXPECT_EQ(routes[0].networks, (std::vector{*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("fd00::1")}));
    EXPECT_EQ(routes[0].pool, "brokers");
    EXPECT_EQ(routes[0].pool_index, 1U);
    EXPECT_FALSE(routes[0].refuse);
    EXPECT_EQ(routes[1].username, "");
    EXPECT_EQ(routes[1].versions, std::vector{mqtt::Version::V31});
    EXPECT_EQ(routes[1].networks, std::vector{*IpPrefix::parse("192.0.2.0/24")});
    EXPECT_EQ(routes[1].refuse, RouteRefusal::NotAuthorized);
    EXPECT_EQ(routes[2].refuse, RouteRefusal::Unavailable);
    EXPECT_FALSE(routes[2].username);
}

TEST(Admin, HasItsOutputs) {
    const Admin admin = with_sections(R"([admin]
metrics = "127.0.0.1:9187"
connection_log = "/var/log/sluice.log")")
                            .admin;
    EXPECT_EQ(admin.metrics, *SocketAddress::parse("127.0.0.1:9187"));
    EXPECT_EQ(admin.connection_log, "/var/log/sluice.log");
    const Admin silent = good(std::string(kNetwork)).admin;
    EXPECT_FALSE(silent.metrics);
    EXPECT_EQ(silent.connection_log, "");
}

// Another host may have the rest of a port's network: the kernel, with another interface, too.
TEST(Admin, MetricsMayBeOnAnyAddressThatIsNotSluices) {
    for (const char* address : {"0.0.0.0:9187", "[::]:9187", "[::1]:9187", "10.1.0.99:9187"}) {
        const Admin admin = with_sections("[admin]\nmetrics = \"" + std::string(address) + "\"").admin;
        EXPECT_EQ(admin.metrics, SocketAddress::parse(address));
    }
}

TEST(Pool, KnowsTheirPace) {
    const Pool pool = with_pool(R"(hash_pattern = "^([^/]+)/"
drain_rate = 50
slow_start = "0s"
on_down = "keep")")
                          .pools[0];
    EXPECT_EQ(pool.hash_pattern, "^([^/]+)/");
    EXPECT_EQ(pool.drain_rate, 50U);
    EXPECT_EQ(pool.slow_start, 0s);
    EXPECT_EQ(pool.on_down, OnDown::Keep);
    const Pool usual = good(std::string(kNetwork)).pools[0];
    EXPECT_EQ(usual.hash_pattern, "");
    EXPECT_EQ(usual.drain_rate, 1000U);
    EXPECT_EQ(usual.slow_start, 30s);
    EXPECT_EQ(usual.on_down, OnDown::Reset);
}

TEST(Health, OverMqttHasCredentials) {
    const Folder folder;
    const std::string file = folder.file("s3cret\n");
    const Health health = with_pool(R"([pool.health]
type = "mqtt"
username = "probe"
version = "5"
password_file = ")" + file + "\"")
                              .pools[0]
                              .health;
    EXPECT_EQ(health.type, HealthType::Mqtt);
    EXPECT_EQ(health.username, "probe");
    EXPECT_EQ(health.password, "s3cret");
    EXPECT_EQ(health.password_file, file);
    EXPECT_EQ(health.version, mqtt::Version::V5);
    const Health least = with_pool("[pool.health]\ntype = \"mqtt\"").pools[0].health;
    EXPECT_EQ(least.username, "");
    EXPECT_EQ(least.password, "");
    EXPECT_EQ(least.version, mqtt::Version::V311);
}

TEST(Health, OverHttpHasAQuestionAndItsAnswer) {
    const Health health = with_pool(R"([pool.health]
type = "http"
path = "/health?ready=1"
port = 8080
expect = 204
expect_body = "ok")")
                              .pools[0]
                              .health;
    EXPECT_EQ(health.type, HealthType::Http);
    EXPECT_EQ(health.path, "/health?ready=1");
    EXPECT_EQ(health.port, 8080);
    EXPECT_EQ(health.expect_from, 204);
    EXPECT_EQ(health.expect_to, 204);
    EXPECT_EQ(health.expect_body, "ok");
    const Health range = with_pool("[pool.health]\ntype = \"http\"\nexpect = \"200-399\"").pools[0].health;
    EXPECT_EQ(range.path, "/");
    EXPECT_EQ(range.port, 0);
    EXPECT_EQ(range.expect_from, 200);
    EXPECT_EQ(range.expect_to, 399);
    EXPECT_EQ(range.expect_body, "");
}

std::string mqtt_health(const std::string& password_file) {
    std::string text(kNetwork);
    return text.insert(
        text.find("[[pool.backend]]"),
        "[pool.health]\ntype = \"mqtt\"\nversion = \"5\"\npassword_file = \"" + password_file + "\"\n");
}

TEST(PasswordFile, OneNewlineAtItsEndIsNoPartOfIt) {
    const Folder folder;
    const std::string longest(65535, 'x');
    for (const auto& [content, password] : {std::pair<std::string, std::string>{"a", "a"},
                                            {"a\n", "a"},
                                            {"a\n\n", "a\n"},
                                            {"\na b \n", "\na b "},
                                            {std::string("a\0b\n", 4), std::string("a\0b", 3)},
                                            {longest + "\n", longest}}) {
        EXPECT_EQ(good(mqtt_health(folder.file(content))).pools[0].health.password, password);
    }
}

TEST(PasswordFile, SaysWhyItIsNoPassword) {
    const Folder folder;
    const auto told = [&](const std::string& path) {
        const LoadResult result = read(mqtt_health(path), "f");
        EXPECT_FALSE(result.config);
        if (result.problems.size() != 1) return describe(result);
        EXPECT_EQ(result.problems[0].key, "pool.health.password_file");
        EXPECT_EQ(result.problems[0].line, 15U);
        EXPECT_EQ(result.problems[0].remedy, "name a file that holds the password and that Sluice may read");
        EXPECT_TRUE(result.problems[0].message.starts_with("\"" + path + "\" "));
        return result.problems[0].message.substr(path.size() + 3);
    };
    EXPECT_EQ(told(folder.path() / "none"), "cannot be read: No such file or directory");
    EXPECT_EQ(told(folder.path()), "is not a regular file");
    EXPECT_EQ(told("/dev/zero"), "is not a regular file");
    EXPECT_EQ(told(folder.file("\n")), "is empty");
    EXPECT_EQ(told(folder.file("")), "is empty");
    EXPECT_EQ(told(folder.file(std::string(65536, 'x'))), "holds more than 65535 bytes");
    EXPECT_EQ(told(folder.file(std::string(70000, 'x'))), "holds more than 65536 bytes");
    if (geteuid() != 0) {
        const std::string path = folder.file("secret");
        std::filesystem::permissions(path, std::filesystem::perms::none);
        EXPECT_EQ(told(path), "cannot be read: Permission denied");
    }
}

std::string repeated(const std::string& line, unsigned times) {
    std::string text;
    for (unsigned i = 0; i < times; ++i) text += line + "\n";
    return text;
}

TEST(Limits, ListenersAndPools) {
    EXPECT_EQ(describe(read(repeated("[[listener]]", 65535) + std::string(kNetwork), "f")),
              "f:65540: listener: is one too many; give at most 65535 in one file\n");
    EXPECT_EQ(describe(read(repeated("[[pool]]", 65534) + std::string(kNetwork), "f")),
              "f:65549: pool: is one too many; give at most 65535 in one file\n");
}

// Pools with 256 brokers each.
std::string many_backends(unsigned backends) {
    std::string text = R"([[port]]
name = "net"
interface = "eth1"
addresses = ["10.1.0.1/16"]
[[listener]]
name = "mqtt"
address = "10.1.0.1:1883"
pool = "pool-0"
)";
    for (unsigned i = 0; i < backends; ++i) {
        const std::string high = std::to_string(i / 256);
        if (i % 256 == 0) {
            text +=
                "[[pool]]\nname = \"pool-" + high + "\"\nsource_addresses = [\"10.1.255." + high + "\"]\n";
        }
        text += "[[pool.backend]]\nname = \"b" + std::to_string(i) + "\"\naddress = \"10.1." +
                std::to_string(2 + i / 256) + "." + std::to_string(i % 256) + ":1883\"\n";
    }
    return text;
}

TEST(Limits, BackendsOfAllPools) {
    const LoadResult most = read(many_backends(4096), "f");
    EXPECT_TRUE(most.config) << describe(most);
    const LoadResult over = read(many_backends(4097), "f");
    EXPECT_EQ(describe(over),
              "f:12348: pool.backend: is one too many; give at most 4096 in all pools together\n");
    Config added = *most.config;
    added.pools[0].backends.push_back({"one-more", *SocketAddress::parse("10.1.100.1:1883")});
    const auto problems = check(added);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].message, "is one too many");
}

}  // namespace
}  // namespace sluice::config
