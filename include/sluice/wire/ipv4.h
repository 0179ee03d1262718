// IPv4 header (RFC 791). Options are skipped over, never interpreted or written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/wire/ip.h"

namespace sluice::wire {

inline constexpr std::size_t kIpv4HeaderSize = 20;  // without options

// Where its fields begin, in bytes.
inline constexpr std::size_t kIpv4TrafficClassAt = 1;
inline constexpr std::size_t kIpv4LengthAt = 2;
inline constexpr std::size_t kIpv4IdentificationAt = 4;
inline constexpr std::size_t kIpv4FragmentAt = 6;  // flags and offset
inline constexpr std::size_t kIpv4TtlAt = 8;
inline constexpr std::size_t kIpv4ProtocolAt = 9;
inline constexpr std::size_t kIpv4ChecksumAt = 10;
inline constexpr std::size_t kIpv4SourceAt = 12;
inline constexpr std::size_t kIpv4DestinationAt = 16;

// Within the 16 bits at kIpv4FragmentAt.
inline constexpr std::uint16_t kIpv4DontFragment = 0x4000;
inline constexpr std::uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr std::uint16_t kIpv4FragmentOffset = 0x1fff;  // in units of 8 bytes

// Of a header whose fixed part is there: what it says of its size, options included, in bytes; and whether
// the packet is a part of one.
inline std::size_t ipv4_header_size(const std::byte* ip) { return (load8(ip) & 0x0fU) * std::size_t{4}; }
inline bool is_ipv4_fragment(const std::byte* ip) {
    return (load16(ip + kIpv4FragmentAt) & (kIpv4MoreFragments | kIpv4FragmentOffset)) != 0;
}

// The header as values, host byte order. Lengths and checksum are the writer's business.
struct Ipv4Header {
    std::uint8_t traffic_class = 0;  // DSCP and ECN (RFC 2474, RFC 3168)
    std::uint16_t identification = 0;
    bool dont_fragment = true;
    bool more_fragments = false;
    std::uint16_t fragment_offset = 0;  // bytes, a multiple of 8, at most 65528
    std::uint8_t ttl = 64;
    std::uint8_t protocol = 0;
    IpAddress source{};       // IPv4
    IpAddress destination{};  // IPv4

    friend bool operator==(const Ipv4Header&, const Ipv4Header&) = default;
};

// A packet whose lengths are proven consistent. Its checksum and its being a fragment are the caller's to
// judge. Does not own the bytes.
class Ipv4View {
  public:
    // bytes: the Ethernet payload; what follows the total length is padding and cut off. On nullopt, error is
    // Ipv4Malformed (version, header length, lengths that contradict each other) or Truncated (total length
    // beyond the bytes).
    static std::optional<Ipv4View> parse(ByteView bytes, IpError& error);

    std::size_t header_size() const { return ipv4_header_size(bytes_.data()); }
    std::uint8_t traffic_class() const { return load8(bytes_.data() + kIpv4TrafficClassAt); }
    std::uint16_t total_length() const { return load16(bytes_.data() + kIpv4LengthAt); }
    std::uint16_t identification() const { return load16(bytes_.data() + kIpv4IdentificationAt); }
    bool dont_fragment() const { return (fragment_field() & kIpv4DontFragment) != 0; }
    bool more_fragments() const { return (fragment_field() & kIpv4MoreFragments) != 0; }
    // In bytes.
    std::uint16_t fragment_offset() const {
        return static_cast<std::uint16_t>((fragment_field() & kIpv4FragmentOffset) * 8U);
    }
    bool is_fragment() const { return is_ipv4_fragment(bytes_.data()); }
    std::uint8_t ttl() const { return load8(bytes_.data() + kIpv4TtlAt); }
    std::uint8_t protocol() const { return load8(bytes_.data() + kIpv4ProtocolAt); }
    std::uint16_t checksum() const { return load16(bytes_.data() + kIpv4ChecksumAt); }
    bool checksum_valid() const;
    IpAddress source() const { return IpAddress::v4(bytes_.subspan<kIpv4SourceAt, 4>()); }
    IpAddress destination() const { return IpAddress::v4(bytes_.subspan<kIpv4DestinationAt, 4>()); }
    ByteView payload() const { return bytes_.subspan(header_size()); }
    ByteView bytes() const { return bytes_; }  // trimmed to the total length
    Ipv4Header header() const;

  private:
    explicit Ipv4View(ByteView bytes) : bytes_(bytes) {}
    std::uint16_t fragment_field() const { return load16(bytes_.data() + kIpv4FragmentAt); }

    ByteView bytes_;
};

// Writes 20 bytes with their checksum, for a payload of payload_size bytes (at most 65515) that the caller
// puts behind them; returns 20. out must hold them.
std::size_t write_ipv4_header(const Ipv4Header& header, std::size_t payload_size, ByteSpan out);

std::string to_string(const Ipv4Header& header);

}  // namespace sluice::wire
