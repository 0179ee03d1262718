// What Sluice answers for its own addresses beside TCP: ARP, neighbor discovery, echo; and what it learns
// from ICMP errors. One per worker; it holds nothing of its own.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/counters.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/ip_packet.h"
#include "worker/answers.h"
#include "worker/connection_table.h"
#include "worker/frame_output.h"
#include "worker/prober.h"

namespace sluice::worker {

class LocalProtocols {
  public:
    LocalProtocols(WorkerContext& context, FrameOutput& output, Answers& answers,
                   ConnectionTable& connections, Spliced& spliced, Prober& prober);

    // Both return true when every worker should learn what the packet says about a neighbor.
    // answer: false for a copy of a frame that another worker has answered; then it is only learned from.
    bool on_arp(Instant now, const Arrival& arrival, ByteView payload, bool answer);
    // packet.destination may be a multicast group.
    bool on_icmp(Instant now, const Arrival& arrival, const wire::IpPacket& packet, bool answer);

  private:
    void on_icmp_v4(Instant now, const Arrival& arrival, const wire::IpPacket& packet);
    bool on_icmp_v6(Instant now, const Arrival& arrival, const wire::IpPacket& packet, bool answer);
    bool on_solicitation(Instant now, const Arrival& arrival, const wire::IpPacket& packet, bool answer);
    bool on_advertisement(Instant now, const Arrival& arrival, const wire::IpPacket& packet);
    enum class Error : std::uint8_t { TooBig, Unreachable, TimeExceeded };
    // mtu: of TooBig.
    void on_error(Instant now, IpFamily family, Error kind, const wire::IcmpMessage& message,
                  std::uint32_t mtu = 0);
    void on_too_big(Instant now, const QuotedSegment& quoted, std::uint32_t told);
    void echo(Instant now, const Arrival& arrival, const wire::IpPacket& packet,
              const wire::IcmpMessage& reply);
    bool owned_on(std::uint16_t port, const IpAddress& address) const;

    const Topology& topology_;
    FrameOutput& output_;
    Answers& answers_;
    ConnectionTable& connections_;
    Spliced& spliced_;
    Prober& prober_;
    CounterSet& counters_;
};

}  // namespace sluice::worker
