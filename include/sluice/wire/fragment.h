// One fragment of an IP packet: RFC 791 section 3.2, RFC 8200 section 4.5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"

namespace sluice::wire {

inline constexpr std::uint8_t kProtocolFragment = 44;  // IPv6: a Fragment header follows
inline constexpr std::size_t kIpv6FragmentHeaderSize = 8;

// Borrows the packet's bytes.
struct Fragment {
    IpFamily family = IpFamily::V4;
    IpAddress source;
    IpAddress destination;
    std::uint32_t identification = 0;
    std::uint8_t protocol = 0;       // of the whole packet's payload; IPv6: a further extension header, maybe
    std::uint8_t traffic_class = 0;  // of this fragment
    std::size_t offset = 0;          // bytes of the payload before this part, a multiple of 8
    bool more = false;               // it is not the last part
    ByteView header;                 // the fragment's own: IPv4 with options, IPv6 with the Fragment header
    ByteView data;

    std::size_t end() const { return offset + data.size(); }
};

// packet: an IP packet of that family, trimmed to its length: what Ipv4View or Ipv6View accepted. IPv6: the
// Fragment header stands directly behind the fixed one. nullopt when it is none, or a part that no packet
// has: an empty one, one whose end is no multiple of 8 though more follow, or one beyond 65,535 bytes; and of
// TCP or ICMP a first part without the whole fixed header, or a later one within it, which are made to hide
// what the packet is (RFC 1858, RFC 3128, RFC 7112).
std::optional<Fragment> parse_fragment(IpFamily family, ByteView packet);

}  // namespace sluice::wire
