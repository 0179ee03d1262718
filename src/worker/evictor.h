// Empties brokers: ends the connections of those that are in maintenance, down, or no longer configured, one
// after the other at the pool's drain_rate, so that their clients do not all come back in one second.
// Sessions that end with their connection go first; those that the broker keeps go last.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/random.h"
#include "worker/connection_table.h"
#include "worker/context.h"
#include "worker/flow_table.h"
#include "worker/spliced.h"

namespace sluice::worker {

class Evictor {
  public:
    Evictor(const WorkerContext& context, FlowTable& flow_table, ConnectionTable& connections,
            Spliced& spliced, Instant now);

    void use(Instant now, const backend::Snapshot& snapshot);
    // True when there was anything to do.
    bool on_timer(Instant now);
    Instant next_deadline() const;

  private:
    // A broker to be emptied.
    struct Job {
        std::uint32_t pool = 0;
        std::uint32_t backend = 0;  // index in the pool
        std::uint32_t position = 0;
        std::uint32_t drain_rate = 0;  // connections a second, over all workers
        Counter reason = Counter::ClosedMaintenance;
        std::uint32_t slot = 0;  // lease to look at next
        Instant next;            // when the next connection is due
    };

    // What one turn may do for all jobs together, so that packets are not kept waiting, nor resets lost
    // because the ports' batches are full.
    struct Allowance {
        std::uint32_t slots;  // to be looked at
        std::uint32_t endings;
    };

    void work(Instant now, Job& job, Allowance& left);
    enum class Found : std::uint8_t { Ended, Nothing, More };
    Found end_one(Instant now, Job& job, Allowance& left);
    bool end(Instant now, Reference reference, bool persistent_too, Counter reason);
    Duration interval(const Job& job);

    const std::uint32_t worker_;
    const backend::LoadTable& load_;
    FlowTable& flow_table_;
    ConnectionTable& connections_;
    Spliced& spliced_;
    SplitMix64 random_;
    std::vector<Job> jobs_;
    std::size_t first_ = 0;  // whose turn is first
};

}  // namespace sluice::worker
