#include "report.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace sluice::config {
namespace {

constexpr std::size_t kLongestQuote = 80;  // bytes

std::string printable(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            out += c;
        } else {
            out += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
        }
    }
    return out;
}

}  // namespace

void Report::add(const FilePosition& place, std::string message, std::string remedy) {
    problems_.push_back({file_, place.line, place.column, place.key, std::move(message), std::move(remedy)});
}

std::vector<Problem> Report::take() {
    std::ranges::stable_sort(problems_, {}, [](const Problem& p) { return std::tuple(p.line, p.column); });
    return std::exchange(problems_, {});
}

std::string quoted(std::string_view text) {
    const bool cut = text.size() > kLongestQuote;
    return '"' + printable(text.substr(0, kLongestQuote)) + (cut ? "...\"" : "\"");
}

std::string listed(const std::vector<std::string>& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i != 0) out += i + 1 == words.size() ? " and " : ", ";
        out += words[i];
    }
    return out;
}

std::string on_line(const FilePosition& place) {
    if (place.line == 0) return "another line";  // of a configuration that was not just read
    return "line " + std::to_string(place.line);
}

std::string to_string(const Problem& problem) {
    std::string out = problem.file;
    if (problem.line != 0) out += ":" + std::to_string(problem.line);
    if (!problem.key.empty()) out += (out.empty() ? "" : ": ") + problem.key;
    out += (out.empty() ? "" : ": ") + problem.message;
    if (!problem.remedy.empty()) out += "; " + problem.remedy;
    return printable(out);
}

}  // namespace sluice::config
