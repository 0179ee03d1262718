// Both IP headers, and the gate that joins them.
#include <gtest/gtest.h>

#include "frames.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"

namespace sluice::wire::ip_test {
namespace {

const IpAddress kOne = IpAddress::v4(10, 1, 0, 1);
const IpAddress kTwo = IpAddress::v4(10, 1, 0, 2);
const IpAddress kOne6 = *IpAddress::parse("fd00:1::1");
const IpAddress kTwo6 = *IpAddress::parse("fd00:1::2");

Bytes ip_of(const Bytes& frame) { return to_bytes(ByteView(frame).subspan(frames::kIpAt)); }
Bytes ip_of(std::string_view frame) { return ip_of(hex(frame)); }

// What parsing these bytes, in a buffer without slack, fails with.
template <typename View>
std::optional<IpError> error_of(ByteView bytes) {
    const ExactBytes exact(bytes);
    IpError error{};
    if (View::parse(exact.view(), error)) return std::nullopt;
    return error;
}

std::optional<IpError> gate_error(std::uint16_t ether_type, ByteView bytes) {
    const ExactBytes exact(bytes);
    IpError error{};
    if (parse_ip_packet(ether_type, exact.view(), error)) return std::nullopt;
    return error;
}

void fix_checksum(Bytes& ip) {
    store16(ip.data() + 10, 0);
    const std::size_t size = (load8(ip.data()) & 0x0fU) * std::size_t{4};
    store16(ip.data() + 10, checksum_finish(checksum_sum(ByteView(ip).first(size))));
}

// The header of a kernel's packet with two words of options (router alert, end).
Bytes with_options() {
    Bytes ip = ip_of(frames::kData4);
    const Bytes options = hex("9404000000000000");
    ip.insert(ip.begin() + 20, options.begin(), options.end());
    store8(ip.data(), 0x47);
    store16(ip.data() + 2, static_cast<std::uint16_t>(ip.size()));
    fix_checksum(ip);
    return ip;
}

TEST(Ipv4, ReadsWhatAKernelSent) {
    const Bytes ip = ip_of(frames::kData4);
    IpError error{};
    const auto view = Ipv4View::parse(ip, error);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->header_size(), 20U);
    EXPECT_EQ(view->total_length(), 67);
    EXPECT_EQ(view->checksum(), 0x0f97);
    EXPECT_TRUE(view->checksum_valid());
    EXPECT_FALSE(view->is_fragment());
    EXPECT_EQ(view->payload().size(), 47U);
    EXPECT_EQ(view->header(), (Ipv4Header{.traffic_class = 0,
                                          .identification = 0x171a,
                                          .dont_fragment = true,
                                          .more_fragments = false,
                                          .fragment_offset = 0,
                                          .ttl = 64,
                                          .protocol = kProtocolTcp,
                                          .source = kOne,
                                          .destination = kTwo}));
}

TEST(Ipv4, WritesWhatAKernelSent) {
    for (const std::string_view frame : {frames::kData4, frames::kEchoReply4, frames::kUnreachable4}) {
        const Bytes ip = ip_of(frame);
        IpError error{};
        const auto view = Ipv4View::parse(ip, error);
        ASSERT_TRUE(view);
        ExactBytes out = blank(kIpv4HeaderSize);
        EXPECT_EQ(write_ipv4_header(view->header(), view->payload().size(), out.span()), kIpv4HeaderSize);
        EXPECT_EQ(to_bytes(out.view()), to_bytes(ByteView(ip).first(20)));
    }
}

TEST(Ipv4, FragmentFieldsRoundTrip) {
    const Ipv4Header header{.dont_fragment = false,
                            .more_fragments = true,
                            .fragment_offset = 65528,
                            .ttl = 1,
                            .protocol = 255,
                            .source = IpAddress::v4(0U),
                            .destination = IpAddress::v4(0xffffffffU)};
    ExactBytes out = blank(kIpv4HeaderSize);
    write_ipv4_header(header, 0, out.span());
    IpError error{};
    EXPECT_EQ(Ipv4View::parse(out.view(), error)->header(), header);
}

TEST(Ipv4, FragmentsAreSeen) {
    IpError error{};
    const Bytes first = ip_of(frames::first_fragment());
    const auto a = Ipv4View::parse(first, error);
    ASSERT_TRUE(a);
    EXPECT_TRUE(a->is_fragment() && a->more_fragments());
    EXPECT_EQ(a->fragment_offset(), 0);
    const Bytes last = ip_of(frames::last_fragment());
    const auto b = Ipv4View::parse(last, error);
    ASSERT_TRUE(b);
    EXPECT_TRUE(b->is_fragment() && !b->more_fragments());
    EXPECT_EQ(b->fragment_offset(), 1480);
}

TEST(Ipv4, OptionsBelongToTheHeader) {
    const Bytes ip = with_options();
    IpError error{};
    const auto view = Ipv4View::parse(ip, error);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->header_size(), 28U);
    EXPECT_TRUE(view->checksum_valid());
    EXPECT_EQ(to_bytes(view->payload()), to_bytes(ByteView(ip).subspan(28)));
    Bytes changed = ip;
    changed[21] ^= std::byte{1};  // an option byte is under the checksum too
    EXPECT_FALSE(Ipv4View::parse(changed, error)->checksum_valid());
}

