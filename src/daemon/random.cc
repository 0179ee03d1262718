#include "random.h"

#include <sys/random.h>

#include "fault.h"

namespace sluice::daemon {

std::uint64_t random_number() {
    std::uint64_t value = 0;
    // Requests of up to 256 bytes are never cut short (getrandom(2)).
    if (::getrandom(&value, sizeof value, 0) != static_cast<::ssize_t>(sizeof value)) {
        throw StartFault("cannot get random numbers from the kernel");
    }
    return value;
}

SipKey random_key() {
    const std::uint64_t k0 = random_number();
    return {.k0 = k0, .k1 = random_number()};
}

}  // namespace sluice::daemon
