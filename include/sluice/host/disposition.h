// What became of a frame: the one verdict that everything which takes frames gives, and all that the holder
// of a frame has to know to settle it.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/counters.h"

namespace sluice::host {

class Disposition {
  public:
    enum class Kind : std::uint8_t {
        Consumed,   // taken in, and what came of it is counted where it was; the holder releases the frame
        Forwarded,  // on its way to a port or to another owner: no longer the holder's
        Dropped,    // wrong, or nobody's: the holder counts counter() and releases the frame
        Punt,       // not this program's, perhaps the kernel's. A holder who can give it to the kernel does
                    // so; any other treats it as dropped
    };

    static constexpr Disposition consumed() { return {Kind::Consumed, kNone}; }
    static constexpr Disposition forwarded() { return {Kind::Forwarded, kNone}; }
    static constexpr Disposition dropped(Counter why) { return {Kind::Dropped, why}; }
    // why: counted where nobody takes the frame.
    static constexpr Disposition punt(Counter why) { return {Kind::Punt, why}; }
    // What everybody on the link is told: heard here, and no loss where the kernel does not hear it.
    static constexpr Disposition punt() { return {Kind::Punt, kNone}; }

    constexpr Kind kind() const { return kind_; }
    constexpr bool is_forwarded() const { return kind_ == Kind::Forwarded; }
    // Of a frame that goes no further, why.
    constexpr std::optional<Counter> counter() const {
        return counter_ == kNone ? std::nullopt : std::optional(counter_);
    }

    friend constexpr bool operator==(const Disposition&, const Disposition&) = default;

  private:
    static constexpr Counter kNone = Counter::Count_;
    constexpr Disposition(Kind kind, Counter counter) : kind_(kind), counter_(counter) {}

    Kind kind_;
    Counter counter_;
};

}  // namespace sluice::host
