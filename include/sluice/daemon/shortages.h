// Decides when the operator is told that the source ports towards a broker run out: when more than nine
// tenths of them are leased, and once in ten minutes.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "sluice/base/time.h"

namespace sluice::daemon {

class Shortages {
  public:
    static constexpr Duration kInterval = 10min;

    // True when a warning about this backend is due now. backend: its position over all pools.
    bool due(Instant now, std::uint32_t backend, std::uint64_t leased, std::uint64_t capacity);

    // One line: what runs out, and what to do about it. broker: its name and address.
    static std::string text(const std::string& pool, const std::string& broker, std::uint64_t leased,
                            std::uint64_t capacity);

  private:
    std::unordered_map<std::uint32_t, Instant> last_;
};

}  // namespace sluice::daemon
