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
        Punt,       // not for this one: the holder asks the next one who may know it, at last the kernel.
                    // Where there is no next one, it is as Dropped
    };

    static constexpr Disposition consumed() { return {Kind::Consumed, kNone}; }
    static constexpr Disposition forwarded() { return {Kind::Forwarded, kNone}; }
    static constexpr Disposition dropped(Counter why) { return {Kind::Dropped, why}; }
    // why: counted where nobody takes the frame.
    static constexpr Disposition punt(Counter why) { return {Kind::Punt, why}; }
    // No loss where nobody takes it: what everybody on the link is told, and was heard here, or what
    // certainly has a next one.
    static constexpr Disposition punt() { return {Kind::Punt, kNone}; }

    constexpr Kind kind() const { return static_cast<Kind>(word_ & 0xffU); }
    constexpr bool is_forwarded() const { return kind() == Kind::Forwarded; }
    constexpr bool is_punt() const { return kind() == Kind::Punt; }
    // Of a frame that goes no further, why.
    constexpr std::optional<Counter> counter() const {
        const auto counter = static_cast<Counter>(word_ >> 16U);
        return counter == kNone ? std::nullopt : std::optional(counter);
    }

    friend constexpr bool operator==(const Disposition&, const Disposition&) = default;

  private:
    static constexpr Counter kNone = Counter::Count_;
    constexpr Disposition(Kind kind, Counter counter)
        : word_(static_cast<std::uint32_t>(kind) | static_cast<std::uint32_t>(counter) << 16U) {}

    // Kind and counter in one word: every packet has a verdict, and a compiler may put two members together
    // in memory.
    std::uint32_t word_;
};

}  // namespace sluice::host
