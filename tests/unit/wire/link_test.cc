// Ethernet and ARP.
#include <gtest/gtest.h>

#include <array>

#include "frames.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/ethernet.h"

namespace sluice::wire::link_test {
namespace {

constexpr MacAddress kMacOne{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kMacTwo{{2, 0, 0, 0, 0, 2}};
const IpAddress kOne = IpAddress::v4(10, 1, 0, 1);
const IpAddress kTwo = IpAddress::v4(10, 1, 0, 2);

TEST(Ethernet, ReadsAndRefusesEveryCut) {
    const Bytes frame = hex(frames::kSyn4);
    for (std::size_t size = 0; size <= 20; ++size) {
        const ExactBytes cut(ByteView(frame).first(size));
        const auto view = EthernetView::parse(cut.view());
        ASSERT_EQ(view.has_value(), size >= kEthernetHeaderSize) << size;
        if (!view) continue;
        EXPECT_EQ(view->header(), (EthernetHeader{kMacTwo, kMacOne, kEtherTypeIpv4}));
        EXPECT_EQ(view->payload().size(), size - kEthernetHeaderSize);
    }
}

TEST(Ethernet, RoundTrips) {
    const EthernetHeader header{kBroadcastMac, kMacOne, 0x8100};
    ExactBytes out = blank(kEthernetHeaderSize);
    EXPECT_EQ(write_ethernet_header(header, out.span()), kEthernetHeaderSize);
    EXPECT_EQ(EthernetView::parse(out.view())->header(), header);
    EXPECT_EQ(to_string(header), "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff type 0x8100");
}

TEST(Arp, ReadsWhatAKernelSent) {
    const Bytes request = hex(frames::kArpRequest);
    EXPECT_EQ(ArpView::parse(ByteView(request).subspan(14))->packet(),
              (ArpPacket{ArpOperation::Request, kMacOne, kOne, MacAddress{}, kTwo}));
    const Bytes reply = hex(frames::kArpReply);
    EXPECT_EQ(ArpView::parse(ByteView(reply).subspan(14))->packet(),
              (ArpPacket{ArpOperation::Reply, kMacTwo, kTwo, kMacOne, kOne}));
}

TEST(Arp, WritesWhatAKernelSent) {
    ExactBytes out = blank(kArpPacketSize);
    EXPECT_EQ(write_arp({ArpOperation::Reply, kMacTwo, kTwo, kMacOne, kOne}, out.span()), kArpPacketSize);
    const Bytes reply = hex(frames::kArpReply);
    EXPECT_EQ(to_bytes(out.view()), to_bytes(ByteView(reply).subspan(14)));
}

TEST(Arp, RefusesEveryCutAndIgnoresPadding) {
    Bytes frame = hex(frames::kArpRequest);
    frame.resize(60);
    const ByteView payload = ByteView(frame).subspan(14);
    for (std::size_t size = 0; size <= payload.size(); ++size) {
        const ExactBytes cut(payload.first(size));
        EXPECT_EQ(ArpView::parse(cut.view()).has_value(), size >= kArpPacketSize) << size;
    }
}

TEST(Arp, RefusesOtherKinds) {
    const Bytes frame = hex(frames::kArpRequest);
    for (std::size_t at = 0; at < 8; ++at) {  // hardware, protocol, lengths, operation
        ExactBytes packet(ByteView(frame).subspan(14));
        packet.span()[at] ^= std::byte{0x40};
        EXPECT_FALSE(ArpView::parse(packet.view())) << at;
    }
    for (const std::uint16_t operation : std::to_array<std::uint16_t>({0, 3, 256})) {
        ExactBytes packet(ByteView(frame).subspan(14));
        store16(packet.span().data() + 6, operation);
        EXPECT_FALSE(ArpView::parse(packet.view())) << operation;
    }
}

TEST(Arp, Prints) {
    EXPECT_EQ(to_string(ArpPacket{ArpOperation::Request, kMacOne, kOne, {}, kTwo}),
              "ARP who-has 10.1.0.2 tell 10.1.0.1 (02:00:00:00:00:01)");
    EXPECT_EQ(to_string(ArpPacket{ArpOperation::Reply, kMacTwo, kTwo, kMacOne, kOne}),
              "ARP 10.1.0.2 is-at 02:00:00:00:00:02");
}

}  // namespace
}  // namespace sluice::wire::link_test
