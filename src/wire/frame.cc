// Frames are written front to back into the caller's buffer; the transport checksum is summed over what was
// written, so payloads in two pieces of any length need no care.
#include "sluice/wire/frame.h"

#include <algorithm>
#include <array>

#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"

namespace sluice::wire {
namespace {

constexpr std::size_t kLargestIpLength = 65535;

// Writes Ethernet and IP headers for a payload of that size. Returns where the payload begins, or 0 when the
// frame does not fit out or the packet does not fit IP's length field.
std::size_t write_lower_headers(const FrameAddresses& addresses, std::uint8_t protocol,
                                std::size_t payload_size, ByteSpan out) {
    const bool v4 = addresses.source.is_v4();
    const std::size_t ip_size = v4 ? kIpv4HeaderSize : kIpv6HeaderSize;
    const std::size_t largest = v4 ? kLargestIpLength - kIpv4HeaderSize : kLargestIpLength;
    if (payload_size > largest || out.size() < kEthernetHeaderSize + ip_size + payload_size) return 0;
    write_ethernet_header({.destination = addresses.destination_mac,
                           .source = addresses.source_mac,
                           .ether_type = v4 ? kEtherTypeIpv4 : kEtherTypeIpv6},
                          out);
    const ByteSpan ip = out.subspan(kEthernetHeaderSize);
    if (v4) {
        write_ipv4_header({.identification = addresses.identification,
                           .ttl = addresses.ttl,
                           .protocol = protocol,
                           .source = addresses.source,
                           .destination = addresses.destination},
                          payload_size, ip);
    } else {
        write_ipv6_header({.next_header = protocol,
                           .hop_limit = addresses.ttl,
                           .source = addresses.source,
                           .destination = addresses.destination},
                          payload_size, ip);
    }
    return kEthernetHeaderSize + ip_size;
}

// An NDP message that was written behind no headers yet.
std::size_t write_ndp_frame(FrameAddresses addresses, ByteView message, ByteSpan out) {
    addresses.ttl = kNdpHopLimit;
    const std::size_t at = write_lower_headers(addresses, kProtocolIcmpv6, message.size(), out);
    if (at == 0) return 0;
    std::ranges::copy(message, out.begin() + static_cast<std::ptrdiff_t>(at));
    return at + message.size();
}

}  // namespace

std::size_t write_tcp_frame(const FrameAddresses& addresses, const TcpHeader& header, ByteView payload,
                            ByteView payload_tail, ByteSpan out) {
    const std::size_t header_size = tcp_header_size(header);
    const std::size_t size = header_size + payload.size() + payload_tail.size();
    const std::size_t at = write_lower_headers(addresses, kProtocolTcp, size, out);
    if (at == 0) return 0;
    const ByteSpan segment = out.subspan(at, size);
    write_tcp_header(header, segment);
    const auto rest = std::ranges::copy(payload, segment.data() + header_size).out;
    std::ranges::copy(payload_tail, rest);
    store16(segment.data() + kTcpChecksumAt,
            transport_checksum(addresses.source, addresses.destination, kProtocolTcp, segment));
    return at + size;
}

std::size_t write_icmp_frame(const FrameAddresses& addresses, const IcmpMessage& message, ByteSpan out) {
    const bool v4 = addresses.source.is_v4();
    const std::size_t size = kIcmpHeaderSize + message.body.size();
    const std::size_t at = write_lower_headers(addresses, v4 ? kProtocolIcmp : kProtocolIcmpv6, size, out);
    if (at == 0) return 0;
    const ByteSpan rest = out.subspan(at);
    return at + (v4 ? write_icmp(message, rest)
                    : write_icmpv6(message, addresses.source, addresses.destination, rest));
}

std::size_t write_neighbor_solicitation_frame(const FrameAddresses& addresses,
                                              const NeighborSolicitation& message, ByteSpan out) {
    std::array<std::byte, kNdpMaxMessageSize> bytes;
    const std::size_t size =
        write_neighbor_solicitation(message, addresses.source, addresses.destination, bytes);
    return write_ndp_frame(addresses, ByteView(bytes).first(size), out);
}

std::size_t write_neighbor_advertisement_frame(const FrameAddresses& addresses,
                                               const NeighborAdvertisement& message, ByteSpan out) {
    std::array<std::byte, kNdpMaxMessageSize> bytes;
    const std::size_t size =
        write_neighbor_advertisement(message, addresses.source, addresses.destination, bytes);
    return write_ndp_frame(addresses, ByteView(bytes).first(size), out);
}

std::size_t write_arp_frame(const MacAddress& destination_mac, const ArpPacket& packet, ByteSpan out) {
    if (out.size() < kEthernetHeaderSize + kArpPacketSize) return 0;
    write_ethernet_header(
        {.destination = destination_mac, .source = packet.sender_mac, .ether_type = kEtherTypeArp}, out);
    return kEthernetHeaderSize + write_arp(packet, out.subspan(kEthernetHeaderSize));
}

}  // namespace sluice::wire
