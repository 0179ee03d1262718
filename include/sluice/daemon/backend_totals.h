// The statistics of all workers together, by backend. Positions are used again once a backend is gone; what
// was counted before does not belong to the next one.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/backend/backend_stats.h"
#include "sluice/backend/registry.h"
#include "sluice/base/address.h"

namespace sluice::daemon {

class BackendTotals {
  public:
    // workers: one each, borrowed.
    explicit BackendTotals(std::vector<const backend::BackendStats*> workers)
        : workers_(std::move(workers)) {}

    // To be called soon after every change of the registry, before much is counted for its newcomers.
    void use(const backend::Registry& registry);

    backend::BackendTally tally(std::uint32_t position) const;
    backend::Traffic traffic(std::uint32_t position) const;
    backend::ConnectTally connects() const;

  private:
    struct Baseline {
        std::string pool;
        SocketAddress address;
        // What the position had when this backend took it.
        backend::BackendTally tally{};
        backend::Traffic traffic{};
    };
    backend::BackendTally all_of(std::uint32_t position) const;
    backend::Traffic all_traffic_of(std::uint32_t position) const;

    std::vector<const backend::BackendStats*> workers_;
    std::unordered_map<std::uint32_t, Baseline> baselines_;  // by position
};

}  // namespace sluice::daemon
