// What becomes of each kind of frame: taken in, handed up, dropped with its counter, or left to the kernel.
#include "sluice/host/stack.h"

#include <gtest/gtest.h>

#include "lab.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ipv4.h"

namespace sluice::host::test {
namespace {

constexpr std::size_t kIp = wire::kEthernetHeaderSize;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kVrrp = 112;

Bytes with(Bytes frame, std::size_t at, std::initializer_list<unsigned> bytes) {
    for (const unsigned b : bytes) frame[at++] = static_cast<std::byte>(b);
    return frame;
}

Bytes tcp_packet(const char* sender = "10.1.7.7", const char* target = "10.1.0.1", std::size_t size = 20) {
    return packet(kFrontMac, ip(sender), ip(target), wire::kProtocolTcp, size);
}

TEST(Stack, TcpForAnOwnAddressIsHandedUp) {
    HostLab lab;
    EXPECT_EQ(lab.receive(0, tcp_packet()), Disposition::consumed());
    EXPECT_EQ(lab.receive(0, tcp_packet("fd00:1::7", "fd00:1::1")), Disposition::consumed());
    ASSERT_EQ(lab.tcp.size(), 2U);
    EXPECT_EQ(lab.tcp[0].source, ip("10.1.7.7"));
    EXPECT_EQ(lab.tcp[0].destination, ip("10.1.0.1"));
    EXPECT_EQ(lab.tcp[1].source, ip("fd00:1::7"));
}

struct Case {
    std::string what;
    Bytes frame;
    Disposition verdict;
};

std::vector<Case> dropped_frames() {
    const auto dropped = [](Counter why) { return Disposition::dropped(why); };
    const Bytes tcp = tcp_packet();
    const Bytes tcp6 = tcp_packet("fd00:1::7", "fd00:1::1");
    const Bytes echo = echo_request(kFrontMac, ip("10.1.7.7"), ip("10.1.0.1"));
    return {
        {"short frame", Bytes(10), dropped(Counter::DropEthernetShort)},
        {"another MAC", with(tcp, 5, {0x77}), dropped(Counter::DropEthernetDestination)},
        {"a host's packet in a group's frame", with(tcp, 0, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
         dropped(Counter::DropEthernetDestination)},
        {"larger than a buffer", tcp_packet("10.1.7.7", "10.1.0.1", 3000),
         dropped(Counter::DropMultiSegment)},
        {"over the MTU", tcp_packet("10.1.7.7", "10.1.0.1", 1600), dropped(Counter::DropIpOverMtu)},
        {"truncated", Bytes(tcp.begin(), tcp.end() - 4), dropped(Counter::DropIpTruncated)},
        {"IPv4 version", with(tcp, kIp, {0x55}), dropped(Counter::DropIpv4Malformed)},
        {"IPv4 checksum", with(tcp, kIp + 10, {0xaa, 0xbb}), dropped(Counter::DropIpv4Checksum)},
        {"IPv6 version", with(tcp6, kIp, {0x50}), dropped(Counter::DropIpv6Malformed)},
        {"loopback source", tcp_packet("127.0.0.1"), dropped(Counter::DropIpSource)},
        {"multicast source", tcp_packet("224.0.0.1"), dropped(Counter::DropIpSource)},
        {"unspecified source", tcp_packet("0.0.0.0"), dropped(Counter::DropIpSource)},
        {"everybody as source", tcp_packet("255.255.255.255"), dropped(Counter::DropIpSource)},
        {"a network's broadcast address as source", tcp_packet("10.1.255.255"),
         dropped(Counter::DropIpSource)},
        {"ICMP checksum", with(echo, kIp + 22, {0xaa, 0xbb}), dropped(Counter::DropIcmpMalformed)},
        {"an echo reply that nobody asked for",
         icmp(kFrontMac, ip("10.1.7.7"), ip("10.1.0.1"), {.type = wire::kIcmpEchoReply}),
         dropped(Counter::DropIcmpUnhandled)},
        {"an error about no TCP packet",
         icmp(kFrontMac, ip("10.1.7.7"), ip("10.1.0.1"),
              {.type = wire::kIcmpUnreachable, .body = as_bytes("what is this?")}),
         dropped(Counter::DropIcmpUnhandled)},
    };
}

// Not wrong, only nothing of this host's. Where nobody else is, it counts as it always did.
std::vector<Case> punted_frames() {
    const auto punt = [](Counter why) { return Disposition::punt(why); };
    const Bytes tcp = tcp_packet();
    const IpAddress all_nodes = wire::all_nodes_multicast();
    const MacAddress group = wire::multicast_mac(all_nodes);
    return {
        {"another EtherType", with(tcp, 12, {0x88, 0xcc}), punt(Counter::DropEthernetType)},
        {"a VLAN's", with(tcp, 12, {0x81, 0x00, 0x00, 0x05}), punt(Counter::DropEthernetType)},
        {"not ours", tcp_packet("10.1.7.7", "10.1.0.2"), punt(Counter::DropIpNotOurs)},
        {"ours, but on the other port", tcp_packet("10.1.7.7", "10.2.0.1"), punt(Counter::DropIpNotOurs)},
        {"a broadcast address", tcp_packet("10.1.7.7", "10.1.255.255"), punt(Counter::DropIpNotOurs)},
        {"an IPv4 group", tcp_packet("10.1.7.7", "224.0.0.18"), punt(Counter::DropIpNotOurs)},
        {"UDP", packet(kFrontMac, ip("10.1.7.7"), ip("10.1.0.1"), kUdp, 20), punt(Counter::DropIpProtocol)},
        {"VRRP over IPv6", packet(group, ip("fe80::7"), all_nodes, kVrrp, 20), punt(Counter::DropIpProtocol)},
        {"an echo to a group", echo_request(group, ip("fe80::7"), all_nodes), punt(Counter::DropIpNotOurs)},
        {"a router's advertisement", icmp(group, ip("fe80::7"), all_nodes, {.type = 134}),
         punt(Counter::DropIcmpUnhandled)},
    };
}

TEST(Stack, WhatIsWrongIsDroppedAndSaysWhy) {
    HostLab lab;
    for (const Case& c : dropped_frames()) {
        SCOPED_TRACE(c.what);
        EXPECT_EQ(lab.receive(0, c.frame), c.verdict);
    }
    EXPECT_TRUE(lab.sent(0).empty());
    EXPECT_TRUE(lab.tcp.empty());
    EXPECT_TRUE(lab.drops.empty()) << "the holder counts";
    EXPECT_EQ(lab.pool.outstanding(), 0U);
}

TEST(Stack, WhatIsNotTheHostsIsPunted) {
    HostLab lab;
    for (const Case& c : punted_frames()) {
        SCOPED_TRACE(c.what);
        EXPECT_EQ(lab.receive(0, c.frame), c.verdict);
    }
    EXPECT_TRUE(lab.sent(0).empty());
    EXPECT_TRUE(lab.tcp.empty());
    EXPECT_TRUE(lab.drops.empty());
    EXPECT_EQ(lab.pool.outstanding(), 0U);
}

TEST(Stack, OversizeIsToldWithItsSender) {
    HostLab lab;
    lab.receive(0, tcp_packet("10.1.7.7", "10.1.0.1", 1600));
    lab.receive(0, tcp_packet("10.1.7.7", "10.1.0.1", 3000));  // cut by the port: the sender is unknown
    using Told = std::pair<std::uint16_t, IpAddress>;
    EXPECT_EQ(lab.over_mtu, (std::vector<Told>{{0, ip("10.1.7.7")}, {0, IpAddress{}}}));
    // What was put together, or judged by another, may be as large as it is.
    EXPECT_EQ(lab.receive(0, tcp_packet("10.1.7.7", "10.1.0.1", 1600), Origin::Fragments),
              Disposition::consumed());
    EXPECT_EQ(lab.receive(0, tcp_packet("10.1.7.7", "10.1.0.1", 1600), Origin::Handover),
              Disposition::consumed());
    EXPECT_EQ(lab.over_mtu.size(), 2U);
}

TEST(Stack, PriorityTagsAreTakenOff) {
    HostLab lab;
    Bytes tagged = tcp_packet();
    const Bytes tag{std::byte{0x81}, std::byte{0x00}, std::byte{0xa0}, std::byte{0x00}};
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    EXPECT_EQ(lab.receive(0, tagged), Disposition::consumed());
    EXPECT_EQ(lab.tcp.size(), 1U);
    EXPECT_EQ(lab.counted(Counter::VlanPriorityTags), 1U);
}

TEST(Stack, WrappedPacketsAreTheCallersToMakePlain) {
    HostLab lab;
    Bytes fragment = with(tcp_packet(), kIp + 6, {0x20, 0x00});
    store16(fragment.data() + kIp + 10, 0);
    store16(
        fragment.data() + kIp + 10,
        wire::checksum_finish(wire::checksum_sum(ByteView(fragment).subspan(kIp, wire::kIpv4HeaderSize))));
    EXPECT_EQ(lab.receive(0, fragment), Disposition::dropped(Counter::DropIpv4Fragment));
    const Bytes extended = with(tcp_packet("fd00:1::7", "fd00:1::1"), kIp + 6, {0});
    EXPECT_EQ(lab.receive(0, extended), Disposition::dropped(Counter::DropIpv6Extension));
    EXPECT_EQ(lab.wrapped, (std::vector{wire::IpError::Ipv4Fragment, wire::IpError::Ipv6Extension}));
}

TEST(Stack, EchoRequestsToOwnAddressesAreAnsweredWithTheirData) {
    HostLab lab;
    lab.receive(0, echo_request(kFrontMac, ip("10.1.7.7"), ip("10.1.0.1")));
    lab.receive(1, echo_request(kBackMac, ip("10.2.0.7"), ip("10.2.0.10")));
    lab.receive(0, echo_request(kFrontMac, ip("fd00:1::7"), ip("fd00:1::1")));
    EXPECT_EQ(lab.receive(0, echo_request(kFrontMac, ip("10.1.7.7"), ip("10.1.0.3"))),
              Disposition::punt(Counter::DropIpNotOurs));
    std::vector<Bytes> sent = lab.sent(0);
    const std::vector<Bytes> sent_back = lab.sent(1);
    ASSERT_EQ(sent.size(), 2U);
    ASSERT_EQ(sent_back.size(), 1U);
    sent.push_back(sent_back[0]);
    EXPECT_EQ(lab.counted(Counter::IcmpEchoReplies), 3U);
    for (const Bytes& frame : sent) {
        const auto packet = packet_of(frame);
        ASSERT_TRUE(packet);
        EXPECT_EQ(destination_of(frame), kNeighborMac);
        if (packet->family == IpFamily::V4) {
            const auto reply = wire::IcmpView::parse(packet->payload);
            EXPECT_TRUE(reply->checksum_valid());
            EXPECT_EQ(reply->type(), wire::kIcmpEchoReply);
            EXPECT_EQ(reply->parameter(), 0x12345678U);
            EXPECT_EQ(as_text(reply->body()), "abcdefgh");
        } else {
            const auto reply = wire::Icmpv6View::parse(packet->payload);
            EXPECT_TRUE(reply->checksum_valid(packet->source, packet->destination));
            EXPECT_EQ(reply->type(), wire::kIcmpv6EchoReply);
            EXPECT_EQ(as_text(reply->body()), "abcdefgh");
        }
    }
    lab.echoes = false;
    EXPECT_EQ(lab.receive(0, echo_request(kFrontMac, ip("10.1.7.7"), ip("10.1.0.1"))),
              Disposition::dropped(Counter::DropIcmpRate));
    EXPECT_TRUE(lab.sent(0).empty());
}

TEST(Stack, ErrorsAboutTcpAreHandedUpWithWhatTheyQuote) {
    struct Said {
        std::uint8_t v4_type, v4_code, v6_type;
        IcmpError::Kind kind;
    };
    for (const Said said :
         {Said{wire::kIcmpUnreachable, wire::kIcmpCodeFragmentationNeeded, wire::kIcmpv6PacketTooBig,
               IcmpError::Kind::TooBig},
          Said{wire::kIcmpUnreachable, wire::kIcmpCodePortUnreachable, wire::kIcmpv6Unreachable,
               IcmpError::Kind::Unreachable},
          Said{wire::kIcmpTimeExceeded, 0, wire::kIcmpv6TimeExceeded, IcmpError::Kind::TimeExceeded}}) {
        for (const bool v6 : {false, true}) {
            HostLab lab;
            const IpAddress own = ip(v6 ? "fd00:1::1" : "10.1.0.1");
            const IpAddress other = ip(v6 ? "fd00:1::7" : "10.1.7.7");
            Bytes quoted = packet(kNeighborMac, own, other, wire::kProtocolTcp, 20);
            std::byte* const tcp = quoted.data() + kIp + (v6 ? 40 : 20);
            store16(tcp, 1883);
            store16(tcp + 2, 4000);
            store32(tcp + 4, 77);
            const wire::IcmpMessage message{.type = v6 ? said.v6_type : said.v4_type,
                                            .code = v6 ? std::uint8_t{0} : said.v4_code,
                                            .parameter = said.kind == IcmpError::Kind::TooBig ? 1300U : 0U,
                                            .body = ByteView(quoted).subspan(kIp)};
            const Bytes frame = icmp(kFrontMac, other, own, message);
            EXPECT_EQ(lab.receive(0, frame), Disposition::consumed());
            ASSERT_EQ(lab.errors.size(), 1U);
            EXPECT_EQ(lab.errors[0].kind, said.kind);
            EXPECT_EQ(lab.errors[0].mtu, said.kind == IcmpError::Kind::TooBig ? 1300U : 0U);
            EXPECT_EQ(lab.errors[0].quote.source, (SocketAddress{own, 1883}));
            EXPECT_EQ(lab.errors[0].quote.destination, (SocketAddress{other, 4000}));
            EXPECT_EQ(lab.errors[0].quote.sequence, 77U);
            // Another instance's packet is that one's matter, and who was handed the message keeps it.
            lab.is_elsewhere = true;
            EXPECT_EQ(lab.receive(0, frame), Disposition::dropped(Counter::DropHandoverFull));
            EXPECT_EQ(lab.receive(0, frame, Origin::Handover), Disposition::consumed());
            EXPECT_EQ(lab.errors.size(), 2U);
        }
    }
}

TEST(Disposition, SaysWhetherTheFrameIsStillTheHoldersAndWhatItCountsAs) {
    using Kind = Disposition::Kind;
    EXPECT_EQ(Disposition::consumed().kind(), Kind::Consumed);
    EXPECT_EQ(Disposition::dropped(Counter::DropIpSource).kind(), Kind::Dropped);
    EXPECT_EQ(Disposition::punt(Counter::DropIpSource).kind(), Kind::Punt);
    EXPECT_TRUE(Disposition::forwarded().is_forwarded());
    EXPECT_FALSE(Disposition::punt().is_forwarded());
    EXPECT_EQ(Disposition::consumed().counter(), std::nullopt);
    EXPECT_EQ(Disposition::forwarded().counter(), std::nullopt);
    EXPECT_EQ(Disposition::punt().counter(), std::nullopt);
    EXPECT_EQ(Disposition::dropped(Counter::DropIpSource).counter(), Counter::DropIpSource);
    EXPECT_EQ(Disposition::punt(Counter::DropIpNotOurs).counter(), Counter::DropIpNotOurs);
}

}  // namespace
}  // namespace sluice::host::test
