// The DPDK side over devices that need no hardware and no privileges: net_ring loops back what is sent,
// net_null makes frames out of nothing. The EAL starts once per process, so all tests share one environment.
#include "sluice/port/dpdk_port.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>

#include "sluice/port/dpdk_environment.h"

namespace sluice::port {
namespace {

constexpr std::uint32_t kWorkers = 2;

DpdkEnvironment* environment = nullptr;

// Opens a port or fails the test with the reason.
std::unique_ptr<Port> open(const DpdkPortOptions& options) {
    std::string error;
    auto port = open_dpdk_port(*environment, options, error);
    EXPECT_NE(port, nullptr) << error;
    return port;
}

// Every test ends with as many free buffers as it began with.
class DpdkPortTest : public testing::Test {
  protected:
    void SetUp() override { available_ = environment->frames().available(); }
    void TearDown() override { EXPECT_EQ(environment->frames().available(), available_); }

  private:
    std::size_t available_ = 0;
};

TEST_F(DpdkPortTest, AllocatesEmptyFramesWithHeadroom) {
    std::array<Frame, 100> frames;
    ASSERT_EQ(environment->frames().allocate(frames), frames.size());
    for (const Frame& frame : frames) {
        EXPECT_EQ(frame.length, 0U);
        EXPECT_GE(frame.capacity, 2048U);
        EXPECT_FALSE(frame.multi_segment);
    }
    environment->frames().release(frames);
}

TEST_F(DpdkPortTest, AnExhaustedPoolGivesWhatItHas) {
    FramePool& pool = environment->frames();
    std::vector<Frame> frames(pool.capacity() + 1);
    EXPECT_EQ(pool.allocate(frames), pool.capacity());
    EXPECT_EQ(pool.available(), 0U);
    pool.release(std::span(frames).first(pool.capacity()));
}

// AF_XDP gives the kernel a buffer by its distance from the pool's beginning, and registers only as many
// bytes as so many buffers have: one beyond them is lost, and so is the queue in the end.
TEST_F(DpdkPortTest, BuffersLieCloseTogether) {
    FramePool& pool = environment->frames();
    std::vector<Frame> frames(pool.capacity());
    ASSERT_EQ(pool.allocate(frames), frames.size());
    std::vector<std::byte*> places;
    for (const Frame& frame : frames) places.push_back(frame.data);
    std::ranges::sort(places);
    std::vector<std::ptrdiff_t> gaps;
    for (std::size_t i = 1; i < places.size(); ++i) gaps.push_back(places[i] - places[i - 1]);
    EXPECT_EQ(std::ranges::count(gaps, gaps.front()), static_cast<std::ptrdiff_t>(gaps.size()));
    EXPECT_LT(gaps.front(), 2048 + kHeadroom + 384);
    pool.release(frames);
}

TEST_F(DpdkPortTest, SentFramesComeBackOnTheSameQueueByteForByte) {
    const auto port = open({.name = "a", .device = "net_ring_a", .index = 5, .workers = kWorkers});
    ASSERT_NE(port, nullptr);
    Frame frame;
    ASSERT_EQ(environment->frames().allocate({&frame, 1}), 1U);
    for (std::size_t i = 0; i < 60; ++i) frame.data[i] = static_cast<std::byte>(i);
    frame.length = 60;
    // Two bytes go in front and the buffer's bounds move along.
    frame.data -= 2;
    frame.length += 2;
    frame.capacity += 2;
    frame.data[0] = frame.data[1] = std::byte{0xee};
    ASSERT_EQ(port->transmit(1, {&frame, 1}), 1U);

    std::array<Frame, 4> received;
    EXPECT_EQ(port->receive(0, received), 0U);
    ASSERT_EQ(port->receive(1, received), 1U);
    EXPECT_EQ(received[0].length, 62U);
    EXPECT_EQ(received[0].data, frame.data);
    EXPECT_EQ(received[0].capacity, frame.capacity);
    EXPECT_EQ(received[0].port, 5);
    EXPECT_FALSE(received[0].multi_segment);
    EXPECT_EQ(received[0].data[1], std::byte{0xee});
    EXPECT_EQ(received[0].data[61], std::byte{59});
    EXPECT_EQ(port->statistics().tx_frames, 1U);
    EXPECT_EQ(port->statistics().rx_frames, 1U);
    environment->frames().release(std::span(received).first(1));
}

TEST_F(DpdkPortTest, AFullDeviceLeavesTheRestWithTheCaller) {
    const auto port = open({.name = "full", .device = "net_ring_full", .workers = 1});
    ASSERT_NE(port, nullptr);
    std::vector<Frame> frames(3000);
    ASSERT_EQ(environment->frames().allocate(frames), frames.size());
    for (Frame& frame : frames) frame.length = 60;
    const std::size_t sent = port->transmit(0, frames);
    EXPECT_GT(sent, 0U);
    EXPECT_LT(sent, frames.size());
    environment->frames().release(std::span(frames).subspan(sent));

    std::array<Frame, 64> received;
    std::size_t returned = 0;
    while (const std::size_t n = port->receive(0, received)) {
        environment->frames().release(std::span(received).first(n));
        returned += n;
    }
    EXPECT_EQ(returned, sent);
}

TEST_F(DpdkPortTest, DescribesItself) {
    const auto port = open({.name = "front", .device = "net_ring_b", .workers = kWorkers});
    ASSERT_NE(port, nullptr);
    EXPECT_EQ(port->info().name, "front");
    EXPECT_EQ(port->info().device, "net_ring_b");
    EXPECT_EQ(port->info().driver, "net_ring");
    EXPECT_EQ(port->info().mtu, 1500);
    EXPECT_EQ(port->info().rx_queues, kWorkers);
    EXPECT_EQ(port->info().tx_queues, kWorkers);
    EXPECT_TRUE(port->info().rss.queues.empty());
    EXPECT_TRUE(port->link().up);
    EXPECT_TRUE(port->wait_handles(0).empty());
}

TEST_F(DpdkPortTest, TellsHowTheDeviceSpreadsFlows) {
    std::vector<std::uint8_t> key(40);
    std::iota(key.begin(), key.end(), std::uint8_t{1});
    const auto port =
        open({.name = "rss", .device = "net_null_rss,no-rx=1", .workers = kWorkers, .rss_key = key});
    ASSERT_NE(port, nullptr);
    const Rss& rss = port->info().rss;
    EXPECT_EQ(rss.key, key);
    ASSERT_FALSE(rss.queues.empty());
    for (const std::uint16_t queue : rss.queues) EXPECT_LT(queue, kWorkers);
    EXPECT_TRUE(rss.ipv4);
    EXPECT_TRUE(rss.ipv6);
}

TEST_F(DpdkPortTest, ReceivesBurstsIntoOwnBuffers) {
    const auto port = open({.name = "null", .device = "net_null_rx,size=100", .workers = 1});
    ASSERT_NE(port, nullptr);
    std::array<Frame, 32> frames;
    ASSERT_EQ(port->receive(0, frames), frames.size());
    for (const Frame& frame : frames) EXPECT_EQ(frame.length, 100U);
    EXPECT_EQ(port->receive(1, frames), 0U);  // a queue it has not
    EXPECT_EQ(port->transmit(0, frames), frames.size());
}

// net_ring has at most 16 queues.
TEST_F(DpdkPortTest, WorkersShareTransmitQueuesWhereTheDeviceHasFewer) {
    constexpr std::uint32_t kMany = 20;
    const auto port = open({.name = "few", .device = "net_ring_few", .workers = kMany});
    ASSERT_NE(port, nullptr);
    const std::uint16_t queues = port->info().tx_queues;
    ASSERT_LT(queues, kMany);
    Frame frame;
    ASSERT_EQ(environment->frames().allocate({&frame, 1}), 1U);
    frame.length = 60;
    ASSERT_EQ(port->transmit(static_cast<std::uint16_t>(queues + 1), {&frame, 1}), 1U);
    std::array<Frame, 4> received;
    EXPECT_EQ(port->receive(static_cast<std::uint16_t>(queues + 1), received), 0U);
    ASSERT_EQ(port->receive(1, received), 1U);
    environment->frames().release(std::span(received).first(1));
}

TEST_F(DpdkPortTest, ADeviceCanBeOpenedAgainAfterItWasClosed) {
    for (int round = 0; round < 3; ++round) {
        const auto port = open({.name = "again", .device = "net_null_again,no-rx=1", .workers = 1});
        ASSERT_NE(port, nullptr);
    }
}

TEST_F(DpdkPortTest, RefusesWithAReason) {
    std::string error;
    EXPECT_EQ(open_dpdk_port(*environment, {.name = "x", .device = "net_nothing0"}, error), nullptr);
    EXPECT_NE(error.find("device net_nothing0"), std::string::npos) << error;
    EXPECT_EQ(open_dpdk_port(*environment, {.name = "x", .device = "0000:ff:1f.7"}, error), nullptr);
    EXPECT_NE(error.find("dpdk-devbind.py"), std::string::npos) << error;
    EXPECT_EQ(
        open_dpdk_port(*environment, {.name = "x", .device = "net_af_packet9,iface=sluice-none0"}, error),
        nullptr);
    EXPECT_NE(error.find("net_af_packet9"), std::string::npos) << error;
}

TEST_F(DpdkPortTest, WorkersRunWhatIsLaunchedAndMayUseThePoolAtOnce) {
    EXPECT_EQ(environment->workers(), kWorkers);
    std::atomic<std::uint32_t> allocated{0};
    for (int round = 0; round < 2; ++round) {
        for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
            environment->launch(worker, [&] {
                std::array<Frame, 32> frames;
                for (int i = 0; i < 100; ++i) {
                    const std::size_t n = environment->frames().allocate(frames);
                    allocated += static_cast<std::uint32_t>(n);
                    environment->frames().release(std::span(frames).first(n));
                }
            });
        }
        environment->join();
    }
    EXPECT_EQ(allocated, 2 * kWorkers * 100 * 32);
}

}  // namespace
}  // namespace sluice::port

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    std::string error;
    const auto started = sluice::port::DpdkEnvironment::start({.program = "test_port_dpdk",
                                                               .file_prefix = "sluice-test",
                                                               .workers = sluice::port::kWorkers,
                                                               .memory = sluice::port::Memory::Pages,
                                                               .ports = 2,
                                                               .extra = {"--no-telemetry"}},
                                                              error);
    if (!started) {
        std::fprintf(stderr, "%s\n", error.c_str());
        return 1;
    }
    sluice::port::environment = started.get();
    return RUN_ALL_TESTS();
}
