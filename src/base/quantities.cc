#include "sluice/base/quantities.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace sluice {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array kDurationUnits{Unit{"ms", 1'000'000}, Unit{"s", 1'000'000'000},
                                    Unit{"m", 60'000'000'000}, Unit{"h", 3'600'000'000'000},
                                    Unit{"d", 86'400'000'000'000}};
constexpr std::array kSizeUnits{Unit{"B", 1},
                                Unit{"KB", 1'000},
                                Unit{"KiB", 1ULL << 10U},
                                Unit{"MB", 1'000'000},
                                Unit{"MiB", 1ULL << 20U},
                                Unit{"GB", 1'000'000'000},
                                Unit{"GiB", 1ULL << 30U}};

// Digits, perhaps one space, a unit; the product must not exceed `most`.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                             std::uint64_t most) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto value = parse_number(text.substr(0, digits));
    std::string_view name = text.substr(digits);
    if (name.starts_with(' ')) name.remove_prefix(1);
    const auto unit = std::ranges::find(units, name, &Unit::name);
    if (!value || unit == units.end() || *value > most / unit->factor) return std::nullopt;
    return *value * unit->factor;
}

// The largest unit of which `value` is a whole number.
std::string in_units(std::uint64_t value, std::span<const Unit> units) {
    const Unit* best = &units.front();
    for (const Unit& unit : units) {
        if (value % unit.factor == 0 && value >= unit.factor && unit.factor > best->factor) best = &unit;
    }
    return std::to_string(value / best->factor) + std::string(best->name);
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<Duration> parse_duration(std::string_view text) {
    const auto most = static_cast<std::uint64_t>(Duration::max().count());
    const auto nanoseconds = parse_with_unit(text, kDurationUnits, most);
    if (!nanoseconds) return std::nullopt;
    return Duration(static_cast<std::int64_t>(*nanoseconds));
}

std::string duration_to_string(Duration duration) {
    if (duration.count() == 0) return "0s";
    return in_units(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return parse_with_unit(text, kSizeUnits, std::numeric_limits<std::uint64_t>::max());
}

std::string size_to_string(std::uint64_t bytes) { return in_units(bytes, kSizeUnits); }

}  // namespace sluice
