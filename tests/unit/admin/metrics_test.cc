#include "sluice/admin/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "admin/sample_metrics.h"

namespace sluice::admin {
namespace {

using prometheus::MetricType;

// A page's samples by name with labels, and its lines that describe.
struct Page {
    std::map<std::string, std::string> samples;
    std::vector<std::string> comments;
};

Page page_of(const Metrics& metrics) {
    Page page;
    std::istringstream lines(to_text(families(metrics)));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('#')) {
            page.comments.push_back(line);
            continue;
        }
        const std::size_t blank = line.rfind(' ');
        const bool fresh = page.samples.emplace(line.substr(0, blank), line.substr(blank + 1)).second;
        EXPECT_TRUE(fresh) << "twice: " << line;
    }
    return page;
}

std::string value(const Metrics& metrics, const std::string& sample) {
    const Page page = page_of(metrics);
    const auto found = page.samples.find(sample);
    if (found == page.samples.end()) return "none";
    return found->second;
}

TEST(Metrics, EveryCounterIsTold) {
    Metrics metrics = sample_metrics();
    for (std::size_t i = 0; i < kCounterCount; ++i) metrics.counters[i] = 1000 + i;
    const Page page = page_of(metrics);
    for (const CounterInfo& info : kCounterTable) {
        const std::string name = "sluice_" + std::string(info.name) + "_total";
        const auto found = page.samples.find(name);
        ASSERT_NE(found, page.samples.end()) << name;
        EXPECT_EQ(found->second, std::to_string(1000 + static_cast<std::size_t>(info.id)));
        EXPECT_TRUE(std::ranges::count(page.comments, "# TYPE " + name + " counter")) << name;
    }
}

TEST(Metrics, NoFamilyIsToldTwiceAndEachHasHelpAndAProperName) {
    std::set<std::string> names;
    for (const auto& family : families(sample_metrics())) {
        EXPECT_TRUE(names.insert(family.name).second) << family.name;
        EXPECT_FALSE(family.help.empty()) << family.name;
        EXPECT_EQ(family.name.ends_with("_total"), family.type == MetricType::Counter) << family.name;
        EXPECT_TRUE(family.name.starts_with("sluice_") || family.name.starts_with("process_"));
        EXPECT_FALSE(family.metric.empty()) << family.name << " is not in the sample";
    }
}

TEST(Metrics, WithoutAnythingThereIsStillAPage) {
    EXPECT_EQ(families(Metrics{}).size(), families(sample_metrics()).size());
    EXPECT_NE(page_of(Metrics{}).samples.size(), 0U);
}

TEST(Metrics, LatenciesAreCumulativeAndInSeconds) {
    Metrics metrics = sample_metrics();
    backend::Latencies& connect = metrics.backends[0].tally.connect;
    connect = {};
    connect.counts[0] = 2;   // up to 100 us
    connect.counts[3] = 1;   // up to 1 ms
    connect.counts[16] = 1;  // above 10 s
    connect.nanoseconds = 12'001'000'000;
    const auto bucket = [&](const std::string& bound) {
        return value(metrics, "sluice_backend_connect_seconds_bucket{pool=\"brokers\",backend=\"b1\",le=\"" +
                                  bound + "\"}");
    };
    EXPECT_EQ(bucket("0.0001"), "2");
    EXPECT_EQ(bucket("0.0005"), "2");
    EXPECT_EQ(bucket("0.001"), "3");
    EXPECT_EQ(bucket("10"), "3");
    EXPECT_EQ(bucket("+Inf"), "4");
    const std::string labels = "{pool=\"brokers\",backend=\"b1\"}";
    EXPECT_EQ(value(metrics, "sluice_backend_connect_seconds_count" + labels), "4");
    EXPECT_EQ(value(metrics, "sluice_backend_connect_seconds_sum" + labels), "12.001");
}

