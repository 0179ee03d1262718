// What a received frame is and who it is for: checks Ethernet and IP, finds the packet's owner, and hands it
// to that worker or to the room of this one that it concerns. Every frame that goes no further names its
// counter here.
//
// Frames that any host takes, but not as they come, are made plain first: priority tags and IPv6 extension
// headers are taken off, and fragments are put together, by the worker that their packet's name says.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/token_bucket.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/tcp.h"
#include "worker/connection_table.h"
#include "worker/flow_table.h"
#include "worker/forwarder.h"
#include "worker/fragments.h"
#include "worker/local_protocols.h"
#include "worker/prober.h"
#include "worker/steering.h"

namespace sluice::worker {

class Input {
  public:
    Input(WorkerContext& context, const FlowTable& flow_table, Forwarder& forwarder, FrameOutput& output,
          ConnectionTable& connections, Prober& prober, LocalProtocols& local, IcmpErrors& errors);

    // handed_over: another worker received the frame and found that this one owns it, or shares what it says.
    // True when the frame was passed on and is no longer the caller's to release.
    bool on_frame(Instant now, const port::Frame& frame, bool handed_over);
    // Gives up fragments whose time is over.
    void on_timer(Instant now) { fragments_.on_timer(now); }
    Instant next_deadline() const { return fragments_.next_deadline(); }
    // Wakes the resting workers that were given frames since the last call.
    void ring_doorbells();

  private:
    // Where a frame comes from, and so what was judged before and what it may be.
    enum class Origin : std::uint8_t { Port, Worker, Fragments };

    // All return true when the frame was passed on.
    bool on_ip(Instant now, const port::Frame& frame, Origin origin);
    bool on_wrapped_ip(Instant now, const port::Frame& frame, wire::IpError error, Origin origin);
    bool on_extensions(Instant now, const port::Frame& frame, Origin origin);
    bool on_fragment(Instant now, const port::Frame& frame, IpFamily family, Origin origin);
    bool on_tcp(Instant now, const port::Frame& frame, const Arrival& arrival, const wire::IpPacket& packet,
                Origin origin);
    bool on_icmp(Instant now, const port::Frame& frame, const Arrival& arrival, const wire::IpPacket& packet,
                 Origin origin);
    std::optional<Counter> misdirected(const port::Frame& frame, const IpAddress& source,
                                       const IpAddress& destination) const;
    bool is_over_mtu(Instant now, const port::Frame& frame, std::size_t size, const IpAddress& source,
                     Origin origin);
    bool drop(Counter reason);
    bool deliver(Instant now, const Arrival& arrival, const FourTuple& tuple, const tcp::Segment& segment);
    bool checksum_good(Instant now, const Arrival& arrival, const wire::IpPacket& packet, ByteView segment);
    std::uint32_t owner_of(const FourTuple& tuple) const;
    bool for_this_port(const port::Frame& frame, const MacAddress& destination) const;
    bool source_good(std::uint16_t port, const IpAddress& source) const;
    bool destination_good(std::uint16_t port, const IpAddress& destination) const;
    bool hand_over(const port::Frame& frame, std::uint32_t owner);
    void copy_to_others(const port::Frame& frame);
    void hint(Instant now, std::uint16_t port, const IpAddress& peer, Event::Fault fault);

    std::uint32_t worker_;
    const Topology& topology_;
    HandoverRings& handover_;
    const FlowTable& flow_table_;
    Forwarder& forwarder_;
    FrameOutput& output_;
    ConnectionTable& connections_;
    Prober& prober_;
    LocalProtocols& local_;
    IcmpErrors& errors_;
    CounterSet& counters_;
    EventQueue& events_;
    Steering steering_;
    Fragments fragments_;
    TokenBucket hints_;
    std::vector<bool> given_;  // by worker: frames since the last ring_doorbells()
};

}  // namespace sluice::worker
