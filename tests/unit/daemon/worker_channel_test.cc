#include "sluice/daemon/worker_channel.h"

#include <gtest/gtest.h>

#include "bench.h"

namespace sluice::daemon {
namespace {

class Count final : public worker::Inspection {
  public:
    explicit Count(int& runs) : runs_(runs) {}
    void run(worker::Worker&) override { ++runs_; }

  private:
    int& runs_;
};

struct LinkBench : Bench {
    LinkBench() : Bench(config_of(kOnePool)) {}

    // More than a mailbox takes while nobody steps the worker.
    void flood(int count) {
        for (int i = 0; i < count; ++i) {
            sent.push_back(std::make_unique<Count>(runs));
            worker::Command command;
            command.kind = worker::Command::Kind::Inspect;
            command.inspection = sent.back().get();
            link.post(0, command);
        }
    }

    int runs = 0;
    std::vector<std::unique_ptr<Count>> sent;
    backend::Registry registry = backend::assign(state.config(), nullptr);
    SnapshotStore store{registry, std::vector<backend::Condition>(2), 1};
    WorkerChannel link{store, {workers[0].get()}, stepping()};
};

TEST(WorkerChannel, WhatAFullMailboxDoesNotTakeIsNotLost) {
    LinkBench bench;
    bench.patience = 1000;
    bench.flood(1000);
    EXPECT_EQ(bench.runs, 0);
    EXPECT_TRUE(bench.link.deliver());
    for (int i = 0; i < 1000; ++i) bench.step();
    EXPECT_EQ(bench.runs, 1000);
}

TEST(WorkerChannel, ASnapshotWaitsForAFullMailboxToo) {
    LinkBench bench;
    bench.patience = 1000;
    bench.flood(1000);
    bench.store.publish(bench.registry, std::vector<backend::Condition>(2));
    bench.link.flush();
    EXPECT_NE(bench.store.due(0), nullptr);
    EXPECT_TRUE(bench.link.deliver());
    EXPECT_EQ(bench.store.due(0), nullptr);
}

TEST(WorkerChannel, SaysWhenAWorkerTakesNothing) {
    LinkBench bench;
    bench.patience = 0;
    bench.flood(1000);
    EXPECT_FALSE(bench.link.deliver());
}

TEST(WorkerChannel, AnInspectionOfASilentWorkerOutlivesItsCaller) {
    LinkBench bench;
    bench.patience = 0;
    std::weak_ptr<worker::Inspection> seen;
    {
        const auto inspection = std::make_shared<Count>(bench.runs);
        seen = inspection;
        EXPECT_THROW(bench.link.inspect(0, inspection), admin::Refused);
    }
    EXPECT_FALSE(seen.expired());
    bench.step();
    EXPECT_EQ(bench.runs, 1);
    bench.link.flush();
    EXPECT_TRUE(seen.expired());
}

}  // namespace
}  // namespace sluice::daemon
