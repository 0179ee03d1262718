// The Internet checksum (RFC 1071): over whole messages, over the pseudo-headers of both IP versions, and
// updated in place when a field changes (RFC 1624).
//
// Sums and checksums are 16-bit numbers in host byte order, to be stored with store16. A "sum" is folded and
// not complemented; a "checksum" is what stands in the packet. Zero has two forms in one's complement: a sum
// is 0x0000 only when every byte summed was zero, and 0xffff otherwise.
#pragma once

#include <cstdint>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"

namespace sluice::wire {

// Sum of any number of bytes at any alignment; an odd last byte counts as the high half of a word.
std::uint16_t checksum_sum(ByteView bytes);

// One's-complement addition. To join sums of pieces, every piece but the last must have an even length.
constexpr std::uint16_t checksum_add(std::uint16_t a, std::uint16_t b) {
    const std::uint32_t sum = std::uint32_t{a} + b;
    return static_cast<std::uint16_t>(sum + (sum >> 16U));
}

// From a sum to what stands in the packet.
constexpr std::uint16_t checksum_finish(std::uint16_t sum) { return static_cast<std::uint16_t>(~sum); }

// Pseudo-header of RFC 9293 section 3.1 (IPv4) and RFC 8200 section 8.1 (IPv6). length: bytes of the
// transport header and its payload. Both addresses must be of one family.
std::uint16_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                std::size_t length);

// Checksum of a transport message (TCP, ICMPv6) whose own checksum field is zero.
std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                 ByteView message);

// True when a received message, its checksum field included, sums up as it must.
bool transport_checksum_valid(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                              ByteView message);
// segment: what TcpView was parsed from.
bool tcp_checksum_valid(const IpAddress& source, const IpAddress& destination, ByteView segment);

// True when the checksum field holds nothing but the sum of the pseudo-header, which is how a Linux sender
// leaves it for hardware to complete. Meaningful only for a segment whose checksum is not valid.
// segment: at least a TCP header.
bool is_partial_checksum(const IpAddress& source, const IpAddress& destination, ByteView segment);

// The checksum after a 16-bit field went from before to after: RFC 1624 equation 3, HC' = ~(~HC + ~m + m').
// The field must lie at an even offset. Exact as long as the message has some byte that is not zero, which a
// pseudo-header and an IP header always have.
constexpr std::uint16_t checksum_update16(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) {
    const std::uint32_t sum =
        (~std::uint32_t{checksum} & 0xffffU) + (~std::uint32_t{before} & 0xffffU) + after;
    const std::uint32_t folded = (sum & 0xffffU) + (sum >> 16U);
    return static_cast<std::uint16_t>(~(folded + (folded >> 16U)));
}

// The same for a 32-bit field at an even offset.
constexpr std::uint16_t checksum_update32(std::uint16_t checksum, std::uint32_t before, std::uint32_t after) {
    const std::uint32_t removed = ~before;
    const std::uint32_t sum = (~std::uint32_t{checksum} & 0xffffU) + (removed >> 16U) + (removed & 0xffffU) +
                              (after >> 16U) + (after & 0xffffU);
    const std::uint32_t folded = (sum & 0xffffU) + (sum >> 16U);
    return static_cast<std::uint16_t>(~(folded + (folded >> 16U)));
}

}  // namespace sluice::wire
