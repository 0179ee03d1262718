// A TCP probe learns from the SYN-ACK and leaves no connection behind.
#include "sluice/health/tcp_probe.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::health {
namespace {

struct Collected final : tcp::Output {
    void send(const tcp::Segment& s) override { segments.push_back(s); }
    std::vector<tcp::Segment> segments;
};

const Instant kStart = Instant{} + 10s;
constexpr tcp::Seq kIss{0xffffffff};

struct Started {
    Started() : probe({.initial_sequence = kIss, .mss = 1400, .timeout = 900ms}) {
        probe.start(kStart, out);
        EXPECT_EQ(out.segments.size(), 1U);
    }
    TcpProbe probe;
    Collected out;
};

tcp::Segment syn_ack() {
    tcp::Segment s;
    s.seq = tcp::Seq(5000);
    s.ack = tcp::Seq(0);  // kIss + 1
    s.flags = {.syn = true, .ack = true};
    s.window = 65535;
    s.options.mss = 1460;
    s.options.window_scale = 7;
    s.options.sack_permitted = true;
    return s;
}

TEST(TcpProbe, OffersEverythingInItsSyn) {
    Started t;
    const tcp::Segment& syn = t.out.segments[0];
    EXPECT_EQ(syn.seq, kIss);
    EXPECT_EQ(syn.flags, (wire::TcpFlags{.syn = true}));
    EXPECT_EQ(syn.options.mss, 1400);
    EXPECT_TRUE(syn.options.window_scale && syn.options.sack_permitted && syn.options.timestamps);
}

TEST(TcpProbe, AnswersTheSynAckWithAResetThatTheBrokerAccepts) {
    Started t;
    t.probe.on_segment(kStart + 3ms, syn_ack(), t.out);
    EXPECT_EQ(t.probe.status(), TcpProbe::Status::Succeeded);
    ASSERT_EQ(t.out.segments.size(), 2U);
    EXPECT_TRUE(t.out.segments[1].flags.rst);
    EXPECT_EQ(t.out.segments[1].seq, tcp::Seq(0));
    EXPECT_EQ(t.probe.latency(), Duration(3ms));
    EXPECT_EQ(
        t.probe.offer(),
        (backend::Offer{.mss = 1460, .window = 65535, .window_scale = 7, .sack = true, .timestamps = false}));
    EXPECT_EQ(t.probe.next_deadline(), kNever);
}

TEST(TcpProbe, AResetMeansRefusedOnlyWhenItAcknowledgesTheSyn) {
    Started t;
    tcp::Segment reset;
    reset.flags = {.rst = true, .ack = true};
    reset.ack = tcp::Seq(77);
    t.probe.on_segment(kStart, reset, t.out);
    EXPECT_EQ(t.probe.status(), TcpProbe::Status::Pending);
    reset.ack = kIss.advance(1);
    t.probe.on_segment(kStart, reset, t.out);
    EXPECT_EQ(t.probe.status(), TcpProbe::Status::Failed);
    EXPECT_EQ(t.probe.outcome().failure, backend::ProbeFailure::Refused);
    EXPECT_EQ(t.out.segments.size(), 1U);
}

TEST(TcpProbe, RepeatsItsSynAndFailsAtTheTimeout) {
    Started t;
    EXPECT_EQ(t.probe.next_deadline(), kStart + 300ms);
    t.probe.on_timer(kStart + 299ms, t.out);
    EXPECT_EQ(t.probe.status(), TcpProbe::Status::Pending);
    EXPECT_EQ(t.out.segments.size(), 1U);
    t.probe.on_timer(kStart + 300ms, t.out);
    t.probe.on_timer(kStart + 600ms, t.out);
    EXPECT_EQ(t.out.segments.size(), 3U);
    t.probe.on_timer(kStart + 900ms, t.out);
    EXPECT_EQ(t.probe.status(), TcpProbe::Status::Failed);
    EXPECT_EQ(t.probe.outcome().failure, backend::ProbeFailure::Silent);
    EXPECT_EQ(t.out.segments.size(), 3U);
}

TEST(TcpProbe, UnreachableEndsIt) {
    Started t;
    t.probe.on_unreachable();
    EXPECT_EQ(t.probe.status(), TcpProbe::Status::Failed);
    EXPECT_TRUE(t.probe.over());
    EXPECT_EQ(t.probe.outcome().failure, backend::ProbeFailure::Unreachable);
}

}  // namespace
}  // namespace sluice::health
