// What is done with received frames that the forwarder leaves: the host stack tells what they are, and here
// it is found whose they are. A packet goes to the worker that owns it, or to the part of this one that it
// concerns.
//
// Frames that any host takes, but not as they come, are made plain: IPv6 extension headers are taken off, and
// fragments are put together, by the worker that their packet's name says.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/token_bucket.h"
#include "sluice/host/frame_output.h"
#include "sluice/host/stack.h"
#include "worker/answers.h"
#include "worker/connection_table.h"
#include "worker/context.h"
#include "worker/flow_table.h"
#include "worker/forwarder.h"
#include "worker/fragments.h"
#include "worker/prober.h"
#include "worker/spliced.h"
#include "worker/steering.h"

namespace sluice::worker {

class Input final : host::UpperLayer {
  public:
    Input(WorkerContext& context, const FlowTable& flow_table, Forwarder& forwarder,
          host::FrameOutput& output, Answers& answers, ConnectionTable& connections, Spliced& spliced,
          Prober& prober);

    // origin: Handover when another worker received the frame and found that this one owns it, or shares what
    // it says.
    host::Disposition on_frame(Instant now, const port::Frame& frame, host::Origin origin) {
        return stack_.on_frame(now, frame, origin);
    }
    // Gives up fragments whose time is over.
    void on_timer(Instant now) { fragments_.on_timer(now); }
    Instant next_deadline() const { return fragments_.next_deadline(); }
    // Wakes the resting workers that were given frames since the last call.
    void ring_doorbells();

  private:
    // --- host::UpperLayer ---
    host::Disposition on_tcp(Instant now, const host::Received& in, const wire::IpPacket& packet) override;
    host::Disposition on_icmp_error(Instant now, const host::IcmpError& error) override;
    bool may_echo(Instant now, std::uint16_t port, const IpAddress& to) override;
    std::optional<host::Disposition> steer_icmp_error(const host::Received& in,
                                                      const wire::TcpQuote& quote) override;
    host::Disposition on_wrapped(Instant now, const host::Received& in, wire::IpError error) override;
    void on_neighbor_news(const host::Received& in) override;
    void on_over_mtu(Instant now, std::uint16_t port, const IpAddress& peer) override;

    host::Disposition on_extensions(Instant now, const host::Received& in);
    host::Disposition on_fragment(Instant now, const host::Received& in, IpFamily family);
    host::Disposition on_too_big(Instant now, const QuotedSegment& quoted, std::uint32_t told);
    // Punt: the packet is a spliced connection's.
    host::Disposition deliver(Instant now, const Arrival& arrival, const FourTuple& tuple,
                              const tcp::Segment& segment);
    // Why a segment is not to be believed.
    std::optional<Counter> checksum_fault(Instant now, std::uint16_t port, const wire::IpPacket& packet,
                                          ByteView segment);
    std::uint32_t owner_of(const FourTuple& tuple) const;
    host::Disposition hand_over(const port::Frame& frame, std::uint32_t owner);
    void hint(Instant now, std::uint16_t port, const IpAddress& peer, Event::Fault fault);

    WorkerContext& context_;
    const std::uint32_t worker_;
    const FlowTable& flow_table_;
    Forwarder& forwarder_;
    host::FrameOutput& output_;
    Answers& answers_;
    ConnectionTable& connections_;
    Spliced& spliced_;
    Prober& prober_;
    CounterSet& counters_;
    host::Stack stack_;
    Steering steering_;
    Fragments fragments_;
    TokenBucket hints_;
    std::vector<bool> given_;  // by worker: frames since the last ring_doorbells()
};

}  // namespace sluice::worker
