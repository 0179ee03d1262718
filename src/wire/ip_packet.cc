// One gate for both IP versions: what passes is a whole packet with a known upper protocol.
#include "sluice/wire/ip_packet.h"

#include "sluice/wire/ethernet.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"

namespace sluice::wire {
namespace {

std::optional<IpPacket> parse_v4(ByteView bytes, IpError& error) {
    const auto view = Ipv4View::parse(bytes, error);
    if (!view) return std::nullopt;
    if (!view->checksum_valid()) {
        error = IpError::Ipv4Checksum;
        return std::nullopt;
    }
    if (view->is_fragment()) {
        error = IpError::Ipv4Fragment;
        return std::nullopt;
    }
    return IpPacket{.source = view->source(),
                    .destination = view->destination(),
                    .family = IpFamily::V4,
                    .protocol = view->protocol(),
                    .ttl = view->ttl(),
                    .header_size = view->header_size(),
                    .payload = view->payload()};
}

std::optional<IpPacket> parse_v6(ByteView bytes, IpError& error) {
    const auto view = Ipv6View::parse(bytes, error);
    if (!view) return std::nullopt;
    if (is_ipv6_extension(view->next_header())) {
        error = IpError::Ipv6Extension;
        return std::nullopt;
    }
    return IpPacket{.source = view->source(),
                    .destination = view->destination(),
                    .family = IpFamily::V6,
                    .protocol = view->next_header(),
                    .ttl = view->hop_limit(),
                    .header_size = kIpv6HeaderSize,
                    .payload = view->payload()};
}

}  // namespace

std::optional<IpPacket> parse_ip_packet(std::uint16_t ether_type, ByteView payload, IpError& error) {
    if (ether_type == kEtherTypeIpv4) return parse_v4(payload, error);
    if (ether_type == kEtherTypeIpv6) return parse_v6(payload, error);
    error = IpError::NotIp;
    return std::nullopt;
}

}  // namespace sluice::wire
