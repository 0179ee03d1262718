// The queues of ports that are short are emptied before anything is worked on.
#include "worker/intake.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sluice/port/frame.h"
#include "sluice/port/memory_port.h"

namespace sluice::worker {
namespace {

constexpr std::size_t kFrames = 3 * port::kTakeAhead;

// A frame that tells its number.
std::array<std::byte, 60> numbered(std::size_t number) {
    std::array<std::byte, 60> frame{};
    frame[0] = static_cast<std::byte>(number % 251);
    frame[1] = static_cast<std::byte>(number / 251);
    return frame;
}

class IntakeTest : public testing::Test {
  protected:
    void inject(port::MemoryPort& port, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) port.inject(numbered(injected_++));
    }
    // Takes up to n frames and looks whether they come in their order.
    std::size_t take(Intake& intake, std::size_t port, std::size_t n) {
        std::vector<port::Frame> out(n);
        const std::size_t taken = intake.next(port, out);
        for (std::size_t i = 0; i < taken; ++i) {
            const auto wanted = numbered(taken_++);
            EXPECT_EQ(out[i].data[0], wanted[0]);
            EXPECT_EQ(out[i].data[1], wanted[1]);
        }
        pool_.release(std::span(out).first(taken));
        return taken;
    }

    port::HeapFramePool pool_{kFrames, 2048};
    port::MemoryPort shallow_{{.name = "shallow", .take_ahead = true}, pool_};
    port::MemoryPort deep_{{.name = "deep"}, pool_};
    std::vector<port::Port*> ports_{&shallow_, &deep_};

  private:
    std::size_t injected_ = 0;
    std::size_t taken_ = 0;
};

TEST_F(IntakeTest, EmptiesAShortQueueAtOnceAndHandsOutBurstAfterBurst) {
    Intake intake(ports_, 0, pool_);
    inject(shallow_, 1000);
    intake.empty_queues();
    EXPECT_EQ(shallow_.waiting(), 0U);
    for (int i = 0; i < 15; ++i) EXPECT_EQ(take(intake, 0, 64), 64U);
    EXPECT_EQ(take(intake, 0, 64), 40U);
    EXPECT_EQ(take(intake, 0, 64), 0U);
}

TEST_F(IntakeTest, LeavesADeepQueueToItsDevice) {
    Intake intake(ports_, 0, pool_);
    inject(deep_, 100);
    intake.empty_queues();
    EXPECT_EQ(deep_.waiting(), 100U);
    EXPECT_EQ(take(intake, 1, 64), 64U);
    EXPECT_EQ(deep_.waiting(), 36U);
}

TEST_F(IntakeTest, TakesNoMoreThanItsShareAndKeepsTheOrderAroundTheEnd) {
    Intake intake(ports_, 0, pool_);
    inject(shallow_, port::kTakeAhead + 500);
    intake.empty_queues();
    EXPECT_EQ(shallow_.waiting(), 500U);
    EXPECT_EQ(take(intake, 0, 300), 300U);
    intake.empty_queues();
    EXPECT_EQ(shallow_.waiting(), 200U);
    std::size_t all = 300;
    while (const std::size_t n = take(intake, 0, 64)) {
        all += n;
        intake.empty_queues();
    }
    EXPECT_EQ(all, port::kTakeAhead + 500);
    EXPECT_EQ(shallow_.waiting(), 0U);
}

TEST_F(IntakeTest, GivesBackWhatNobodyTook) {
    {
        Intake intake(ports_, 0, pool_);
        inject(shallow_, 200);
        intake.empty_queues();
        EXPECT_EQ(pool_.available(), pool_.capacity() - 200);
    }
    EXPECT_EQ(pool_.available(), pool_.capacity());
}

}  // namespace
}  // namespace sluice::worker
