// One worker with the swarm on both of its ports, and the clocks: a virtual one for the worker, the
// processor's for us.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/backend/load_table.h"
#include "sluice/backend/snapshot.h"
#include "sluice/config/model.h"
#include "sluice/worker/worker.h"
#include "stack_pool.h"
#include "swarm.h"

namespace sluice::bench {

struct RigOptions {
    Plan plan;
    std::uint32_t max_connections = 0;
    std::uint32_t window = 1024;  // connections that open or close at a time
};

// What a stretch of turns cost. Cycles go on while another process has the core, and are good for shares
// only; how much time there was to share is the thread's CPU time.
struct Cost {
    std::uint64_t worker = 0;    // cycles within Worker::step, without the ports
    std::uint64_t ports = 0;     // cycles of the ports: the swarm's own work
    std::uint64_t all = 0;       // cycles
    std::uint64_t cpu = 0;       // nanoseconds
    std::uint64_t received = 0;  // frames
    std::uint64_t sent = 0;      // frames

    Cost operator-(const Cost& earlier) const {
        return {.worker = worker - earlier.worker,
                .ports = ports - earlier.ports,
                .all = all - earlier.all,
                .cpu = cpu - earlier.cpu,
                .received = received - earlier.received,
                .sent = sent - earlier.sent};
    }
    double nanoseconds() const { return share(worker); }  // the worker's
    double nanoseconds_with_ports() const { return share(worker + ports); }

  private:
    double share(std::uint64_t part) const {
        return static_cast<double>(part) / static_cast<double>(all) * static_cast<double>(cpu);
    }
};

class Rig {
  public:
    explicit Rig(const RigOptions& options);

    // One step of the worker, `passes` later than the last one.
    void turn(Duration passes);
    // One step, as much later as the processor's clock says.
    void turn_in_real_time();
    // Turns of `passes` until nothing that the worker or the swarm sent is under way, at most `turns`.
    void settle(Duration passes = std::chrono::microseconds(1), std::uint32_t turns = 100'000);

    // Lets `count` clients connect and stay. memory_limit: bytes of memory(); false when more was taken, or
    // will be by the look of it.
    [[nodiscard]] bool establish(std::uint32_t count, std::uint64_t memory_limit);

    Swarm& swarm() { return *swarm_; }
    worker::Worker& worker() { return *worker_; }
    Cost cost() const;  // since the beginning
    // Resident memory now, above what it was when the worker had no connection yet.
    std::uint64_t memory() const;
    // Neither the swarm nor the worker's counters know of any fault.
    bool sound() const;
    // What both have counted: the swarm everything, the worker what is not routine.
    std::string report() const;

  private:
    void step();

    Instant now_ = Instant{} + std::chrono::hours(1);
    std::uint64_t last_cycles_ = 0;
    std::uint64_t step_cycles_ = 0;
    std::uint64_t base_memory_ = 0;
    StackPool pool_;
    std::unique_ptr<Swarm> swarm_;
    config::Config config_;
    std::array<port::Port*, 2> ports_{};
    std::unique_ptr<worker::Topology> topology_;
    worker::HandoverRings handover_{1, 4096};
    backend::LoadTable load_;
    session::CommonMemory connect_memory_;
    std::unique_ptr<const backend::Snapshot> snapshot_;
    std::unique_ptr<worker::Worker> worker_;
};

// What the machine could still give, in bytes.
std::uint64_t available_memory();

}  // namespace sluice::bench
