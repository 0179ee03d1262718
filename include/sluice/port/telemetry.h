// What a reply on DPDK's telemetry socket can be made of, as plain values, and how much of it that socket
// carries. Knows no DPDK type: dpdk_telemetry.h has the socket itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::port {

// DPDK cuts longer texts without a word, does not take further entries, and leaves out whatever its buffer of
// 16,384 bytes has no room for. It escapes quotes and backslashes in texts.
inline constexpr std::size_t kTelemetryText = 127;     // bytes of a text or name
inline constexpr std::size_t kTelemetryEntries = 256;  // of a dict
inline constexpr std::size_t kTelemetryItems = 512;    // of a list
inline constexpr std::size_t kTelemetryReply =
    16'000;  // bytes of a reply in JSON, the command's name not counted

struct TelemetryEntry;
using TelemetryDict = std::vector<TelemetryEntry>;
using TelemetryValue = std::variant<std::uint64_t, std::string, std::vector<std::string>, TelemetryDict>;
struct TelemetryEntry {
    std::string name;
    TelemetryValue value;
};

struct TelemetryCommand {
    const char* name;  // "/sluice/info": at most 55 letters, digits, _ and /
    const char* help;  // at most 127 bytes
};

// What the socket's caller is answered when there is nothing else to say.
inline TelemetryDict telemetry_error(std::string why) { return {{"error", std::move(why)}}; }

// The reply as the socket carries it whole, at most `room` bytes long (64 or more).
// - Names are letters, digits, _ and /; anything else becomes _.
// - Bytes of texts that are not printable ASCII become \xNN. What is too long is cut and ends in "...".
// - What is behind the last entry that has room is left out. A dict then ends in an entry left_out, the
// number
//   of its entries that are missing; behind a list NAME that was cut stands NAME_left_out.
TelemetryDict fitted(TelemetryDict reply, std::size_t room = kTelemetryReply);

}  // namespace sluice::port
