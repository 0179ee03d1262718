#include "sluice/flow/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <vector>

namespace sluice::flow {
namespace {

constexpr Instant kStart{Duration(std::chrono::hours(5) + 123'456ns)};

// Advances and returns what fired, in the order of ids.
std::vector<std::uint32_t> fired(TimerWheel& wheel, Instant now, std::size_t limit = SIZE_MAX) {
    std::vector<std::uint32_t> ids;
    const std::size_t n = wheel.advance(
        now, [&](std::uint32_t id) { ids.push_back(id); }, limit);
    EXPECT_EQ(n, ids.size());
    std::sort(ids.begin(), ids.end());
    return ids;
}

using Ids = std::vector<std::uint32_t>;

TEST(TimerWheel, FiresOnceNeverEarlyAndWithinOneTick) {
    for (const Duration delay : std::initializer_list<Duration>{1ns, 1ms, 1500us, 255ms, 256ms, 257ms, 1s,
                                                                65s, 66s, 131s, 132s, 1h, 30h, 24h * 60}) {
        TimerWheel wheel(4, kStart);
        wheel.arm(2, kStart + delay);
        EXPECT_TRUE(wheel.armed(2));
        EXPECT_EQ(wheel.deadline(2), kStart + delay);
        EXPECT_EQ(fired(wheel, kStart + delay - 1ns), Ids{}) << delay.count();
        EXPECT_EQ(fired(wheel, kStart + delay + 1ms), Ids{2}) << delay.count();
        EXPECT_FALSE(wheel.armed(2));
        EXPECT_EQ(fired(wheel, kStart + delay + 24h), Ids{});
        EXPECT_EQ(wheel.size(), 0U);
    }
}

TEST(TimerWheel, PastDeadlinesFireAtTheNextAdvanceEvenWhenTimeStandsStill) {
    TimerWheel wheel(4, kStart);
    fired(wheel, kStart + 10s);
    wheel.arm(0, kStart + 10s);
    wheel.arm(1, kStart);
    wheel.arm(2, Instant{});
    wheel.arm(3, Instant::min());
    EXPECT_EQ(wheel.next_deadline(), Instant::min());
    EXPECT_EQ(fired(wheel, kStart + 10s), (Ids{0, 1, 2, 3}));
    EXPECT_EQ(wheel.next_deadline(), kNever);
}

TEST(TimerWheel, CancelAndReArm) {
    TimerWheel wheel(4, kStart);
    wheel.arm(0, kStart + 5ms);
    wheel.arm(1, kStart + 5ms);
    wheel.arm(2, kStart + 5ms);
    wheel.cancel(1);
    wheel.cancel(1);
    wheel.cancel(3);
    wheel.arm(2, kStart + 50ms);
    EXPECT_EQ(wheel.size(), 2U);
    EXPECT_EQ(fired(wheel, kStart + 10ms), Ids{0});
    wheel.arm(2, kStart + 20ms);  // earlier again
    EXPECT_EQ(fired(wheel, kStart + 21ms), Ids{2});
    EXPECT_EQ(fired(wheel, kStart + 100ms), Ids{});
}

TEST(TimerWheel, FireMayArmAndCancelAnyId) {
    TimerWheel wheel(10, kStart);
    for (std::uint32_t id = 0; id < 10; ++id) wheel.arm(id, kStart + 5ms);
    Ids seen;
    wheel.advance(kStart + 6ms, [&](std::uint32_t id) {
        EXPECT_FALSE(wheel.armed(id));
        seen.push_back(id);
        if (id == 0) wheel.cancel(1);               // due in this very advance
        if (id == 2) wheel.arm(3, kStart + 500ms);  // likewise, moved away
        if (id == 4) wheel.arm(4, kStart + 5ms);    // itself, in the past: at the next advance
        if (id == 5) wheel.arm(5, kStart + 700ms);  // itself, later
    });
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, (Ids{0, 2, 4, 5, 6, 7, 8, 9}));
    EXPECT_EQ(fired(wheel, kStart + 6ms), Ids{4});
    EXPECT_EQ(fired(wheel, kStart + 501ms), Ids{3});
    EXPECT_EQ(fired(wheel, kStart + 701ms), Ids{5});
    EXPECT_EQ(wheel.size(), 0U);
}

TEST(TimerWheel, ATimerThatAlwaysReArmsInThePastDoesNotLoop) {
    TimerWheel wheel(1, kStart);
    wheel.arm(0, kStart);
    const Instant leap = kStart + 1h;
    const auto again = [&](std::uint32_t id) { wheel.arm(id, leap - 1s); };
    EXPECT_EQ(wheel.advance(leap, again), 1U);
    EXPECT_EQ(wheel.advance(leap, again), 1U);
}

TEST(TimerWheel, TheLimitKeepsTheRestForLaterCalls) {
    TimerWheel wheel(100, kStart);
    for (std::uint32_t id = 0; id < 100; ++id) wheel.arm(id, kStart + id * 10ms);
    Ids all;
    for (int call = 0; call < 10; ++call) {
        EXPECT_LE(wheel.next_deadline(), kStart + call * 100ms);
        const Ids some = fired(wheel, kStart + 1h, 10);  // the clock stands still after its leap
        EXPECT_EQ(some.size(), 10U);
        all.insert(all.end(), some.begin(), some.end());
    }
    EXPECT_EQ(fired(wheel, kStart + 1h), Ids{});
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::unique(all.begin(), all.end()) - all.begin(), 100);
}

TEST(TimerWheel, TimeGoingBackIsTakenAsStandingStill) {
    TimerWheel wheel(2, kStart);
    fired(wheel, kStart + 1s);
    wheel.arm(0, kStart + 2s);
    EXPECT_EQ(fired(wheel, kStart), Ids{});
    EXPECT_EQ(fired(wheel, Instant::min()), Ids{});
    EXPECT_EQ(fired(wheel, kStart + 2001ms), Ids{0});
}

// With ticks of a nanosecond the wheel reaches 2^48 ns, about 3 days.
TEST(TimerWheel, DeadlinesBeyondTheReachOfTheWheel) {
    TimerWheel wheel(3, kStart, 1ns);
    wheel.arm(0, kStart + 24h * 3);
    wheel.arm(1, kStart + 24h * 400);
    wheel.arm(2, kNever);
    EXPECT_EQ(fired(wheel, kStart + 24h * 3 - 1ns), Ids{});
    EXPECT_EQ(fired(wheel, kStart + 24h * 3), Ids{0});
    for (int day = 4; day < 400; day += 5) EXPECT_EQ(fired(wheel, kStart + 24h * day), Ids{});
    EXPECT_EQ(fired(wheel, kStart + 24h * 400 - 1ns), Ids{});
    EXPECT_EQ(fired(wheel, kStart + 24h * 400), Ids{1});
    EXPECT_TRUE(wheel.armed(2));
    wheel.cancel(2);
    EXPECT_EQ(wheel.next_deadline(), kNever);
    EXPECT_EQ(wheel.next_wakeup(), kNever);
}

// A worker that sleeps until next_wakeup() fires everything in time, without polling.
TEST(TimerWheel, SleepingUntilNextWakeupMissesNothing) {
    TimerWheel wheel(50, kStart);
    std::mt19937_64 random(5);
    std::map<std::uint32_t, Instant> armed;
    Instant now = kStart;
    for (std::uint32_t id = 0; id < 50; ++id) {
        armed[id] = now + Duration(static_cast<std::int64_t>(random() % 400'000'000'000ULL));
        wheel.arm(id, armed[id]);
    }
    int wakeups = 0;
    while (wheel.size() != 0) {
        ASSERT_GE(wheel.next_wakeup(), now);
        now = wheel.next_wakeup();
        ++wakeups;
        wheel.advance(now, [&](std::uint32_t id) {
            EXPECT_LE(armed.at(id), now);
            EXPECT_GT(armed.at(id) + 1ms, now);
            armed.erase(id);
        });
    }
    EXPECT_TRUE(armed.empty());
    EXPECT_LT(wakeups, 50 * 4);
}

struct ModelCase {
    Duration tick;
    std::int64_t longest_delay_ns;
    std::int64_t longest_step_ns;
    std::uint32_t capacity;
    std::size_t limit;
};

class TimerWheelModel : public testing::TestWithParam<ModelCase> {};

// Random use against a plain map: nothing early, nothing later than a tick (unless the limit held it),
// nothing lost, and next_deadline() is a lower bound.
TEST_P(TimerWheelModel, RandomUse) {
    const ModelCase& c = GetParam();
    TimerWheel wheel(c.capacity, kStart, c.tick);
    std::map<std::uint32_t, Instant> armed;
    std::mt19937_64 random(6);
    const auto below = [&](std::int64_t n) {
        return Duration(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)));
    };
    // Short delays are common, long ones occur.
    const auto delay = [&] { return below(c.longest_delay_ns >> (random() % 20)) - 2 * c.tick; };
    Instant now = kStart;
    for (int step = 0; step < 20'000; ++step) {
        for (int n = 0; n < 4; ++n) {
            const auto id = static_cast<std::uint32_t>(random() % c.capacity);
            if (random() % 4 == 0) {
                wheel.cancel(id);
                armed.erase(id);
            } else {
                armed[id] = now + delay();
                wheel.arm(id, armed[id]);
            }
        }
        Instant earliest = kNever;
        if (step % 16 == 0) {
            for (const auto& [id, deadline] : armed) earliest = std::min(earliest, deadline);
            ASSERT_LE(wheel.next_deadline(), earliest);
            ASSERT_EQ(wheel.next_deadline() == kNever, armed.empty());
        }
        now += below(c.longest_step_ns >> (random() % 20)) + 1ns;
        std::vector<std::pair<std::uint32_t, Instant>> again;
        const std::size_t n = wheel.advance(
            now,
            [&](std::uint32_t id) {
                const auto it = armed.find(id);
                ASSERT_NE(it, armed.end()) << "fired without being armed";
                ASSERT_LE(it->second, now) << "fired early";
                armed.erase(it);
                if (random() % 3 == 0) {
                    const Instant deadline = now + delay();
                    wheel.arm(id, deadline);
                    again.emplace_back(id, deadline);
                }
            },
            c.limit);
        if (n < c.limit) {
            for (const auto& [id, deadline] : armed) ASSERT_GT(deadline + c.tick, now) << "late";
        }
        for (const auto& [id, deadline] : again) armed[id] = deadline;
        ASSERT_EQ(wheel.size(), armed.size());
        for (const auto& [id, deadline] : armed) ASSERT_EQ(wheel.deadline(id), deadline);
    }
}

INSTANTIATE_TEST_SUITE_P(Scales, TimerWheelModel,
                         testing::Values(ModelCase{1ms, 400'000'000'000, 3'000'000, 64, SIZE_MAX},
                                         ModelCase{1ms, 200'000'000'000, 200'000'000'000, 40, SIZE_MAX},
                                         ModelCase{1ms, 5'000'000'000, 50'000'000, 64, 3},
                                         ModelCase{100us, 3'600'000'000'000, 1'000'000'000, 64, SIZE_MAX},
                                         ModelCase{1ns, 2'000'000'000'000'000, 20'000'000'000'000, 40,
                                                   SIZE_MAX},
                                         ModelCase{7ms, 100'000'000'000'000, 1'000'000'000, 64, 10}));

// Many timers of one long delay, as keep-alives are: all fire in their tick while the clock runs in steps of
// a tick, though they cross two levels.
TEST(TimerWheel, AMillionKeepAlivesFireInTheirTick) {
    constexpr std::uint32_t kCount = 1'000'000;
    TimerWheel wheel(kCount, kStart);
    const auto due = [](std::uint32_t id) { return kStart + 90s + Duration(id * 90'000LL); };
    for (std::uint32_t id = 0; id < kCount; ++id) wheel.arm(id, due(id));
    std::uint32_t count = 0;
    for (Instant now = kStart; wheel.size() != 0; now += 1ms) {
        wheel.advance(now, [&](std::uint32_t id) {
            ++count;
            ASSERT_LE(due(id), now);
            ASSERT_GT(due(id) + 1ms, now);
        });
    }
    EXPECT_EQ(count, kCount);
}

}  // namespace
}  // namespace sluice::flow
