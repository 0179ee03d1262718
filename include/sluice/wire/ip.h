// What both IP versions share: protocol numbers, and the reasons for which a received packet is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sluice/base/bytes.h"

namespace sluice::wire {

// IANA "Assigned Internet Protocol Numbers"; in IPv6 the values of Next Header.
inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;

// The field that both headers begin with.
inline unsigned ip_version(const std::byte* ip) { return load8(ip) >> 4U; }

// Why a packet was refused. Each value has its own drop counter: drop_ethernet_type, drop_ipv4_malformed,
// drop_ipv4_checksum, drop_ipv4_fragment, drop_ipv6_malformed, drop_ipv6_extension, drop_ip_truncated.
enum class IpError : std::uint8_t {
    NotIp,          // the EtherType is neither IPv4 nor IPv6
    Ipv4Malformed,  // no IPv4 header, or one that contradicts itself
    Ipv4Checksum,   // the header checksum is wrong
    Ipv4Fragment,   // part of a larger packet
    Ipv6Malformed,  // no IPv6 header, or an address that must not be on the wire
    Ipv6Extension,  // an extension header follows, which Sluice does not walk
    Truncated,      // a good header that promises more bytes than arrived
};

std::string_view to_string(IpError error);

}  // namespace sluice::wire
