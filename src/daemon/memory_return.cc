#include "sluice/daemon/memory_return.h"

#include <algorithm>

namespace sluice::daemon {

bool MemoryReturn::due(Instant now, std::uint64_t held) {
    most_ = std::max(most_, held);
    if (most_ - held < kWorthIt || held > most_ / 2 || now < next_) return false;
    most_ = held;
    next_ = now + kInterval;
    return true;
}

}  // namespace sluice::daemon
