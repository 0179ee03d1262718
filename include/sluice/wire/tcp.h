// TCP header (RFC 9293 section 3.1): a checked view of received bytes, and the plain values that the rest of
// the house speaks in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/bytes.h"
#include "sluice/wire/tcp_options.h"

namespace sluice::wire {

inline constexpr std::size_t kTcpHeaderSize = 20;     // without options
inline constexpr std::size_t kTcpMaxHeaderSize = 60;  // data offset is 4 bits of 32-bit words

// Where its fields begin, in bytes; the source port is the first.
inline constexpr std::size_t kTcpDestinationPortAt = 2;
inline constexpr std::size_t kTcpSequenceAt = 4;
inline constexpr std::size_t kTcpAcknowledgementAt = 8;
inline constexpr std::size_t kTcpDataOffsetAt = 12;
inline constexpr std::size_t kTcpFlagsAt = 13;
inline constexpr std::size_t kTcpWindowAt = 14;
inline constexpr std::size_t kTcpChecksumAt = 16;
inline constexpr std::size_t kTcpUrgentPointerAt = 18;

// Of a header whose fixed part is there: what it says of its size, options included, in bytes.
inline std::size_t tcp_header_size(const std::byte* tcp) {
    return static_cast<std::size_t>(load8(tcp + kTcpDataOffsetAt) >> 4U) * 4;
}

// The control bits, as they stand in a byte of the header. ECN bits are carried, not interpreted.
struct TcpFlags {
    static constexpr std::uint8_t kFin = 0x01;
    static constexpr std::uint8_t kSyn = 0x02;
    static constexpr std::uint8_t kRst = 0x04;
    static constexpr std::uint8_t kPsh = 0x08;
    static constexpr std::uint8_t kAck = 0x10;
    static constexpr std::uint8_t kUrg = 0x20;
    static constexpr std::uint8_t kEce = 0x40;
    static constexpr std::uint8_t kCwr = 0x80;

    bool fin = false;
    bool syn = false;
    bool rst = false;
    bool psh = false;
    bool ack = false;
    bool urg = false;
    bool ece = false;
    bool cwr = false;

    static constexpr TcpFlags from_byte(std::uint8_t b) {
        return {.fin = (b & kFin) != 0,
                .syn = (b & kSyn) != 0,
                .rst = (b & kRst) != 0,
                .psh = (b & kPsh) != 0,
                .ack = (b & kAck) != 0,
                .urg = (b & kUrg) != 0,
                .ece = (b & kEce) != 0,
                .cwr = (b & kCwr) != 0};
    }
    constexpr std::uint8_t to_byte() const {
        return static_cast<std::uint8_t>((fin ? kFin : 0U) | (syn ? kSyn : 0U) | (rst ? kRst : 0U) |
                                         (psh ? kPsh : 0U) | (ack ? kAck : 0U) | (urg ? kUrg : 0U) |
                                         (ece ? kEce : 0U) | (cwr ? kCwr : 0U));
    }
    friend bool operator==(const TcpFlags&, const TcpFlags&) = default;
};

std::string to_string(TcpFlags flags);  // "SYN|ACK", "-" for none

// The header as values, host byte order. Sequence numbers are raw here; tcp::Seq gives them their arithmetic.
struct TcpHeader {
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgement = 0;
    TcpFlags flags{};
    std::uint16_t window = 0;  // as on the wire, unscaled
    std::uint16_t urgent_pointer = 0;
    TcpOptions options{};
};

// Bytes of a TCP segment, header and payload, whose header length is proven to lie inside them. The view does
// not own the bytes. Options are not parsed until asked for, because a spliced packet does not need them all.
class TcpView {
  public:
    // segment: from the first header byte to the end of the IP payload. nullopt when shorter than its own
    // header says.
    static std::optional<TcpView> parse(ByteView segment);

    std::uint16_t source_port() const { return load16(bytes_.data()); }
    std::uint16_t destination_port() const { return load16(bytes_.data() + kTcpDestinationPortAt); }
    std::uint32_t sequence() const { return load32(bytes_.data() + kTcpSequenceAt); }
    std::uint32_t acknowledgement() const { return load32(bytes_.data() + kTcpAcknowledgementAt); }
    std::size_t header_size() const { return tcp_header_size(bytes_.data()); }
    TcpFlags flags() const { return TcpFlags::from_byte(load8(bytes_.data() + kTcpFlagsAt)); }
    std::uint16_t window() const { return load16(bytes_.data() + kTcpWindowAt); }
    std::uint16_t checksum() const { return load16(bytes_.data() + kTcpChecksumAt); }
    std::uint16_t urgent_pointer() const { return load16(bytes_.data() + kTcpUrgentPointerAt); }
    ByteView option_bytes() const { return bytes_.subspan(kTcpHeaderSize, header_size() - kTcpHeaderSize); }
    ByteView payload() const { return bytes_.subspan(header_size()); }
    ByteView bytes() const { return bytes_; }

    // Everything as values. nullopt when an option's length runs past the header (RFC 9293 section 3.1:
    // MUST-7 tolerates unknown kinds, a length below 2 or beyond the header is malformed).
    std::optional<TcpHeader> header() const;

  private:
    explicit TcpView(ByteView bytes) : bytes_(bytes) {}
    ByteView bytes_;
};

// Header size with options, padded to a multiple of four.
std::size_t tcp_header_size(const TcpHeader& header);

// Writes header and options to the front of out, checksum zero; returns the bytes written. out must hold
// tcp_header_size(header).
std::size_t write_tcp_header(const TcpHeader& header, ByteSpan out);

std::string to_string(const TcpHeader& header, std::size_t payload_size);

}  // namespace sluice::wire
