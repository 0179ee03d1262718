// Quotes are cut short by design, so the strict views, which want whole packets, do not fit them.
#include "sluice/wire/tcp_quote.h"

#include <algorithm>

#include "sluice/wire/ip.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/tcp.h"

namespace sluice::wire {
namespace {

constexpr std::size_t kQuotedTcpSize = 8;  // ports and sequence: "64 bits of data" in RFC 792

TcpQuote make_quote(const IpAddress& source, const IpAddress& destination, const std::byte* tcp,
                    std::size_t size) {
    return {.source = {source, load16(tcp)},
            .destination = {destination, load16(tcp + kTcpDestinationPortAt)},
            .sequence = load32(tcp + kTcpSequenceAt),
            .size = static_cast<std::uint16_t>(std::min<std::size_t>(size, 0xffff))};
}

std::optional<TcpQuote> parse_v4(ByteView quoted) {
    if (quoted.size() < kIpv4HeaderSize) return std::nullopt;
    const std::byte* const p = quoted.data();
    const std::size_t header_size = ipv4_header_size(p);
    const bool later_fragment = (load16(p + kIpv4FragmentAt) & kIpv4FragmentOffset) != 0;
    if (ip_version(p) != 4 || header_size < kIpv4HeaderSize || load8(p + kIpv4ProtocolAt) != kProtocolTcp ||
        later_fragment || quoted.size() < header_size + kQuotedTcpSize) {
        return std::nullopt;
    }
    return make_quote(IpAddress::v4(quoted.subspan<kIpv4SourceAt, 4>()),
                      IpAddress::v4(quoted.subspan<kIpv4DestinationAt, 4>()), p + header_size,
                      load16(p + kIpv4LengthAt));
}

std::optional<TcpQuote> parse_v6(ByteView quoted) {
    if (quoted.size() < kIpv6HeaderSize + kQuotedTcpSize) return std::nullopt;
    const std::byte* const p = quoted.data();
    if (ip_version(p) != 6 || load8(p + kIpv6NextHeaderAt) != kProtocolTcp) return std::nullopt;
    const IpAddress source = IpAddress::v6(quoted.subspan<kIpv6SourceAt, 16>());
    const IpAddress destination = IpAddress::v6(quoted.subspan<kIpv6DestinationAt, 16>());
    if (source.is_v4() || destination.is_v4()) return std::nullopt;  // as Ipv6View
    return make_quote(source, destination, p + kIpv6HeaderSize, kIpv6HeaderSize + load16(p + kIpv6LengthAt));
}

}  // namespace

std::optional<TcpQuote> parse_tcp_quote(IpFamily family, ByteView quoted) {
    switch (family) {
        case IpFamily::V4: return parse_v4(quoted);
        case IpFamily::V6: return parse_v6(quoted);
    }
    __builtin_unreachable();
}

}  // namespace sluice::wire
