// Tells the operator which ports lost frames before a worker could take them: once for each port and cause,
// and again after a pause when there are more. Time comes in as an argument, the text goes out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sluice/base/time.h"
#include "sluice/port/port.h"

namespace sluice::daemon {

class MissedFrames {
  public:
    static constexpr Duration kInterval = 10min;

    // One line for each cause of which a warning is due now: how many frames, and what to do about it.
    std::vector<std::string> look(Instant now, const port::PortInfo& port,
                                  const port::PortStatistics& counts);

  private:
    static constexpr std::size_t kCauses = 4;
    struct Told {
        std::uint64_t frames = 0;
        Instant at;
    };

    std::map<std::string, std::array<Told, kCauses>> told_;  // by name of the port
};

}  // namespace sluice::daemon
