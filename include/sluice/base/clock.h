// The real clock. Only rooms that own a loop may include this (tests/check/layers.py): all others are given
// the time, so that tests own it.
#pragma once

#include <chrono>
#include <ctime>

#include "sluice/base/time.h"

namespace sluice {

// CLOCK_MONOTONIC: the same for all threads and processes of a machine, which tell each other instants.
inline Instant monotonic_now() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return Instant(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

}  // namespace sluice