TEST(Ipv4, PaddingIsCutOff) {
    Bytes ip = ip_of(frames::kUdp4);
    ip.resize(46, std::byte{0xee});  // a minimal frame
    IpError error{};
    const auto view = Ipv4View::parse(ip, error);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->payload().size(), 13U);
    EXPECT_EQ(view->bytes().size(), 33U);
}

TEST(Ipv4, EveryCutIsRefusedAndToldApart) {
    for (const Bytes& ip : {ip_of(frames::kData4), with_options()}) {
        for (std::size_t size = 0; size < ip.size(); ++size) {
            EXPECT_EQ(error_of<Ipv4View>(ByteView(ip).first(size)),
                      size < kIpv4HeaderSize ? IpError::Ipv4Malformed : IpError::Truncated)
                << size;
        }
        EXPECT_EQ(error_of<Ipv4View>(ip), std::nullopt);
    }
}

TEST(Ipv4, ContradictionsAreMalformed) {
    const Bytes good = ip_of(frames::kData4);
    for (unsigned first = 0; first < 256; ++first) {
        Bytes ip = good;
        store8(ip.data(), static_cast<std::uint8_t>(first));
        const bool fits = first >> 4U == 4 && (first & 15U) >= 5;
        EXPECT_EQ(error_of<Ipv4View>(ip), fits ? std::nullopt : std::optional(IpError::Ipv4Malformed))
            << first;
    }
    for (std::uint16_t total = 0; total < 80; ++total) {
        Bytes ip = good;
        store16(ip.data() + 2, total);
        const auto expected = total < 20    ? std::optional(IpError::Ipv4Malformed)
                              : total <= 67 ? std::nullopt
                                            : std::optional(IpError::Truncated);
        EXPECT_EQ(error_of<Ipv4View>(ip), expected) << total;
    }
    // A header that is longer than the whole packet says it is.
    Bytes ip = good;
    store8(ip.data(), 0x4f);
    store16(ip.data() + 2, 59);
    EXPECT_EQ(error_of<Ipv4View>(ip), IpError::Ipv4Malformed);
}

TEST(Ipv6, ReadsWhatAKernelSent) {
    const Bytes ip = ip_of(frames::kData6);
    IpError error{};
    const auto view = Ipv6View::parse(ip, error);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->payload_length(), 47);
    EXPECT_EQ(view->payload().size(), 47U);
    EXPECT_EQ(view->header(), (Ipv6Header{.traffic_class = 0,
                                          .flow_label = 0xddc2e,
                                          .next_header = kProtocolTcp,
                                          .hop_limit = 64,
                                          .source = kOne6,
                                          .destination = kTwo6}));
}

TEST(Ipv6, RoundTrips) {
    const Ipv6Header header{.traffic_class = 0xa5,
                            .flow_label = 0xfffff,
                            .next_header = 59,
                            .hop_limit = 1,
                            .source = kOne6,
                            .destination = kTwo6};
    ExactBytes out = blank(kIpv6HeaderSize);
    EXPECT_EQ(write_ipv6_header(header, 0, out.span()), kIpv6HeaderSize);
    IpError error{};
    const auto view = Ipv6View::parse(out.view(), error);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->header(), header);
    EXPECT_TRUE(view->payload().empty());
}

TEST(Ipv6, WritesWhatAKernelSent) {
    const Bytes ip = ip_of(frames::kEchoReply6);
    IpError error{};
    const auto view = Ipv6View::parse(ip, error);
    ASSERT_TRUE(view);
    ExactBytes out = blank(kIpv6HeaderSize);
    write_ipv6_header(view->header(), view->payload().size(), out.span());
    EXPECT_EQ(to_bytes(out.view()), to_bytes(ByteView(ip).first(40)));
}

TEST(Ipv6, EveryCutIsRefusedAndToldApart) {
    const Bytes ip = ip_of(frames::kData6);
    for (std::size_t size = 0; size < ip.size(); ++size) {
        EXPECT_EQ(error_of<Ipv6View>(ByteView(ip).first(size)),
                  size < kIpv6HeaderSize ? IpError::Ipv6Malformed : IpError::Truncated)
            << size;
    }
    Bytes padded = ip;
    padded.resize(ip.size() + 5);
    IpError error{};
    EXPECT_EQ(Ipv6View::parse(padded, error)->bytes().size(), ip.size());
}

