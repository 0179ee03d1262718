// What one worker learns of a session the others know before the client can come to them.
#include "worker/session_news.h"

#include <gtest/gtest.h>

namespace sluice::worker {
namespace {

constexpr Instant kNow{1h};

WorkerOptions options(std::uint32_t index, std::uint32_t workers, std::uint32_t connections = 100) {
    WorkerOptions o;
    o.index = index;
    o.workers = workers;
    o.max_connections = connections;
    return o;
}

session::Stay stay(std::uint64_t key) {
    return {.key = key, .since = kNow, .broker = 7, .until = session::Stay::kOpen};
}

TEST(SessionNews, ReachesEveryOtherWorkerOnce) {
    HandoverRings rings(3, 8);
    CounterSet counters;
    SessionNews first(options(0, 3), rings, counters);
    SessionNews second(options(1, 3), rings, counters);
    SessionNews third(options(2, 3), rings, counters);
    first.learned(kNow, stay(1));
    third.learned(kNow, stay(2));
    EXPECT_TRUE(second.hear(kNow));
    EXPECT_FALSE(second.hear(kNow));
    EXPECT_TRUE(first.hear(kNow));
    EXPECT_TRUE(third.hear(kNow));
    for (const SessionNews* const worker : {&first, &second, &third}) {
        EXPECT_NE(worker->table().find(kNow, 1), nullptr);
        EXPECT_NE(worker->table().find(kNow, 2), nullptr);
    }
    EXPECT_EQ(counters.get(Counter::AssignedIdsLost), 0U);
}

TEST(SessionNews, WhatDoesNotFitIntoARingIsLostToThatWorkerAndCounted) {
    HandoverRings rings(3, 2);
    CounterSet counters;
    SessionNews first(options(0, 3), rings, counters);
    SessionNews second(options(1, 3), rings, counters);
    SessionNews third(options(2, 3), rings, counters);
    first.learned(kNow, stay(1));
    first.learned(kNow, stay(2));
    second.hear(kNow);
    first.learned(kNow, stay(3));  // the third worker has heard nothing yet
    EXPECT_EQ(counters.get(Counter::AssignedIdsLost), 1U);
    second.hear(kNow);
    third.hear(kNow);
    EXPECT_NE(first.table().find(kNow, 3), nullptr);
    EXPECT_NE(second.table().find(kNow, 3), nullptr);
    EXPECT_EQ(third.table().find(kNow, 3), nullptr);
    EXPECT_NE(third.table().find(kNow, 2), nullptr);
}

TEST(SessionNews, ASessionThatGoesForWantOfRoomIsCountedOnceForAllWorkers) {
    HandoverRings rings(2, 8);
    CounterSet counters;
    SessionNews first(options(0, 2, 1), rings, counters);
    SessionNews second(options(1, 2, 1), rings, counters);
    for (const std::uint64_t key : {1U, 2U, 3U}) {
        first.learned(kNow, stay(key));
        second.hear(kNow);
    }
    EXPECT_EQ(counters.get(Counter::AssignedIdsLost), 1U);
    for (const SessionNews* const worker : {&first, &second}) {
        EXPECT_EQ(worker->table().find(kNow, 1), nullptr);
        EXPECT_NE(worker->table().find(kNow, 3), nullptr);
        EXPECT_EQ(worker->table().capacity(), 2U);
    }
}

TEST(SessionNews, HasNobodyToTellWhereThereIsOneWorker) {
    HandoverRings rings(1, 2);
    CounterSet counters;
    SessionNews only(options(0, 1), rings, counters);
    for (std::uint64_t key = 1; key <= 5; ++key) only.learned(kNow, stay(key));
    EXPECT_FALSE(only.hear(kNow));
    EXPECT_EQ(only.table().size(), 5U);
    EXPECT_EQ(counters.get(Counter::AssignedIdsLost), 0U);
}

TEST(SessionNews, TheTableHasABoundWhateverTheConnections) {
    HandoverRings rings(2, 2);
    CounterSet counters;
    EXPECT_EQ(SessionNews(options(0, 2, 25'000'000), rings, counters).table().capacity(), 1U << 22U);
}

}  // namespace
}  // namespace sluice::worker
