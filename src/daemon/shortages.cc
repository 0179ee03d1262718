#include "sluice/daemon/shortages.h"

#include <fmt/format.h>

namespace sluice::daemon {

bool Shortages::due(Instant now, std::uint32_t backend, std::uint64_t leased, std::uint64_t capacity) {
    if (leased * 10 <= capacity * 9) return false;
    const auto [known, first] = last_.try_emplace(backend, now);
    if (first) return true;
    if (now - known->second < kInterval) return false;
    known->second = now;
    return true;
}

std::string Shortages::text(const std::string& pool, const std::string& broker, std::uint64_t leased,
                            std::uint64_t capacity) {
    return fmt::format(
        "pool {}: {} of the {} source ports towards broker {} are in use; without a free one its clients go "
        "to "
        "other brokers or are refused: give the pool more source_addresses",
        pool, leased, capacity, broker);
}

}  // namespace sluice::daemon
