// Decides when freed memory is given back to the system. An allocator keeps what connections have let go of,
// so after a flood the process would stay as large as it was in it. To give it back takes a walk over the
// heaps, some milliseconds in which a worker that asks for memory waits; so it is done when much has been let
// go of, and not often. Packets of spliced connections ask for none.
#pragma once

#include <cstdint>

#include "sluice/base/time.h"

namespace sluice::daemon {

class MemoryReturn {
  public:
    static constexpr std::uint64_t kWorthIt = std::uint64_t{16} << 20U;
    static constexpr Duration kInterval = 10s;

    // held: bytes that connections use now. True when that has fallen by half of what it has been, and by
    // kWorthIt, since it was last true.
    bool due(Instant now, std::uint64_t held);

  private:
    std::uint64_t most_ = 0;
    Instant next_{};
};

}  // namespace sluice::daemon
