// Durations and sizes as people write them: a whole number and a unit. nullopt means "not of this form".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/time.h"

namespace sluice {

// Digits only, within the type.
std::optional<std::uint64_t> parse_number(std::string_view text);

// Digits and a unit: ms, s, m, h, d. Also nullopt when it does not fit a Duration.
std::optional<Duration> parse_duration(std::string_view text);
// In the largest unit that says it exactly.
std::string duration_to_string(Duration duration);

// Bytes. Digits and a unit: B, KB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024).
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string size_to_string(std::uint64_t bytes);

}  // namespace sluice
