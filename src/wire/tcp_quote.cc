// Quotes are cut short by design, so the strict views, which want whole packets, do not fit them.
#include "sluice/wire/tcp_quote.h"

#include <algorithm>

#include "sluice/wire/ip.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"

namespace sluice::wire {
namespace {

constexpr std::size_t kQuotedTcpSize = 8;  // ports and sequence: "64 bits of data" in RFC 792

TcpQuote make_quote(const IpAddress& source, const IpAddress& destination, const std::byte* tcp,
                    std::size_t size) {
    return {.source = {source, load16(tcp)},
            .destination = {destination, load16(tcp + 2)},
            .sequence = load32(tcp + 4),
            .size = static_cast<std::uint16_t>(std::min<std::size_t>(size, 0xffff))};
}

std::optional<TcpQuote> parse_v4(ByteView quoted) {
    if (quoted.size() < kIpv4HeaderSize) return std::nullopt;
    const std::byte* const p = quoted.data();
    const std::size_t header_size = (load8(p) & 0x0fU) * std::size_t{4};
    const bool later_fragment = (load16(p + 6) & 0x1fffU) != 0;
    if (load8(p) >> 4U != 4 || header_size < kIpv4HeaderSize || load8(p + 9) != kProtocolTcp ||
        later_fragment || quoted.size() < header_size + kQuotedTcpSize) {
        return std::nullopt;
    }
    return make_quote(IpAddress::v4(quoted.subspan<12, 4>()), IpAddress::v4(quoted.subspan<16, 4>()),
                      p + header_size, load16(p + 2));
}

std::optional<TcpQuote> parse_v6(ByteView quoted) {
    if (quoted.size() < kIpv6HeaderSize + kQuotedTcpSize) return std::nullopt;
    const std::byte* const p = quoted.data();
    if (load8(p) >> 4U != 6 || load8(p + 6) != kProtocolTcp) return std::nullopt;
    const IpAddress source = IpAddress::v6(quoted.subspan<8, 16>());
    const IpAddress destination = IpAddress::v6(quoted.subspan<24, 16>());
    if (source.is_v4() || destination.is_v4()) return std::nullopt;  // as Ipv6View
    return make_quote(source, destination, p + kIpv6HeaderSize, kIpv6HeaderSize + load16(p + 4));
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
