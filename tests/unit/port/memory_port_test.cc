#include "sluice/port/memory_port.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <vector>

namespace sluice::port {
namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
    std::vector<std::byte> out;
    for (const int v : values) out.push_back(static_cast<std::byte>(v));
    return out;
}

TEST(HeapFramePool, GivesNoMoreThanItsCountAndTakesThemBack) {
    HeapFramePool pool(3, 64);
    std::array<Frame, 4> frames;
    ASSERT_EQ(pool.allocate(frames), 3U);
    EXPECT_EQ(pool.available(), 0U);
    EXPECT_EQ(pool.outstanding(), 3U);
    EXPECT_EQ(pool.allocate(frames), 0U);

    pool.release(std::span(frames).first(3));
    EXPECT_EQ(pool.outstanding(), 0U);
    EXPECT_EQ(pool.available(), pool.capacity());
}

TEST(HeapFramePool, AFreshFrameIsEmptyWithHeadroomAndItsWholeCapacityWritable) {
    HeapFramePool pool(1, 64);
    Frame frame;
    ASSERT_EQ(pool.allocate({&frame, 1}), 1U);
    EXPECT_EQ(frame.length, 0U);
    EXPECT_EQ(frame.capacity, 64U);
    EXPECT_FALSE(frame.multi_segment);
    for (std::byte& b : std::span(frame.data - kHeadroom, kHeadroom + frame.capacity)) b = std::byte{0x5a};
    EXPECT_EQ(frame.writable().back(), std::byte{0x5a});
    pool.release({&frame, 1});
}

TEST(MemoryPort, DeliversInjectedFramesInOrderOnTheirQueue) {
    HeapFramePool pool(8);
    MemoryPort port({.index = 3, .queues = 2}, pool);
    port.inject(bytes({1, 2}), 0);
    port.inject(bytes({3}), 1);
    port.inject(bytes({4, 5, 6}), 0);
    EXPECT_EQ(port.waiting(), 3U);
    EXPECT_EQ(pool.outstanding(), 0U);

    std::array<Frame, 4> frames;
    ASSERT_EQ(port.receive(0, frames), 2U);
    EXPECT_TRUE(std::ranges::equal(frames[0].bytes(), bytes({1, 2})));
    EXPECT_TRUE(std::ranges::equal(frames[1].bytes(), bytes({4, 5, 6})));
    EXPECT_EQ(frames[0].port, 3);
    ASSERT_EQ(port.receive(1, std::span(frames).subspan(2)), 1U);
    EXPECT_EQ(port.waiting(), 0U);
    EXPECT_EQ(port.statistics().rx_frames, 3U);
    EXPECT_EQ(port.statistics().rx_bytes, 6U);
    pool.release(std::span(frames).first(3));
}

TEST(MemoryPort, ReceivesNothingOnAQueueItHasNot) {
    HeapFramePool pool(8);
    MemoryPort port({.queues = 1}, pool);
    port.inject(bytes({1}));
    std::array<Frame, 4> frames;
    EXPECT_EQ(port.receive(1, frames), 0U);
    EXPECT_EQ(port.waiting(), 1U);
}

TEST(MemoryPort, SentFramesCanBeTakenOnceAndTheirBuffersReturn) {
    HeapFramePool pool(8);
    MemoryPort port({}, pool);
    port.inject(bytes({7, 8}));
    std::array<Frame, 4> frames;
    ASSERT_EQ(port.receive(0, frames), 1U);
    // A header put in front, as a sender that uses the headroom does.
    frames[0].data -= 1;
    frames[0].length += 1;
    frames[0].capacity += 1;
    frames[0].data[0] = std::byte{6};
    ASSERT_EQ(port.transmit(0, std::span(frames).first(1)), 1U);

    const auto sent = port.take();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0], bytes({6, 7, 8}));
    EXPECT_TRUE(port.take().empty());
    EXPECT_EQ(pool.outstanding(), 0U);
    EXPECT_EQ(port.statistics().tx_bytes, 3U);
}

TEST(MemoryPort, AFullTransmitQueueLeavesTheRestWithTheCaller) {
    HeapFramePool pool(8);
    MemoryPort port({}, pool);
    std::array<Frame, 3> frames;
    ASSERT_EQ(pool.allocate(frames), 3U);
    port.limit_transmit(2);
    EXPECT_EQ(port.transmit(0, frames), 2U);
    EXPECT_EQ(pool.outstanding(), 1U);
    EXPECT_EQ(port.transmit(0, std::span(frames).last(1)), 0U);
    port.limit_transmit(MemoryPort::kNoLimit);
    EXPECT_EQ(port.transmit(0, std::span(frames).last(1)), 1U);
    EXPECT_EQ(port.take().size(), 3U);
    EXPECT_EQ(pool.outstanding(), 0U);
}

TEST(MemoryPort, ASlowTransmitQueueTakesAFewNowAndThen) {
    HeapFramePool pool(8);
    MemoryPort port({}, pool);
    std::array<Frame, 3> frames;
    ASSERT_EQ(pool.allocate(frames), 3U);
    port.slow_transmit(2, 1);
    EXPECT_EQ(port.transmit(0, frames), 2U);
    EXPECT_EQ(port.transmit(0, std::span(frames).last(1)), 0U);
    EXPECT_EQ(port.transmit(0, std::span(frames).last(1)), 1U);
    EXPECT_EQ(port.take().size(), 3U);
}

TEST(MemoryPort, LosesAndCountsWhatFindsNoBuffer) {
    HeapFramePool pool(1);
    MemoryPort port({}, pool);
    port.inject(bytes({1}));
    port.inject(bytes({2}));
    std::array<Frame, 4> frames;
    EXPECT_EQ(port.receive(0, frames), 1U);
    EXPECT_EQ(port.statistics().rx_no_buffer, 1U);
    EXPECT_EQ(port.waiting(), 0U);
    pool.release(std::span(frames).first(1));
}

TEST(MemoryPort, MarksAFrameLargerThanABuffer) {
    HeapFramePool pool(1, 4);
    MemoryPort port({}, pool);
    port.inject(bytes({1, 2, 3, 4, 5}));
    Frame frame;
    ASSERT_EQ(port.receive(0, {&frame, 1}), 1U);
    EXPECT_TRUE(frame.multi_segment);
    EXPECT_TRUE(std::ranges::equal(frame.bytes(), bytes({1, 2, 3, 4})));
    pool.release({&frame, 1});
}

}  // namespace
}  // namespace sluice::port