TEST(Ipv6, OtherVersionsAreMalformed) {
    for (unsigned version = 0; version < 16; ++version) {
        Bytes ip = ip_of(frames::kData6);
        store8(ip.data(), static_cast<std::uint8_t>(version << 4U));
        EXPECT_EQ(error_of<Ipv6View>(ip),
                  version == 6 ? std::nullopt : std::optional(IpError::Ipv6Malformed));
    }
}

TEST(Ipv6, MappedAddressesAreRefused) {
    const Bytes mapped = hex("00000000000000000000ffff0a010001");
    for (const std::ptrdiff_t at : {8, 24}) {
        Bytes ip = ip_of(frames::kData6);
        std::ranges::copy(mapped, ip.begin() + at);
        EXPECT_EQ(error_of<Ipv6View>(ip), IpError::Ipv6Malformed) << at;
    }
}

TEST(IpPacketGate, PassesBothVersions) {
    IpError error{};
    const Bytes v4 = with_options();
    const auto a = parse_ip_packet(kEtherTypeIpv4, v4, error);
    ASSERT_TRUE(a);
    EXPECT_EQ(a->source, kOne);
    EXPECT_EQ(a->destination, kTwo);
    EXPECT_EQ(a->family, IpFamily::V4);
    EXPECT_EQ(a->protocol, kProtocolTcp);
    EXPECT_EQ(a->ttl, 64);
    EXPECT_EQ(a->header_size, 28U);
    EXPECT_EQ(a->payload.size(), 47U);
    const Bytes v6 = ip_of(frames::kSolicitation);
    const auto b = parse_ip_packet(kEtherTypeIpv6, v6, error);
    ASSERT_TRUE(b);
    EXPECT_EQ(b->source, kOne6);
    EXPECT_EQ(b->destination, IpAddress::parse("ff02::1:ff00:2"));
    EXPECT_EQ(b->family, IpFamily::V6);
    EXPECT_EQ(b->protocol, kProtocolIcmpv6);
    EXPECT_EQ(b->ttl, 255);
    EXPECT_EQ(b->header_size, 40U);
    EXPECT_EQ(b->payload.size(), 32U);
}

TEST(IpPacketGate, NamesTheReason) {
    const Bytes v4 = ip_of(frames::kData4);
    const Bytes v6 = ip_of(frames::kData6);
    EXPECT_EQ(gate_error(kEtherTypeArp, v4), IpError::NotIp);
    EXPECT_EQ(gate_error(kEtherTypeIpv6, v4), IpError::Ipv6Malformed);
    EXPECT_EQ(gate_error(kEtherTypeIpv4, v6), IpError::Ipv4Malformed);
    EXPECT_EQ(gate_error(kEtherTypeIpv4, ByteView(v4).first(66)), IpError::Truncated);
    EXPECT_EQ(gate_error(kEtherTypeIpv6, ByteView(v6).first(86)), IpError::Truncated);
    EXPECT_EQ(gate_error(kEtherTypeIpv4, ip_of(frames::first_fragment())), IpError::Ipv4Fragment);
    EXPECT_EQ(gate_error(kEtherTypeIpv4, ip_of(frames::last_fragment())), IpError::Ipv4Fragment);
    EXPECT_EQ(gate_error(kEtherTypeIpv6, ip_of(frames::kHopByHop)), IpError::Ipv6Extension);
}

TEST(IpPacketGate, EveryFlippedHeaderBitIsRefused) {
    const Bytes good = ip_of(frames::kData4);
    for (std::size_t bit = 0; bit < kIpv4HeaderSize * 8; ++bit) {
        Bytes ip = good;
        ip[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        EXPECT_TRUE(gate_error(kEtherTypeIpv4, ip)) << bit;
    }
}

TEST(IpPacketGate, KnowsTheExtensionHeaders) {
    std::vector<unsigned> extensions;
    for (unsigned number = 0; number < 256; ++number) {
        if (is_ipv6_extension(static_cast<std::uint8_t>(number))) extensions.push_back(number);
    }
    EXPECT_EQ(extensions, (std::vector<unsigned>{0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254}));
}

TEST(IpHeaders, Print) {
    IpError error{};
    const Bytes v4 = ip_of(frames::kUnreachable4);
    EXPECT_EQ(to_string(Ipv4View::parse(v4, error)->header()),
              "IPv4 10.1.0.2 > 10.1.0.1 protocol 1 ttl 64 id 17447 class 192");
    const Bytes last = ip_of(frames::last_fragment());
    EXPECT_EQ(to_string(Ipv4View::parse(last, error)->header()),
              "IPv4 10.1.0.1 > 10.1.0.2 protocol 17 ttl 64 id 48233 fragment 1480");
    const Bytes v6 = ip_of(frames::kData6);
    EXPECT_EQ(to_string(Ipv6View::parse(v6, error)->header()),
              "IPv6 fd00:1::1 > fd00:1::2 next 6 hop limit 64 flow 908334");
    EXPECT_EQ(to_string(IpError::Truncated), "truncated IP packet");
}

}  // namespace
}  // namespace sluice::wire::ip_test
