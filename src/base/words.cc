#include "sluice/base/words.h"

namespace sluice {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::optional<unsigned> hex_value(char c) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    const std::size_t digit = kHexDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    return static_cast<unsigned>(digit);
}

// Reads what follows a backslash, from line[i], and leaves i behind it.
std::optional<char> read_escape(std::string_view line, std::size_t& i) {
    if (i >= line.size()) return std::nullopt;
    switch (line[i++]) {
        case '"': return '"';
        case '\\': return '\\';
        case 'n': return '\n';
        case 't': return '\t';
        case 'x': {
            if (i + 2 > line.size()) return std::nullopt;
            const auto high = hex_value(line[i]);
            const auto low = hex_value(line[i + 1]);
            if (!high || !low) return std::nullopt;
            i += 2;
            return static_cast<char>(*high * 16 + *low);
        }
        default: return std::nullopt;
    }
}

}  // namespace

std::optional<std::vector<std::string>> split_words(std::string_view line) {
    std::vector<std::string> words;
    std::size_t i = 0;
    while (true) {
        while (i < line.size() && is_blank(line[i])) ++i;
        if (i == line.size()) return words;
        // Quotes may open in the middle of a word: client_id="a b" is one word.
        std::string word;
        bool quoted = false;
        while (i < line.size() && (quoted || !is_blank(line[i]))) {
            const char c = line[i++];
            if (c == '"') {
                quoted = !quoted;
            } else if (quoted && c == '\\') {
                const auto escaped = read_escape(line, i);
                if (!escaped) return std::nullopt;
                word.push_back(*escaped);
            } else {
                word.push_back(c);
            }
        }
        if (quoted) return std::nullopt;
        words.push_back(std::move(word));
    }
}

std::string quote_word(std::string_view word) {
    const auto plain = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != '"' && c != 0x7f; };
    bool quote = word.empty();
    for (const char c : word) quote = quote || !plain(c);
    if (!quote) return std::string(word);

    std::string out = "\"";
    for (const char c : word) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\x";
            out.push_back(kHexDigits[byte >> 4U]);
            out.push_back(kHexDigits[byte & 0xfU]);
        } else {
            out.push_back(c);
        }
    }
    out.push_back('"');
    return out;
}

}  // namespace sluice
