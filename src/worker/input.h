// What a received frame is and who it is for: checks Ethernet and IP, finds the packet's owner, and hands it
// to that worker or to the room of this one that it concerns. Every frame that goes no further names its
// counter here.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/token_bucket.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/tcp.h"
#include "worker/directory.h"
#include "worker/flows.h"
#include "worker/forwarder.h"
#include "worker/local_protocols.h"
#include "worker/owner.h"
#include "worker/prober.h"

namespace sluice::worker {

class Input {
  public:
    Input(const WorkerOptions& options, const WorkerResources& resources, const Directory& directory,
          Forwarder& forwarder, FrameOutput& output, Flows& flows, Prober& prober, LocalProtocols& local,
          CounterSet& counters, Mail& mail);

    // handed_over: another worker received the frame and found that this one owns it, or shares what it says.
    // True when the frame was passed on and is no longer the caller's to release.
    bool on_frame(Instant now, const port::Frame& frame, bool handed_over);
    // Wakes the resting workers that were given frames since the last call.
    void ring_bells();

  private:
    bool on_ip(Instant now, const port::Frame& frame, const wire::EthernetView& ethernet, bool handed_over);
    bool on_tcp(Instant now, const port::Frame& frame, const Arrival& arrival, const wire::IpPacket& packet,
                bool handed_over);
    bool on_icmp(Instant now, const port::Frame& frame, const Arrival& arrival, const wire::IpPacket& packet,
                 bool handed_over);
    bool deliver(Instant now, const Arrival& arrival, const FourTuple& tuple, const tcp::Segment& segment);
    bool checksum_good(Instant now, const Arrival& arrival, const wire::IpPacket& packet, ByteView segment);
    std::uint32_t owner_of(const FourTuple& tuple) const;
    bool for_this_port(const port::Frame& frame, const MacAddress& destination) const;
    bool destination_good(std::uint16_t port, const IpAddress& destination) const;
    bool hand_over(const port::Frame& frame, std::uint32_t owner);
    void copy_to_others(const port::Frame& frame);
    void hint(Instant now, std::uint16_t port, const IpAddress& peer, Event::Fault fault);

    std::uint32_t worker_;
    const Topology& topology_;
    HandoverRings& handover_;
    const Directory& directory_;
    Forwarder& forwarder_;
    FrameOutput& output_;
    Flows& flows_;
    Prober& prober_;
    LocalProtocols& local_;
    CounterSet& counters_;
    Mail& mail_;
    Owner owner_;
    TokenBucket hints_;
    std::vector<bool> given_;  // by worker: frames since the last ring_bells()
};

}  // namespace sluice::worker
