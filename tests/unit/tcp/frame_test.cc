// From a segment to its frame and back.
#include "sluice/tcp/frame.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/ip_packet.h"

namespace sluice::tcp {
namespace {

TEST(SegmentFrame, WhatIsWrittenIsRead) {
    for (const char* const text : {"10.0.0.1", "fd00::1"}) {
        const IpAddress local = IpAddress::parse(text).value();
        const FourTuple tuple{.local = {local, 1000}, .remote = {local.next(), 1883}};
        Segment sent;
        sent.seq = Seq(0xffff'fff0);
        sent.ack = Seq(77);
        sent.flags = {.psh = true, .ack = true};
        sent.window = 1234;
        sent.options.timestamps = wire::TcpTimestamps{.value = 5, .echo = 6};
        sent.payload = as_bytes("in two ");
        sent.payload_tail = as_bytes("pieces");
        std::array<std::byte, 200> out{};
        const std::uint32_t size =
            write_segment(tuple, {{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, sent, out);
        const auto ethernet = wire::EthernetView::parse(ByteView(out).first(size));
        wire::IpError error{};
        const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
        ASSERT_TRUE(packet);
        const auto view = wire::TcpView::parse(packet->payload);
        ASSERT_TRUE(view);
        EXPECT_TRUE(wire::tcp_checksum_valid(packet->source, packet->destination, view->bytes()));
        const auto read = read_segment(*view);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->seq, sent.seq);
        EXPECT_EQ(read->ack, sent.ack);
        EXPECT_EQ(read->flags, sent.flags);
        EXPECT_EQ(read->window, sent.window);
        EXPECT_EQ(read->options.timestamps->echo, 6U);
        EXPECT_EQ(as_text(read->payload), "in two pieces");
    }
}

TEST(SegmentFrame, TooSmallABufferTakesNothing) {
    std::array<std::byte, 53> out{};
    EXPECT_EQ(write_segment({}, {}, {}, Segment{}, out), 0U);
}

}  // namespace
}  // namespace sluice::tcp
