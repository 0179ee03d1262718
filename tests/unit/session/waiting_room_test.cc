// The memory of clients without a broker: who may hold how much, and who goes first.
#include "sluice/session/waiting_room.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sluice::session {
namespace {

constexpr std::uint64_t kKiB = 1024;

Holding reading(std::uint64_t bytes) { return {.bytes = bytes, .asks_broker = false}; }
Holding asking(std::uint64_t bytes) { return {.bytes = bytes, .asks_broker = true}; }

// Who would go, in that order; each goes.
std::vector<std::uint32_t> all_that_go(WaitingRoom& room) {
    std::vector<std::uint32_t> gone;
    while (const auto id = room.first_to_go()) {
        gone.push_back(*id);
        room.leave(*id);
    }
    return gone;
}

TEST(WaitingRoom, NobodyGoesWithinTheBound) {
    CommonMemory common;
    WaitingRoom room(common, 1, 10, 100 * kKiB);
    for (std::uint32_t id = 0; id < 10; ++id) room.hold(id, reading(10 * kKiB));
    EXPECT_EQ(room.first_to_go(), std::nullopt);
    EXPECT_EQ(room.held(), 100 * kKiB);
    EXPECT_EQ(common.lent(), 50 * kKiB);
    for (std::uint32_t id = 0; id < 10; ++id) room.leave(id);
    EXPECT_EQ(room.held(), 0U);
    EXPECT_EQ(common.lent(), 0U);
}

TEST(WaitingRoom, LargeUnfinishedOnesGoFirstAndOfThoseTheOldest) {
    CommonMemory common;
    WaitingRoom room(common, 1, 10, 64 * kKiB);
    room.hold(0, asking(20 * kKiB));
    room.hold(1, reading(2 * kKiB));
    room.hold(2, reading(1 * kKiB));
    room.hold(3, reading(16 * kKiB));
    room.hold(4, reading(16 * kKiB));
    room.hold(2, reading(8 * kKiB));  // it becomes large after the others
    EXPECT_EQ(room.first_to_go(), std::nullopt);
    room.hold(0, asking(200 * kKiB));
    EXPECT_EQ(all_that_go(room), (std::vector<std::uint32_t>{3, 4, 2, 1, 0}));
    EXPECT_EQ(room.held(), 0U);
    EXPECT_EQ(common.lent(), 0U);
}

TEST(WaitingRoom, WhoAsksABrokerIsOlderByThatOnly) {
    CommonMemory common;
    WaitingRoom room(common, 1, 10, 32 * kKiB);
    room.hold(0, reading(8 * kKiB));
    room.hold(1, asking(12 * kKiB));
    room.hold(0, asking(12 * kKiB));
    room.hold(2, asking(20 * kKiB));
    EXPECT_TRUE(room.asks_broker(0));
    EXPECT_EQ(all_that_go(room), (std::vector<std::uint32_t>{1}));
}

// One that is aimed at gets its own share and all that is lent, and takes nothing from another one's share.
TEST(WaitingRoom, AWorkerThatIsAimedAtLeavesOthersTheirShare) {
    CommonMemory common;
    WaitingRoom aimed_at(common, 3, 1000, 96 * kKiB);
    WaitingRoom other(common, 3, 1000, 96 * kKiB);
    for (std::uint32_t id = 0; id < 200; ++id) {
        aimed_at.hold(id, reading(kKiB));
        all_that_go(aimed_at);
        EXPECT_LE(aimed_at.held(), 64 * kKiB);
    }
    EXPECT_EQ(aimed_at.held(), 64 * kKiB);
    for (std::uint32_t id = 0; id < 16; ++id) other.hold(id, reading(kKiB));
    EXPECT_EQ(other.first_to_go(), std::nullopt);
    other.hold(16, reading(kKiB));
    EXPECT_EQ(other.first_to_go(), 0U);
}

TEST(WaitingRoom, TheBoundHoldsForAllTogetherWhateverTheyDo) {
    constexpr std::uint64_t kBound = 300 * kKiB;
    std::mt19937 random(1);
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    CommonMemory common;
    std::array<WaitingRoom, 3> rooms{WaitingRoom(common, 3, 50, kBound), WaitingRoom(common, 3, 50, kBound),
                                     WaitingRoom(common, 3, 50, kBound)};
    for (int i = 0; i < 100'000; ++i) {
        WaitingRoom& room = rooms[below(3)];
        const std::uint32_t id = below(50);
        if (below(3) == 0) {
            room.leave(id);
        } else {
            room.hold(id, {.bytes = below(20 * 1024), .asks_broker = below(4) == 0});
        }
        all_that_go(room);
        ASSERT_LE(rooms[0].held() + rooms[1].held() + rooms[2].held(), kBound);
    }
    for (WaitingRoom& room : rooms) {
        for (std::uint32_t id = 0; id < 50; ++id) room.leave(id);
        EXPECT_EQ(room.held(), 0U);
    }
    EXPECT_EQ(common.lent(), 0U);
}

TEST(WaitingRoom, ALoweredBoundSendsNobodyAwayAndDoesNotLetWhatIsHeldGrow) {
    CommonMemory common;
    WaitingRoom room(common, 1, 100, 100 * kKiB);
    for (std::uint32_t id = 0; id < 90; ++id) room.hold(id, reading(kKiB));
    room.use(20 * kKiB);
    EXPECT_EQ(room.first_to_go(), std::nullopt);
    room.hold(90, reading(kKiB));
    EXPECT_EQ(all_that_go(room), (std::vector<std::uint32_t>{0}));
    for (std::uint32_t id = 1; id < 60; ++id) room.leave(id);
    EXPECT_EQ(room.held(), 31 * kKiB);
    room.hold(91, reading(kKiB));
    EXPECT_EQ(all_that_go(room), (std::vector<std::uint32_t>{60}));  // what was given back does not return
    for (std::uint32_t id = 61; id < 92; ++id) room.leave(id);
    for (std::uint32_t id = 0; id < 20; ++id) room.hold(id, reading(kKiB));
    EXPECT_EQ(room.first_to_go(), std::nullopt);
    room.hold(20, reading(kKiB));
    EXPECT_EQ(all_that_go(room), (std::vector<std::uint32_t>{0}));
    room.use(100 * kKiB);
    for (std::uint32_t id = 0; id < 100; ++id) room.hold(id, reading(kKiB));
    EXPECT_EQ(room.first_to_go(), std::nullopt);
}

TEST(WaitingRoom, MemoryIsShortFromTwoThirdsOnUntilItIsHalf) {
    CommonMemory common;
    WaitingRoom room(common, 1, 100, 90 * kKiB);
    room.hold(0, reading(60 * kKiB));
    EXPECT_FALSE(room.becomes_short());
    EXPECT_EQ(room.reach(65535), 65535U);
    room.hold(1, reading(kKiB));
    EXPECT_TRUE(room.becomes_short());
    EXPECT_FALSE(room.becomes_short());
    EXPECT_EQ(room.reach(65535), WaitingRoom::kShortReach);
    EXPECT_EQ(room.reach(536), 536U);
    room.hold(0, reading(45 * kKiB));
    EXPECT_FALSE(room.becomes_short());
    EXPECT_TRUE(room.is_short());
    room.leave(1);
    EXPECT_FALSE(room.becomes_short());
    EXPECT_FALSE(room.is_short());
}

}  // namespace
}  // namespace sluice::session
