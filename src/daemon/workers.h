// The workers of the daemon with what they share, on DPDK's threads.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "hardware.h"
#include "sluice/daemon/balancer_state.h"
#include "sluice/port/port.h"
#include "sluice/worker/handover.h"
#include "sluice/worker/worker.h"

namespace sluice::daemon {

class Workers {
  public:
    // Frames that the ring from one worker to another holds: all rings to one as many as a port's ring with
    // the kernel is emptied of at once, because a worker that lost its processor for a while finds that much.
    static constexpr std::size_t handover_capacity(std::size_t workers) {
        return std::max<std::size_t>(
            1024, std::bit_floor(port::kTakeAhead / std::max<std::size_t>(workers - 1, 1)));
    }

    // Both borrowed. Throws StartFault.
    Workers(BalancerState& state, Hardware& hardware);
    // No loop may run any more.
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    std::vector<worker::Worker*> all() const;
    void launch();
    // Waits for the loops' ends. Each must have been told to stop (Controller::stop).
    void join();

  private:
    port::DpdkEnvironment& environment_;
    std::vector<port::Port*> ports_;
    worker::HandoverRings handover_;
    session::CommonMemory connect_memory_;
    std::vector<int> doorbells_;  // eventfds, by worker
    std::vector<std::unique_ptr<worker::Worker>> workers_;
};

}  // namespace sluice::daemon
