#include "sluice/wire/tcp.h"

#include <gtest/gtest.h>

#include "frames.h"

namespace sluice::wire {
namespace {

constexpr std::size_t kTcp4At = 34;

ByteView tcp_of(const Bytes& frame) { return ByteView(frame).subspan(kTcp4At); }

TEST(TcpView, ReadsALinuxSyn) {
    const Bytes frame = hex(frames::kSyn4);
    const auto view = TcpView::parse(tcp_of(frame));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->source_port(), 36254);
    EXPECT_EQ(view->destination_port(), 1883);
    EXPECT_EQ(view->sequence(), 0xfd4beb6dU);
    EXPECT_EQ(view->acknowledgement(), 0U);
    EXPECT_EQ(view->header_size(), 40U);
    EXPECT_EQ(view->flags(), TcpFlags{.syn = true});
    EXPECT_EQ(view->window(), 64240);
    EXPECT_EQ(view->checksum(), 0x3ca7);
    EXPECT_EQ(view->urgent_pointer(), 0);
    EXPECT_EQ(view->option_bytes().size(), 20U);
    EXPECT_TRUE(view->payload().empty());
    const auto header = view->header();
    ASSERT_TRUE(header);
    EXPECT_EQ(header->options.mss, 1460);
}

TEST(TcpView, FindsThePayload) {
    const Bytes frame = hex(frames::kData4);
    const auto view = TcpView::parse(tcp_of(frame));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->flags(), (TcpFlags{.psh = true, .ack = true}));
    EXPECT_EQ(to_bytes(view->payload()), hex("100d00044d5154540402003c000161"));
    EXPECT_EQ(view->bytes().size(), 32U + 15U);
}

TEST(TcpView, RefusesEveryCutInsideTheHeader) {
    const Bytes frame = hex(frames::kData4);
    const ByteView whole = tcp_of(frame);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        const ExactBytes cut(whole.first(size));
        EXPECT_EQ(TcpView::parse(cut.view()).has_value(), size >= 32) << size;
    }
}

TEST(TcpView, RefusesADataOffsetBelowFive) {
    const Bytes frame = hex(frames::kData4);
    for (unsigned words = 0; words < 16; ++words) {
        ExactBytes segment(tcp_of(frame));
        store8(segment.span().data() + 12, static_cast<std::uint8_t>(words << 4U));
        EXPECT_EQ(TcpView::parse(segment.view()).has_value(), words >= 5 && words * 4 <= 47) << words;
    }
}

TEST(TcpView, HeaderIsRefusedWhenAnOptionRunsPastIt) {
    const Bytes frame = hex(frames::kData4);
    ExactBytes segment(tcp_of(frame));
    store8(segment.span().data() + kTcpHeaderSize + 3, 11);  // timestamps one byte longer than the header
    const auto view = TcpView::parse(segment.view());
    ASSERT_TRUE(view);
    EXPECT_FALSE(view->header());
}

TEST(TcpFlags, EveryByteRoundTrips) {
    for (unsigned b = 0; b < 256; ++b) {
        EXPECT_EQ(TcpFlags::from_byte(static_cast<std::uint8_t>(b)).to_byte(), b);
    }
}

TEST(TcpFlags, PrintByName) {
    EXPECT_EQ(to_string(TcpFlags{}), "-");
    EXPECT_EQ(to_string(TcpFlags{.syn = true, .ack = true}), "SYN|ACK");
    EXPECT_EQ(to_string(TcpFlags::from_byte(0xff)), "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR");
}

TEST(WriteTcpHeader, RoundTrips) {
    const TcpHeader header{.source_port = 65535,
                           .destination_port = 1,
                           .sequence = 0xfffffffe,
                           .acknowledgement = 0x80000001,
                           .flags = {.fin = true, .ack = true, .urg = true},
                           .window = 0x1234,
                           .urgent_pointer = 0x5678,
                           .options = {.timestamps = TcpTimestamps{3, 4}}};
    EXPECT_EQ(tcp_header_size(header), 32U);
    ExactBytes out = blank(32);
    ASSERT_EQ(write_tcp_header(header, out.span()), 32U);
    const auto view = TcpView::parse(out.view());
    ASSERT_TRUE(view);
    EXPECT_EQ(view->checksum(), 0);
    EXPECT_EQ(load8(out.view().data() + 12) & 0x0fU, 0U);  // reserved bits
    const auto back = view->header();
    ASSERT_TRUE(back);
    EXPECT_EQ(back->source_port, header.source_port);
    EXPECT_EQ(back->destination_port, header.destination_port);
    EXPECT_EQ(back->sequence, header.sequence);
    EXPECT_EQ(back->acknowledgement, header.acknowledgement);
    EXPECT_EQ(back->flags, header.flags);
    EXPECT_EQ(back->window, header.window);
    EXPECT_EQ(back->urgent_pointer, header.urgent_pointer);
    EXPECT_EQ(back->options, header.options);
}

TEST(WriteTcpHeader, WritesWhatLinuxWrites) {
    const Bytes frame = hex(frames::kSynAck4);
    Bytes expected = to_bytes(tcp_of(frame));
    store16(expected.data() + 16, 0);
    const auto header = TcpView::parse(tcp_of(frame))->header();
    ASSERT_TRUE(header);
    ExactBytes out = blank(expected.size());
    EXPECT_EQ(write_tcp_header(*header, out.span()), expected.size());
    EXPECT_EQ(to_bytes(out.view()), expected);
}

TEST(TcpHeader, PrintsOnOneLine) {
    const Bytes frame = hex(frames::kSynAck4);
    EXPECT_EQ(to_string(*TcpView::parse(tcp_of(frame))->header(), 0),
              "TCP 1883 > 36254 SYN|ACK seq 3143308688 ack 4249611118 win 65160 mss 1460 wscale 10 sackOK TS "
              "540534441/3503336924 len 0");
    TcpHeader header{.source_port = 1, .destination_port = 2, .flags = {.urg = true}, .urgent_pointer = 9};
    header.options.sack[0] = {10, 20};
    header.options.sack_count = 1;
    EXPECT_EQ(to_string(header, 5), "TCP 1 > 2 URG seq 0 win 0 urg 9 sack 10-20 len 5");
}

}  // namespace
}  // namespace sluice::wire
