// A TCP sequence number (RFC 9293 section 3.4): arithmetic modulo 2^32. It has no operator<, because
// wrap-around is no order; before() and in_window() say what is meant.
#pragma once

#include <cstdint>

namespace sluice::tcp {

class Seq {
  public:
    constexpr Seq() = default;
    constexpr explicit Seq(std::uint32_t value) : value_(value) {}

    constexpr std::uint32_t value() const { return value_; }
    constexpr Seq advance(std::uint32_t bytes) const { return Seq(value_ + bytes); }
    constexpr Seq retreat(std::uint32_t bytes) const { return Seq(value_ - bytes); }
    // Bytes from start to *this, going forward; meaningful when they are less than 2^31 apart.
    constexpr std::uint32_t since(Seq start) const { return value_ - start.value_; }

    // Strictly earlier within half the number space. Exactly 2^31 apart, neither is before the other... so
    // the difference is taken as negative for one order only, and the window checks below keep inputs closer
    // than that.
    constexpr bool before(Seq other) const { return static_cast<std::int32_t>(value_ - other.value_) < 0; }
    constexpr bool after(Seq other) const { return other.before(*this); }
    constexpr bool at_or_before(Seq other) const { return !other.before(*this); }
    constexpr bool at_or_after(Seq other) const { return !before(other); }
    // start <= *this < start + size.
    constexpr bool in_window(Seq start, std::uint32_t size) const { return value_ - start.value_ < size; }

    friend constexpr bool operator==(Seq, Seq) = default;

  private:
    std::uint32_t value_ = 0;
};

constexpr Seq later(Seq a, Seq b) { return a.before(b) ? b : a; }

}  // namespace sluice::tcp
