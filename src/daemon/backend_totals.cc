#include "sluice/daemon/backend_totals.h"

namespace sluice::daemon {

void BackendTotals::use(const backend::Registry& registry) {
    registry.each_backend([&](std::uint32_t p, std::uint32_t, const backend::Registry::Backend& b) {
        const std::string& pool = registry.pools[p].config.name;
        const auto known = baselines_.find(b.position);
        if (known == baselines_.end()) {
            baselines_[b.position] = {.pool = pool, .address = b.config.address};
        } else if (known->second.pool != pool || known->second.address != b.config.address) {
            known->second = {.pool = pool,
                             .address = b.config.address,
                             .tally = all_of(b.position),
                             .traffic = all_traffic_of(b.position)};
        }
    });
}

backend::BackendTally BackendTotals::all_of(std::uint32_t position) const {
    backend::BackendTally sum;
    for (const backend::BackendStats* const worker : workers_) sum.add(worker->backend(position));
    return sum;
}

backend::Traffic BackendTotals::all_traffic_of(std::uint32_t position) const {
    backend::Traffic sum;
    for (const backend::BackendStats* const worker : workers_) sum.add(worker->traffic(position));
    return sum;
}

backend::BackendTally BackendTotals::tally(std::uint32_t position) const {
    backend::BackendTally sum = all_of(position);
    if (const auto known = baselines_.find(position); known != baselines_.end()) {
        sum.subtract(known->second.tally);
    }
    return sum;
}

backend::Traffic BackendTotals::traffic(std::uint32_t position) const {
    backend::Traffic sum = all_traffic_of(position);
    if (const auto known = baselines_.find(position); known != baselines_.end()) {
        sum.subtract(known->second.traffic);
    }
    return sum;
}

backend::ConnectTally BackendTotals::connects() const {
    backend::ConnectTally sum;
    for (const backend::BackendStats* const worker : workers_) sum.add(worker->connects());
    return sum;
}

}  // namespace sluice::daemon
