// The small languages inside the file's strings: durations, sizes, ranges; and the guess at what a misspelt
// word should have been. Pure functions; nullopt means "not of this form".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/config/model.h"

namespace sluice::config {

// Digits and a unit: ms, s, m, h, d. Also nullopt when it does not fit a Duration.
std::optional<Duration> parse_duration(std::string_view text);
// In the largest unit that says it exactly.
std::string to_string(Duration duration);

// Bytes. Digits and a unit: B, KB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024).
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string size_to_string(std::uint64_t bytes);

// "first-last", decimal, both 1..65535, first <= last.
std::optional<PortRange> parse_port_range(std::string_view text);

// "1-3", "1,4", "0-1,4-5": numbers 0..1023 in the given order, at most 64 of them.
std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text);

struct AddressRange {
    IpAddress first;
    IpAddress last;  // inclusive
};
// "10.2.0.10" or "10.2.0.10-10.2.0.33", one family, in order.
std::optional<AddressRange> parse_address_range(std::string_view text);
// Addresses in the range, or nullopt when there are more than `most`.
std::optional<std::vector<IpAddress>> expand(const AddressRange& range, std::size_t most);

// The known word that differs from `word` by the fewest insertions, deletions, replacements and swaps of
// neighbours, or else the first that goes on where `word` ends; nullopt when none is at all like it.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> known);

// Whether the text can be a name: one word of at most 64 letters, digits and signs.
bool is_word(std::string_view text);
inline constexpr const char* kNameRemedy = "use at most 64 letters, digits, and the signs . _ - :";

}  // namespace sluice::config
