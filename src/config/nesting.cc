#include "nesting.h"

#include <cstddef>

namespace sluice::config {
namespace {

// The position behind the string that begins at `at`, or behind its line where nothing ends it there.
std::size_t behind_string(std::string_view text, std::size_t at) {
    const char quote = text[at];
    const bool several_lines = text.substr(at, 3) == std::string_view(quote == '"' ? "\"\"\"" : "'''");
    const std::size_t length = several_lines ? 3 : 1;
    const std::string_view end = text.substr(at, length);
    for (std::size_t i = at + length; i < text.size(); ++i) {
        if (text[i] == '\\' && quote == '"') {
            ++i;
        } else if (text[i] == '\n' && !several_lines) {
            return i;
        } else if (text.substr(i, length) == end) {
            i += length;
            // Up to two quotes before the end belong to the string.
            for (int more = 0; several_lines && more < 2 && text.substr(i, 1) == end.substr(0, 1); ++more)
                ++i;
            return i;
        }
    }
    return text.size();
}

}  // namespace

std::optional<unsigned> line_nested_too_deep(std::string_view text) {
    unsigned line = 1;
    unsigned dots = 0;
    unsigned open = 0;  // brackets
    for (std::size_t i = 0; i < text.size();) {
        switch (text[i]) {
            case '"':
            case '\'': {
                const std::size_t end = behind_string(text, i);
                for (; i < end; ++i) line += text[i] == '\n' ? 1 : 0;
                continue;
            }
            case '#': i = text.find('\n', i); continue;
            case '\n':
                ++line;
                if (open == 0) dots = 0;
                break;
            case '[':
            case '{': ++open; break;
            case ']':
            case '}': open -= open != 0 ? 1 : 0; break;
            case '.':
                if (++dots > kMostDots) return line;
                break;
            default: break;
        }
        ++i;
    }
    return std::nullopt;
}

}  // namespace sluice::config
