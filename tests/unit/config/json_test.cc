// A configuration as JSON has every key under its name in the file, and nothing secret.
#include "sluice/config/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "known_keys.h"
#include "sluice/config/reader.h"

namespace sluice::config {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kFull = R"(
[runtime]
cores = "1-3,7"
eal = ["--log-level=\"x\\y\n"]
[[port]]
name = "front"
interface = "eth1"
addresses = ["10.1.0.1/24"]
[[listener]]
name = "mqtt"
address = "10.1.0.1:1883"
pool = "brokers"
[[route]]
client_id_prefix = "a/"
username = ""
pool = "brokers"
[[pool]]
name = "brokers"
source_addresses = ["10.1.0.10", "10.1.0.11"]
bounded_load = 1.25
[[pool.backend]]
name = "b1"
address = "10.1.0.2:1883"
)";

Config full() {
    LoadResult loaded = read(kFull, "f");
    EXPECT_TRUE(loaded.config) << to_string(loaded.problems.at(0));
    Config config = std::move(loaded.config).value();
    Health& health = config.pools[0].health;
    health.type = HealthType::Mqtt;
    health.username = "probe";
    health.password = "hunter2";
    health.password_file = "/etc/sluice/password";
    return config;
}

void expect_keys(const Json& object, const std::set<std::string>& keys, const std::string& section) {
    std::set<std::string> found;
    for (const auto& [key, value] : object.items()) {
        const bool deeper = value.is_object() || (value.is_array() && !value.empty() && value[0].is_object());
        if (!deeper) found.insert(key);
    }
    EXPECT_EQ(found, keys) << section;
}

TEST(ConfigJson, HasEveryKeyUnderItsNameInTheFile) {
    const Json json = Json::parse(to_json(full()));
    const Json& pool = json["pool"][0];
    const std::map<std::string, Json> sections{
        {"runtime", json["runtime"]},      {"port", json["port"][0]},           {"admin", json["admin"]},
        {"listener", json["listener"][0]}, {"route", json["route"][0]},         {"pool", pool},
        {"pool.health", pool["health"]},   {"pool.backend", pool["backend"][0]}};
    const Keys known = known_keys();
    ASSERT_EQ(sections.size(), known.size());
    for (const auto& [section, keys] : known) expect_keys(sections.at(section), keys, section);
}

TEST(ConfigJson, ValuesAreAsTheFileWritesThem) {
    const Json json = Json::parse(to_json(full()));
    EXPECT_EQ(json["runtime"]["shutdown_timeout"], "30s");
    EXPECT_EQ(json["runtime"]["cores"], "1-3,7");
    EXPECT_EQ(json["runtime"]["workers"], nullptr);
    EXPECT_EQ(json["runtime"]["eal"], Json::array({"--log-level=\"x\\y\n"}));
    EXPECT_EQ(json["port"][0]["device"], nullptr);
    EXPECT_EQ(json["listener"][0]["address"], "10.1.0.1:1883");
    EXPECT_EQ(json["listener"][0]["connect_window"], "256KiB");
    EXPECT_EQ(json["listener"][0]["half_open"], 16384);
    EXPECT_EQ(json["route"][0]["username"], "");
    EXPECT_EQ(json["pool"][0]["bounded_load"], 1.25);
    EXPECT_EQ(json["pool"][0]["source_addresses"], Json::array({"10.1.0.10-10.1.0.11"}));
    EXPECT_EQ(json["pool"][0]["backend"][0]["weight"], 100);
}

TEST(ConfigJson, TellsNoPassword) {
    const std::string text = to_json(full());
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
    EXPECT_NE(text.find("/etc/sluice/password"), std::string::npos);
}

TEST(ConfigJson, KeysOfOtherProbesAreLeftOut) {
    Config config = full();
    EXPECT_EQ(Json::parse(to_json(config))["pool"][0]["health"]["path"], nullptr);
    config.pools[0].health.type = HealthType::Http;
    const Json health = Json::parse(to_json(config))["pool"][0]["health"];
    EXPECT_EQ(health["path"], "/");
    EXPECT_EQ(health["expect"], "200-299");
    EXPECT_EQ(health["username"], nullptr);
    EXPECT_EQ(health["interval"], "2s");
}

TEST(ConfigJson, ASectionThatIsNotThereIsAnEmptyArray) {
    Config config = full();
    config.routes.clear();
    EXPECT_EQ(Json::parse(to_json(config))["route"], Json::array());
}

}  // namespace
}  // namespace sluice::config
