// Time as values. Nothing below the worker reads a clock: an Instant is always an argument, so that tests
// own time and a run can be repeated.
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice {

using Duration = std::chrono::nanoseconds;

// A clock without now(): the type names a time line (monotonic, origin arbitrary but the same for the whole
// process), and only the rooms that own a real clock can make an Instant from it.
struct MonotonicTimeline {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonotonicTimeline>;
    static constexpr bool is_steady = true;
};

using Instant = MonotonicTimeline::time_point;

// Later than every instant that occurs; stands for "no deadline" in comparisons.
inline constexpr Instant kNever = Instant::max();

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): 200ms reads better than a cast

// Milliseconds since the origin of the time line, modulo 2^32 (RFC 7323 section 5.4 wants 1 ms to 1 s a
// tick).
constexpr std::uint32_t milliseconds32(Instant t) {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count());
}

// How long before `now` it was `then`, by that clock: less than 49.7 days.
constexpr Duration since(Instant now, std::uint32_t then) {
    return std::chrono::milliseconds(milliseconds32(now) - then);
}

}  // namespace sluice
