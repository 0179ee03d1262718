// What a host says where it is, and what it learns of others: ARP and neighbor discovery.
#include <gtest/gtest.h>

#include "lab.h"

namespace sluice::host::test {
namespace {

TEST(Discovery, ArpIsAnsweredForOwnAddressesOfThatPortOnly) {
    struct Case {
        std::uint16_t port;
        const char* sender;
        const char* target;
        bool answered;
    };
    for (const Case c : {Case{0, "10.1.7.7", "10.1.0.1", true}, Case{1, "10.2.0.7", "10.2.0.1", true},
                         Case{1, "10.2.0.7", "10.2.0.10", true},
                         Case{0, "0.0.0.0", "10.1.0.1", true},  // a probe for duplicates (RFC 5227)
                         Case{0, "10.1.7.7", "10.1.0.2", false}, Case{1, "10.2.0.7", "10.2.0.14", false},
                         Case{0, "10.1.7.7", "10.2.0.1", false}, Case{1, "10.2.0.7", "10.1.0.1", false}}) {
        SCOPED_TRACE(std::string(c.target) + " on port " + std::to_string(c.port));
        HostLab lab;
        const Disposition verdict = lab.receive(c.port, arp_request(ip(c.sender), ip(c.target)));
        EXPECT_EQ(verdict, c.answered ? Disposition::consumed() : Disposition::punt());
        const std::vector<Bytes> sent = lab.sent(c.port);
        EXPECT_TRUE(lab.sent(1 - c.port).empty());
        ASSERT_EQ(sent.size(), c.answered ? 1U : 0U);
        EXPECT_EQ(lab.counted(Counter::ArpReplies), c.answered ? 1U : 0U);
        if (!c.answered) continue;
        EXPECT_EQ(destination_of(sent[0]), kNeighborMac);
        EXPECT_EQ(wire::EthernetView::parse(sent[0])->source(), lab.mac(c.port));
        EXPECT_EQ(arp_of(sent[0]), (wire::ArpPacket{.operation = wire::ArpOperation::Reply,
                                                    .sender_mac = lab.mac(c.port),
                                                    .sender_ip = ip(c.target),
                                                    .target_mac = kNeighborMac,
                                                    .target_ip = ip(c.sender)}));
    }
}

TEST(Discovery, NeighborSolicitationsAreAnsweredForOwnAddressesOnly) {
    struct Case {
        std::uint16_t port;
        const char* sender;
        const char* target;
        bool answered;
    };
    for (const Case c : {Case{0, "fd00:1::7", "fd00:1::1", true}, Case{1, "fd00:2::7", "fd00:2::1", true},
                         Case{1, "fd00:2::7", "fd00:2::13", true}, Case{0, "::", "fd00:1::1", true},
                         Case{0, "fd00:1::7", "fd00:1::2", false}, Case{0, "fd00:1::7", "fd00:2::1", false},
                         Case{0, "::", "fd00:1::2", false}}) {
        SCOPED_TRACE(std::string(c.target) + " asked by " + c.sender);
        HostLab lab;
        const Disposition verdict = lab.receive(c.port, solicitation(ip(c.sender), ip(c.target)));
        EXPECT_EQ(verdict, c.answered ? Disposition::consumed() : Disposition::punt(Counter::DropIpNotOurs));
        const std::vector<Bytes> sent = lab.sent(c.port);
        ASSERT_EQ(sent.size(), c.answered ? 1U : 0U);
        EXPECT_EQ(lab.counted(Counter::NdpAdvertisements), c.answered ? 1U : 0U);
        if (!c.answered) continue;
        const bool duplicate_probe = ip(c.sender).is_unspecified();
        const IpAddress to = duplicate_probe ? wire::all_nodes_multicast() : ip(c.sender);
        EXPECT_EQ(destination_of(sent[0]), duplicate_probe ? wire::multicast_mac(to) : kNeighborMac);
        EXPECT_EQ(wire::EthernetView::parse(sent[0])->source(), lab.mac(c.port));
        EXPECT_EQ(packet_of(sent[0])->destination, to);
        EXPECT_EQ(advertisement_of(sent[0]), (wire::NeighborAdvertisement{.target = ip(c.target),
                                                                          .solicited = !duplicate_probe,
                                                                          .override_entry = true,
                                                                          .target_mac = lab.mac(c.port)}));
    }
}

// Two workers are one host: what one received, another learns from, and says nothing.
TEST(Discovery, WhatIsHandedOverIsLearnedFromAndNotAnsweredOrToldAgain) {
    HostLab lab;
    EXPECT_EQ(lab.send_to({0, ip("10.1.7.7")}, 1), NextHopState::Asked);
    EXPECT_EQ(lab.send_to({0, ip("fd00:1::7")}, 2), NextHopState::Asked);
    EXPECT_EQ(lab.sent(0).size(), 2U);
    lab.receive(0, arp_reply(ip("10.1.7.7"), kNeighborMac, ip("10.1.0.1")), Origin::Handover);
    lab.receive(0, advertisement(ip("fd00:1::7"), kNeighborMac, ip("fd00:1::1")), Origin::Handover);
    EXPECT_EQ(lab.sent(0).size(), 2U) << "the frames that waited";
    lab.receive(0, arp_request(ip("10.1.7.7"), ip("10.1.0.1")), Origin::Handover);
    lab.receive(0, solicitation(ip("fd00:1::7"), ip("fd00:1::1")), Origin::Handover);
    EXPECT_TRUE(lab.sent(0).empty());
    EXPECT_TRUE(lab.news.empty());
    lab.receive(0, arp_request(ip("10.1.7.7"), ip("10.1.0.1")));
    lab.receive(0, solicitation(ip("fd00:1::7"), ip("fd00:1::1")));
    EXPECT_EQ(lab.news.size(), 2U);
    EXPECT_EQ(lab.sent(0).size(), 2U);
}

TEST(Discovery, WhatEverybodyIsToldIsAlsoTheKernels) {
    HostLab lab;
    EXPECT_EQ(lab.receive(0, arp_request(ip("10.1.7.7"), ip("10.1.7.7"))), Disposition::punt());
    EXPECT_EQ(lab.receive(0, advertisement(ip("fd00:1::7"), kNeighborMac, wire::all_nodes_multicast())),
              Disposition::punt());
    EXPECT_EQ(lab.news.size(), 2U);
    ASSERT_EQ(lab.sightings.size(), 2U);
    for (const Sighting& sighting : lab.sightings) {
        EXPECT_TRUE(sighting.to_everybody);
        EXPECT_EQ(sighting.mac, kNeighborMac);
    }
}

TEST(Discovery, ANeighborThatMovesIsFollowed) {
    const MacAddress elsewhere{{0x02, 0, 0, 0, 7, 7}};
    HostLab lab;
    for (const char* const address : {"10.1.7.7", "fd00:1::7"}) {
        const IpAddress neighbor = ip(address);
        const bool v4 = neighbor.is_v4();
        lab.send_to({0, neighbor}, 1);
        lab.receive(0, v4 ? arp_reply(neighbor, kNeighborMac, ip("10.1.0.1"))
                          : advertisement(neighbor, kNeighborMac, ip("fd00:1::1")));
        lab.sightings.clear();
        Bytes moved = v4 ? arp_request(neighbor, neighbor)
                         : advertisement(neighbor, elsewhere, wire::all_nodes_multicast());
        if (v4) wire::store_mac(moved.data() + wire::kEthernetHeaderSize + 8, elsewhere);
        lab.receive(0, moved);
        EXPECT_EQ(lab.output.resolve(lab.now, {0, neighbor}), elsewhere);
        const auto told =
            std::ranges::find_if(lab.sightings, [](const Sighting& s) { return s.before.has_value(); });
        ASSERT_NE(told, lab.sightings.end());
        EXPECT_EQ(told->before, kNeighborMac);
        EXPECT_EQ(told->mac, elsewhere);
    }
}

TEST(Discovery, BadMessagesAreDropped) {
    HostLab lab;
    const Bytes arp = arp_request(ip("10.1.7.7"), ip("10.1.0.1"));
    Bytes other_hardware = arp;
    store16(other_hardware.data() + wire::kEthernetHeaderSize, 6);
    Bytes from_a_group = arp;
    store8(from_a_group.data() + wire::kEthernetHeaderSize + 8, 0x03);
    for (const Bytes& bad : {other_hardware, from_a_group, Bytes(arp.begin(), arp.end() - 1)}) {
        EXPECT_EQ(lab.receive(0, bad), Disposition::dropped(Counter::DropArpMalformed));
    }
    Bytes routed = solicitation(ip("fd00:1::7"), ip("fd00:1::1"));
    store8(routed.data() + wire::kEthernetHeaderSize + 7, 64);
    EXPECT_EQ(lab.receive(0, routed), Disposition::dropped(Counter::DropIcmpMalformed));
    // RFC 6980
    EXPECT_EQ(lab.receive(0, solicitation(ip("fd00:1::7"), ip("fd00:1::1")), Origin::Fragments),
              Disposition::dropped(Counter::DropIcmpMalformed));
    EXPECT_TRUE(lab.sent(0).empty());
    EXPECT_TRUE(lab.news.empty());
}

TEST(Discovery, AnOwnAddressIsAnnounced) {
    HostLab lab;
    lab.output.announce(1, ip("10.2.0.10"));
    lab.output.announce(1, ip("fd00:2::13"));
    const std::vector<Bytes> sent = lab.sent(1);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(destination_of(sent[0]), kBroadcastMac);
    EXPECT_EQ(arp_of(sent[0])->sender_ip, ip("10.2.0.10"));
    EXPECT_EQ(arp_of(sent[0])->target_ip, ip("10.2.0.10"));
    EXPECT_EQ(arp_of(sent[0])->sender_mac, kBackMac);
    const auto message = advertisement_of(sent[1]);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->override_entry);
    EXPECT_FALSE(message->solicited);
    EXPECT_EQ(message->target_mac, kBackMac);
}

}  // namespace
}  // namespace sluice::host::test
