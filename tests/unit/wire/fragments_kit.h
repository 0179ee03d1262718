// Packets cut into fragments, as a router or a sender does it.
#pragma once

#include <optional>

#include "bytes_util.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/fragment.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"

namespace sluice::wire {

inline Bytes payload_of(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 256);
    return bytes;
}

// An IP packet of that family and payload, no fragment.
inline Bytes whole_packet(IpFamily family, const Bytes& payload, std::uint8_t protocol = 6,
                          std::uint8_t traffic_class = 0) {
    Bytes packet(60);
    if (family == IpFamily::V4) {
        packet.resize(write_ipv4_header({.traffic_class = traffic_class,
                                         .identification = 7,
                                         .dont_fragment = false,
                                         .protocol = protocol,
                                         .source = IpAddress::v4(10, 1, 7, 7),
                                         .destination = IpAddress::v4(10, 1, 0, 1)},
                                        payload.size(), packet));
    } else {
        packet.resize(write_ipv6_header({.traffic_class = traffic_class,
                                         .next_header = protocol,
                                         .source = *IpAddress::parse("fd00:1::7"),
                                         .destination = *IpAddress::parse("fd00:1::1")},
                                        payload.size(), packet));
    }
    packet.insert(packet.end(), payload.begin(), payload.end());
    return packet;
}

// The part [begin, end) of a packet's payload; an IPv6 one's identification is 7 as well.
inline Bytes part_of(IpFamily family, const Bytes& packet, std::size_t begin, std::size_t end, bool more,
                     std::uint32_t identification = 7) {
    const std::size_t header = family == IpFamily::V4 ? (load8(packet.data()) & 0x0fU) * std::size_t{4} : 40;
    Bytes part(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(header));
    const auto at = [&](std::size_t n) { return packet.begin() + static_cast<std::ptrdiff_t>(header + n); };
    const auto field = static_cast<std::uint16_t>(begin);
    if (family == IpFamily::V4) {
        part.insert(part.end(), at(begin), at(end));
        store16(part.data() + 2, static_cast<std::uint16_t>(part.size()));
        store16(part.data() + 4, static_cast<std::uint16_t>(identification));
        store16(part.data() + 6, static_cast<std::uint16_t>(field / 8U | (more ? 0x2000U : 0U)));
        store16(part.data() + 10, 0);
        store16(part.data() + 10, checksum_finish(checksum_sum(ByteView(part).first(header))));
    } else {
        part.resize(48);
        store8(part.data() + 40, load8(packet.data() + 6));
        store8(part.data() + 6, kProtocolFragment);
        store16(part.data() + 42, static_cast<std::uint16_t>(field | (more ? 1U : 0U)));
        store32(part.data() + 44, identification);
        part.insert(part.end(), at(begin), at(end));
        store16(part.data() + 4, static_cast<std::uint16_t>(part.size() - 40));
    }
    return part;
}

// The whole in parts of `size`, in order.
inline std::vector<Bytes> parts_of(IpFamily family, const Bytes& packet, std::size_t size,
                                   std::uint32_t identification = 7) {
    const std::size_t header = family == IpFamily::V4 ? (load8(packet.data()) & 0x0fU) * std::size_t{4} : 40;
    const std::size_t all = packet.size() - header;
    std::vector<Bytes> parts;
    for (std::size_t at = 0; at < all; at += size) {
        parts.push_back(
            part_of(family, packet, at, std::min(at + size, all), at + size < all, identification));
    }
    return parts;
}

}  // namespace sluice::wire
