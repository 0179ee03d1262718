// ICMP of both versions, and the TCP quotes inside its errors.
#include "sluice/wire/icmp.h"

#include <gtest/gtest.h>

#include "frames.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::wire::icmp_test {
namespace {

constexpr std::size_t kIcmpAt = 34;
constexpr std::size_t kIcmpv6At = 54;

const IpAddress kOne6 = *IpAddress::parse("fd00:1::1");
const IpAddress kTwo6 = *IpAddress::parse("fd00:1::2");

Bytes after(const Bytes& frame, std::size_t at) { return to_bytes(ByteView(frame).subspan(at)); }
Bytes icmp_of(std::string_view frame) { return after(hex(frame), kIcmpAt); }
Bytes icmpv6_of(std::string_view frame) { return after(hex(frame), kIcmpv6At); }

TEST(Icmp, ReadsAnEchoRequest) {
    const Bytes bytes = icmp_of(frames::kEchoRequest4);
    const auto view = IcmpView::parse(bytes);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->type(), kIcmpEchoRequest);
    EXPECT_EQ(view->code(), 0);
    EXPECT_EQ(view->identifier(), 0x1234);
    EXPECT_EQ(view->sequence(), 1);
    EXPECT_EQ(as_text(view->body()), "abcdefg");
    EXPECT_TRUE(view->checksum_valid());
}

TEST(Icmp, AnswersAnEchoAsAKernelDoes) {
    const Bytes request = icmp_of(frames::kEchoRequest4);
    const Bytes reply = icmp_of(frames::kEchoReply4);
    ExactBytes out = blank(reply.size());
    EXPECT_EQ(write_icmp(echo_reply(*IcmpView::parse(request)), out.span()), reply.size());
    EXPECT_EQ(to_bytes(out.view()), reply);
}

TEST(Icmp, ReadsFragmentationNeeded) {
    const Bytes bytes = after(frames::fragmentation_needed(), kIcmpAt);
    const auto view = IcmpView::parse(bytes);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->checksum_valid());
    EXPECT_EQ(view->type(), kIcmpUnreachable);
    EXPECT_EQ(view->code(), kIcmpCodeFragmentationNeeded);
    EXPECT_EQ(view->next_hop_mtu(), 1300);
    EXPECT_EQ(view->body().size(), 548U);
}

TEST(Icmp, ReadsPortUnreachableWithItsQuote) {
    const Bytes bytes = icmp_of(frames::kUnreachable4);
    const auto view = IcmpView::parse(bytes);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->code(), kIcmpCodePortUnreachable);
    EXPECT_EQ(to_bytes(view->body()), after(hex(frames::kUdp4), frames::kIpAt));
}

TEST(Icmp, RefusesEveryCutInsideTheHeader) {
    const Bytes bytes = icmp_of(frames::kEchoRequest4);
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        const ExactBytes cut(ByteView(bytes).first(size));
        const auto view = IcmpView::parse(cut.view());
        ASSERT_EQ(view.has_value(), size >= kIcmpHeaderSize) << size;
        const auto view6 = Icmpv6View::parse(cut.view());
        ASSERT_EQ(view6.has_value(), size >= kIcmpHeaderSize) << size;
        if (!view) continue;
        EXPECT_EQ(view->body().size(), size - kIcmpHeaderSize);
        EXPECT_EQ(view->checksum_valid(), size == bytes.size());
    }
}

TEST(Icmp, EveryMessageRoundTrips) {
    const Bytes body = hex("0102030405");
    for (unsigned type = 0; type < 256; ++type) {
        const IcmpMessage message{.type = static_cast<std::uint8_t>(type),
                                  .code = static_cast<std::uint8_t>(255 - type),
                                  .parameter = 0xfffe0000U + type,
                                  .body = body};
        ExactBytes out = blank(13);
        ASSERT_EQ(write_icmp(message, out.span()), 13U);
        const auto view = IcmpView::parse(out.view());
        ASSERT_TRUE(view);
        EXPECT_TRUE(view->checksum_valid());
        EXPECT_EQ(view->message().type, message.type);
        EXPECT_EQ(view->message().code, message.code);
        EXPECT_EQ(view->message().parameter, message.parameter);
        EXPECT_EQ(to_bytes(view->message().body), body);
    }
}

TEST(Icmp, WritesNothingWhereItDoesNotFit) {
    const Bytes body = hex("0102030405");
    for (std::size_t size = 0; size < 13; ++size) {
        ExactBytes out = blank(size);
        EXPECT_EQ(write_icmp({.type = 8, .body = body}, out.span()), 0U);
        EXPECT_EQ(write_icmpv6({.type = 128, .body = body}, kOne6, kTwo6, out.span()), 0U);
        EXPECT_EQ(to_bytes(out.view()), to_bytes(blank(size).view()));
    }
}

TEST(Icmpv6, AnswersAnEchoAsAKernelDoes) {
    const Bytes request = icmpv6_of(frames::kEchoRequest6);
    const auto view = Icmpv6View::parse(request);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->type(), kIcmpv6EchoRequest);
    EXPECT_EQ(view->identifier(), 0x1234);
    EXPECT_TRUE(view->checksum_valid(kOne6, kTwo6));
    EXPECT_FALSE(view->checksum_valid(kOne6, kOne6));
    const Bytes reply = icmpv6_of(frames::kEchoReply6);
    ExactBytes out = blank(reply.size());
    EXPECT_EQ(write_icmpv6(echo_reply(*view), kTwo6, kOne6, out.span()), reply.size());
    EXPECT_EQ(to_bytes(out.view()), reply);
}

