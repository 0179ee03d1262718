// The change of a checksum while several fields change: RFC 1624 equation 3 with one fold for all of them.
//
// The fields are summed as 32-bit numbers in a 64-bit accumulator. That is the same sum: 2^32 - 1 is a
// multiple of 2^16 - 1, so a 32-bit number and the sum of its halves are congruent, its complement is its
// negative, and a carry out of a wrapped addition needs no care, because before and after are both known.
#pragma once

#include <bit>
#include <cstdint>

namespace sluice::splice {

class ChecksumDelta {
  public:
    // initial: a difference that is already known, as checksum_difference() gives it.
    constexpr explicit ChecksumDelta(std::uint16_t initial = 0) : sum_(initial) {}

    constexpr void replace16(std::uint16_t before, std::uint16_t after) {
        sum_ += static_cast<std::uint16_t>(~before);
        sum_ += after;
    }
    // A field at an even offset from the start of what is summed.
    constexpr void replace32(std::uint32_t before, std::uint32_t after) {
        sum_ += ~before;
        sum_ += after;
    }
    // At an odd offset the field's bytes lie in the other halves of their words (RFC 1071 section 2(B)).
    constexpr void replace32_odd(std::uint32_t before, std::uint32_t after) {
        replace32(std::rotl(before, 8), std::rotl(after, 8));
    }

    // The checksum after all replacements. Exact, in the form that a full computation gives, for every
    // checksum but 0xffff, which no sender computes over a header; that one stays as right or wrong as it
    // was.
    constexpr std::uint16_t apply(std::uint16_t checksum) const {
        return static_cast<std::uint16_t>(~fold(sum_ + static_cast<std::uint16_t>(~checksum)));
    }
    // The difference alone, in one's complement.
    constexpr std::uint16_t folded() const { return fold(sum_); }

  private:
    static constexpr std::uint16_t fold(std::uint64_t sum) {
        sum = (sum & 0xffffffffU) + (sum >> 32U);
        sum = (sum & 0xffffU) + ((sum >> 16U) & 0xffffU) + (sum >> 32U);
        sum = (sum & 0xffffU) + (sum >> 16U);
        return static_cast<std::uint16_t>(sum + (sum >> 16U));
    }

    std::uint64_t sum_;
};

// What is to be added to a sum when a part that sums to `before` gives way to one that sums to `after`.
constexpr std::uint16_t checksum_difference(std::uint16_t before, std::uint16_t after) {
    ChecksumDelta delta;
    delta.replace16(before, after);
    return delta.folded();
}

}  // namespace sluice::splice
