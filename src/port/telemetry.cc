#include "sluice/port/telemetry.h"

#include <algorithm>
#include <limits>

namespace sluice::port {
namespace {

constexpr std::string_view kLeftOut = "left_out";
constexpr std::size_t kNumber = std::numeric_limits<std::uint64_t>::digits10 + 1;
// Of an entry beside its name and value: a comma, two quotes, a colon.
constexpr std::size_t kAround = 4;
// A dict with nothing but an entry left_out.
constexpr std::size_t kMarker = kAround + kLeftOut.size() + kNumber + 2;

bool prints(char c) { return c >= 0x20 && c < 0x7f; }

std::string plain_text(const std::string& text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    constexpr std::string_view kCut = "...";
    std::string out;
    std::size_t whole = 0;  // of `out`, up to a character behind which there is room for kCut
    for (const char c : text) {
        if (prints(c)) {
            out.push_back(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out.append("\\x").append(1, kDigits[byte >> 4U]).append(1, kDigits[byte & 0xfU]);
        }
        if (out.size() > kTelemetryText) return out.substr(0, whole).append(kCut);
        if (out.size() + kCut.size() <= kTelemetryText) whole = out.size();
    }
    return out;
}

std::string plain_name(std::string name, std::size_t longest = kTelemetryText) {
    name.resize(std::min(name.size(), longest));
    std::ranges::replace_if(
        name,
        [](char c) {
            return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                     c == '/');
        },
        '_');
    return name;
}

std::size_t size_of(std::uint64_t number) { return std::to_string(number).size(); }
std::size_t size_of(const std::string& text) {
    const auto escaped = std::ranges::count_if(text, [](char c) { return c == '"' || c == '\\'; });
    return text.size() + static_cast<std::size_t>(escaped) + 2;
}

// Each takes a value into its plain form and returns its bytes in JSON; 0: not even its beginning has room.
// `missing` becomes how much was cut off its end, and stays where nothing was.
std::size_t fit(std::uint64_t number, std::size_t room, std::size_t& /*missing*/) {
    const std::size_t size = size_of(number);
    return size <= room ? size : 0;
}

std::size_t fit(std::string& text, std::size_t room, std::size_t& /*missing*/) {
    text = plain_text(text);
    const std::size_t size = size_of(text);
    return size <= room ? size : 0;
}

// Room for the entry that tells of missing items is not kept here.
std::size_t fit(std::vector<std::string>& list, std::size_t room, std::size_t& missing) {
    std::size_t size = 2;
    if (size > room) return 0;
    std::size_t kept = 0;
    for (; kept < std::min(list.size(), kTelemetryItems); ++kept) {
        std::string text = plain_text(list[kept]);
        const std::size_t more = size_of(text) + 1;
        if (size + more > room) break;
        size += more;
        list[kept] = std::move(text);
    }
    missing = list.size() - kept;
    list.resize(kept);
    return size;
}

std::size_t fit(TelemetryDict& dict, std::size_t room, std::size_t& missing);

// Appends the entry, and behind a list that had to be cut another one that says so. Returns their bytes; 0:
// no room, and nothing was appended. cut: something is missing in it.
std::size_t append(TelemetryEntry entry, std::size_t room, TelemetryDict& dict, bool& cut) {
    entry.name = plain_name(std::move(entry.name));
    std::size_t size = kAround + entry.name.size();
    std::string rest;
    std::size_t kept_free = 0;
    if (std::holds_alternative<std::vector<std::string>>(entry.value)) {
        rest = plain_name(entry.name, kTelemetryText - kLeftOut.size() - 1).append("_").append(kLeftOut);
        kept_free = kAround + rest.size() + kNumber;
    }
    if (dict.size() + (rest.empty() ? 1 : 2) >= kTelemetryEntries || size + kept_free > room) return 0;
    std::size_t missing = 0;
    const auto into = [&](auto& value) { return fit(value, room - size - kept_free, missing); };
    const std::size_t inner = std::visit(into, entry.value);
    if (inner == 0) return 0;
    size += inner;
    dict.push_back(std::move(entry));
    cut = missing != 0;
    if (cut && !rest.empty()) {
        size += kAround + rest.size() + size_of(missing);
        dict.push_back({std::move(rest), std::uint64_t{missing}});
    }
    return size;
}

// Behind the first entry that is cut nothing follows, so that there is one ragged edge.
std::size_t fit(TelemetryDict& dict, std::size_t room, std::size_t& missing) {
    if (room < kMarker) return 0;
    std::size_t size = 2;
    TelemetryDict kept;
    std::size_t taken = 0;  // entries of `dict`
    bool cut = false;
    while (taken < dict.size() && !cut) {
        const std::size_t more = append(std::move(dict[taken]), room - size - (kMarker - 2), kept, cut);
        if (more == 0) break;
        size += more;
        ++taken;
    }
    missing = dict.size() - taken;
    if (missing != 0) {
        size += kAround + kLeftOut.size() + size_of(missing);
        kept.push_back({std::string(kLeftOut), std::uint64_t{missing}});
    } else if (cut) {
        missing = 1;  // of what is inside
    }
    dict = std::move(kept);
    return size;
}

}  // namespace

TelemetryDict fitted(TelemetryDict reply, std::size_t room) {
    std::size_t missing = 0;
    fit(reply, room, missing);
    return reply;
}

}  // namespace sluice::port
