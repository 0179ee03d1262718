#include "worker/splice/router.h"

#include "sluice/wire/frame.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ip_packet.h"

namespace sluice::test {
namespace {

constexpr std::size_t kIp = wire::kEthernetHeaderSize;

void blank_hop(Frame& packet, bool ipv6) {
    if (ipv6) {
        packet[7] = {};
    } else {
        packet[8] = packet[10] = packet[11] = {};
    }
}

}  // namespace

Complaint too_big(bool ipv6, std::uint32_t mtu) {
    if (ipv6) return {wire::kIcmpv6PacketTooBig, 0, mtu};
    return {wire::kIcmpUnreachable, wire::kIcmpCodeFragmentationNeeded, mtu};
}

Complaint time_exceeded(bool ipv6) {
    return {ipv6 ? wire::kIcmpv6TimeExceeded : wire::kIcmpTimeExceeded, 0, 0};
}

Frame complaint(const Story& story, Side side, const Complaint& kind, ByteView quoted) {
    const Story::Leg& leg = story.leg(side);
    Frame frame(2048);
    frame.resize(wire::write_icmp_frame(
        {.source_mac = leg.mac,
         .destination_mac = leg.own_mac,
         .source = *IpAddress::parse(leg.local.address.is_v4() ? "192.0.2.1" : "2001:db8::1"),
         .destination = leg.local.address},
        {.type = kind.type, .code = kind.code, .parameter = kind.parameter, .body = quoted}, frame));
    return frame;
}

Frame packet_sent_for(Story& story, Side side, std::string_view line, std::size_t size) {
    story.tap.frames.clear();
    story.says(side, line);
    Frame sent = story.tap.frames.at(0).second;
    sent.erase(sent.begin(), sent.begin() + kIp);
    sent.resize(std::min(sent.size(), size));
    story.tap.tcp.clear();
    story.tap.frames.clear();
    return sent;
}

Frame as_sent(const Story& story, Side side, std::string_view line, std::size_t size) {
    Frame packet = story.frame(side, line);
    packet.erase(packet.begin(), packet.begin() + kIp);
    packet.resize(std::min(packet.size(), size));
    return packet;
}

void expect_told(Story& story, Side side, const Complaint& kind, Frame original) {
    const bool ipv6 = !story.leg(side).remote.address.is_v4();
    ASSERT_EQ(story.tap.frames.size(), 1U);
    const auto& [port, frame] = story.tap.frames[0];
    EXPECT_EQ(port, static_cast<std::uint16_t>(side));
    const auto ethernet = wire::EthernetView::parse(frame);
    EXPECT_EQ(ethernet->destination(), story.leg(side).mac);
    EXPECT_EQ(ethernet->source(), story.leg(side).own_mac);
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->source, story.leg(side).local.address);
    EXPECT_EQ(packet->destination, story.leg(side).remote.address);
    const auto v4 = wire::IcmpView::parse(packet->payload);
    const auto v6 = wire::Icmpv6View::parse(packet->payload);
    EXPECT_TRUE(ipv6 ? v6->checksum_valid(packet->source, packet->destination) : v4->checksum_valid());
    const wire::IcmpMessage message = v4->message();
    EXPECT_EQ(message.type, kind.type);
    EXPECT_EQ(message.code, kind.code);
    EXPECT_EQ(message.parameter, kind.parameter);
    Frame body(message.body.begin(), message.body.end());
    ASSERT_EQ(body.size(), original.size());
    blank_hop(body, ipv6);
    blank_hop(original, ipv6);
    EXPECT_TRUE(body == original);
    story.tap.frames.clear();
}

}  // namespace sluice::test