TEST(Metrics, AConnackCodeIsListedOnceItHasOccurred) {
    Metrics metrics = sample_metrics();
    metrics.backends[0].tally.connacks = {};
    metrics.backends[0].tally.connacks[backend::connack_cell(mqtt::Version::V5, 0x87)] = 3;
    const auto connacks = [&](const std::string& version, const std::string& code) {
        return value(metrics, "sluice_backend_connack_total{pool=\"brokers\",backend=\"b1\",version=\"" +
                                  version + "\",code=\"" + code + "\"}");
    };
    EXPECT_EQ(connacks("5", "0x87"), "3");
    EXPECT_EQ(connacks("3", "0x00"), "0");
    EXPECT_EQ(connacks("5", "0x00"), "0");
    EXPECT_EQ(connacks("5", "0x88"), "none");
}

TEST(Metrics, AStateIsOneOfAll) {
    Metrics metrics = sample_metrics();
    for (const char* const state : kBackendStates) {
        metrics.backends[0].row.state = state;
        int set = 0;
        for (const char* const other : kBackendStates) {
            const std::string told =
                value(metrics, std::string("sluice_backend_state{pool=\"brokers\",backend=\"b1\",state=\"") +
                                   other + "\"}");
            EXPECT_EQ(told, other == std::string(state) ? "1" : "0");
            set += told == "1" ? 1 : 0;
        }
        EXPECT_EQ(set, 1);
    }
}

TEST(Metrics, ARemovedBackendGivesItsNameToTheOneThatTookItsPlace) {
    Metrics metrics = sample_metrics();
    Metrics::Backend old = metrics.backends[0];
    old.row.state = "removed";
    old.row.address = *SocketAddress::parse("10.2.0.99:1883");
    old.row.connections = 7;
    metrics.backends[0].row.connections = 3;
    metrics.backends.insert(metrics.backends.begin(), old);
    EXPECT_EQ(value(metrics, "sluice_backend_connections{pool=\"brokers\",backend=\"b1\"}"), "3");
    EXPECT_EQ(value(metrics, "sluice_backend_connections{pool=\"brokers\",backend=\"b1@10.2.0.99:1883\"}"),
              "7");
}

TEST(Metrics, NamesMayHoldAnything) {
    Metrics metrics = sample_metrics();
    metrics.pools[0].name = "a \"b\"\\\n";
    EXPECT_EQ(value(metrics, R"(sluice_pool_backends_usable{pool="a \"b\"\\\n"})"), "1");
}

TEST(Metrics, TheLastReloadIsAPointInTime) {
    Metrics metrics = sample_metrics();
    metrics.now = std::chrono::system_clock::time_point(1'000'000s);
    metrics.last_reload_age = 60s;
    metrics.reloads = {.applied = 2, .refused = 1, .last_applied = false};
    EXPECT_EQ(value(metrics, "sluice_last_reload_timestamp_seconds"), "999940");
    EXPECT_EQ(value(metrics, "sluice_last_reload_successful"), "0");
    EXPECT_EQ(value(metrics, "sluice_reloads_total{result=\"applied\"}"), "2");
    EXPECT_EQ(value(metrics, "sluice_reloads_total{result=\"refused\"}"), "1");
}

TEST(Metrics, BigCountsKeepTheirDigits) {
    Metrics metrics = sample_metrics();
    metrics.counters[static_cast<std::size_t>(Counter::RxBytes)] = 1'234'567'890'123'456;
    EXPECT_EQ(std::stod(value(metrics, "sluice_rx_bytes_total")), 1'234'567'890'123'456.0);
}

TEST(Process, IsThisOne) {
    const Process process = read_process();
    EXPECT_GT(process.resident_bytes, 1U << 20U);
    EXPECT_GT(process.virtual_bytes, process.resident_bytes);
    EXPECT_GE(process.open_files, 3U);
    EXPECT_GE(process.max_files, process.open_files);
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    EXPECT_LT(process.start_time_seconds, now + 5);
    EXPECT_GT(process.start_time_seconds, now - 24 * 3600.0);
}

TEST(Process, WhatCannotBeReadIsZero) {
    const Process process = read_process("/nonexistent");
    EXPECT_EQ(process.resident_bytes, 0U);
    EXPECT_EQ(process.open_files, 0U);
    EXPECT_EQ(process.start_time_seconds, 0);
}

}  // namespace
}  // namespace sluice::admin
