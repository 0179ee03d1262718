// IPv6: a fixed header, one length, and two addresses that must not be IPv4 in disguise.
#include "sluice/wire/ipv6.h"

#include <cstring>

namespace sluice::wire {

std::optional<Ipv6View> Ipv6View::parse(ByteView bytes, IpError& error) {
    error = IpError::Ipv6Malformed;
    if (bytes.size() < kIpv6HeaderSize || ip_version(bytes.data()) != 6) return std::nullopt;
    const Ipv6View whole(bytes);
    // A mapped address would be taken for an IPv4 peer by everything above.
    if (whole.source().is_v4() || whole.destination().is_v4()) return std::nullopt;
    const std::size_t size = kIpv6HeaderSize + whole.payload_length();
    if (size > bytes.size()) {
        error = IpError::Truncated;
        return std::nullopt;
    }
    return Ipv6View(bytes.first(size));
}

Ipv6Header Ipv6View::header() const {
    return {.traffic_class = traffic_class(),
            .flow_label = flow_label(),
            .next_header = next_header(),
            .hop_limit = hop_limit(),
            .source = source(),
            .destination = destination()};
}

bool is_ipv6_extension(std::uint8_t next_header) {
    switch (next_header) {
        case 0:    // hop-by-hop options
        case 43:   // routing
        case 44:   // fragment
        case 50:   // encapsulating security payload
        case 51:   // authentication
        case 60:   // destination options
        case 135:  // mobility
        case 139:  // host identity protocol
        case 140:  // shim6
        case 253:  // experiments
        case 254: return true;
        default: return false;  // an open set of numbers, not a state
    }
}

std::size_t write_ipv6_header(const Ipv6Header& header, std::size_t payload_size, ByteSpan out) {
    std::byte* const p = out.data();
    store32(p, 0x60000000U | (std::uint32_t{header.traffic_class} << 20U) | (header.flow_label & 0xfffffU));
    store16(p + kIpv6LengthAt, static_cast<std::uint16_t>(payload_size));
    store8(p + kIpv6NextHeaderAt, header.next_header);
    store8(p + kIpv6HopLimitAt, header.hop_limit);
    std::memcpy(p + kIpv6SourceAt, header.source.bytes().data(), 16);
    std::memcpy(p + kIpv6DestinationAt, header.destination.bytes().data(), 16);
    return kIpv6HeaderSize;
}

std::string to_string(const Ipv6Header& header) {
    std::string text = "IPv6 " + header.source.to_string() + " > " + header.destination.to_string() +
                       " next " + std::to_string(header.next_header) + " hop limit " +
                       std::to_string(header.hop_limit);
    if (header.traffic_class != 0) text += " class " + std::to_string(header.traffic_class);
    if (header.flow_label != 0) text += " flow " + std::to_string(header.flow_label);
    return text;
}

}  // namespace sluice::wire
