// Whole Ethernet frames, ready to send: every header written, every checksum filled in. Short frames are not
// padded; that is the port's matter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/ndp.h"
#include "sluice/wire/tcp.h"

namespace sluice::wire {

// Where a frame comes from and goes to. Both IP addresses are of one family, which decides the IP version.
// IPv4 is sent with "don't fragment" set.
struct FrameAddresses {
    MacAddress source_mac{};
    MacAddress destination_mac{};
    IpAddress source{};
    IpAddress destination{};
    std::uint8_t ttl = 64;             // or hop limit
    std::uint16_t identification = 0;  // IPv4 only; any value will do, fragments do not occur (RFC 6864)
};

// All return the size of the frame, or 0 when out is too small for it or it is too large for IP. Payloads
// must not overlap out.

// payload_tail follows payload directly: a ring buffer gives its bytes in two pieces.
std::size_t write_tcp_frame(const FrameAddresses& addresses, const TcpHeader& header, ByteView payload,
                            ByteView payload_tail, ByteSpan out);

// ICMP over IPv4, ICMPv6 over IPv6: message.type must be of the family that the addresses are.
std::size_t write_icmp_frame(const FrameAddresses& addresses, const IcmpMessage& message, ByteSpan out);

// The hop limit is 255 whatever addresses.ttl says (RFC 4861 section 7.1).
std::size_t write_neighbor_solicitation_frame(const FrameAddresses& addresses,
                                              const NeighborSolicitation& message, ByteSpan out);
std::size_t write_neighbor_advertisement_frame(const FrameAddresses& addresses,
                                               const NeighborAdvertisement& message, ByteSpan out);

// From the packet's sender_mac.
std::size_t write_arp_frame(const MacAddress& destination_mac, const ArpPacket& packet, ByteSpan out);

}  // namespace sluice::wire
