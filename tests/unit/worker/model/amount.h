// How much of what is random a test tries: what is usual with every change, or as much as somebody asks for
// by hand in the environment.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace sluice::test {

inline std::uint64_t amount(const char* variable, std::uint64_t usual) {
    const char* const asked = std::getenv(variable);
    return asked == nullptr ? usual : std::stoull(asked);
}

}  // namespace sluice::test
