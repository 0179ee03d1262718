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

// The control bits, as they stand in byte 13 of the header. ECN bits are carried, not interpreted.
struct TcpFlags {
    bool fin = false;
    bool syn = false;
    bool rst = false;
    bool psh = false;
    bool ack = false;
    bool urg = false;
    bool ece = false;
    bool cwr = false;

    static constexpr TcpFlags from_byte(std::uint8_t b) {
        return {.fin = (b & 0x01U) != 0,
                .syn = (b & 0x02U) != 0,
                .rst = (b & 0x04U) != 0,
                .psh = (b & 0x08U) != 0,
                .ack = (b & 0x10U) != 0,
                .urg = (b & 0x20U) != 0,
                .ece = (b & 0x40U) != 0,
                .cwr = (b & 0x80U) != 0};
    }
    constexpr std::uint8_t to_byte() const {
        return static_cast<std::uint8_t>((fin ? 0x01U : 0U) | (syn ? 0x02U : 0U) | (rst ? 0x04U : 0U) |
                                         (psh ? 0x08U : 0U) | (ack ? 0x10U : 0U) | (urg ? 0x20U : 0U) |
                                         (ece ? 0x40U : 0U) | (cwr ? 0x80U : 0U));
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
    std::uint16_t destination_port() const { return load16(bytes_.data() + 2); }
    std::uint32_t sequence() const { return load32(bytes_.data() + 4); }
    std::uint32_t acknowledgement() const { return load32(bytes_.data() + 8); }
    std::size_t header_size() const { return static_cast<std::size_t>(load8(bytes_.data() + 12) >> 4U) * 4; }
    TcpFlags flags() const { return TcpFlags::from_byte(load8(bytes_.data() + 13)); }
    std::uint16_t window() const { return load16(bytes_.data() + 14); }
    std::uint16_t checksum() const { return load16(bytes_.data() + 16); }
    std::uint16_t urgent_pointer() const { return load16(bytes_.data() + 18); }
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
