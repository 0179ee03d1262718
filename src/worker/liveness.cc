#include "worker/liveness.h"

namespace sluice::worker {

LivenessCheck* LivenessChecks::open(Reference connection) {
    if (checks_.size() >= kMost && !checks_.contains(connection.raw())) return nullptr;
    return &checks_.try_emplace(connection.raw(), LivenessCheck{}).first->second;
}

LivenessCheck* LivenessChecks::find(Reference connection) {
    const auto found = checks_.find(connection.raw());
    return found == checks_.end() ? nullptr : &found->second;
}

void LivenessChecks::schedule(Reference connection, Instant due) {
    LivenessCheck& check = checks_.at(connection.raw());
    order_.erase({check.due, connection.raw()});
    check.due = due;
    order_.insert({due, connection.raw()});
}

void LivenessChecks::close(Reference connection) {
    const auto found = checks_.find(connection.raw());
    if (found == checks_.end()) return;
    order_.erase({found->second.due, connection.raw()});
    checks_.erase(found);
}

std::optional<Reference> LivenessChecks::due(Instant now) const {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    return Reference::from(order_.begin()->second);
}

}  // namespace sluice::worker
