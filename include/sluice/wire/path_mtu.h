// What an ICMP "too big" says about the size of a path (RFC 1191, RFC 8201).
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/address.h"

namespace sluice::wire {

inline constexpr std::uint16_t kIpv4SmallestMtu = 68;    // RFC 791: every link carries as much
inline constexpr std::uint16_t kIpv6SmallestMtu = 1280;  // RFC 8200 section 5

// told: the MTU of the message, 0 from an IPv4 router older than RFC 1191. quoted: bytes of the IP packet
// that it quotes. Returns the largest IP packet that the path takes, in bytes: with told 0 the next plateau
// below the packet (RFC 1191 section 7.1). nullopt for what no link has: RFC 8201 section 4 throws that away.
std::optional<std::uint16_t> path_mtu(IpFamily family, std::uint32_t told, std::uint16_t quoted);

}  // namespace sluice::wire
