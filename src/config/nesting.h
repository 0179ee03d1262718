// How deep a file nests its tables by dotted keys, before the TOML library builds them: it takes a table
// apart by one call within another, so "a.a.a. ..." would use up the stack of the process.
#pragma once

#include <optional>
#include <string_view>

namespace sluice::config {

// Far more than any key of a configuration has.
inline constexpr unsigned kMostDots = 100;

// The number of the first line, from 1, that ends or goes on a statement with more than kMostDots dots
// outside of strings and comments; a statement ends with its line unless a bracket is open. nullopt: there is
// none.
std::optional<unsigned> line_nested_too_deep(std::string_view text);

}  // namespace sluice::config
