// ICMP for IPv4 (RFC 792), and the message layout that ICMPv6 shares with it: type, code, checksum, one
// 32-bit parameter whose meaning hangs on the type, and a body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/bytes.h"

namespace sluice::wire {

inline constexpr std::size_t kIcmpHeaderSize = 8;

inline constexpr std::uint8_t kIcmpEchoReply = 0;
inline constexpr std::uint8_t kIcmpUnreachable = 3;
inline constexpr std::uint8_t kIcmpEchoRequest = 8;
inline constexpr std::uint8_t kIcmpTimeExceeded = 11;

inline constexpr std::uint8_t kIcmpCodePortUnreachable = 3;
inline constexpr std::uint8_t kIcmpCodeFragmentationNeeded = 4;  // RFC 1191
inline constexpr std::uint8_t kIcmpCodeProhibited = 13;          // RFC 1812 section 5.2.7.1

// A message to be written. body is borrowed and must not overlap the buffer written to.
struct IcmpMessage {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t parameter = 0;  // echo: identifier and sequence; too big: the MTU; else zero
    ByteView body{};              // echo data, or the front of the packet that caused an error
};

// What both versions have in common. Does not own the bytes.
class IcmpMessageView {
  public:
    std::uint8_t type() const { return load8(bytes_.data()); }
    std::uint8_t code() const { return load8(bytes_.data() + 1); }
    std::uint16_t checksum() const { return load16(bytes_.data() + 2); }
    std::uint32_t parameter() const { return load32(bytes_.data() + 4); }
    // Of an echo request or reply.
    std::uint16_t identifier() const { return load16(bytes_.data() + 4); }
    std::uint16_t sequence() const { return load16(bytes_.data() + 6); }
    ByteView body() const { return bytes_.subspan(kIcmpHeaderSize); }
    ByteView bytes() const { return bytes_; }
    IcmpMessage message() const { return {type(), code(), parameter(), body()}; }

  protected:
    explicit IcmpMessageView(ByteView bytes) : bytes_(bytes) {}

  private:
    ByteView bytes_;
};

class IcmpView : public IcmpMessageView {
  public:
    // message: the IPv4 payload. nullopt when shorter than eight bytes.
    static std::optional<IcmpView> parse(ByteView message);

    bool checksum_valid() const;
    // Of "fragmentation needed": the MTU of the next hop; 0 from a router older than RFC 1191.
    std::uint16_t next_hop_mtu() const { return load16(bytes().data() + 6); }

  private:
    using IcmpMessageView::IcmpMessageView;
};

// The answer to an echo request: same identifier, sequence and data (RFC 792). Borrows request's body.
IcmpMessage echo_reply(const IcmpView& request);

// Writes an ICMP message with its checksum; returns its size, or 0 when out is too small.
std::size_t write_icmp(const IcmpMessage& message, ByteSpan out);

std::string to_string(const IcmpView& message);

}  // namespace sluice::wire
