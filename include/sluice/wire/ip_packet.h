// A received IP packet of either version, checked and reduced to what the rooms above ask about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/wire/ip.h"

namespace sluice::wire {

struct IpPacket {
    IpAddress source;
    IpAddress destination;
    IpFamily family = IpFamily::V4;
    std::uint8_t protocol = 0;    // of the payload
    std::uint8_t ttl = 0;         // or hop limit
    std::size_t header_size = 0;  // IPv4 options included
    ByteView payload;             // borrowed; without link padding
};

// payload: the Ethernet payload, behind a header of that EtherType. Accepts whole packets only: an IPv4
// header checksum must be right, a fragment or an IPv6 extension header is refused. On nullopt, error says
// why and so names the drop counter.
std::optional<IpPacket> parse_ip_packet(std::uint16_t ether_type, ByteView payload, IpError& error);

}  // namespace sluice::wire
