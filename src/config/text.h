// The small languages inside the file's strings: ranges, lists, names; and the guess at what a misspelt
// word should have been. Pure functions; nullopt means "not of this form".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/address_range.h"
#include "sluice/base/quantities.h"
#include "sluice/config/model.h"

namespace sluice::config {

// "first-last", decimal, both 1..65535, first <= last.
std::optional<PortRange> parse_port_range(std::string_view text);

// "1-3", "1,4", "0-1,4-5": numbers 0..1023 in the given order, at most 64 of them.
std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text);

// The known word that differs from `word` by the fewest insertions, deletions, replacements and swaps of
// neighbours, or else the first that goes on where `word` ends; nullopt when none is at all like it.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> known);

// Whether the text can be a name: one word of at most 64 letters, digits and signs.
bool is_word(std::string_view text);
inline constexpr const char* kNameRemedy = "use at most 64 letters, digits, and the signs . _ - :";

}  // namespace sluice::config
