// What Prometheus is told agrees with what the operator is shown, and is told even while a worker hangs.
#include <gtest/gtest.h>

#include "bench.h"
#include "sluice/daemon/stats_poller.h"

namespace sluice::daemon {
namespace {

const std::string kTwoWorkers = "workers = 2\n";

TEST(Metrics, NameEverythingThatThereIs) {
    Bench bench(config_of(kOnePool, kTwoWorkers));
    bench.pass(2s);
    const admin::Metrics metrics = bench.controller.metrics();
    EXPECT_EQ(metrics.dpdk, "22.11");
    EXPECT_EQ(metrics.max_connections, 1000U);
    EXPECT_EQ(metrics.uptime, bench.now - Instant(1h) - 10ms);
    ASSERT_EQ(metrics.workers.size(), 2U);
    EXPECT_TRUE(metrics.workers[0].answers && metrics.workers[1].answers);
    ASSERT_EQ(metrics.listeners.size(), 1U);
    EXPECT_EQ(metrics.listeners[0].name, "mqtt");
    ASSERT_EQ(metrics.pools.size(), 1U);
    EXPECT_EQ(metrics.pools[0].backends, 2U);
    EXPECT_EQ(metrics.ports.size(), 1U);

    const std::vector<admin::BackendRow> shown = bench.controller.backends();
    ASSERT_EQ(metrics.backends.size(), shown.size());
    for (std::size_t i = 0; i < shown.size(); ++i) {
        EXPECT_EQ(metrics.backends[i].row.name, shown[i].name);
        EXPECT_EQ(metrics.backends[i].row.state, shown[i].state);
        ASSERT_EQ(metrics.backends[i].sources.size(), 2U) << "two source addresses";
        std::uint64_t ports = 0;
        for (const auto& source : metrics.backends[i].sources) ports += source.used + source.free;
        EXPECT_EQ(ports, shown[i].leases.capacity);
    }
}

TEST(Metrics, CountConnectionsByListenerAndPhase) {
    Bench bench(config_of(kOnePool, kTwoWorkers));
    bench.memory_ports[0]->inject(from_hex(kSyn), 0);
    bench.pass(2s);
    const admin::Metrics metrics = bench.controller.metrics();
    EXPECT_EQ(metrics.workers[0].handshaking + metrics.workers[1].handshaking, 1U);
    EXPECT_EQ(metrics.workers[0].relayed + metrics.workers[1].relayed, 0U);
    EXPECT_EQ(metrics.listeners[0].connections, 1U);
    EXPECT_EQ(metrics.listeners[0].half_open, 1U);
    EXPECT_EQ(metrics.counters[static_cast<std::size_t>(Counter::RxFrames)],
              bench.controller.counter(Counter::RxFrames));
    EXPECT_GE(metrics.counters[static_cast<std::size_t>(Counter::RxFrames)], 1U);
}

TEST(Metrics, SayThatABrokerIsDown) {
    Bench bench(config_of(kOnePool));
    bench.pass(1s);
    EXPECT_TRUE(bench.controller.metrics().backends[0].healthy);
    EXPECT_EQ(bench.controller.metrics().pools[0].usable, 2U);
    const CapturedLog log;
    bench.pass(20s);  // nobody plays the brokers
    const admin::Metrics metrics = bench.controller.metrics();
    EXPECT_FALSE(metrics.backends[0].healthy);
    EXPECT_EQ(metrics.backends[0].row.state, "down");
    EXPECT_EQ(metrics.pools[0].usable, 0U);
}

TEST(Metrics, DoNotWaitForAWorkerThatHangs) {
    Bench bench(config_of(kOnePool, kTwoWorkers));
    bench.pass(2s);
    bench.patience = 0;
    const auto pass_with_the_first_alone = [&](Duration time) {
        for (const Instant end = bench.now + time; bench.now < end; bench.now += 100ms) {
            bench.workers[0]->step(bench.now);
            bench.controller.turn(bench.now);
        }
    };
    pass_with_the_first_alone(StatsPoller::kSilence - 1s);
    EXPECT_TRUE(bench.controller.metrics().workers[1].answers);
    pass_with_the_first_alone(3s);
    const admin::Metrics metrics = bench.controller.metrics();
    EXPECT_TRUE(metrics.workers[0].answers);
    EXPECT_FALSE(metrics.workers[1].answers);
    EXPECT_EQ(metrics.backends[0].sources.size(), 2U) << "as it was told last";
    bench.pass(100ms);
    EXPECT_TRUE(bench.controller.metrics().workers[1].answers);
}

TEST(Metrics, ManyBackendsAreAskedForInPortions) {
    std::string pool = "[[pool]]\nname = \"many\"\nsource_addresses = [\"10.1.0.30-10.1.0.39\"]\n";
    for (int i = 0; i < 200; ++i) {
        pool += "[[pool.backend]]\nname = \"b" + std::to_string(i) +
                "\"\naddress = \"10.1.0.100:" + std::to_string(2000 + i) + "\"\n";
    }
    Bench bench(config_of(std::string(kOnePool) + pool));
    bench.pass(1s);
    const admin::Metrics metrics = bench.controller.metrics();
    ASSERT_EQ(metrics.backends.size(), 202U);
    for (std::size_t i = 2; i < metrics.backends.size(); ++i) {
        ASSERT_EQ(metrics.backends[i].sources.size(), 10U) << metrics.backends[i].row.name;
        EXPECT_EQ(metrics.backends[i].sources[9].free, 64'512U);
    }
    std::vector<worker::LeaseRow> some;
    EXPECT_NE(bench.workers[0]->list_leases(0, some), 0xffffffffU);
    EXPECT_LT(some.size(), 600U);
}

}  // namespace
}  // namespace sluice::daemon
