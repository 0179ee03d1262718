// What a packet transport does on its link beside TCP: neighbors, next hops, echo, ICMP errors, and frames
// that are not right.
#include <gtest/gtest.h>

#include "packet_lab.h"
#include "sluice/tcp/frame.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::load::test {
namespace {

using Frame = std::vector<std::byte>;

// The clients' side alone; the test is everybody else.
class PacketNetworkTest : public testing::TestWithParam<bool> {
  protected:
    static LabOptions options() { return {.ipv6 = GetParam()}; }
    explicit PacketNetworkTest(const LabOptions& o) : lab(o) {}
    PacketNetworkTest() : PacketNetworkTest(options()) {}

    std::vector<Frame> turn() {
        lab.clients.transport->turn(lab.now);
        return lab.clients.port.take();
    }
    // Answers the question in a frame for the address `neighbor`.
    void answer_for(const IpAddress& neighbor) {
        Frame frame(200);
        std::size_t size = 0;
        const IpAddress& asker = lab.addressing.source(0);
        if (GetParam()) {
            size = wire::write_neighbor_advertisement_frame(
                {.source_mac = kNeighborMac,
                 .destination_mac = PacketLab::kClientMac,
                 .source = neighbor,
                 .destination = asker},
                {.target = neighbor, .solicited = true, .override_entry = true, .target_mac = kNeighborMac},
                frame);
        } else {
            size = wire::write_arp_frame(PacketLab::kClientMac,
                                         {.operation = wire::ArpOperation::Reply,
                                          .sender_mac = kNeighborMac,
                                          .sender_ip = neighbor,
                                          .target_mac = PacketLab::kClientMac,
                                          .target_ip = asker},
                                         frame);
        }
        frame.resize(size);
        lab.clients.port.inject(frame);
    }
    // The client's SYN, after its next hop was asked for and has answered.
    wire::TcpHeader opened(Id id) {
        lab.open(id);
        (void)turn();
        answer_for(lab.addressing.target(id).address);
        const std::vector<Frame> sent = turn();
        EXPECT_EQ(sent.size(), 1U);
        return sent.empty() ? wire::TcpHeader{} : tcp_of(sent[0]);
    }
    static wire::TcpHeader tcp_of(const Frame& frame) {
        const auto ethernet = wire::EthernetView::parse(frame);
        wire::IpError error{};
        const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
        if (!packet) return {};
        return wire::TcpView::parse(packet->payload)->header().value();
    }
    void inject_icmp(const wire::IcmpMessage& message, const IpAddress& to) {
        Frame frame(1500);
        frame.resize(wire::write_icmp_frame({.source_mac = kNeighborMac,
                                             .destination_mac = PacketLab::kClientMac,
                                             .source = lab.addressing.target(0).address,
                                             .destination = to},
                                            message, frame));
        lab.clients.port.inject(frame);
    }
    // The packet in a frame that was sent, as an ICMP error quotes it.
    static ByteView quote(const Frame& frame) { return ByteView(frame).subspan(wire::kEthernetHeaderSize); }

    wire::IcmpMessage unreachable(const Frame& about) const {
        return {.type = GetParam() ? wire::kIcmpv6Unreachable : wire::kIcmpUnreachable,
                .code = GetParam() ? wire::kIcmpv6CodePortUnreachable : wire::kIcmpCodePortUnreachable,
                .body = quote(about)};
    }

    static constexpr MacAddress kNeighborMac{{0x02, 0, 0, 0, 9, 9}};
    PacketLab lab;
};
INSTANTIATE_TEST_SUITE_P(Families, PacketNetworkTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "V6" : "V4"; });

TEST_P(PacketNetworkTest, ASynWaitsForItsNextHop) {
    lab.open(0);
    lab.open(1);
    std::vector<Frame> sent = turn();
    ASSERT_EQ(sent.size(), 1U);  // one question for both
    EXPECT_TRUE(wire::EthernetView::parse(sent[0])->destination().is_multicast());
    answer_for(lab.addressing.target(0).address);
    sent = turn();
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(wire::EthernetView::parse(sent[0])->destination(), kNeighborMac);
    EXPECT_TRUE(tcp_of(sent[1]).flags.syn);
}

TEST_P(PacketNetworkTest, EchoIsAnsweredForOwnAddressesOnly) {
    const std::string text = "are you there";
    const wire::IcmpMessage question{.type = GetParam() ? wire::kIcmpv6EchoRequest : wire::kIcmpEchoRequest,
                                     .parameter = 0x10002,
                                     .body = as_bytes(text)};
    inject_icmp(question, lab.addressing.source(1));
    EXPECT_EQ(turn().size(), 1U);
    inject_icmp(question, lab.addressing.target(0).address);
    EXPECT_TRUE(turn().empty());
}

TEST_P(PacketNetworkTest, AnAttemptThatTheNetworkCallsUnreachableEnds) {
    lab.open(0);
    (void)turn();
    answer_for(lab.addressing.target(0).address);
    const std::vector<Frame> sent = turn();
    ASSERT_EQ(sent.size(), 1U);
    // A quote of something that is not in flight changes nothing.
    Frame forged = sent[0];
    const std::size_t sequence = wire::kEthernetHeaderSize + (GetParam() ? 40U : 20U) + 4;
    store32(forged.data() + sequence, load32(forged.data() + sequence) + 1);
    inject_icmp(unreachable(forged), lab.addressing.source(0));
    (void)turn();
    EXPECT_EQ(lab.clients.ended, 0U);
    inject_icmp(unreachable(sent[0]), lab.addressing.source(0));
    (void)turn();
    EXPECT_EQ(lab.clients.records[0].ends, std::vector{End::Unreachable});
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
}

