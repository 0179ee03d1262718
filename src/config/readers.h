// The readings of single sections, each of which adds to the draft what its section says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "draft.h"
#include "section.h"

namespace sluice::config {

inline constexpr std::uint32_t kMostConnections = 50'000'000;

void read_listener(Section section, Draft& draft);
void read_route(Section section, Draft& draft);
void read_pool(Section section, Draft& draft);
void read_health(Section section, Health& health);

// Reports a pattern that RE2 does not take, or one without a group where there must be one.
void check_pattern(const std::string& pattern, std::size_t groups, const FilePosition& place, Report& report);

}  // namespace sluice::config