TEST(Icmpv6, ReadsPacketTooBigAndUnreachable) {
    const Bytes too_big = after(frames::packet_too_big(), kIcmpv6At);
    const auto view = Icmpv6View::parse(too_big);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->checksum_valid(kTwo6, kOne6));
    EXPECT_EQ(view->type(), kIcmpv6PacketTooBig);
    EXPECT_EQ(view->mtu(), 1300U);
    EXPECT_EQ(view->body().size(), 1232U);
    const Bytes unreachable = icmpv6_of(frames::kUnreachable6);
    EXPECT_EQ(Icmpv6View::parse(unreachable)->type(), kIcmpv6Unreachable);
    EXPECT_EQ(Icmpv6View::parse(unreachable)->code(), kIcmpv6CodePortUnreachable);
}

TEST(Icmp, Prints) {
    const auto text = [](Bytes bytes) { return to_string(*IcmpView::parse(bytes)); };
    EXPECT_EQ(text(icmp_of(frames::kEchoRequest4)), "ICMP echo request id 4660 seq 1 len 7");
    EXPECT_EQ(text(icmp_of(frames::kEchoReply4)), "ICMP echo reply id 4660 seq 1 len 7");
    EXPECT_EQ(text(icmp_of(frames::kUnreachable4)), "ICMP unreachable code 3 len 33");
    EXPECT_EQ(text(after(frames::fragmentation_needed(), kIcmpAt)),
              "ICMP fragmentation needed mtu 1300 len 548");
    EXPECT_EQ(text(icmp_of(frames::kRedirect4)), "ICMP type 5 code 1 len 30");
    EXPECT_EQ(text(hex("0b00000000000000")), "ICMP time exceeded code 0 len 0");
    const auto text6 = [](Bytes bytes) { return to_string(*Icmpv6View::parse(bytes)); };
    EXPECT_EQ(text6(icmpv6_of(frames::kEchoRequest6)), "ICMPv6 echo request id 4660 seq 1 len 7");
    EXPECT_EQ(text6(icmpv6_of(frames::kEchoReply6)), "ICMPv6 echo reply id 4660 seq 1 len 7");
    EXPECT_EQ(text6(icmpv6_of(frames::kUnreachable6)), "ICMPv6 unreachable code 4 len 53");
    EXPECT_EQ(text6(after(frames::packet_too_big(), kIcmpv6At)), "ICMPv6 packet too big mtu 1300 len 1232");
    EXPECT_EQ(text6(hex("0301000000000000")), "ICMPv6 time exceeded code 1 len 0");
    EXPECT_EQ(text6(hex("8500000000000000")), "ICMPv6 type 133 code 0 len 0");
}

// The packet a router would quote.
Bytes quoted(std::string_view frame) { return after(hex(frame), frames::kIpAt); }

const TcpQuote kQuote4{
    {IpAddress::v4(10, 1, 0, 1), 36254}, {IpAddress::v4(10, 1, 0, 2), 1883}, 0xfd4beb6e, 67};
const TcpQuote kQuote6{{kOne6, 33610}, {kTwo6, 1883}, 0xfc7daa28, 87};

TEST(TcpQuoteOf, NeedsEightBytesOfTcp) {
    const Bytes v4 = quoted(frames::kData4);
    for (std::size_t size = 0; size <= v4.size(); ++size) {
        const ExactBytes cut(ByteView(v4).first(size));
        EXPECT_EQ(parse_tcp_quote(IpFamily::V4, cut.view()),
                  size >= 28 ? std::optional(kQuote4) : std::nullopt);
        EXPECT_FALSE(parse_tcp_quote(IpFamily::V6, cut.view()));
    }
    const Bytes v6 = quoted(frames::kData6);
    for (std::size_t size = 0; size <= v6.size(); ++size) {
        const ExactBytes cut(ByteView(v6).first(size));
        EXPECT_EQ(parse_tcp_quote(IpFamily::V6, cut.view()),
                  size >= 48 ? std::optional(kQuote6) : std::nullopt);
        EXPECT_FALSE(parse_tcp_quote(IpFamily::V4, cut.view()));
    }
}

TEST(TcpQuoteOf, StepsOverIpOptions) {
    Bytes v4 = quoted(frames::kData4);
    const Bytes options = hex("94040000");
    v4.insert(v4.begin() + 20, options.begin(), options.end());
    store8(v4.data(), 0x46);
    EXPECT_EQ(parse_tcp_quote(IpFamily::V4, ExactBytes(ByteView(v4).first(32)).view()), kQuote4);
    EXPECT_FALSE(parse_tcp_quote(IpFamily::V4, ExactBytes(ByteView(v4).first(31)).view()));
    store8(v4.data(), 0x4f);  // header longer than the quote
    EXPECT_FALSE(parse_tcp_quote(IpFamily::V4, ExactBytes(ByteView(v4).first(32)).view()));
    store8(v4.data(), 0x44);
    EXPECT_FALSE(parse_tcp_quote(IpFamily::V4, v4));
}

TEST(TcpQuoteOf, RefusesOtherProtocolsLaterFragmentsAndMappedAddresses) {
    EXPECT_FALSE(parse_tcp_quote(IpFamily::V4, quoted(frames::kUdp4)));
    Bytes fragment = quoted(frames::kData4);
    store16(fragment.data() + 6, 0x0001);
    EXPECT_FALSE(parse_tcp_quote(IpFamily::V4, fragment));
    store16(fragment.data() + 6, 0x2000);  // a first fragment has the ports
    EXPECT_EQ(parse_tcp_quote(IpFamily::V4, fragment), kQuote4);
    Bytes mapped = quoted(frames::kData6);
    std::ranges::copy(hex("00000000000000000000ffff"), mapped.begin() + 8);
    EXPECT_FALSE(parse_tcp_quote(IpFamily::V6, mapped));
}

}  // namespace
}  // namespace sluice::wire::icmp_test
