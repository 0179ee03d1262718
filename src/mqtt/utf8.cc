#include "utf8.h"

namespace sluice::mqtt {
namespace {

// Length of the well-formed sequence at the start of bytes, 0 when there is none. The bounds of the second
// byte are what rules out overlong forms, surrogates and values that are too large (RFC 3629 section 4).
std::size_t sequence_length(ByteView bytes) {
    const std::uint8_t lead = load8(bytes.data());
    if (lead < 0x80) return lead == 0 ? 0 : 1;
    std::size_t length = 0;
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
    }
    if (length == 0 || bytes.size() < length) return 0;
    const std::uint8_t second = load8(bytes.data() + 1);
    if (second < low || second > high) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if ((load8(bytes.data() + i) & 0xc0U) != 0x80) return 0;
    }
    return length;
}

}  // namespace

bool is_valid_utf8(ByteView bytes) {
    while (!bytes.empty()) {
        const std::size_t length = sequence_length(bytes);
        if (length == 0) return false;
        bytes = bytes.subspan(length);
    }
    return true;
}

}  // namespace sluice::mqtt
