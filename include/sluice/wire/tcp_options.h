// TCP options as values: MSS (RFC 9293), window scale and timestamps (RFC 7323), SACK (RFC 2018).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/base/bytes.h"

namespace sluice::wire {

// Kinds (IANA "TCP Option Kind Numbers"). Only the first two have no length behind them.
inline constexpr std::uint8_t kTcpOptionEnd = 0;
inline constexpr std::uint8_t kTcpOptionNop = 1;
inline constexpr std::uint8_t kTcpOptionMss = 2;
inline constexpr std::uint8_t kTcpOptionWindowScale = 3;
inline constexpr std::uint8_t kTcpOptionSackPermitted = 4;
inline constexpr std::uint8_t kTcpOptionSack = 5;
inline constexpr std::uint8_t kTcpOptionTimestamps = 8;

inline constexpr std::size_t kSackBlockSize = 8;
inline constexpr std::size_t kTimestampsOptionSize = 10;  // kind and length included
inline constexpr std::uint8_t kMaxWindowScale = 14;       // RFC 7323 section 2.3
inline constexpr std::size_t kMaxSackBlocks = 4;  // 40 option bytes hold four; three beside timestamps

struct TcpTimestamps {
    std::uint32_t value = 0;  // TSval
    std::uint32_t echo = 0;   // TSecr
    friend bool operator==(const TcpTimestamps&, const TcpTimestamps&) = default;
};

// Half-open range of sequence numbers [left, right).
struct SackBlock {
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    friend bool operator==(const SackBlock&, const SackBlock&) = default;
};

// How most stacks lay out an established connection's only option, twelve bytes in all: NOP, NOP, kind and
// length of timestamps, and then their two values.
inline constexpr std::uint32_t kAlignedTimestamps = 0x0101080a;

struct TcpOptions {
    std::optional<std::uint16_t> mss{};
    std::optional<std::uint8_t> window_scale{};  // as received; the user clamps to kMaxWindowScale
    bool sack_permitted = false;
    std::optional<TcpTimestamps> timestamps{};
    std::array<SackBlock, kMaxSackBlocks> sack{};
    std::uint8_t sack_count = 0;  // valid entries at the front of sack

    friend bool operator==(const TcpOptions&, const TcpOptions&) = default;
};

// Reads the option bytes of one header. Unknown kinds are skipped; known kinds with a wrong length are
// ignored as unknown ones are. nullopt only when a length is below 2 or leads past the end.
std::optional<TcpOptions> parse_tcp_options(ByteView option_bytes);
// The same into `options`, which are fresh. False: malformed, and `options` may hold some of them.
bool read_tcp_options(ByteView option_bytes, TcpOptions& options);

// Size on the wire with NOP padding to a multiple of four; at most 40. Blocks that do not fit are left out,
// last first.
std::size_t tcp_options_size(const TcpOptions& options);

// Writes options and padding; returns tcp_options_size(options), which out must hold.
std::size_t write_tcp_options(const TcpOptions& options, ByteSpan out);

}  // namespace sluice::wire
