// The extension headers of an IPv6 packet, as its destination walks them (RFC 8200 section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/base/bytes.h"

namespace sluice::wire {

// What a chain of headers came to that can be taken off a packet.
struct Ipv6Chain {
    std::size_t size = 0;          // bytes of it, behind the fixed header
    std::uint8_t next_header = 0;  // of what follows: kProtocolFragment, or no extension header that is known
    bool atomic_fragment = false;  // a Fragment header of a whole packet was among them (RFC 6946)
};

// Why a packet is not taken.
struct Ipv6Problem {
    bool to_be_told = false;    // by an ICMPv6 Parameter Problem; else it goes without a word
    std::uint8_t code = 0;      // of that: 0 erroneous field, 1 unknown next header, 2 unknown option
    std::uint32_t pointer = 0;  // likewise: bytes from the start of the packet
};

// packet: what Ipv6View accepted, from the fixed header on. Walks over hop-by-hop options at their place,
// destination options, routing headers that have no segment left, and atomic fragments; ends before
// everything else. Options are judged by the action in their type (RFC 8200 section 4.2); the packet goes to
// one host.
std::optional<Ipv6Chain> walk_ipv6_extensions(ByteView packet, Ipv6Problem& problem);

}  // namespace sluice::wire
