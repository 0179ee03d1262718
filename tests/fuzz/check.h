// What a fuzz target promises about its input. Unlike assert it is there in every build.
#pragma once

namespace sluice {

inline void check(bool holds) {
    if (!holds) __builtin_trap();
}

}  // namespace sluice
