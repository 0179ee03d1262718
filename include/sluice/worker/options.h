// What a worker is made with: its share of the whole and its secrets, and what it borrows.
#pragma once

#include <cstdint>
#include <span>

#include "sluice/backend/load_table.h"
#include "sluice/backend/snapshot.h"
#include "sluice/base/siphash.h"
#include "sluice/config/model.h"
#include "sluice/port/port.h"
#include "sluice/session/codec.h"
#include "sluice/session/waiting_room.h"
#include "sluice/worker/handover.h"
#include "sluice/worker/topology.h"

namespace sluice::worker {

struct WorkerOptions {
    std::uint32_t index = 0;
    std::uint32_t workers = 1;
    std::uint32_t max_connections = 0;  // this worker's share
    config::Idle idle = config::Idle::Adaptive;
    SipKey isn_key;          // secret; initial sequence numbers and timestamp offsets
    SipKey index_key;        // secret; client index
    SipKey session_key{};    // secret, the same for all workers; sessions that are remembered
    std::uint64_t seed = 0;  // random choices, probe jitter
};

// Everything borrowed; all of it outlives the worker.
struct WorkerResources {
    const Topology& topology;
    std::span<port::Port* const> ports;
    port::FramePool& frames;
    HandoverRings& handover;
    backend::LoadTable& load;
    session::CommonMemory& connect_memory;   // of all workers
    const backend::Snapshot* snapshot;       // the first one
    session::CodecSource* codecs = nullptr;  // of all connections' legs; nullptr: no leg has any
};

}  // namespace sluice::worker
