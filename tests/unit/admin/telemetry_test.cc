// What the telemetry socket is told is what the admin socket says, in the forms that it has.
#include "sluice/admin/telemetry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <stdexcept>

#include "fake_view.h"

namespace sluice::admin::telemetry_test {
namespace {

using port::TelemetryDict;
using port::TelemetryValue;
using Texts = std::vector<std::string>;

TelemetryDict ask(std::string_view command, std::string_view parameter = {}) {
    FakeView view;
    return answer_telemetry(view, command, parameter);
}

std::vector<std::string> keys(const TelemetryDict& dict) {
    std::vector<std::string> all;
    for (const auto& entry : dict) all.push_back(entry.name);
    return all;
}

// Along the names to a value.
const TelemetryValue& at(const TelemetryDict& dict, std::string_view name) {
    const auto found = std::ranges::find(dict, name, &port::TelemetryEntry::name);
    if (found == dict.end()) throw std::out_of_range("no " + std::string(name));
    return found->value;
}
template <typename... Names>
const TelemetryValue& at(const TelemetryDict& dict, std::string_view name, Names... names) {
    return at(std::get<TelemetryDict>(at(dict, name)), names...);
}

std::uint64_t number(const TelemetryValue& value) { return std::get<std::uint64_t>(value); }
std::string text(const TelemetryValue& value) { return std::get<std::string>(value); }
std::string error(const TelemetryDict& dict) {
    return keys(dict) == Texts{"error"} ? text(at(dict, "error")) : "no error";
}

TEST(Telemetry, EveryCommandSuitsDpdkAndHasAnAnswer) {
    constexpr std::size_t kName = 56;  // of DPDK's buffer, as is the next
    constexpr std::size_t kHelp = 128;
    std::set<std::string> seen;
    for (const auto& command : telemetry_commands()) {
        EXPECT_LT(std::strlen(command.name), kName);
        EXPECT_LT(std::strlen(command.help), kHelp);
        EXPECT_EQ(std::string(command.name).rfind("/sluice/", 0), 0U);
        EXPECT_TRUE(seen.insert(command.name).second) << command.name;
        EXPECT_NE(error(ask(command.name)), "unknown command");
    }
    EXPECT_EQ(error(ask("/sluice/nothing")), "unknown command");
}

TEST(Telemetry, NumbersAreNumbersAndTruthIsOneOrZero) {
    const TelemetryDict info = ask("/sluice/info");
    EXPECT_EQ(number(at(info, "connections")), 7U);
    EXPECT_EQ(number(at(info, "draining")), 0U);
    EXPECT_EQ(text(at(info, "version")), "1.2.3");
    EXPECT_EQ(text(at(info, "uptime_seconds")), "90.0");
}

TEST(Telemetry, WhatIsNullIsLeftOut) {
    const TelemetryDict neighbors = ask("/sluice/neighbors");
    EXPECT_EQ(number(at(neighbors, "count")), 1U);
    EXPECT_EQ(keys(std::get<TelemetryDict>(at(neighbors, "0"))),
              (Texts{"worker", "port", "address", "state", "age_seconds"}));
}

TEST(Telemetry, CountersAreCalledByTheirNames) {
    const TelemetryDict counters = ask("/sluice/counters");
    EXPECT_EQ(keys(counters), Texts{"drop_tcp_checksum"});
    EXPECT_EQ(number(at(counters, "drop_tcp_checksum")), 42U);
    EXPECT_EQ(ask("/sluice/counters", "all").size(), kCounterCount);
}

TEST(Telemetry, ListsTellNames) {
    EXPECT_EQ(std::get<Texts>(at(ask("/sluice/listeners"), "names")), Texts{"mqtt"});
    EXPECT_EQ(std::get<Texts>(at(ask("/sluice/pools"), "names")), Texts{"brokers"});
    EXPECT_EQ(std::get<Texts>(at(ask("/sluice/ports"), "names")), Texts{"front"});
    const TelemetryDict backends = ask("/sluice/backends");
    EXPECT_EQ(number(at(backends, "count")), 2U);
    EXPECT_EQ(std::get<Texts>(at(backends, "names")), (Texts{"brokers/b1", "brokers/b1"}));
}

TEST(Telemetry, OneIsAskedForByName) {
    EXPECT_EQ(std::get<Texts>(at(ask("/sluice/listener", "mqtt"), "allow")), Texts{"10.0.0.0/8"});
    EXPECT_EQ(number(at(ask("/sluice/pool", "brokers"), "offer", "window_scale")), 7U);
    EXPECT_EQ(number(at(ask("/sluice/port", "front"), "statistics", "rx_frames")), 11U);
    EXPECT_EQ(error(ask("/sluice/pool", "nobody")), "nothing is named 'nobody'");
    EXPECT_EQ(error(ask("/sluice/pool")), "a name is needed: /sluice/pool,NAME");
}

// The two of the fake have one name, so that nothing tells them apart.
TEST(Telemetry, ABackendIsCalledByItsPoolToo) {
    class OneBackend final : public FakeView {
        std::vector<BackendRow> backends() override { return {FakeView::backends().front()}; }
    };
    OneBackend view;
    for (const char* name : {"b1", "brokers/b1"}) {
        const TelemetryDict backend = answer_telemetry(view, "/sluice/backend", name);
        EXPECT_EQ(number(at(backend, "leases", "leased")), 7U) << name;
        EXPECT_EQ(number(at(backend, "tally", "connacks", "1", "count")), 1U) << name;
        EXPECT_EQ(text(at(backend, "health", "latency_seconds")), "0.0015") << name;
    }
    EXPECT_EQ(error(ask("/sluice/backend", "b1")), "several pools have one named 'b1'; write POOL/NAME");
}

TEST(Telemetry, WordsOfTheAdminSocketFollowTheComma) {
    FakeView view;
    const TelemetryDict found = answer_telemetry(view, "/sluice/connections", "backend=b1 limit=5");
    EXPECT_EQ(view.asked.backend, "b1");
    EXPECT_EQ(view.asked.limit, 5U);
    EXPECT_EQ(keys(found), (Texts{"count", "truncated", "0"}));
    EXPECT_EQ(number(at(found, "truncated")), 1U);
    EXPECT_EQ(text(at(found, "0", "client_id")), "caf\xe9");  // the socket's form comes with `fitted`
    EXPECT_EQ(text(at(answer_telemetry(view, "/sluice/explain", "\"a b\" pool=brokers"), "backend")), "b1");
    EXPECT_EQ(view.questioned.client_id, "a b");
}

TEST(Telemetry, WhatIsRefusedThereIsRefusedHere) {
    EXPECT_EQ(error(ask("/sluice/connections", "backend=nobody")), "no backend is named 'nobody'");
    EXPECT_EQ(error(ask("/sluice/info", "now")), "/sluice/info takes no parameter");
    EXPECT_NE(error(ask("/sluice/explain")), "no error");
    EXPECT_NE(error(ask("/sluice/counters", "\"")), "no error");
}

TEST(Telemetry, TheConfigurationHasItsSections) {
    EXPECT_EQ(number(at(ask("/sluice/config"), "runtime", "workers")), 2U);
}

}  // namespace
}  // namespace sluice::admin::telemetry_test
