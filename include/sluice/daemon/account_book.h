// The tallies of all workers together, by backend. Positions are used again once a backend is gone; what was
// tallied before is not the next one's.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "sluice/backend/roster.h"
#include "sluice/backend/tallies.h"
#include "sluice/base/address.h"
#include "sluice/daemon/crew_link.h"

namespace sluice::daemon {

class AccountBook {
  public:
    // link is borrowed.
    explicit AccountBook(const CrewLink& link) : link_(link) {}

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

    const CrewLink& link_;
    std::unordered_map<std::uint32_t, Account> accounts_;  // by position
};

}  // namespace sluice::daemon
