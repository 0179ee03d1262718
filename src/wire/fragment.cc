#include "sluice/wire/fragment.h"

#include "sluice/wire/icmp.h"
#include "sluice/wire/ip.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/tcp.h"

namespace sluice::wire {
namespace {

constexpr std::size_t kLargestPacket = 65535;
constexpr std::size_t kUnit = 8;  // of fragment offsets

std::optional<Fragment> read_v4(ByteView packet) {
    IpError error{};
    const auto view = Ipv4View::parse(packet, error);
    if (!view || !view->is_fragment()) return std::nullopt;
    return Fragment{.family = IpFamily::V4,
                    .source = view->source(),
                    .destination = view->destination(),
                    .identification = view->identification(),
                    .protocol = view->protocol(),
                    .traffic_class = view->traffic_class(),
                    .offset = view->fragment_offset(),
                    .more = view->more_fragments(),
                    .header = view->bytes().first(view->header_size()),
                    .data = view->payload()};
}

std::optional<Fragment> read_v6(ByteView packet) {
    constexpr std::size_t kHeaders = kIpv6HeaderSize + kIpv6FragmentHeaderSize;
    IpError error{};
    const auto view = Ipv6View::parse(packet, error);
    if (!view || view->next_header() != kProtocolFragment || view->bytes().size() < kHeaders) {
        return std::nullopt;
    }
    const std::byte* const fragment = view->bytes().data() + kIpv6HeaderSize;
    return Fragment{.family = IpFamily::V6,
                    .source = view->source(),
                    .destination = view->destination(),
                    .identification = load32(fragment + 4),
                    .protocol = load8(fragment),
                    .traffic_class = view->traffic_class(),
                    .offset = load16(fragment + 2) & 0xfff8U,
                    .more = (load16(fragment + 2) & 1U) != 0,
                    .header = view->bytes().first(kHeaders),
                    .data = view->bytes().subspan(kHeaders)};
}

// The fixed header that says what the packet is.
std::size_t telling_header(std::uint8_t protocol) {
    if (protocol == kProtocolTcp) return kTcpHeaderSize;
    return protocol == kProtocolIcmp || protocol == kProtocolIcmpv6 ? kIcmpHeaderSize : 0;
}

bool is_sound(const Fragment& f) {
    if (f.data.empty() || (f.more && f.data.size() % kUnit != 0)) return false;
    const std::size_t counted = f.family == IpFamily::V4 ? f.header.size() : 0;  // by the length field
    if (counted + f.end() > kLargestPacket) return false;
    const std::size_t telling = telling_header(f.protocol);
    return f.offset == 0 ? f.data.size() >= telling : f.offset >= telling;
}

}  // namespace

std::optional<Fragment> parse_fragment(IpFamily family, ByteView packet) {
    auto fragment = family == IpFamily::V4 ? read_v4(packet) : read_v6(packet);
    if (fragment && !is_sound(*fragment)) fragment.reset();
    return fragment;
}

}  // namespace sluice::wire
