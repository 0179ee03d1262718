// Secrets and seeds from the kernel.
#pragma once

#include <cstdint>

#include "sluice/base/siphash.h"

namespace sluice::daemon {

std::uint64_t random_number();  // throws StartFault
SipKey random_key();

}  // namespace sluice::daemon
