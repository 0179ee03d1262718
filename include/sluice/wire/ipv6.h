// IPv6 header (RFC 8200). Extension headers are not walked: next_header() is what stands in the fixed header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/wire/ip.h"

namespace sluice::wire {

inline constexpr std::size_t kIpv6HeaderSize = 40;

// Where its fields begin, in bytes; version, traffic class and flow label are the first 32 bits.
inline constexpr std::size_t kIpv6LengthAt = 4;
inline constexpr std::size_t kIpv6NextHeaderAt = 6;
inline constexpr std::size_t kIpv6HopLimitAt = 7;
inline constexpr std::size_t kIpv6SourceAt = 8;
inline constexpr std::size_t kIpv6DestinationAt = 24;

// The header as values, host byte order. The payload length is the writer's business.
struct Ipv6Header {
    std::uint8_t traffic_class = 0;
    std::uint32_t flow_label = 0;  // 20 bits
    std::uint8_t next_header = 0;
    std::uint8_t hop_limit = 64;
    IpAddress source{};       // IPv6
    IpAddress destination{};  // IPv6

    friend bool operator==(const Ipv6Header&, const Ipv6Header&) = default;
};

// Does not own the bytes.
class Ipv6View {
  public:
    // bytes: the Ethernet payload; what follows the payload length is padding and cut off. On nullopt, error
    // is Ipv6Malformed (version, no room for the header, an IPv4-mapped source or destination: RFC 4291
    // section 2.5.5.2 gives those no meaning on the wire) or Truncated (payload length beyond the bytes).
    static std::optional<Ipv6View> parse(ByteView bytes, IpError& error);

    std::uint8_t traffic_class() const { return static_cast<std::uint8_t>(load16(bytes_.data()) >> 4U); }
    std::uint32_t flow_label() const { return load32(bytes_.data()) & 0xfffffU; }
    std::uint16_t payload_length() const { return load16(bytes_.data() + kIpv6LengthAt); }
    std::uint8_t next_header() const { return load8(bytes_.data() + kIpv6NextHeaderAt); }
    std::uint8_t hop_limit() const { return load8(bytes_.data() + kIpv6HopLimitAt); }
    IpAddress source() const { return IpAddress::v6(bytes_.subspan<kIpv6SourceAt, 16>()); }
    IpAddress destination() const { return IpAddress::v6(bytes_.subspan<kIpv6DestinationAt, 16>()); }
    ByteView payload() const { return bytes_.subspan(kIpv6HeaderSize); }
    ByteView bytes() const { return bytes_; }  // trimmed to the payload length
    Ipv6Header header() const;

  private:
    explicit Ipv6View(ByteView bytes) : bytes_(bytes) {}
    ByteView bytes_;
};

// True for the numbers that IANA lists as IPv6 extension headers.
bool is_ipv6_extension(std::uint8_t next_header);

// Writes 40 bytes for a payload of payload_size bytes (at most 65535) that the caller puts behind them;
// returns 40. out must hold them.
std::size_t write_ipv6_header(const Ipv6Header& header, std::size_t payload_size, ByteSpan out);

std::string to_string(const Ipv6Header& header);

}  // namespace sluice::wire
