// The size of a path: what an ICMP "too big" says of it (RFC 1191, RFC 8201), and what TCP makes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/tcp.h"

namespace sluice::wire {

inline constexpr std::uint16_t kIpv4SmallestMtu = 68;    // RFC 791: every link carries as much
inline constexpr std::uint16_t kIpv6SmallestMtu = 1280;  // RFC 8200 section 5

// Headers of IP and TCP without options, in bytes.
constexpr std::size_t tcpip_header_size(IpFamily family) {
    return (family == IpFamily::V4 ? kIpv4HeaderSize : kIpv6HeaderSize) + kTcpHeaderSize;
}
// Largest TCP payload of an unfragmented packet without options (RFC 6691). mtu: bytes of the IP packet, more
// than tcpip_header_size().
constexpr std::uint16_t mss_of(IpFamily family, std::uint16_t mtu) {
    return static_cast<std::uint16_t>(mtu - tcpip_header_size(family));
}

// told: the MTU of the message, 0 from an IPv4 router older than RFC 1191. quoted: bytes of the IP packet
// that it quotes. Returns the largest IP packet that the path takes, in bytes: with told 0 the next plateau
// below the packet (RFC 1191 section 7.1). nullopt for what no link has: RFC 8201 section 4 throws that away.
std::optional<std::uint16_t> path_mtu(IpFamily family, std::uint32_t told, std::uint16_t quoted);

}  // namespace sluice::wire
