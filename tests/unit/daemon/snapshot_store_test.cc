#include "sluice/daemon/snapshot_store.h"

#include <gtest/gtest.h>

#include "bench.h"

namespace sluice::daemon {
namespace {

struct StoreBench {
    backend::Registry registry = backend::assign(config_of(kOnePool), nullptr);
    std::vector<backend::Condition> conditions{2};
    SnapshotStore store{registry, conditions, 2};

    void send(std::uint32_t worker) {
        ASSERT_NE(store.due(worker), nullptr);
        ASSERT_EQ(store.due(worker)->snapshot.get(), &store.newest());
        store.sent(worker);
        EXPECT_EQ(store.due(worker), nullptr);
    }
};

TEST(SnapshotStore, TheFirstIsKnownToAllWorkers) {
    StoreBench bench;
    EXPECT_EQ(bench.store.newest().generation, 1U);
    EXPECT_EQ(bench.store.due(0), nullptr);
    EXPECT_EQ(bench.store.due(1), nullptr);
    EXPECT_EQ(bench.store.kept(), 1U);
}

TEST(SnapshotStore, AnOldOneLivesUntilTheLastWorkerRetiresIt) {
    StoreBench bench;
    bench.conditions[0].healthy = false;
    bench.store.publish(bench.registry, bench.conditions);
    EXPECT_FALSE(bench.store.newest().pools[0].backends[0].healthy);
    bench.send(0);
    bench.send(1);
    bench.store.retired(0, 1);
    EXPECT_EQ(bench.store.kept(), 2U);
    bench.store.retired(1, 1);
    EXPECT_EQ(bench.store.kept(), 1U);
}

TEST(SnapshotStore, ASlowWorkerIsGivenTheNewestOnly) {
    StoreBench bench;
    bench.store.publish(bench.registry, bench.conditions);
    bench.send(0);  // worker 1's mailbox is full
    bench.store.publish(bench.registry, bench.conditions);
    bench.send(0);
    EXPECT_EQ(bench.store.due(1)->snapshot->generation, 3U);
    bench.send(1);
    EXPECT_EQ(bench.store.kept(), 3U);
    bench.store.retired(0, 1);
    bench.store.retired(0, 2);
    EXPECT_EQ(bench.store.kept(), 2U);  // worker 1 may still look at the first
    bench.store.retired(1, 1);
    EXPECT_EQ(bench.store.kept(), 1U);
}

TEST(SnapshotStore, OneThatNobodyWasSentGoesAtOnce) {
    StoreBench bench;
    bench.store.publish(bench.registry, bench.conditions);
    bench.store.publish(bench.registry, bench.conditions);
    EXPECT_EQ(bench.store.kept(), 2U);
    EXPECT_EQ(bench.store.newest().generation, 3U);
}

TEST(SnapshotStore, AWordAboutALaterOneCoversAllBefore) {
    StoreBench bench;
    for (int i = 0; i < 2; ++i) {
        bench.store.publish(bench.registry, bench.conditions);
        bench.send(0);
        bench.send(1);
    }
    bench.store.retired(0, 2);
    bench.store.retired(1, 2);
    EXPECT_EQ(bench.store.kept(), 1U);
}

}  // namespace
}  // namespace sluice::daemon
