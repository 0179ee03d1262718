// What control and workers say to each other. Messages are small values that travel through SPSC mailboxes;
// whatever is larger is a pointer to memory whose owner is named here.
#pragma once

#include <atomic>
#include <cstdint>

#include "sluice/backend/health_tracker.h"
#include "sluice/backend/snapshot.h"
#include "sluice/base/address.h"
#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/neighbor/table.h"
#include "sluice/session/connection.h"
#include "sluice/session/summary.h"
#include "sluice/worker/topology.h"

namespace sluice::worker {

class Worker;

// Something control wants done inside a worker, between two bursts. Control owns it and must keep it until
// done() is seen. run() is called by the worker and must be short: long work is done in several
// inspections.
class Inspection {
  public:
    virtual void run(Worker& worker) = 0;
    bool done() const { return done_.load(std::memory_order_acquire); }
    // By the worker, after run().
    void finish() { done_.store(true, std::memory_order_release); }
    // By control, before it is sent once more.
    void reuse() { done_.store(false, std::memory_order_relaxed); }

  protected:
    ~Inspection() = default;

  private:
    std::atomic<bool> done_{false};
};

// Control to worker.
struct Command {
    enum class Kind : std::uint8_t {
        SetSnapshot,  // use `snapshot`, and `topology` where it is given, from now on; answered by
                      // SnapshotRetired for the one before
        SetSpeed,     // `port` carries `speed` from now on
        Inspect,      // run `inspection`
        Drain,        // accept no new connections
        Stop,         // leave the loop after this iteration, ending all connections by reset
    };
    Kind kind = Kind::Inspect;
    const backend::Snapshot* snapshot = nullptr;  // owned by control until retired by every worker
    const Topology* topology = nullptr;  // the worker takes a copy; control's as long as the snapshot
    Inspection* inspection = nullptr;
    std::uint16_t port = 0;
    std::uint32_t speed = 0;  // Mbit/s; 0: unknown
};

// Worker to control.
struct Event {
    enum class Kind : std::uint8_t {
        SnapshotRetired,   // generation: no longer used by this worker
        ProbeResult,       // backend, failure, code, offer, latency
        AttemptFailed,     // backend, failure, code
        AttemptSucceeded,  // backend; sent only after a failure of that backend
        OffloadHint,       // port, address: this peer sends partial checksums or frames above the MTU
    };
    enum class Fault : std::uint8_t { PartialChecksum, OverMtu };
    Kind kind = Kind::SnapshotRetired;
    std::uint32_t backend = 0;  // position over all pools
    backend::ProbeFailure failure = backend::ProbeFailure::None;
    std::uint16_t code = 0;  // as in backend::Outcome
    Fault fault = Fault::PartialChecksum;
    std::uint16_t port = 0;
    std::uint64_t generation = 0;
    backend::Offer offer{};
    Duration latency{0};
    IpAddress address{};
};

// Worker to control, for the connection log: a connection that has ended after its handshake.
struct EndedConnection : session::ConnectionSummary {
    Counter reason = Counter::ClosedOrderly;
};

// One line of `show connections`. Backend and source are told while it holds a lease.
struct ListedConnection : session::ConnectionSummary {
    std::uint32_t id = 0;  // its worker's name for it, changed by the splice
    session::Phase phase = session::Phase::Handshake;
    std::uint32_t packets_from_client = 0;  // modulo 2^32
    std::uint32_t packets_from_broker = 0;
    Duration idle{0};
};

// Source ports of one address towards one backend, of one worker.
struct LeaseRow {
    std::uint32_t backend = 0;  // position over all pools
    IpAddress address;
    std::uint64_t capacity = 0;
    std::uint64_t leased = 0;
    std::uint64_t quarantined = 0;
};

}  // namespace sluice::worker
