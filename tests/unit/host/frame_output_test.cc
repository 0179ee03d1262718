// The way out: batches, what waits for a neighbor's MAC, and what a full port or an empty pool means.
#include "sluice/host/frame_output.h"

#include <gtest/gtest.h>

#include "lab.h"

namespace sluice::host::test {
namespace {

std::uint8_t mark_of(const Bytes& frame) { return load8(frame.data() + frame.size() - 1); }

class Families : public testing::TestWithParam<bool> {
  protected:
    NextHop neighbor() const { return {0, ip(GetParam() ? "fd00:1::7" : "10.1.7.7")}; }
    Bytes answer() const {
        return GetParam() ? advertisement(neighbor().neighbor, kNeighborMac, ip("fd00:1::1"))
                          : arp_reply(neighbor().neighbor, kNeighborMac, ip("10.1.0.1"));
    }
};
INSTANTIATE_TEST_SUITE_P(Output, Families, testing::Bool(),
                         [](const auto& info) { return info.param ? "V6" : "V4"; });

TEST_P(Families, FramesWaitForTheirNextHop) {
    HostLab lab;
    EXPECT_EQ(lab.send_to(neighbor(), 1), NextHopState::Asked);
    EXPECT_EQ(lab.send_to(neighbor(), 2), NextHopState::Asked);
    std::vector<Bytes> sent = lab.sent(0);
    ASSERT_EQ(sent.size(), 1U) << "one question for both";
    EXPECT_TRUE(destination_of(sent[0]).is_multicast());
    EXPECT_EQ(lab.counted(Counter::NeighborSolicitations), 1U);
    lab.receive(0, answer());
    sent = lab.sent(0);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(mark_of(sent[0]), 1);
    EXPECT_EQ(mark_of(sent[1]), 2);
    for (const Bytes& frame : sent) EXPECT_EQ(destination_of(frame), kNeighborMac);
    EXPECT_EQ(lab.send_to(neighbor(), 3), NextHopState::Known);
    EXPECT_EQ(lab.sent(0).size(), 1U);
    ASSERT_EQ(lab.sightings.size(), 1U);
    EXPECT_EQ(lab.sightings[0].neighbor, neighbor());
    EXPECT_EQ(lab.sightings[0].mac, kNeighborMac);
    EXPECT_FALSE(lab.sightings[0].to_everybody);
}

TEST_P(Families, WhoDoesNotAnswerIsToldAndItsFramesAreDropped) {
    HostLab lab;
    for (std::uint8_t i = 0; i < 3; ++i) lab.send_to(neighbor(), i);
    lab.pass(4s);
    EXPECT_EQ(lab.failed, (std::vector<std::pair<NextHop, std::size_t>>{{neighbor(), 3}}));
    EXPECT_EQ(lab.counted(Counter::NeighborFailures), 1U);
    EXPECT_EQ(lab.counted(Counter::NeighborSolicitations), 3U);
    EXPECT_EQ(lab.drops, (std::map<Counter, std::uint64_t>{{Counter::DropNeighborFailed, 3}}));
    EXPECT_EQ(lab.send_to(neighbor(), 4), NextHopState::Failed);
    EXPECT_EQ(lab.drops[Counter::DropNeighborFailed], 4U);
}

TEST(FrameOutput, OneNeighborHoldsSoManyFramesAndAllSoMany) {
    HostLab lab({.wait_per_neighbor = 3, .wait_in_all = 5});
    for (std::uint8_t i = 0; i < 4; ++i) {
        EXPECT_EQ(lab.send_to({0, ip("10.1.7.7")}, i), NextHopState::Asked);
    }
    EXPECT_EQ(lab.drops[Counter::DropNeighborQueue], 1U);
    for (std::uint8_t i = 0; i < 3; ++i) lab.send_to({1, ip("10.2.7.7")}, i);
    EXPECT_EQ(lab.drops[Counter::DropNeighborQueue], 2U);
    lab.receive(0, arp_reply(ip("10.1.7.7"), kNeighborMac, ip("10.1.0.1")));
    lab.send_to({1, ip("10.2.7.7")}, 4);
    EXPECT_EQ(lab.drops[Counter::DropNeighborQueue], 2U) << "there is room again";
}

TEST(FrameOutput, WithoutAnAddressOfTheFamilyNobodyIsAsked) {
    HostLab lab;
    std::erase_if(lab.own, [](const auto& own) { return own.first.is_v6(); });
    EXPECT_EQ(lab.send_to({0, ip("fd00:1::7")}, 1), NextHopState::Asked);
    EXPECT_TRUE(lab.sent(0).empty());
    EXPECT_EQ(lab.counted(Counter::DropNoRoute), 1U);
}

TEST(FrameOutput, AFullPortIsOfferedTheFramesAgain) {
    HostLab lab({.backlog = 4});
    lab.front.limit_transmit(1);
    const auto send = [&](std::uint8_t mark) {
        auto frame = lab.output.allocate();
        frame->length = 60;
        store8(frame->data + 59, mark);
        lab.output.send(0, *frame);
    };
    for (std::uint8_t i = 0; i < 3; ++i) send(i);
    EXPECT_TRUE(lab.output.crowded(0));
    EXPECT_TRUE(lab.output.flush());
    EXPECT_EQ(lab.counted(Counter::TxFrames), 1U);
    EXPECT_EQ(lab.counted(Counter::TxBytes), 60U);
    for (std::uint8_t i = 3; i < 7; ++i) send(i);
    EXPECT_EQ(lab.output.batched(0), 4U);
    EXPECT_EQ(lab.drops, (std::map<Counter, std::uint64_t>{{Counter::DropTxFull, 2}}));
    lab.front.limit_transmit(port::MemoryPort::kNoLimit);
    const std::vector<Bytes> sent = lab.sent(0);
    ASSERT_EQ(sent.size(), 5U);
    for (std::uint8_t i = 0; i < 5; ++i) EXPECT_EQ(mark_of(sent[i]), i);
    EXPECT_FALSE(lab.output.crowded(0));
    EXPECT_FALSE(lab.output.flush());
}

TEST(FrameOutput, AtTheEndASlowPortIsWaitedFor) {
    HostLab lab;
    lab.front.slow_transmit(2, 100);
    for (int i = 0; i < 9; ++i) {
        auto frame = lab.output.allocate();
        frame->length = 60;
        lab.output.send(0, *frame);
    }
    lab.output.flush_all();
    EXPECT_EQ(lab.front.take().size(), 9U);
}

TEST(FrameOutput, AnEmptyPoolIsCountedAndEveryFrameComesBack) {
    port::HeapFramePool pool(8);
    struct Nobody final : Addresses, CounterSink {
        bool owns(std::uint16_t, const IpAddress&) const override { return false; }
        std::optional<IpAddress> asker(std::uint16_t, const IpAddress&) const override {
            return ip("10.1.0.1");
        }
        void count(Counter, std::uint64_t) override {}
        void dropped(Counter why, std::uint64_t frames) override { drops[why] += frames; }
        std::map<Counter, std::uint64_t> drops;
    } nobody;
    port::MemoryPort port({.mac = kFrontMac}, pool);
    {
        FrameOutput output({{.port = &port, .mac = kFrontMac}}, pool, nobody, nobody, {});
        for (int i = 0; i < 7; ++i) {
            auto frame = output.allocate();
            ASSERT_TRUE(frame);
            frame->length = 60;
            i % 2 == 0 ? output.send(0, *frame)
                       : static_cast<void>(output.send_via(Instant{1h}, {0, ip("10.1.7.7")}, *frame));
        }
        EXPECT_FALSE(output.allocate()) << "the question took one";
        EXPECT_EQ(nobody.drops, (std::map<Counter, std::uint64_t>{{Counter::DropNoFrame, 1}}));
    }
    EXPECT_EQ(pool.outstanding(), 0U);
}

}  // namespace
}  // namespace sluice::host::test
