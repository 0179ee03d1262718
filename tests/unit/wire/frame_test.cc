// Whole frames: written, then read back through the same gate as received ones, and printed.
#include "sluice/wire/frame.h"

#include <gtest/gtest.h>

#include <random>

#include "frames.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/print.h"

namespace sluice::wire {
namespace {

constexpr MacAddress kMacOne{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kMacTwo{{2, 0, 0, 0, 0, 2}};
const FrameAddresses kV4{.source_mac = kMacOne,
                         .destination_mac = kMacTwo,
                         .source = IpAddress::v4(10, 1, 0, 1),
                         .destination = IpAddress::v4(10, 1, 0, 2),
                         .ttl = 64,
                         .identification = 0x171a};
const FrameAddresses kV6{.source_mac = kMacOne,
                         .destination_mac = kMacTwo,
                         .source = *IpAddress::parse("fd00:1::1"),
                         .destination = *IpAddress::parse("fd00:1::2")};

struct Read {
    EthernetHeader ethernet;
    IpPacket packet;
};

Read read(ByteView frame) {
    const auto ethernet = EthernetView::parse(frame);
    IpError error{};
    const auto packet = parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
    EXPECT_TRUE(packet) << to_string(error);
    return {ethernet->header(), packet.value_or(IpPacket{})};
}

TcpHeader data_header() {
    const Bytes frame = hex(frames::kData4);
    return *TcpView::parse(ByteView(frame).subspan(34))->header();
}

TEST(TcpFrame, IsWhatAKernelSent) {
    const Bytes expected = hex(frames::kData4);
    const ByteView payload = ByteView(expected).last(15);
    // However the payload is cut in two.
    for (std::size_t cut = 0; cut <= payload.size(); ++cut) {
        ExactBytes out = blank(expected.size());
        EXPECT_EQ(write_tcp_frame(kV4, data_header(), payload.first(cut), payload.subspan(cut), out.span()),
                  expected.size());
        EXPECT_EQ(to_bytes(out.view()), expected) << cut;
    }
}

TEST(TcpFrame, ReadsBackOverIpv6) {
    const Bytes payload = hex("100d00044d5154540402003c000161");
    ExactBytes out = blank(101);
    ASSERT_EQ(write_tcp_frame(kV6, data_header(), payload, {}, out.span()), 101U);
    const Read back = read(out.view());
    EXPECT_EQ(back.ethernet, (EthernetHeader{kMacTwo, kMacOne, kEtherTypeIpv6}));
    EXPECT_EQ(back.packet.source, kV6.source);
    EXPECT_EQ(back.packet.destination, kV6.destination);
    EXPECT_EQ(back.packet.ttl, 64);
    EXPECT_TRUE(tcp_checksum_valid(back.packet.source, back.packet.destination, back.packet.payload));
    const auto tcp = TcpView::parse(back.packet.payload);
    ASSERT_TRUE(tcp);
    EXPECT_EQ(to_bytes(tcp->payload()), payload);
    EXPECT_EQ(tcp->header()->options, data_header().options);
}

TEST(TcpFrame, IsSentWithDontFragment) {
    ExactBytes out = blank(66);
    ASSERT_EQ(write_tcp_frame(kV4, data_header(), {}, {}, out.span()), 66U);
    IpError error{};
    EXPECT_TRUE(Ipv4View::parse(out.view().subspan(14), error)->dont_fragment());
}

TEST(TcpFrame, IsZeroWhereItDoesNotFit) {
    const Bytes payload(10);
    for (const auto& [addresses, size] : {std::pair{kV4, 76U}, std::pair{kV6, 96U}}) {
        for (std::size_t room = 0; room < size; ++room) {
            ExactBytes out = blank(room);
            EXPECT_EQ(write_tcp_frame(addresses, data_header(), payload, {}, out.span()), 0U) << room;
        }
        ExactBytes out = blank(size + 1);
        EXPECT_EQ(write_tcp_frame(addresses, data_header(), payload, {}, out.span()), size);
        EXPECT_EQ(load8(out.view().data() + size), 0xa5);  // nothing behind the frame is touched
    }
}

TEST(TcpFrame, IsZeroBeyondTheLengthThatIpCanSay) {
    Bytes out(70000);
    const TcpHeader header{};
    const Bytes payload(65535 - 20);
    const ByteView all(payload);
    EXPECT_EQ(write_tcp_frame(kV4, header, all.first(65535 - 40), {}, out), 14U + 65535U);
    EXPECT_EQ(write_tcp_frame(kV4, header, all.first(65535 - 39), {}, out), 0U);
    EXPECT_EQ(write_tcp_frame(kV6, header, all, {}, out), 14U + 40U + 65535U);
    EXPECT_EQ(write_tcp_frame(kV6, header, all, all.first(1), out), 0U);
}

TEST(TcpFrame, AnyContentHasGoodChecksums) {
    std::mt19937 random(8);
    for (int i = 0; i < 2000; ++i) {
        FrameAddresses addresses = random() % 2 == 0 ? kV4 : kV6;
        addresses.identification = static_cast<std::uint16_t>(random());
        if (addresses.source.is_v4()) addresses.source = IpAddress::v4(static_cast<std::uint32_t>(random()));
        TcpHeader header = data_header();
        header.sequence = static_cast<std::uint32_t>(random());
        header.flags = TcpFlags::from_byte(static_cast<std::uint8_t>(random()));
        Bytes payload(random() % 100);
        for (auto& b : payload) b = static_cast<std::byte>(random());
        Bytes out(300);
        const std::size_t size = write_tcp_frame(addresses, header, payload, payload, out);
        const Read back = read(ByteView(out).first(size));
        ASSERT_TRUE(tcp_checksum_valid(back.packet.source, back.packet.destination, back.packet.payload));
        ASSERT_EQ(TcpView::parse(back.packet.payload)->payload().size(), 2 * payload.size());
    }
}

TEST(IcmpFrame, AnswersOverBothVersions) {
    for (const auto& [request, addresses, at] :
         {std::tuple{frames::kEchoRequest4, kV4, 34U}, std::tuple{frames::kEchoRequest6, kV6, 54U}}) {
        const Bytes frame = hex(request);
        const bool v4 = addresses.source.is_v4();
        const ByteView message = ByteView(frame).subspan(at);
        const IcmpMessage reply =
            v4 ? echo_reply(*IcmpView::parse(message)) : echo_reply(*Icmpv6View::parse(message));
        ExactBytes out = blank(frame.size());
        ASSERT_EQ(write_icmp_frame(addresses, reply, out.span()), frame.size());
        const Read back = read(out.view());
        EXPECT_EQ(back.packet.protocol, v4 ? kProtocolIcmp : kProtocolIcmpv6);
        const Bytes kernel = hex(v4 ? frames::kEchoReply4 : frames::kEchoReply6);
        EXPECT_EQ(to_bytes(back.packet.payload), to_bytes(ByteView(kernel).subspan(at)));
        ExactBytes small = blank(frame.size() - 1);
        EXPECT_EQ(write_icmp_frame(addresses, reply, small.span()), 0U);
    }
}

TEST(NdpFrame, IsWhatAKernelSent) {
    FrameAddresses addresses = kV6;
    addresses.destination = solicited_node_multicast(kV6.destination);
    addresses.destination_mac = multicast_mac(addresses.destination);
    const Bytes solicitation = hex(frames::kSolicitation);
    ExactBytes out = blank(86);
    ASSERT_EQ(write_neighbor_solicitation_frame(addresses, {kV6.destination, kMacOne}, out.span()), 86U);
    EXPECT_EQ(to_bytes(out.view()), solicitation);

    const FrameAddresses back{kMacTwo, kMacOne, kV6.destination, kV6.source};
    const Bytes advertisement = hex(frames::kAdvertisement);
    ASSERT_EQ(
        write_neighbor_advertisement_frame(back, {kV6.destination, true, true, true, kMacTwo}, out.span()),
        86U);
    EXPECT_EQ(to_bytes(out.view()), advertisement);

    ExactBytes small = blank(85);
    EXPECT_EQ(write_neighbor_solicitation_frame(addresses, {kV6.destination, kMacOne}, small.span()), 0U);
    EXPECT_EQ(
        write_neighbor_advertisement_frame(back, {.target = kV6.source, .target_mac = kMacTwo}, small.span()),
        0U);
}

TEST(ArpFrame, IsWhatAKernelSent) {
    const Bytes request = hex(frames::kArpRequest);
    ExactBytes out = blank(42);
    EXPECT_EQ(write_arp_frame(kBroadcastMac,
                              {ArpOperation::Request, kMacOne, kV4.source, {}, kV4.destination}, out.span()),
              42U);
    EXPECT_EQ(to_bytes(out.view()), request);
    ExactBytes small = blank(41);
    EXPECT_EQ(write_arp_frame(kBroadcastMac, {}, small.span()), 0U);
}

TEST(DescribeFrame, SaysEverythingOnOneLine) {
    EXPECT_EQ(
        describe_frame(hex(frames::kSyn4)),
        "02:00:00:00:00:01 > 02:00:00:00:00:02, IPv4 10.1.0.1 > 10.1.0.2 protocol 6 ttl 64 id 5912 DF, "
        "TCP 36254 > 1883 SYN seq 4249611117 win 64240 mss 1460 wscale 10 sackOK TS 3503336924/0 len 0");
    EXPECT_EQ(describe_frame(hex(frames::kData6)),
              "02:00:00:00:00:01 > 02:00:00:00:00:02, IPv6 fd00:1::1 > fd00:1::2 next 6 hop limit 64 flow "
              "908334, TCP 33610 > 1883 PSH|ACK seq 4236093992 ack 3870643235 win 64 TS "
              "217440914/2771999516 len 15");
    EXPECT_EQ(
        describe_frame(hex(frames::kArpRequest)),
        "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ARP who-has 10.1.0.2 tell 10.1.0.1 (02:00:00:00:00:01)");
    EXPECT_EQ(describe_frame(hex(frames::kSolicitation)),
              "02:00:00:00:00:01 > 33:33:ff:00:00:02, IPv6 fd00:1::1 > ff02::1:ff00:2 next 58 hop limit 255, "
              "NDP who-has fd00:1::2 from 02:00:00:00:00:01");
}

// The last part of the line.
std::string end_of(ByteView frame) {
    const std::string text = describe_frame(frame);
    return text.substr(text.rfind(", ") + 2);
}

TEST(DescribeFrame, NamesWhatIsWrong) {
    EXPECT_TRUE(end_of(hex(frames::kPartialSyn4)).ends_with("len 0 (partial checksum)"));
    Bytes frame = hex(frames::kData4);
    frame.back() ^= std::byte{1};
    EXPECT_TRUE(end_of(frame).ends_with("len 15 (wrong checksum)"));
    frame = hex(frames::kEchoReply4);
    frame.back() ^= std::byte{1};
    EXPECT_EQ(end_of(frame), "ICMP echo reply id 4660 seq 1 len 7 (wrong checksum)");
    frame = hex(frames::kData4);
    store8(frame.data() + 22, 1);  // TTL
    EXPECT_EQ(end_of(frame), "wrong IPv4 header checksum");
    EXPECT_EQ(end_of(frames::last_fragment()), "IPv4 fragment");
    EXPECT_EQ(end_of(hex(frames::kHopByHop)), "IPv6 extension header");
    EXPECT_EQ(describe_frame(ByteView(frame).first(13)), "short frame of 13 bytes");
    EXPECT_EQ(describe_frame(ByteView(frame).first(14)),
              "02:00:00:00:00:01 > 02:00:00:00:00:02, malformed IPv4 header");
    EXPECT_EQ(end_of(ByteView(frame).first(60)), "truncated IP packet");
}

TEST(DescribeFrame, NamesTheConnectionAnErrorIsAbout) {
    const Bytes syn = hex(frames::kSyn4);
    Bytes out(200);
    const ByteView quote = ByteView(syn).subspan(14, 28);
    std::size_t size =
        write_icmp_frame(kV4, {.type = kIcmpUnreachable, .code = 4, .parameter = 1400, .body = quote}, out);
    EXPECT_EQ(end_of(ByteView(out).first(size)),
              "ICMP fragmentation needed mtu 1400 len 28 about TCP 10.1.0.1:36254 > 10.1.0.2:1883 seq "
              "4249611117");
    const Bytes syn6 = hex(frames::kSyn6);
    size = write_icmp_frame(
        kV6, {.type = kIcmpv6PacketTooBig, .parameter = 1280, .body = ByteView(syn6).subspan(14)}, out);
    EXPECT_EQ(end_of(ByteView(out).first(size)),
              "ICMPv6 packet too big mtu 1280 len 80 about TCP [fd00:1::1]:33610 > [fd00:1::2]:1883 seq "
              "4236093991");
}

TEST(DescribeFrame, TakesEveryCutOfEveryFrame) {
    for (const std::string_view text :
         {frames::kArpRequest, frames::kSyn4, frames::kUdp4, frames::kEchoReply4, frames::kUnreachable4,
          frames::kData6, frames::kEchoReply6, frames::kUnreachable6, frames::kAdvertisement,
          frames::kDadSolicitation, frames::kHopByHop}) {
        const Bytes frame = hex(text);
        for (std::size_t size = 0; size <= frame.size(); ++size) {
            const ExactBytes cut(ByteView(frame).first(size));
            const std::string line = describe_frame(cut.view());
            EXPECT_FALSE(line.empty());
            EXPECT_EQ(line.find('\n'), std::string::npos);
        }
    }
}

}  // namespace
}  // namespace sluice::wire
