#include "text.h"

namespace sluice::wire {

std::string hex16(std::uint16_t value) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text = "0x";
    for (unsigned shift = 16; shift > 0; shift -= 4) text += kDigits[(value >> (shift - 4)) & 15U];
    return text;
}

}  // namespace sluice::wire
