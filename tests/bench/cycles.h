// The processor's own clock: the time-stamp counter on x86, which ticks at one rate whatever the cores do,
// and nanoseconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace sluice::bench {

inline std::uint64_t cycles() {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// How many cycles() make a nanosecond. Measured once, in the first call, which takes 50 ms.
inline double cycles_per_nanosecond() {
    static const double ratio = [] {
        const auto began = std::chrono::steady_clock::now();
        const std::uint64_t from = cycles();
        std::chrono::nanoseconds passed{};
        do passed = std::chrono::steady_clock::now() - began;
        while (passed < std::chrono::milliseconds(50));
        return static_cast<double>(cycles() - from) / static_cast<double>(passed.count());
    }();
    return ratio;
}

}  // namespace sluice::bench
