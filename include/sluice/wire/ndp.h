// Neighbor Discovery (RFC 4861): solicitations and advertisements of link-layer addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/wire/ip_packet.h"

namespace sluice::wire {

inline constexpr std::uint8_t kNdpHopLimit = 255;  // proof that a packet was not routed
// With a link-layer address option.
inline constexpr std::size_t kNdpMaxMessageSize = 32;

struct NeighborSolicitation {
    IpAddress target{};
    std::optional<MacAddress> source_mac{};  // the sender's address

    friend bool operator==(const NeighborSolicitation&, const NeighborSolicitation&) = default;
};

struct NeighborAdvertisement {
    IpAddress target{};
    bool router = false;
    bool solicited = false;
    bool override_entry = false;             // the O flag: replaces what a cache holds
    std::optional<MacAddress> target_mac{};  // the target's address

    friend bool operator==(const NeighborAdvertisement&, const NeighborAdvertisement&) = default;
};

// Reads an ICMPv6 packet of that type and validates it by RFC 4861 section 7.1.1 or 7.1.2: hop limit 255,
// checksum, code, length, target, option lengths, and what addresses go with what. nullopt when it fails; a
// caller that counts hop limits apart looks at packet.ttl first. Options of other kinds are skipped.
std::optional<NeighborSolicitation> parse_neighbor_solicitation(const IpPacket& packet);
std::optional<NeighborAdvertisement> parse_neighbor_advertisement(const IpPacket& packet);

// Write an ICMPv6 message with its checksum; return its size, at most kNdpMaxMessageSize, or 0 when out is
// too small. The packet must go out with hop limit 255.
std::size_t write_neighbor_solicitation(const NeighborSolicitation& message, const IpAddress& source,
                                        const IpAddress& destination, ByteSpan out);
std::size_t write_neighbor_advertisement(const NeighborAdvertisement& message, const IpAddress& source,
                                         const IpAddress& destination, ByteSpan out);

// ff02::1, every node on the link.
IpAddress all_nodes_multicast();
// ff02::1:ffXX:XXXX with the last three bytes of an IPv6 address (RFC 4291 section 2.7.1).
IpAddress solicited_node_multicast(const IpAddress& address);
// 33:33 and the last four bytes of an IPv6 multicast address (RFC 2464 section 7).
MacAddress multicast_mac(const IpAddress& group);

std::string to_string(const NeighborSolicitation& message);
std::string to_string(const NeighborAdvertisement& message);

}  // namespace sluice::wire
