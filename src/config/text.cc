#include "text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace sluice::config {
namespace {

constexpr std::size_t kLongestName = 64;  // bytes

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

// Digits, and nothing else.
template <typename Int>
std::optional<Int> parse_decimal(std::string_view text) {
    Int value{};
    if (text.empty() || text.front() == '-') return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Digits, perhaps one space, a unit; the product must not exceed `most`.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                             std::uint64_t most) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto value = parse_decimal<std::uint64_t>(text.substr(0, digits));
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

// Optimal string alignment distance: one row for each of the last two prefixes of `a`, and the current.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = a[i - 1] == b[j - 1];
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0U : 1U)});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before.swap(above);
        above.swap(row);
    }
    return above[b.size()];
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    const auto most = static_cast<std::uint64_t>(Duration::max().count());
    const auto nanoseconds = parse_with_unit(text, kDurationUnits, most);
    if (!nanoseconds) return std::nullopt;
    return Duration(static_cast<std::int64_t>(*nanoseconds));
}

std::string to_string(Duration duration) {
    if (duration.count() == 0) return "0s";
    return in_units(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return parse_with_unit(text, kSizeUnits, std::numeric_limits<std::uint64_t>::max());
}

std::string size_to_string(std::uint64_t bytes) { return in_units(bytes, kSizeUnits); }

std::optional<PortRange> parse_port_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto first = parse_decimal<std::uint16_t>(text.substr(0, dash));
    const auto last = parse_decimal<std::uint16_t>(text.substr(dash + 1));
    if (!first || !last || *first == 0 || *first > *last) return std::nullopt;
    return PortRange{*first, *last};
}

std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
    constexpr unsigned kHighestCpu = 1023;
    constexpr std::size_t kMostCpus = 64;
    std::vector<unsigned> cpus;
    while (true) {
        const std::size_t comma = text.find(',');
        const std::string_view item = text.substr(0, comma);
        const std::size_t dash = item.find('-');
        const auto first = parse_decimal<unsigned>(item.substr(0, dash));
        const auto last =
            dash == std::string_view::npos ? first : parse_decimal<unsigned>(item.substr(dash + 1));
        if (!first || !last || *first > *last || *last > kHighestCpu) return std::nullopt;
        for (unsigned cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
        if (cpus.size() > kMostCpus) return std::nullopt;
        if (comma == std::string_view::npos) return cpus;
        text.remove_prefix(comma + 1);
    }
}

std::optional<AddressRange> parse_address_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = IpAddress::parse(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : IpAddress::parse(text.substr(dash + 1));
    if (!first || !last || first->family() != last->family() || *last < *first) return std::nullopt;
    return AddressRange{*first, *last};
}

std::optional<std::vector<IpAddress>> expand(const AddressRange& range, std::size_t most) {
    std::vector<IpAddress> addresses;
    for (IpAddress address = range.first; addresses.size() < most; address = address.next()) {
        addresses.push_back(address);
        if (address == range.last) return addresses;
    }
    return std::nullopt;
}

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> known) {
    constexpr std::size_t kLongestWord = 64;  // nobody misspells at length; bounds the work
    constexpr std::size_t kShortestBeginning = 4;
    if (word.size() > kLongestWord) return std::nullopt;
    std::optional<std::string_view> best;
    // Something of the word must be left.
    std::size_t least = std::min(word.size(), std::max<std::size_t>(1, word.size() / 3) + 1);
    for (const std::string_view candidate : known) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance >= least) continue;
        least = distance;
        best = candidate;
    }
    if (best || word.size() < kShortestBeginning) return best;
    const auto longer =
        std::ranges::find_if(known, [&](std::string_view candidate) { return candidate.starts_with(word); });
    return longer == known.end() ? best : *longer;
}

bool is_word(std::string_view text) {
    return !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-' || c == ':';
    });
}

}  // namespace sluice::config
