// The tallies of all workers together, by backend. Positions are used again once a backend is gone; what was
// tallied before is not the next one's.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/backend/roster.h"
#include "sluice/backend/tallies.h"
#include "sluice/base/address.h"

namespace sluice::daemon {

class AccountBook {
  public:
    // workers: one each, borrowed.
    explicit AccountBook(std::vector<const backend::Tallies*> workers) : workers_(std::move(workers)) {}

    // To be called soon after every change of the roster, before much is tallied by its newcomers.
    void use(const backend::Roster& roster);

    backend::BackendTally tally(std::uint32_t position) const;
    backend::Traffic traffic(std::uint32_t position) const;
    backend::ConnectTally connects() const;

  private:
    struct Account {
        std::string pool;
        SocketAddress address;
        // What the position had when this backend took it.
        backend::BackendTally tally{};
        backend::Traffic traffic{};
    };
    backend::BackendTally all_of(std::uint32_t position) const;
    backend::Traffic all_traffic_of(std::uint32_t position) const;

    std::vector<const backend::Tallies*> workers_;
    std::unordered_map<std::uint32_t, Account> accounts_;  // by position
};

}  // namespace sluice::daemon
