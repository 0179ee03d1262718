#include "sluice/base/terminal.h"

#include <cstddef>
#include <cstdint>

namespace sluice {
namespace {

// Of a sequence that is well-formed: length by its lead byte.
std::size_t length_of(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4; }

std::uint32_t code_point(std::string_view sign) {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(sign[i]));
    };
    switch (sign.size()) {
        case 1: return byte(0);
        case 2: return (byte(0) & 0x1fU) << 6U | (byte(1) & 0x3fU);
        case 3: return (byte(0) & 0x0fU) << 12U | (byte(1) & 0x3fU) << 6U | (byte(2) & 0x3fU);
        default: return 0x10000;  // none of those above is asked about
    }
}

}  // namespace

bool steers_terminal(std::string_view sign) {
    const std::uint32_t c = code_point(sign);
    const auto within = [&](std::uint32_t first, std::uint32_t last) { return c >= first && c <= last; };
    return c < 0x20 || within(0x7f, 0x9f) || c == 0x061c || within(0x200e, 0x200f) ||
           within(0x2028, 0x202e) || within(0x2066, 0x2069);
}

std::string escape_terminal(std::string_view json) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(json.size());
    for (std::size_t i = 0; i < json.size();) {
        const std::string_view sign = json.substr(i, length_of(static_cast<unsigned char>(json[i])));
        i += sign.size();
        // C0 between strings is white space; within them JSON has escaped it already.
        if (static_cast<unsigned char>(sign[0]) < 0x20 || !steers_terminal(sign)) {
            out += sign;
            continue;
        }
        const std::uint32_t c = code_point(sign);
        out += "\\u";
        for (unsigned shift = 16; shift != 0; shift -= 4) out += kDigits[c >> (shift - 4) & 0xfU];
    }
    return out;
}

}  // namespace sluice
