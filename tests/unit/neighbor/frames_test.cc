// Questions, answers and announcements about neighbors, as frames.
#include "sluice/neighbor/frames.h"

#include <gtest/gtest.h>

#include <array>

#include "sluice/wire/arp.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/ndp.h"

namespace sluice::neighbor {
namespace {

constexpr MacAddress kOwn{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kAsker{{2, 0, 0, 0, 0, 2}};

TEST(NeighborFrames, AnArpAnswerGoesToWhoAsked) {
    std::array<std::byte, 128> out{};
    const IpAddress target = IpAddress::v4(10, 0, 0, 1);
    const IpAddress asker = IpAddress::v4(10, 0, 0, 2);
    const std::size_t size = write_answer(kOwn, target, kAsker, asker, out);
    const auto ethernet = wire::EthernetView::parse(ByteView(out).first(size));
    ASSERT_TRUE(ethernet);
    EXPECT_EQ(ethernet->destination(), kAsker);
    const auto arp = wire::ArpView::parse(ethernet->payload());
    ASSERT_TRUE(arp);
    EXPECT_EQ(arp->packet(), (wire::ArpPacket{.operation = wire::ArpOperation::Reply,
                                              .sender_mac = kOwn,
                                              .sender_ip = target,
                                              .target_mac = kAsker,
                                              .target_ip = asker}));
}

wire::IpPacket packet_of(const wire::EthernetView& ethernet) {
    wire::IpError error{};
    return wire::parse_ip_packet(ethernet.ether_type(), ethernet.payload(), error).value();
}

TEST(NeighborFrames, AnAdvertisementAnswersTheAskerAndADuplicateProbeEverybody) {
    std::array<std::byte, 128> out{};
    const IpAddress target = IpAddress::parse("fd00::1").value();
    for (const bool probe : {false, true}) {
        const IpAddress asker = probe ? IpAddress{} : IpAddress::parse("fd00::2").value();
        const std::size_t size = write_answer(kOwn, target, kAsker, asker, out);
        const auto ethernet = wire::EthernetView::parse(ByteView(out).first(size));
        ASSERT_TRUE(ethernet);
        EXPECT_EQ(ethernet->destination(), probe ? wire::multicast_mac(wire::all_nodes_multicast()) : kAsker);
        const auto message = wire::parse_neighbor_advertisement(packet_of(*ethernet));
        ASSERT_TRUE(message);
        EXPECT_EQ(message->target, target);
        EXPECT_EQ(message->solicited, !probe);
        EXPECT_TRUE(message->override_entry);
        EXPECT_EQ(message->target_mac, kOwn);
    }
}

TEST(NeighborFrames, AQuestionForAKnownNeighborGoesThereAlone) {
    std::array<std::byte, 128> out{};
    for (const char* const text : {"10.0.0.9", "fd00::9"}) {
        const IpAddress target = IpAddress::parse(text).value();
        const IpAddress source = target.next();
        (void)write_question(kOwn, source, target, std::nullopt, out);
        EXPECT_TRUE(wire::EthernetView::parse(out)->destination().is_multicast());
        (void)write_question(kOwn, source, target, kAsker, out);
        EXPECT_EQ(wire::EthernetView::parse(out)->destination(), kAsker);
    }
}

}  // namespace
}  // namespace sluice::neighbor
