// The fast path: packets of spliced connections, from the burst that brought them to the batch that takes
// them away. What it does not recognize at a glance is left to Input, which judges every frame in full.
//
// Memory is asked for before it is needed, in three steps that run some frames apart, so that waiting for one
// frame's lines and working on another's go on at once: classify() reads headers and calls for the index line
// or the lease; prefetch_record() reads that and calls for the record; forward() finds the record again,
// because a frame before it in the burst may have changed everything, and translates.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/splice/packet.h"
#include "worker/context.h"
#include "worker/flow_table.h"
#include "worker/spliced.h"

namespace sluice::worker {

class Forwarder {
  public:
    static constexpr std::size_t kBurst = 64;

    Forwarder(WorkerContext& context, FlowTable& flow_table, Spliced& spliced, host::FrameOutput& output);

    // From now on brokers are those of this picture.
    void use(const backend::Snapshot& snapshot);

    // burst: at most kBurst frames, which stay where they are until the last was forwarded.
    void begin_burst(Instant now, std::span<const port::Frame> burst);
    // The i-th frame of that burst; each once, in their order. Punt: no spliced connection's, or not for this
    // path, and to be judged in full.
    host::Disposition forward(std::size_t i);
    // A frame that Input has judged and found to be a spliced connection's.
    host::Disposition forward(Instant now, const port::Frame& frame);
    // Adds up what the burst came to.
    void count();

  private:
    template <IpFamily kFamily>
    using Packet = splice::Packet<kFamily>;
    using Direction = splice::Direction;

    // How many frames before its translation a frame is looked at, and its record called for.
    static constexpr std::size_t kClassifyAhead = 16;
    static constexpr std::size_t kPrefetchAhead = 8;

    // What classify() saw of one frame.
    struct Lookup {
        enum class Kind : std::uint8_t { Nothing, V4, V6 };
        Kind kind = Kind::Nothing;
        bool from_client = false;
        Packet<IpFamily::V4> v4{};
        Packet<IpFamily::V6> v6{};
        std::uint64_t hash = 0;  // in the client index
        std::optional<Reference>
            likely{};             // what prefetch_record() found, worth a try while no record ended since
        std::uint64_t ended = 0;  // Spliced::ended() then
        PoolLease lease{};        // from a broker
    };
    // What leaving by a port needs.
    struct Exit {
        MacAddress mac;
        std::uint16_t mtu = 0;
    };
    // Where the traffic of one broker in one direction is counted, and what the burst in hand adds to it.
    struct TrafficSum {
        std::uint64_t fresh = 0;  // packets, above 32 bits of payload bytes
        backend::DirectionTraffic* traffic = nullptr;
    };

    // judged: Input has seen the frame, and it may be larger than what arrives in one.
    void classify(const port::Frame& frame, Lookup& lookup, bool judged = false) const;
    template <IpFamily kFamily>
    void classify_as(const port::Frame& frame, Lookup& lookup, Packet<kFamily>& into, bool judged) const;
    void prefetch_record(Lookup& lookup) const;
    void account(const splice::Core& core, Direction direction, std::uint32_t payload);
    template <typename Go>
    static host::Disposition visit(const Lookup& lookup, Go&& go);
    template <IpFamily kFamily>
    bool is_it(const Lookup& lookup, const Packet<kFamily>& packet, Reference candidate) const;
    // The packet's record, or flow::kNoEntry.
    template <IpFamily kFamily>
    std::uint32_t find(const Lookup& lookup, const Packet<kFamily>& packet) const;
    template <IpFamily kFamily>
    std::uint32_t search(const Lookup& lookup, const Packet<kFamily>& packet) const;
    template <IpFamily kFamily>
    static bool is_sound(const Packet<kFamily>& packet);
    template <IpFamily kFamily>
    host::Disposition rewrite(const Lookup& lookup, const Packet<kFamily>& packet, const port::Frame& frame);
    template <IpFamily kFamily>
    static bool is_narrow(const Packet<kFamily>& packet, const Room& room);
    template <IpFamily kFamily>
    std::optional<Counter> look_closer(std::uint32_t id, Direction direction, const Packet<kFamily>& packet,
                                       Room& room);
    template <IpFamily kFamily>
    std::optional<Counter> why_not_narrow(const splice::Record<kFamily>& record, Direction direction,
                                          const Packet<kFamily>& packet, const Room& room);
    template <IpFamily kFamily>
    host::Disposition drop(const splice::Record<kFamily>& record, Direction direction,
                           const Packet<kFamily>& packet, splice::Verdict verdict);
    template <IpFamily kFamily>
    void follow_client(splice::Record<kFamily>& record, const Packet<kFamily>& packet,
                       const port::Frame& frame);

    FlowTable& flow_table_;
    Spliced& spliced_;
    host::FrameOutput& output_;
    CounterSet& counters_;
    backend::BackendStats& stats_;
    std::vector<Exit> exits_;  // by port
    Instant now_;
    std::uint32_t milliseconds_ = 0;  // milliseconds32(now_)
    std::span<const port::Frame> burst_;
    std::array<Lookup, kBurst> lookups_{};
    std::vector<TrafficSum> sums_;                 // by pool, backend in the pool, and direction
    std::vector<std::uint32_t> first_;             // by pool: in sums_
    std::array<std::uint32_t, kBurst> touched_{};  // accounts with something fresh
    std::size_t touched_count_ = 0;
};

}  // namespace sluice::worker
