#include "sluice/backend/backend_stats.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace sluice::backend {
namespace {

using mqtt::Version;

TEST(BackendStats, ALatencyFallsIntoTheFirstBucketThatHoldsIt) {
    const std::size_t last = kLatencyBounds.size();
    const auto bucket_of = [](Duration latency) {
        BackendStats stats;
        stats.connected(0, latency);
        const Latencies seen = stats.backend(0).connect;
        EXPECT_EQ(seen.nanoseconds, static_cast<std::uint64_t>(latency.count()));
        EXPECT_EQ(std::accumulate(seen.counts.begin(), seen.counts.end(), std::uint64_t{0}), 1U);
        return static_cast<std::size_t>(std::ranges::find(seen.counts, 1U) - seen.counts.begin());
    };
    EXPECT_EQ(bucket_of(0ns), 0U);
    for (std::size_t i = 0; i < last; ++i) {
        const Duration bound = std::chrono::microseconds(kLatencyBounds[i]);
        EXPECT_EQ(bucket_of(bound), i);
        EXPECT_EQ(bucket_of(bound + 1ns), i + 1);
    }
    EXPECT_EQ(bucket_of(1h), last);
}

TEST(BackendStats, ConnackCodesOfBothDialectsHaveEachTheirOwnCell) {
    std::set<std::size_t> cells;
    for (unsigned code = 0; code < 6; ++code) {
        const std::size_t cell = connack_cell(Version::V311, static_cast<std::uint8_t>(code));
        EXPECT_EQ(cell, connack_cell(Version::V31, static_cast<std::uint8_t>(code)));
        EXPECT_EQ(connack_name(cell).version, "3");
        EXPECT_EQ(connack_name(cell).code, "0x0" + std::to_string(code));
        cells.insert(cell);
    }
    for (unsigned code = 0x80; code <= 0x9f; ++code) {
        const std::size_t cell = connack_cell(Version::V5, static_cast<std::uint8_t>(code));
        EXPECT_EQ(connack_name(cell).version, "5");
        EXPECT_EQ(std::stoul(connack_name(cell).code, nullptr, 16), code);
        cells.insert(cell);
    }
    cells.insert(connack_cell(Version::V5, 0));
    EXPECT_EQ(connack_name(connack_cell(Version::V5, 0)).code, "0x00");
    for (const Version version : {Version::V311, Version::V5}) {
        const std::size_t other = connack_cell(version, 0x42);
        EXPECT_EQ(other, connack_cell(version, 0xff));
        EXPECT_EQ(connack_name(other).code, "other");
        EXPECT_EQ(connack_name(other).version, version == Version::V5 ? "5" : "3");
        cells.insert(other);
    }
    EXPECT_EQ(cells.size(), kConnackCells);
    EXPECT_EQ(*cells.rbegin(), kConnackCells - 1);
}

TEST(BackendStats, EveryClosedCounterIsAnEnding) {
    EXPECT_TRUE(std::ranges::count(kEndings, Counter::ClosedOrderly) == 1);
    EXPECT_TRUE(std::ranges::count(kEndings, Counter::ClosedByOperator) == 1);
    BackendStats stats;
    for (const Counter reason : kEndings) stats.ended(3, reason);
    stats.ended(3, Counter::ClientConnectTimeout);  // an end without a broker
    for (const std::uint64_t count : stats.backend(3).endings) EXPECT_EQ(count, 1U);
}

TEST(BackendStats, BackendsDoNotMixUpToTheLast) {
    BackendStats stats;
    stats.answered(0, Version::V5, 0x87, 3ms);
    stats.answered(0, Version::V5, 0x87, std::nullopt);
    stats.attempt_failed(kMaxBackends - 1, ProbeFailure::Silent);
    stats.traffic(1).to_client.count(2, 3000);
    const BackendTally first = stats.backend(0);
    EXPECT_EQ(first.connacks[connack_cell(Version::V5, 0x87)], 2U);
    EXPECT_EQ(std::accumulate(first.connack.counts.begin(), first.connack.counts.end(), std::uint64_t{0}), 1U)
        << "one of the two was not the broker's alone";
    EXPECT_EQ(first.failures, (std::array<std::uint64_t, 4>{}));
    EXPECT_EQ(stats.backend(kMaxBackends - 1).failures, (std::array<std::uint64_t, 4>{0, 1, 0, 0}));
    EXPECT_EQ(std::as_const(stats).traffic(1).to_client.packets, 2U);
    EXPECT_EQ(std::as_const(stats).traffic(1).to_client.bytes, 3000U);
    EXPECT_EQ(std::as_const(stats).traffic(1).to_broker.packets, 0U);
    EXPECT_EQ(std::as_const(stats).traffic(0).to_client.packets, 0U);
}

TEST(BackendStats, ConnectsAreToldApartByVersionCleanStartAndKeepAlive) {
    BackendStats stats;
    for (const unsigned keep_alive : {0U, 1U, 30U, 31U, 60U, 61U, 300U, 301U, 1200U, 1201U, 65535U}) {
        stats.asked(Version::V311, true, static_cast<std::uint16_t>(keep_alive));
    }
    stats.asked(Version::V31, false, 10);
    stats.asked(Version::V5, true, 10);
    ConnectTally sum = stats.connects();
    using Buckets = std::array<std::uint64_t, 6>;
    EXPECT_EQ(sum.counts[1][1], (Buckets{1, 2, 2, 2, 2, 2}));
    EXPECT_EQ(sum.counts[1][0], (Buckets{}));
    EXPECT_EQ(sum.counts[0][0], (Buckets{0, 1, 0, 0, 0, 0}));
    EXPECT_EQ(sum.counts[2][1], (Buckets{0, 1, 0, 0, 0, 0}));
    sum.add(stats.connects());
    EXPECT_EQ(sum.counts[1][1], (Buckets{2, 4, 4, 4, 4, 4}));
}

TEST(BackendStats, WorkersSumUp) {
    BackendStats one;
    BackendStats two;
    one.connected(5, 1ms);
    two.connected(5, 1s);
    one.traffic(5).to_broker.count(1, 10);
    two.traffic(5).to_broker.count(1, 20);
    BackendTally sum = one.backend(5);
    sum.add(two.backend(5));
    EXPECT_EQ(sum.connects, 2U);
    EXPECT_EQ(sum.connect.nanoseconds, 1'001'000'000U);
    Traffic traffic = std::as_const(one).traffic(5);
    traffic.add(std::as_const(two).traffic(5));
    EXPECT_EQ(traffic.to_broker.packets, 2U);
    EXPECT_EQ(traffic.to_broker.bytes, 30U);
    sum.subtract(one.backend(5));
    EXPECT_EQ(sum.connects, 1U);
    EXPECT_EQ(sum.connect.nanoseconds, 1'000'000'000U);
    EXPECT_EQ(sum.connect.counts, two.backend(5).connect.counts);
    traffic.subtract(std::as_const(two).traffic(5));
    EXPECT_EQ(traffic.to_broker.bytes, 10U);
}

}  // namespace
}  // namespace sluice::backend
