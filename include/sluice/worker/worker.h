// One worker: takes bursts from its queue of every port, finds each packet's owner and connection, drives the
// session, sends what came of it, fires timers, answers control. Run to completion, and nothing but its
// mailboxes and the load table is shared.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "sluice/backend/backend_stats.h"
#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/worker/messages.h"
#include "sluice/worker/options.h"

namespace sluice::worker {

class Worker {
  public:
    Worker(const WorkerOptions& options, const WorkerResources& resources, Instant now);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // One turn of the loop at time `now`. True when there was anything to do.
    bool step(Instant now);
    // When the next timer is due (a lower bound); kNever when none.
    Instant next_deadline() const;
    // step() until a Stop command, with the process's monotonic clock, resting as `idle` says. `wake_fd` is
    // an eventfd that control writes after it has sent a command.
    void run(int wake_fd);

    // --- control's side ---
    // False when the mailbox is full; try again later.
    [[nodiscard]] bool send(const Command& command);
    std::size_t receive(std::span<Event> out);
    std::size_t receive(std::span<EndedConnection> out);

    // --- any thread ---
    const CounterSet& counters() const;
    const backend::BackendStats& stats() const;
    std::uint32_t index() const;

    // --- from within an Inspection only ---
    // Writes rows of connections numbered `from` (at first 0) and up; returns the number to go on from, or
    // flow::kNoEntry at the end.
    std::uint32_t list_connections(std::uint32_t from, std::span<ListedConnection> out,
                                   std::size_t& written) const;
    std::vector<neighbor::Table::Entry> neighbors(std::uint16_t port) const;
    // Resets both ends of the connection that list_connections() called so; false when that is over, or its
    // name another client's by now.
    bool kill_connection(std::uint32_t id, const FourTuple& client);
    // What is remembered of a client's session.
    std::optional<session::Stay> session_of(const session::SessionName& name) const;
    struct Totals {
        std::uint32_t connections = 0;
        std::uint32_t spliced = 0;  // of these
        std::uint32_t resting = 0;  // likewise
        std::uint32_t capacity = 0;
        std::uint32_t half_open = 0;
        std::uint32_t timers = 0;  // armed, of connections in whatever form
        // Of connections, at rest or not, records, the index from the client's side and timers.
        std::uint64_t reserved_bytes = 0;       // address space, taken at start
        std::uint64_t used_bytes = 0;           // for the connections that there are
        std::uint32_t remembered = 0;           // sessions, each of them by every worker
        std::uint64_t remembered_bytes = 0;     // for these
        std::uint64_t connect_bytes = 0;        // held for clients that no broker has accepted yet
        std::vector<std::uint32_t> listeners;   // connections, by listener
        std::vector<std::uint32_t> handshakes;  // of these, half open
    };
    Totals totals() const;
    struct Usage : Totals {
        struct Backend {
            std::uint64_t leases = 0, leased = 0, quarantined = 0;
        };
        std::vector<std::vector<Backend>> backends;        // by pool and index in the pool
        std::vector<std::vector<IpAddress>> used_sources;  // by pool: retained addresses with a lease in use
    };
    Usage usage() const;
    // Adds the leases of backends numbered `from` (at first 0) and up, of some; returns the number to go on
    // from, or flow::kNoEntry at the end.
    std::uint32_t list_leases(std::uint32_t from, std::vector<LeaseRow>& out) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::worker
