// RFC 1071 leaves the order of additions free, so the sum runs over 32-bit halves of native words in 64-bit
// accumulators, which need no carry for any packet, and is folded and put in network order once at the end.
#include "sluice/wire/checksum.h"

#include <cstring>

#include "sluice/wire/ip.h"
#include "sluice/wire/tcp.h"

namespace sluice::wire {
namespace {

template <typename Int>
Int native(const std::byte* p) {
    Int value;
    std::memcpy(&value, p, sizeof value);
    return value;
}

// Both halves of eight bytes. The accumulator would overflow only after 2^31 calls.
std::uint64_t halves(const std::byte* p) {
    const auto word = native<std::uint64_t>(p);
    return (word & 0xffffffffU) + (word >> 32U);
}

// Native-order accumulator to a folded sum in host order. Zero only for zero.
std::uint16_t fold(std::uint64_t sum) {
    sum = (sum & 0xffffffffU) + (sum >> 32U);
    sum = (sum & 0xffffffffU) + (sum >> 32U);
    sum = (sum & 0xffffU) + (sum >> 16U);
    sum = (sum & 0xffffU) + (sum >> 16U);
    return __builtin_bswap16(static_cast<std::uint16_t>(sum));  // RFC 1071 section 2(B)
}

}  // namespace

std::uint16_t checksum_sum(ByteView bytes) {
    const std::byte* p = bytes.data();
    std::size_t left = bytes.size();
    // Independent accumulators keep the additions from waiting for each other.
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    std::uint64_t d = 0;
    for (; left >= 32; left -= 32, p += 32) {
        a += halves(p);
        b += halves(p + 8);
        c += halves(p + 16);
        d += halves(p + 24);
    }
    for (; left >= 8; left -= 8, p += 8) a += halves(p);
    // Fixed sizes, because a copy of unknown size is a call.
    if (left >= 4) {
        b += native<std::uint32_t>(p);
        left -= 4;
        p += 4;
    }
    if (left >= 2) {
        c += native<std::uint16_t>(p);
        left -= 2;
        p += 2;
    }
    if (left == 1) d += load8(p);  // first of its word in memory, so the low half of a native one
    return fold(a + b + c + d);
}

std::uint16_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                std::size_t length) {
    // The prefix of a mapped IPv4 address sums to 0xffff, which is zero in one's complement, so both
    // families sum all sixteen bytes. The protocol and length fields sum alike wherever they stand.
    const std::byte* const from = std::as_bytes(source.bytes()).data();
    const std::byte* const to = std::as_bytes(destination.bytes()).data();
    const std::uint16_t addresses = fold(halves(from) + halves(from + 8) + halves(to) + halves(to + 8));
    const std::uint64_t sum = std::uint64_t{addresses} + protocol + (length >> 16U) + (length & 0xffffU);
    const std::uint64_t folded = (sum & 0xffffU) + (sum >> 16U);
    return static_cast<std::uint16_t>(folded + (folded >> 16U));
}

std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                 ByteView message) {
    return checksum_finish(checksum_add(pseudo_header_sum(source, destination, protocol, message.size()),
                                        checksum_sum(message)));
}

bool transport_checksum_valid(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                              ByteView message) {
    return transport_checksum(source, destination, protocol, message) == 0;
}

bool tcp_checksum_valid(const IpAddress& source, const IpAddress& destination, ByteView segment) {
    return transport_checksum_valid(source, destination, kProtocolTcp, segment);
}

bool is_partial_checksum(const IpAddress& source, const IpAddress& destination, ByteView segment) {
    return load16(segment.data() + kTcpChecksumAt) ==
           pseudo_header_sum(source, destination, kProtocolTcp, segment.size());
}

}  // namespace sluice::wire
