// A router that cannot pass a spliced connection's packet on complains to Sluice; the end that sent the
// packet is told, in its own numbers, because only it can send smaller ones or give up.
#include <array>
#include <cstring>

#include "sluice/wire/frame.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ip_packet.h"
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

constexpr std::size_t kIp = wire::kEthernetHeaderSize;

Side other(Side side) { return side == Side::Client ? Side::Broker : Side::Client; }

struct Kind {
    std::uint8_t type;
    std::uint8_t code;
    std::uint32_t parameter;
};
std::vector<Kind> kinds(bool ipv6) {
    if (ipv6) {
        return {{wire::kIcmpv6PacketTooBig, 0, 1280},
                {wire::kIcmpv6Unreachable, 0, 0},
                {wire::kIcmpv6TimeExceeded, 0, 0}};
    }
    return {{wire::kIcmpUnreachable, wire::kIcmpCodeFragmentationNeeded, 1300},
            {wire::kIcmpUnreachable, 1, 0},
            {wire::kIcmpTimeExceeded, 0, 0}};
}

// From a router on the way to that side, about a packet that Sluice sent there.
Frame complaint(const Story& story, Side side, const Kind& kind, ByteView quoted) {
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

// The side says the line; what Sluice made of it comes back as a router saw it, cut to `size`.
Frame packet_sent_for(Story& story, Side side, std::string_view line, std::size_t size) {
    story.tap.frames.clear();
    story.says(side, line);
    Frame sent = story.tap.frames.at(0).second;
    sent.erase(sent.begin(), sent.begin() + kIp);
    sent.resize(std::min(sent.size(), size));
    story.tap.tcp.clear();
    return sent;
}

// What the end sent, but for what a hop changes.
Frame as_sent(const Story& story, Side side, std::string_view line, std::size_t size) {
    Frame packet = story.frame(side, line);
    packet.erase(packet.begin(), packet.begin() + kIp);
    packet.resize(std::min(packet.size(), size));
    return packet;
}
void blank_hop(Frame& packet, bool ipv6) {
    if (ipv6) {
        packet[7] = {};
    } else {
        packet[8] = packet[10] = packet[11] = {};
    }
}

void expect_told(Story& story, Side side, const Kind& kind, Frame original) {
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

TEST(SpliceIcmp, IsPassedToTheEndWhosePacketItIsAboutInItsOwnNumbers) {
    for (const unsigned workers : {1U, 3U})
        for (const bool ipv6 : {false, true}) {
            for (const Side side : {Side::Client, Side::Broker}) {
                Plot plot = over(ipv6);
                plot.setup.workers = workers;
                Spliced story(plot);
                int begin = 0;
                for (const Kind& kind : kinds(ipv6)) {
                    for (const std::size_t size :
                         {std::size_t{ipv6 ? 48U : 28U}, std::size_t{80}, std::size_t{548}}) {
                        const std::string line = "P. " + std::to_string(begin) + ":" +
                                                 std::to_string(begin + 1000) + " ack 0 ts 7/0";
                        begin += 1000;
                        const Frame quoted = packet_sent_for(story, side, line, size);
                        story.tap.frames.clear();
                        story.lab.inject(static_cast<std::uint16_t>(other(side)),
                                         complaint(story, other(side), kind, quoted));
                        story.lab.settle();
                        expect_told(story, side, kind, as_sent(story, side, line, size));
                    }
                }
                EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_errors_translated", 9}}));
                EXPECT_EQ(story.moved("drop_"), Moved{});
                story.expect_alive();
            }
        }
}

TEST(SpliceIcmp, AboutWhatIsNotInFlightIsDropped) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            Spliced story(over(ipv6));
            const Frame quoted = packet_sent_for(story, side, "P. 0:1000", 548);
            story.says(other(side), ". 0:0 ack 1000");
            story.expect({std::string(side == Side::Client ? "client" : "broker") + " . 0:0 ack 1000"});
            for (const Kind& kind : kinds(ipv6)) {
                story.lab.inject(static_cast<std::uint16_t>(other(side)),
                                 complaint(story, other(side), kind, quoted));
            }
            story.lab.settle();
            EXPECT_TRUE(story.tap.frames.empty());
            EXPECT_EQ(story.moved("icmp_"), Moved{});
            EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_icmp_unhandled", 3}}));
            story.expect_alive();
        }
    }
}

TEST(SpliceIcmp, OfTheWrongChecksumOrAboutNobodysConnectionIsDropped) {
    Spliced story;
    Frame quoted = packet_sent_for(story, Side::Client, "P. 0:1000", 548);
    story.tap.frames.clear();
    const Kind kind = kinds(false)[0];
    Frame damaged = complaint(story, Side::Broker, kind, quoted);
    damaged.back() ^= std::byte{1};
    story.lab.inject(1, damaged);
    quoted[20] ^= std::byte{0x20};  // another source port
    story.lab.inject(1, complaint(story, Side::Broker, kind, quoted));
    story.lab.settle();
    EXPECT_TRUE(story.tap.frames.empty());
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_icmp_malformed", 1}, {"drop_icmp_unhandled", 1}}));
    story.expect_alive();
}

TEST(SpliceIcmp, IsPassedOnAtABoundedRate) {
    Spliced story;
    const Frame quoted = packet_sent_for(story, Side::Client, "P. 0:1000", 548);
    story.tap.frames.clear();
    const Frame frame = complaint(story, Side::Broker, kinds(false)[0], quoted);
    for (int i = 0; i < 1500; ++i) story.lab.inject(1, frame);
    story.lab.settle();
    EXPECT_EQ(story.tap.frames.size(), 1000U);
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_icmp_rate", 500}}));
    EXPECT_EQ(story.moved("icmp_"), (Moved{{"icmp_errors_translated", 1000}}));
    story.expect_alive();
}

}  // namespace
}  // namespace sluice::test
