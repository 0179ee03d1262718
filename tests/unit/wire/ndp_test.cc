#include "sluice/wire/ndp.h"

#include <gtest/gtest.h>

#include "frames.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"

namespace sluice::wire::ndp_test {
namespace {

constexpr MacAddress kMacOne{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kMacTwo{{2, 0, 0, 0, 0, 2}};
const IpAddress kOne6 = *IpAddress::parse("fd00:1::1");
const IpAddress kTwo6 = *IpAddress::parse("fd00:1::2");
const IpAddress kGroup = *IpAddress::parse("ff02::1:ff00:2");

// An NDP message and the packet around it, to be bent one field at a time.
struct Story {
    explicit Story(std::string_view frame) : bytes(hex(frame)) {
        IpError error{};
        packet = *parse_ip_packet(kEtherTypeIpv6, ByteView(bytes).subspan(frames::kIpAt), error);
        message = to_bytes(packet.payload);
    }
    IpPacket with_good_checksum() {
        store16(message.data() + 2, 0);
        store16(message.data() + 2, transport_checksum(packet.source, packet.destination, 58, message));
        return as_is();
    }
    // In a buffer without slack.
    IpPacket as_is() {
        exact = std::make_unique<ExactBytes>(message);
        packet.payload = exact->view();
        return packet;
    }

    Bytes bytes;
    IpPacket packet;
    Bytes message;
    std::unique_ptr<ExactBytes> exact;
};

TEST(NeighborSolicitation, ReadsWhatAKernelSent) {
    Story story(frames::kSolicitation);
    EXPECT_EQ(parse_neighbor_solicitation(story.as_is()), (NeighborSolicitation{kTwo6, kMacOne}));
    EXPECT_FALSE(parse_neighbor_advertisement(story.as_is()));
}

TEST(NeighborSolicitation, ReadsDuplicateAddressDetection) {
    Story story(frames::kDadSolicitation);
    EXPECT_EQ(parse_neighbor_solicitation(story.as_is()),
              (NeighborSolicitation{*IpAddress::parse("fe80::ff:fe00:1"), std::nullopt}));
}

TEST(NeighborSolicitation, WritesWhatAKernelSent) {
    const Story story(frames::kSolicitation);
    ExactBytes out = blank(kNdpMaxMessageSize);
    EXPECT_EQ(write_neighbor_solicitation({kTwo6, kMacOne}, kOne6, kGroup, out.span()), 32U);
    EXPECT_EQ(to_bytes(out.view()), story.message);
}

TEST(NeighborSolicitation, HopLimitMustBe255) {
    Story story(frames::kSolicitation);
    for (unsigned hops = 0; hops < 256; ++hops) {
        story.packet.ttl = static_cast<std::uint8_t>(hops);
        EXPECT_EQ(parse_neighbor_solicitation(story.as_is()).has_value(), hops == 255);
    }
}

TEST(NeighborSolicitation, ChecksumCodeAndTypeMustFit) {
    Story story(frames::kSolicitation);
    story.message[2] ^= std::byte{1};
    EXPECT_FALSE(parse_neighbor_solicitation(story.as_is()));
    story.message[1] = std::byte{1};
    EXPECT_FALSE(parse_neighbor_solicitation(story.with_good_checksum()));
    story.message[1] = std::byte{0};
    EXPECT_TRUE(parse_neighbor_solicitation(story.with_good_checksum()));
    story.message[0] = std::byte{133};
    EXPECT_FALSE(parse_neighbor_solicitation(story.with_good_checksum()));
}

TEST(NeighborSolicitation, EveryCutIsRefusedButThatBeforeTheOption) {
    for (std::size_t size = 0; size <= 32; ++size) {
        Story story(frames::kSolicitation);
        story.message.resize(size);
        const bool whole = size == 24 || size == 32;
        const IpPacket packet = size < 4 ? story.as_is() : story.with_good_checksum();
        EXPECT_EQ(parse_neighbor_solicitation(packet).has_value(), whole) << size;
    }
}

TEST(NeighborSolicitation, TargetMustBeUnicastIpv6) {
    Story story(frames::kSolicitation);
    std::ranges::copy(kGroup.wire_bytes(), story.message.begin() + 8);
    EXPECT_FALSE(parse_neighbor_solicitation(story.with_good_checksum()));
    std::ranges::copy(hex("00000000000000000000ffff0a010001"), story.message.begin() + 8);
    EXPECT_FALSE(parse_neighbor_solicitation(story.with_good_checksum()));
}

TEST(NeighborSolicitation, OptionsWithoutALengthOrPastTheEndAreFatal) {
    for (const unsigned units : {0U, 2U, 255U}) {
        Story story(frames::kSolicitation);
        store8(story.message.data() + 25, static_cast<std::uint8_t>(units));
        EXPECT_FALSE(parse_neighbor_solicitation(story.with_good_checksum())) << units;
    }
}

TEST(NeighborSolicitation, OtherOptionsAreSkipped) {
    Story story(frames::kSolicitation);
    const Bytes nonce = hex("0e02aaaaaaaaaaaaaaaaaaaaaaaaaaaa");  // two units, before the address
    story.message.insert(story.message.begin() + 24, nonce.begin(), nonce.end());
    EXPECT_EQ(parse_neighbor_solicitation(story.with_good_checksum())->source_mac, kMacOne);
    // An address of two units is not an Ethernet address.
    Story longer(frames::kSolicitation);
    longer.message.resize(40);
    store8(longer.message.data() + 25, 2);
    EXPECT_EQ(parse_neighbor_solicitation(longer.with_good_checksum()),
              (NeighborSolicitation{kTwo6, std::nullopt}));
}

TEST(NeighborSolicitation, UnspecifiedSourceGoesToTheGroupAndNamesNoSender) {
    Story story(frames::kSolicitation);
    story.packet.source = IpAddress{};
    EXPECT_FALSE(parse_neighbor_solicitation(story.with_good_checksum()));  // names its sender
    story.message.resize(24);
    EXPECT_TRUE(parse_neighbor_solicitation(story.with_good_checksum()));
    story.packet.destination = kTwo6;
    EXPECT_FALSE(parse_neighbor_solicitation(story.with_good_checksum()));
    story.packet.destination = *IpAddress::parse("ff02::1:ff00:3");  // another address's group
    EXPECT_FALSE(parse_neighbor_solicitation(story.with_good_checksum()));
}

TEST(NeighborSolicitation, IsNotLookedForInIpv4OrOtherProtocols) {
    Story story(frames::kSolicitation);
    story.packet.protocol = kProtocolIcmp;
    EXPECT_FALSE(parse_neighbor_solicitation(story.as_is()));
    story.packet.protocol = kProtocolIcmpv6;
    story.packet.family = IpFamily::V4;
    EXPECT_FALSE(parse_neighbor_solicitation(story.as_is()));
}

TEST(NeighborAdvertisement, ReadsAndWritesWhatAKernelSent) {
    Story story(frames::kAdvertisement);
    const NeighborAdvertisement expected{
        .target = kTwo6, .router = true, .solicited = true, .override_entry = true, .target_mac = kMacTwo};
    EXPECT_EQ(parse_neighbor_advertisement(story.as_is()), expected);
    EXPECT_FALSE(parse_neighbor_solicitation(story.as_is()));
    ExactBytes out = blank(kNdpMaxMessageSize);
    EXPECT_EQ(write_neighbor_advertisement(expected, kTwo6, kOne6, out.span()), 32U);
    EXPECT_EQ(to_bytes(out.view()), story.message);
}

TEST(NeighborAdvertisement, EveryFlagRoundTrips) {
    for (unsigned bits = 0; bits < 16; ++bits) {
        NeighborAdvertisement message{.target = kTwo6,
                                      .router = (bits & 1U) != 0,
                                      .solicited = (bits & 2U) != 0,
                                      .override_entry = (bits & 4U) != 0};
        if ((bits & 8U) != 0) message.target_mac = kMacTwo;
        ExactBytes out = blank(message.target_mac ? 32 : 24);
        ASSERT_EQ(write_neighbor_advertisement(message, kTwo6, kOne6, out.span()), out.view().size());
        const IpPacket packet{.source = kTwo6,
                              .destination = kOne6,
                              .family = IpFamily::V6,
                              .protocol = kProtocolIcmpv6,
                              .ttl = 255,
                              .header_size = 40,
                              .payload = out.view()};
        EXPECT_EQ(parse_neighbor_advertisement(packet), message);
    }
}

TEST(NeighborAdvertisement, SolicitedMustNotComeByMulticast) {
    Story story(frames::kAdvertisement);
    story.packet.destination = all_nodes_multicast();
    EXPECT_FALSE(parse_neighbor_advertisement(story.with_good_checksum()));
    story.message[4] = std::byte{0x20};  // override alone
    EXPECT_TRUE(parse_neighbor_advertisement(story.with_good_checksum()));
}

TEST(NeighborAdvertisement, EveryCutIsRefusedButThatBeforeTheOption) {
    for (std::size_t size = 4; size <= 32; ++size) {
        Story story(frames::kAdvertisement);
        story.message.resize(size);
        EXPECT_EQ(parse_neighbor_advertisement(story.with_good_checksum()).has_value(),
                  size == 24 || size == 32)
            << size;
    }
}

TEST(Ndp, WritesNothingWhereItDoesNotFit) {
    for (std::size_t size = 0; size < 32; ++size) {
        ExactBytes out = blank(size);
        EXPECT_EQ(write_neighbor_solicitation({kTwo6, kMacOne}, kOne6, kGroup, out.span()), 0U);
    }
}

TEST(Ndp, Multicast) {
    EXPECT_EQ(all_nodes_multicast(), IpAddress::parse("ff02::1"));
    EXPECT_EQ(solicited_node_multicast(kTwo6), kGroup);
    EXPECT_EQ(solicited_node_multicast(*IpAddress::parse("4037::01:800:200e:8c6c")),
              IpAddress::parse("ff02::1:ff0e:8c6c"));  // example of RFC 4291
    EXPECT_EQ(multicast_mac(kGroup), (MacAddress{{0x33, 0x33, 0xff, 0, 0, 2}}));
    EXPECT_EQ(multicast_mac(all_nodes_multicast()), (MacAddress{{0x33, 0x33, 0, 0, 0, 1}}));
}

TEST(Ndp, Prints) {
    EXPECT_EQ(to_string(NeighborSolicitation{kTwo6, kMacOne}),
              "NDP who-has fd00:1::2 from 02:00:00:00:00:01");
    EXPECT_EQ(to_string(NeighborSolicitation{kTwo6, {}}), "NDP who-has fd00:1::2");
    EXPECT_EQ(to_string(NeighborAdvertisement{kTwo6, true, true, true, kMacTwo}),
              "NDP fd00:1::2 is-at 02:00:00:00:00:02 router solicited override");
    EXPECT_EQ(to_string(NeighborAdvertisement{.target = kTwo6}), "NDP fd00:1::2 is-at the sender");
}

}  // namespace
}  // namespace sluice::wire::ndp_test
