#include "sluice/daemon/controller.h"

#include <gtest/gtest.h>

#include <array>

#include "bench.h"
#include "sluice/tcp/frame.h"

namespace sluice::daemon {
namespace {

std::string refusal(const std::function<void()>& question) {
    try {
        question();
    } catch (const admin::Refused& refused) {
        return refused.what();
    }
    return "";
}

TEST(Controller, ABrokerThatNeverAnswersGoesDownAndEveryWorkerIsTold) {
    const CapturedLog log;
    Bench bench(config_of(kOnePool, "workers = 2\n"));
    EXPECT_EQ(bench.controller.backends()[0].state, "up");
    bench.pass(30s);

    const auto rows = bench.controller.backends();
    ASSERT_EQ(rows.size(), 2U);
    for (const admin::BackendRow& row : rows) {
        EXPECT_EQ(row.state, "down");
        EXPECT_TRUE(row.health.probed);
        EXPECT_GE(row.health.failures, 3U);
        EXPECT_TRUE(row.health.since);
    }
    EXPECT_EQ(log.count("warning: pool brokers: broker b1 (10.1.0.21:1883) is down: 3 failures in a row"),
              1U);
    EXPECT_EQ(log.count("broker b2 (10.1.0.22:1883) is down"), 1U);
    EXPECT_EQ(log.count("(rise 2, fall 3)"), 2U);
    EXPECT_EQ(bench.controller.pools()[0].usable, 0U);

    // The first snapshot went when both workers had given it up.
    EXPECT_GT(bench.state.snapshot().generation, 1U);
    EXPECT_FALSE(bench.state.snapshot().pools[0].backends[0].healthy);
    EXPECT_EQ(bench.state.store().kept(), 1U);
}

TEST(Controller, AnOldSnapshotIsKeptWhileAWorkerUsesIt) {
    const CapturedLog log;
    Bench bench(config_of(kOnePool));
    for (int i = 0; i < 3000 && bench.state.snapshot().generation == 1; ++i) bench.pass(10ms);
    ASSERT_EQ(bench.state.snapshot().generation, 2U);
    bench.controller.turn(bench.now);
    EXPECT_EQ(bench.state.store().kept(), 2U);
    bench.step();
    bench.step();
    bench.controller.turn(bench.now);
    EXPECT_EQ(bench.state.store().kept(), 1U);
}

// How many of 3,000 segments of no connection, all from one host, are answered.
std::uint64_t answered(Bench& bench) {
    const auto sent = [&] {
        std::uint64_t sum = 0;
        for (const auto& worker : bench.workers) sum += worker->counters().get(Counter::TcpResetsSent);
        return sum;
    };
    const std::uint64_t before = sent();
    for (std::uint16_t i = 0; i < 3000; ++i) {
        const FourTuple tuple{.local = {IpAddress::v4(10, 1, 0, 77), static_cast<std::uint16_t>(2000 + i)},
                              .remote = {IpAddress::v4(10, 1, 0, 2), 1883}};
        tcp::Segment segment;
        segment.flags.ack = true;
        segment.payload = as_bytes("text");
        std::array<std::byte, 128> frame{};
        const std::size_t size =
            tcp::write_segment(tuple, MacAddress{{2, 0, 0, 0, 0, 77}}, Bench::kMac, segment, frame);
        bench.memory_ports[0]->inject(std::span(frame).first(size), 0);
        if (i % 32 == 31) bench.step();
    }
    for (int i = 0; i < 3; ++i) bench.step();
    return sent() - before;
}

TEST(Controller, WorkersAnswerStrangersByTheSpeedThatALinkHasNow) {
    const CapturedLog log;
    Bench bench(config_of(kOnePool, "workers = 2\n"));
    bench.pass(100ms);
    EXPECT_EQ(answered(bench), 3000U) << "unknown";
    bench.memory_ports[0]->set_link({.up = true, .speed = 1});
    bench.pass(1100ms);
    EXPECT_LT(answered(bench), 300U);
    bench.memory_ports[0]->set_link({.up = false, .speed = 10'000});
    bench.pass(1100ms);
    EXPECT_LT(answered(bench), 300U) << "the cable is out";
    bench.memory_ports[0]->set_link({.up = true, .speed = 10'000});
    bench.pass(1100ms);
    EXPECT_EQ(answered(bench), 3000U);
}

TEST(Controller, HintsAtAPeersOffloadsOnceAMinute) {
    const CapturedLog log;
    Bench bench(config_of(kOnePool));
    for (int i = 0; i < 10; ++i) {
        bench.memory_ports[0]->inject(from_hex(kPartialSyn));
        bench.pass(1s);
    }
    EXPECT_EQ(log.count("warning: port front: 10.1.0.1 sends packets with unfinished checksums"), 1U);
    EXPECT_EQ(log.count("`ethtool -K DEV tx off tso off gso off gro off`"), 1U);
    bench.pass(61s);
    bench.memory_ports[0]->inject(from_hex(kPartialSyn));
    bench.pass(1s);
    EXPECT_EQ(log.count("10.1.0.1 sends"), 2U);
}

TEST(Controller, InfoSumsOverWorkers) {
    Bench bench(config_of(kOnePool, "workers = 2\n"));
    bench.memory_ports[0]->inject(from_hex(kSyn));
    bench.pass(100ms);
    const admin::Info info = bench.controller.info();
    EXPECT_EQ(info.workers, 2U);
    EXPECT_EQ(info.connections, 1U);
    EXPECT_EQ(info.half_open, 1U);
    EXPECT_EQ(info.max_connections, 1000U);
    EXPECT_GT(info.reserved_bytes, 0U);
    EXPECT_EQ(info.uptime, 90ms);  // the last turn was ten before now
    EXPECT_EQ(info.idle, "adaptive");
    EXPECT_EQ(info.memory, "pages");
    EXPECT_EQ(info.dpdk, "22.11");
    EXPECT_FALSE(info.version.empty());
    EXPECT_FALSE(info.draining);
    EXPECT_EQ(bench.controller.live_connections(), 1U);
    EXPECT_EQ(bench.controller.counter(Counter::RxFrames), 1U);
}

TEST(Controller, ShowsAndFiltersConnections) {
    Bench bench(config_of(kOnePool, "workers = 2\n"));
    bench.memory_ports[0]->inject(from_hex(kSyn));
    bench.pass(100ms);
    const admin::ConnectionList all = bench.controller.connections({});
    ASSERT_EQ(all.rows.size(), 1U);
    EXPECT_FALSE(all.truncated);
    const admin::ConnectionRow& row = all.rows[0];
    EXPECT_EQ(row.phase, session::to_string(session::Phase::Handshake));
    EXPECT_EQ(row.listener, "mqtt");
    EXPECT_EQ(row.client, SocketAddress::parse("10.1.0.1:36254"));
    EXPECT_EQ(row.backend, "");
    EXPECT_FALSE(row.source);

    const auto matches = [&](const admin::ConnectionFilter& filter) {
        return bench.controller.connections(filter).rows.size();
    };
    admin::ConnectionFilter filter;
    filter.phase = session::to_string(session::Phase::Handshake);
    filter.address = SocketAddress{*IpAddress::parse("10.1.0.1"), 0};
    EXPECT_EQ(matches(filter), 1U);
    filter.address->port = 36254;
    EXPECT_EQ(matches(filter), 1U);
    filter.address->port = 1;
    EXPECT_EQ(matches(filter), 0U);
    filter = {};
    filter.phase = session::to_string(session::Phase::Relayed);
    EXPECT_EQ(matches(filter), 0U);
    filter = {};
    filter.backend = "b1";
    EXPECT_EQ(matches(filter), 0U);
    filter = {};
    filter.client_id = "a";
    EXPECT_EQ(matches(filter), 0U);
    filter.client_id.reset();
    filter.client_id_prefix = "";
    EXPECT_EQ(matches(filter), 1U);
}

TEST(Controller, TruncatesALongListAndSaysSo) {
    Bench bench(config_of(kOnePool));
    // The same SYN from several ports; the checksum takes up what the port gives.
    for (unsigned i = 0; i < 20; ++i) {
        auto frame = from_hex(kSyn);
        frame[35] = static_cast<std::byte>(0x9e - i);
        frame[51] = static_cast<std::byte>(0xa7 + i);
        bench.memory_ports[0]->inject(frame);
    }
    bench.pass(100ms);
    ASSERT_EQ(bench.controller.info().connections, 20U);
    admin::ConnectionFilter filter;
    filter.limit = 19;
    EXPECT_EQ(bench.controller.connections(filter).rows.size(), 19U);
    EXPECT_TRUE(bench.controller.connections(filter).truncated);
    filter.limit = 20;
    EXPECT_EQ(bench.controller.connections(filter).rows.size(), 20U);
    EXPECT_FALSE(bench.controller.connections(filter).truncated);
}

TEST(Controller, RefusesFiltersThatNameNothing) {
    Bench bench(config_of(kOnePool));
    admin::ConnectionFilter filter;
    filter.backend = "nobody";
    EXPECT_EQ(refusal([&] { bench.controller.connections(filter); }),
              "no backend is named 'nobody'; see show backends");
    filter = {};
    filter.phase = "limbo";
    const std::string unknown = refusal([&] { bench.controller.connections(filter); });
    EXPECT_EQ(unknown.find("no phase is named 'limbo'; known phases: "), 0U);
    EXPECT_NE(unknown.find(session::to_string(session::Phase::Relayed)), std::string::npos);
}

TEST(Controller, ShowsListenersPoolsPortsAndNeighbors) {
    Bench bench(config_of(kOnePool));
    bench.pass(500ms);
    const auto listeners = bench.controller.listeners();
    ASSERT_EQ(listeners.size(), 1U);
    EXPECT_EQ(listeners[0].address, SocketAddress::parse("10.1.0.2:1883"));
    EXPECT_EQ(listeners[0].pool, "brokers");

    const auto pools = bench.controller.pools();
    ASSERT_EQ(pools.size(), 1U);
    EXPECT_EQ(pools[0].balance, "maglev");
    EXPECT_EQ(pools[0].hash_key, "client_id");
    EXPECT_EQ(pools[0].health, "tcp");
    EXPECT_EQ(pools[0].backends, 2U);
    EXPECT_EQ(pools[0].usable, 2U);

    const auto ports = bench.controller.ports();
    ASSERT_EQ(ports.size(), 1U);
    EXPECT_EQ(ports[0].name, "front");
    EXPECT_EQ(ports[0].mac, Bench::kMac);
    EXPECT_TRUE(ports[0].link_up);
    EXPECT_EQ(ports[0].addresses.size(), 3U);  // its own, and two sources
    EXPECT_EQ(ports[0].statistics.front().first, "rx_frames");

    // The probes ask for the brokers' MAC addresses.
    const auto neighbors = bench.controller.neighbors();
    ASSERT_EQ(neighbors.size(), 2U);
    EXPECT_EQ(neighbors[0].address, IpAddress::parse("10.1.0.21"));
    EXPECT_EQ(neighbors[0].port, "front");
    EXPECT_TRUE(neighbors[0].mac.is_zero());
}

TEST(Controller, BackendsShowTheirLeasesOverAllWorkers) {
    Bench bench(config_of(kOnePool, "workers = 2\n"));
    const auto rows = bench.controller.backends();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].pool, "brokers");
    EXPECT_EQ(rows[0].address, SocketAddress::parse("10.1.0.21:1883"));
    EXPECT_EQ(rows[0].leases.capacity, 2U * (65536 - 1024));
    EXPECT_EQ(rows[0].leases.leased, 0U);
    EXPECT_EQ(rows[1].max_connections, 5U);
    EXPECT_FALSE(rows[0].offer);
}

TEST(Controller, DrainedWorkersTakeNoNewConnections) {
    Bench bench(config_of(kOnePool));
    bench.controller.drain();
    bench.pass(10ms);
    bench.memory_ports[0]->inject(from_hex(kSyn));
    bench.pass(100ms);
    EXPECT_EQ(bench.controller.info().connections, 0U);
    EXPECT_TRUE(bench.controller.info().draining);
}

TEST(Controller, StopEndsConnections) {
    Bench bench(config_of(kOnePool));
    bench.memory_ports[0]->inject(from_hex(kSyn));
    bench.pass(100ms);
    bench.controller.stop();
    bench.step();
    EXPECT_EQ(bench.controller.live_connections(), 0U);
}

TEST(Controller, AWorkerThatHangsIsSaidSoAndItsLateAnswerHarmsNothing) {
    Bench bench(config_of(kOnePool));
    bench.patience = 0;
    EXPECT_EQ(refusal([&] { bench.controller.info(); }), "worker 0 does not answer; see the log");
    EXPECT_EQ(bench.controller.live_connections(), std::nullopt);
    bench.pass(100ms);
    bench.patience = 100;
    EXPECT_EQ(bench.controller.info().connections, 0U);
}

TEST(Controller, AHeartbeatMissesAWorkerThatDoesNotStep) {
    Bench bench(config_of(kOnePool));
    EXPECT_TRUE(bench.controller.heartbeat());
    EXPECT_FALSE(bench.controller.heartbeat());
    bench.step();
    EXPECT_TRUE(bench.controller.heartbeat());
    bench.step();
}

TEST(Controller, SetsTheLogLevel) {
    const CapturedLog log;
    Bench bench(config_of(kOnePool));
    bench.controller.set_log_level("error");
    spdlog::warn("unheard");
    bench.controller.set_log_level("debug");
    spdlog::debug("heard");
    EXPECT_EQ(log.text(), "debug: heard\n");
    EXPECT_NE(refusal([&] { bench.controller.set_log_level("loud"); }), "");
}

}  // namespace
}  // namespace sluice::daemon
