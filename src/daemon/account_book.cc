#include "sluice/daemon/account_book.h"

namespace sluice::daemon {

void AccountBook::use(const backend::Roster& roster) {
    roster.each_backend([&](std::uint32_t p, std::uint32_t, const backend::Roster::Backend& b) {
        const std::string& pool = roster.pools[p].config.name;
        const auto known = accounts_.find(b.position);
        if (known == accounts_.end()) {
            accounts_[b.position] = {.pool = pool, .address = b.config.address};
        } else if (known->second.pool != pool || known->second.address != b.config.address) {
            known->second = {.pool = pool,
                             .address = b.config.address,
                             .tally = all_of(b.position),
                             .traffic = all_traffic_of(b.position)};
        }
    });
}

backend::BackendTally AccountBook::all_of(std::uint32_t position) const {
    backend::BackendTally sum;
    for (const backend::Tallies* const worker : workers_) sum.add(worker->backend(position));
    return sum;
}

backend::Traffic AccountBook::all_traffic_of(std::uint32_t position) const {
    backend::Traffic sum;
    for (const backend::Tallies* const worker : workers_) sum.add(worker->traffic(position));
    return sum;
}

backend::BackendTally AccountBook::tally(std::uint32_t position) const {
    backend::BackendTally sum = all_of(position);
    if (const auto known = accounts_.find(position); known != accounts_.end()) {
        sum.subtract(known->second.tally);
    }
    return sum;
}

backend::Traffic AccountBook::traffic(std::uint32_t position) const {
    backend::Traffic sum = all_traffic_of(position);
    if (const auto known = accounts_.find(position); known != accounts_.end()) {
        sum.subtract(known->second.traffic);
    }
    return sum;
}

backend::ConnectTally AccountBook::connects() const {
    backend::ConnectTally sum;
    for (const backend::Tallies* const worker : workers_) sum.add(worker->connects());
    return sum;
}

}  // namespace sluice::daemon
