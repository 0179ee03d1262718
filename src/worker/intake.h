// Empties the ports' queues before anything is worked on. A queue that a port shares with the kernel has few
// slots and cannot wait: five thousand clients that come at once fill it while the worker answers the first
// of them, and what finds it full is lost, so its client waits a second. Frames lie here in buffers of the
// pool instead, in the order in which they came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/port/port.h"

namespace sluice::worker {

class Intake {
  public:
    // queue: this worker's, of every port. All borrowed.
    Intake(std::span<port::Port* const> ports, std::uint16_t queue, port::FramePool& pool);
    ~Intake();
    Intake(const Intake&) = delete;
    Intake& operator=(const Intake&) = delete;

    // Takes what waits in the queues of ports that want it (port::PortInfo::take_ahead), up to
    // port::kTakeAhead a port. The rest stays in the queue.
    void empty_queues();
    // The next frames of the port, oldest first, up to out.size(). They are the caller's. Those of a port
    // that does not want its queue to be emptied come from there.
    std::size_t next(std::size_t port, std::span<port::Frame> out);

  private:
    struct Shelf {
        port::Port* port = nullptr;
        std::vector<port::Frame> frames;  // a ring; empty: not for this port
        std::size_t first = 0;            // how many have been put here and taken since the beginning
        std::size_t end = 0;
    };

    void fill(Shelf& shelf);

    const std::uint16_t queue_;
    port::FramePool& pool_;
    std::vector<Shelf> shelves_;  // by port
};

}  // namespace sluice::worker
