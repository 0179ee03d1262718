// What all parts of one worker share: who it is, what it borrows, what it counts, and which snapshot it goes
// by. Each part is given this, and beside it only the parts that it works with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/backend/backend_stats.h"
#include "sluice/base/address.h"
#include "sluice/base/counters.h"
#include "sluice/worker/options.h"
#include "worker/event_queue.h"

namespace sluice::worker {

// The way a packet came, which is the way back to its sender.
struct Arrival {
    std::uint16_t port = 0;
    MacAddress source_mac;
};

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
// packets.
struct WorkerContext {
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
