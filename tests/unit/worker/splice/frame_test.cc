// What surrounds a spliced connection's segments: hop limits, IP options, padding, frames too large for the
// way out, wrong checksums, and frames for nobody in particular.
#include "sluice/wire/checksum.h"
#include "worker/splice/story.h"

namespace sluice::test::frame_test {
namespace {

constexpr std::size_t kIp = wire::kEthernetHeaderSize;

void fix_ipv4_checksum(Frame& frame) {
    const ByteSpan header = ByteSpan(frame).subspan(kIp, (load8(frame.data() + kIp) & 0x0fU) * 4U);
    store16(header.data() + 10, 0);
    store16(header.data() + 10, static_cast<std::uint16_t>(~wire::checksum_sum(header)));
}

TEST(SpliceFrame, LosesOneHopAndIsDroppedAtTheLast) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        for (const auto& [said, heard] :
             {std::pair{64, 63}, std::pair{2, 1}, std::pair{255, 254}, std::pair{1, 0}, std::pair{0, 0}}) {
            Frame frame = story.frame(Side::Client, "P. 0:10");
            frame[kIp + (ipv6 ? 7U : 8U)] = static_cast<std::byte>(said);
            if (!ipv6) fix_ipv4_checksum(frame);
            story.arrives(Side::Client, frame);
            if (heard != 0) {
                ASSERT_EQ(story.tap.tcp.size(), 1U);
                EXPECT_EQ(story.tap.tcp[0].ttl, heard);
                story.expect({"broker P. 0:10"});
            } else {
                story.expect({});
            }
        }
        EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_ttl_exceeded", 2}}));
        story.expect_alive();
    }
}

TEST(SpliceFrame, KeepsItsIpOptions) {
    Spliced story;
    Frame frame = story.frame(Side::Client, "P. 0:10");
    const std::array<std::byte, 4> router_alert{std::byte{0x94}, std::byte{0x04}, std::byte{0}, std::byte{0}};
    frame.insert(frame.begin() + kIp + 20, router_alert.begin(), router_alert.end());
    frame[kIp] = std::byte{0x46};
    store16(frame.data() + kIp + 2, static_cast<std::uint16_t>(frame.size() - kIp));
    fix_ipv4_checksum(frame);
    story.arrives(Side::Client, frame);
    ASSERT_EQ(story.tap.frames.size(), 1U);
    const Frame& out = story.tap.frames[0].second;
    EXPECT_EQ(out.size(), frame.size());
    EXPECT_TRUE(std::equal(router_alert.begin(), router_alert.end(), out.begin() + kIp + 20));
    story.expect({"broker P. 0:10"});
    story.expect_alive();
}

TEST(SpliceFrame, LeavesWithoutItsPadding) {
    for (const bool ipv6 : {false, true}) {
        Plot plot = over(ipv6);
        plot.client.timestamps = plot.broker.timestamps = false;
        Spliced story(plot);
        Frame frame = story.frame(Side::Client, ". 0:0");
        const std::size_t size = frame.size();
        frame.resize(size + 20, std::byte{0xee});
        story.arrives(Side::Client, frame);
        ASSERT_EQ(story.tap.frames.size(), 1U);
        EXPECT_EQ(story.tap.frames[0].second.size(), size);
        story.expect({"broker . 0:0"});
        EXPECT_EQ(story.moved("splice_"), (Moved{{"splice_packets_to_broker", 1}}));
        story.expect_alive();
    }
}

// Nobody computes a checksum over data to pass it on, so what is wrong stays wrong: its receiver drops it.
TEST(SpliceFrame, WithAWrongTcpChecksumStaysWrong) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        story.client_passes("P. 0:10 badsum");
        story.broker_passes("P. 0:10 badsum garbled");
        story.client_passes(". 0:0 badsum");
        EXPECT_EQ(story.moved("drop_"), Moved{});
        story.client_passes("P. 0:10");
        story.broker_passes("P. 0:10 ack 10");
        story.expect_alive();
    }
}

// What no hop of a living connection sends: merged by a card, broken.
TEST(SpliceFrame, ThatIsNotOneWholePacketIsDroppedAndCounted) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        const std::size_t tcp = kIp + (ipv6 ? 40U : 20U);
        const auto drops = [&](Frame frame, Counter reason) {
            const std::uint64_t before = story.lab.count(reason);
            story.arrives(Side::Client, frame);
            story.expect({});
            EXPECT_EQ(story.lab.count(reason), before + 1);
        };
        drops(story.frame(Side::Client, "P. 0:1600"), Counter::DropIpOverMtu);
        drops(story.frame(Side::Client, "P. 0:2900"), Counter::DropMultiSegment);
        Frame short_frame = story.frame(Side::Client, "P. 0:100");
        short_frame.pop_back();
        drops(short_frame, Counter::DropIpTruncated);
        for (const char* const line : {"P. 0:100", "FP. 0:100", "R. 0:100 ts 0/0"}) {
            Frame option = story.frame(Side::Client, line);  // NOP, NOP, timestamps of no length
            ASSERT_EQ(option[tcp + 22], std::byte{8});
            const std::byte was = std::exchange(option[tcp + 23], std::byte{0});
            // The sum that the bytes have now.
            const std::uint32_t sum = load16(option.data() + tcp + 16) + std::to_integer<std::uint32_t>(was);
            store16(option.data() + tcp + 16, static_cast<std::uint16_t>(sum + (sum >> 16U)));
            drops(option, Counter::DropTcpMalformed);
        }
        EXPECT_EQ(story.moved("splice_"), Moved{});
        story.expect_alive();
    }
}

// RFC 1122 section 4.2.3.10 for IP addresses, and no less for MAC addresses: TCP is not for groups.
TEST(SpliceFrame, ToAGroupOfMacsIsDroppedAndCounted) {
    for (const bool ipv6 : {false, true}) {
        for (const Side side : {Side::Client, Side::Broker}) {
            Spliced story(over(ipv6));
            for (const MacAddress& group : {kBroadcastMac, MacAddress{{0x01, 0, 0x5e, 0, 0, 1}}}) {
                Frame frame = story.frame(side, "P. 0:10");
                wire::store_mac(frame.data(), group);
                story.arrives(side, frame);
                story.expect({});
            }
            EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_ethernet_destination", 2}}));
            story.expect_alive();
        }
    }
}

TEST(SpliceFrame, ToAnotherMacIsDroppedAndCounted) {
    Spliced story;
    Frame frame = story.frame(Side::Client, "P. 0:10");
    wire::store_mac(frame.data(), Lab::kBackMac);
    story.arrives(Side::Client, frame);
    story.expect({});
    EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_ethernet_destination", 1}}));
    story.expect_alive();
}

// A client's packet that comes in by the brokers' port is nobody's.
TEST(SpliceFrame, OnTheWrongPortIsDroppedAndCounted) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(over(ipv6));
        Frame frame = story.frame(Side::Client, "P. 0:10");
        wire::store_mac(frame.data(), Lab::kBackMac);
        story.arrives(Side::Broker, frame);
        story.expect({});
        EXPECT_EQ(story.moved("drop_"), (Moved{{"drop_ip_not_ours", 1}}));
        story.expect_alive();
    }
}

}  // namespace
}  // namespace sluice::test::frame_test
