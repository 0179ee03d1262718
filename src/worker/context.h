// What all parts of one worker share: who it is, what it borrows, what it counts, and which snapshot it goes
// by. Each part is given this, and beside it only the parts that it works with.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/backend/backend_stats.h"
#include "sluice/base/address.h"
#include "sluice/base/counters.h"
#include "sluice/host/disposition.h"
#include "sluice/host/interface.h"
#include "sluice/worker/options.h"
#include "worker/event_queue.h"

namespace sluice::worker {

using host::Arrival;

// A TCP packet that an ICMP error quotes: one that Sluice sent.
struct QuotedSegment {
    FourTuple tuple;  // local: the packet's source
    std::uint32_t sequence = 0;
    std::uint16_t size = 0;  // bytes of the IP packet
};

// How many connections a listener has now, in either form.
struct ListenerLoad {
    std::uint32_t half_open = 0;
    std::uint32_t connections = 0;
};

// Work on many connections goes in portions: timers that fire in one turn, so that packets are not kept
// waiting, and endings whose resets fill the ports' batches.
inline constexpr std::size_t kTimersPerTurn = 256;
inline constexpr std::uint32_t kFlushEvery = 64;

// One per worker, which outlives its parts. Only the worker's loop changes topology and snapshot, between two
// packets. To its host stack it tells which addresses are Sluice's, and counts for it.
struct WorkerContext final : host::Addresses, host::CounterSink {
    WorkerContext(const WorkerOptions& options_, const WorkerResources& resources)
        : options(options_),
          topology(resources.topology),
          ports(resources.ports),
          frames(resources.frames),
          handover(resources.handover),
          load(resources.load),
          connect_memory(resources.connect_memory),
          codecs(resources.codecs),
          snapshot(resources.snapshot),
          events(counters),
          listeners(resources.snapshot->listeners.size()) {}
    WorkerContext(const WorkerContext&) = delete;
    WorkerContext& operator=(const WorkerContext&) = delete;

    // This worker's receive and transmit queue on every port.
    std::uint16_t queue() const { return static_cast<std::uint16_t>(options.index); }
    // Counts why a frame goes no further. There is no kernel to give anything to: what is punted is dropped.
    void settle(const host::Disposition& verdict) {
        if (const auto why = verdict.counter()) counters.add(*why);
    }

    bool owns(std::uint16_t port, const IpAddress& address) const override {
        const OwnedAddress* const owned = topology.owned(address);
        return owned != nullptr && owned->port == port;
    }
    std::optional<IpAddress> asker(std::uint16_t port, const IpAddress& neighbor) const override {
        return topology.interface_address(port, neighbor);
    }
    void count(Counter what, std::uint64_t n) override { counters.add(what, n); }
    void dropped(Counter why, std::uint64_t frames) override { counters.add(why, frames); }

    const WorkerOptions options;
    Topology topology;  // this worker's copy
    const std::span<port::Port* const> ports;
    port::FramePool& frames;
    HandoverRings& handover;
    backend::LoadTable& load;
    session::CommonMemory& connect_memory;  // of all workers
    session::CodecSource* const codecs;     // nullptr: no leg has any
    const backend::Snapshot* snapshot;      // control's
    CounterSet counters;
    backend::BackendStats stats;
    EventQueue events;
    // By listener; those of removed ones stay, as long as their connections count in them.
    std::vector<ListenerLoad> listeners;
};

}  // namespace sluice::worker
