#include "text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace sluice::config {
namespace {

constexpr std::size_t kLongestName = 64;  // bytes

// Digits, and nothing else.
template <typename Int>
std::optional<Int> parse_decimal(std::string_view text) {
    Int value{};
    if (text.empty() || text.front() == '-') return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
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
