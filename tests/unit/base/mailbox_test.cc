#include "sluice/base/mailbox.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <thread>

namespace sluice {
namespace {

TEST(Mailbox, KeepsOrderAndRefusesWhenFull) {
    Mailbox<int> box(4);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(box.send(i));
    EXPECT_EQ(box.free_slots(), 0U);
    EXPECT_FALSE(box.send(4));

    std::array<int, 3> out{};
    ASSERT_EQ(box.receive(out), 3U);
    EXPECT_EQ(out, (std::array<int, 3>{0, 1, 2}));
    EXPECT_EQ(box.free_slots(), 3U);
    EXPECT_TRUE(box.send(5));
    ASSERT_EQ(box.receive(out), 2U);
    EXPECT_EQ(out[0], 3);
    EXPECT_EQ(out[1], 5);
    EXPECT_TRUE(box.empty());
}

TEST(Mailbox, RoundsItsCapacityUp) { EXPECT_EQ(Mailbox<int>(5).capacity(), 8U); }

TEST(Mailbox, LosesNothingBetweenTwoThreads) {
    constexpr std::uint64_t kMessages = 200'000;
    Mailbox<std::uint64_t> box(64);
    std::thread producer([&] {
        for (std::uint64_t i = 0; i < kMessages;) {
            if (box.send(i)) {
                ++i;
            } else {
                std::this_thread::yield();
            }
        }
    });
    std::uint64_t expected = 0;
    bool in_order = true;
    std::array<std::uint64_t, 16> out{};
    while (expected < kMessages) {
        const std::size_t n = box.receive(out);
        for (std::size_t i = 0; i < n; ++i) in_order = in_order && out[i] == expected++;
        if (n == 0) std::this_thread::yield();
    }
    producer.join();
    EXPECT_TRUE(in_order);
    EXPECT_TRUE(box.empty());
}

}  // namespace
}  // namespace sluice
