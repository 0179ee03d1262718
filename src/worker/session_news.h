// What this worker knows of sessions that the pool's method would not find again, and how it comes to know
// it: by its own connections, and by what the other workers say of theirs.
#pragma once

#include <cstdint>

#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/session/whereabouts.h"
#include "sluice/worker/options.h"

namespace sluice::worker {

class SessionNews {
  public:
    // Sessions that are remembered, at most: as many as there may be connections over all workers, and no
    // more than 4 Mi. Every worker remembers all of them.
    static constexpr std::uint64_t kMostSessions = std::uint64_t{1} << 22U;

    SessionNews(const WorkerOptions& options, HandoverRings& handover, CounterSet& counters);

    // Of a connection of this worker. The others are told at once; what does not fit into the ring to one of
    // them is lost to that one, and counted.
    void learned(Instant now, const session::Stay& stay);
    // Takes in what the others have learned, some at a time; true when there was any.
    bool hear(Instant now);

    const session::Whereabouts& table() const { return table_; }

  private:
    const std::uint32_t worker_;
    HandoverRings& handover_;
    CounterSet& counters_;
    session::Whereabouts table_;
};

}  // namespace sluice::worker