TEST_P(PacketNetworkTest, APacketTooBigIsCut) {
    const wire::TcpHeader syn = opened(0);
    const FourTuple other{.local = lab.addressing.target(0), .remote = lab.addressing.tuple(0).local};
    tcp::Segment answer{.seq = tcp::Seq(1000),
                        .ack = tcp::Seq(syn.sequence + 1),
                        .flags = {.syn = true, .ack = true},
                        .window = 60000,
                        .options = {.mss = std::uint16_t{1400}},
                        .payload = {},
                        .payload_tail = {}};
    lab.inject_to(lab.clients, other, answer);
    (void)turn();
    ASSERT_TRUE(lab.clients.records[0].open);
    lab.send(lab.clients, 0, std::string(2000, 'x'));
    std::vector<Frame> sent = turn();
    ASSERT_EQ(sent.size(), 2U);
    const std::size_t full = sent[0].size();
    inject_icmp({.type = GetParam() ? wire::kIcmpv6PacketTooBig : wire::kIcmpUnreachable,
                 .code = GetParam() ? std::uint8_t{0} : wire::kIcmpCodeFragmentationNeeded,
                 .parameter = 1300,
                 .body = quote(sent[0]).first(600)},
                lab.addressing.source(0));
    sent = turn();
    ASSERT_GE(sent.size(), 2U);
    EXPECT_LT(sent[0].size(), full);
    EXPECT_EQ(sent[0].size(), 1300 + wire::kEthernetHeaderSize);
}

TEST_P(PacketNetworkTest, StrangersAreReset) {
    const FourTuple stranger{.local = lab.addressing.target(0), .remote = {lab.addressing.source(0), 5555}};
    lab.open(1);  // makes the next hop known
    (void)turn();
    answer_for(lab.addressing.target(0).address);
    (void)turn();
    lab.inject_to(lab.clients, stranger,
                  {.seq = tcp::Seq(5),
                   .ack = tcp::Seq(77),
                   .flags = {.ack = true},
                   .options = {},
                   .payload = {},
                   .payload_tail = {}});
    const std::vector<Frame> sent = turn();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_TRUE(tcp_of(sent[0]).flags.rst);
    EXPECT_EQ(tcp_of(sent[0]).sequence, 77U);
}

TEST_P(PacketNetworkTest, WhatIsNotRightIsDroppedAndCounted) {
    const FourTuple sender{.local = lab.addressing.target(0), .remote = lab.addressing.tuple(0).local};
    const tcp::Segment segment{.seq = tcp::Seq(5),
                               .ack = tcp::Seq(77),
                               .flags = {.ack = true},
                               .options = {},
                               .payload = as_bytes("text"),
                               .payload_tail = {}};
    Frame good(2000);
    good.resize(tcp::write_segment(sender, kNeighborMac, PacketLab::kClientMac, segment, good));
    const auto spoilt = [&](std::size_t at, std::uint8_t value) {
        Frame frame = good;
        store8(frame.data() + at, value);
        return frame;
    };
    std::vector<Frame> frames{
        spoilt(good.size() - 1, 'X'),             // checksum
        spoilt(5, 0x99),                          // another host's
        spoilt(12, 0x12),                         // no IP
        spoilt(wire::kEthernetHeaderSize, 0x15),  // header length
        Frame(good.begin(), good.begin() + 40),   // cut off
        Frame(good.begin(), good.begin() + 10),
        Frame(3000, std::byte{0}),  // larger than any buffer
    };
    for (const Frame& frame : frames) lab.clients.port.inject(frame);
    EXPECT_TRUE(turn().empty());
    EXPECT_EQ(lab.clients.transport->totals().dropped, frames.size());
    EXPECT_EQ(lab.clients.pool.outstanding(), 0U);
}

class Gateway : public PacketNetworkTest {
  protected:
    static LabOptions through_gateway() {
        LabOptions o = options();
        o.network.networks = {*IpPrefix::parse(GetParam() ? "fd00::1:0/112" : "10.0.1.0/24")};
        o.network.gateway_v4 = IpAddress::v4(10, 0, 1, 254);
        o.network.gateway_v6 = IpAddress::parse("fd00::1:fe");
        return o;
    }
    Gateway() : PacketNetworkTest(through_gateway()) {}
};
INSTANTIATE_TEST_SUITE_P(Families, Gateway, testing::Bool(),
                         [](const auto& info) { return info.param ? "V6" : "V4"; });

TEST_P(Gateway, WhatIsNotOnTheLinkGoesThere) {
    lab.open(0);
    EXPECT_EQ(turn().size(), 1U);
    answer_for(*IpAddress::parse(GetParam() ? "fd00::1:fe" : "10.0.1.254"));
    const std::vector<Frame> sent = turn();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_TRUE(tcp_of(sent[0]).flags.syn);
    EXPECT_EQ(wire::EthernetView::parse(sent[0])->destination(), kNeighborMac);
}

}  // namespace
}  // namespace sluice::load::test
