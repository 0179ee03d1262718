// ICMP errors that leave Sluice: what it says itself about a packet that it cannot take or pass on, and what
// it passes on from routers. At most 1,000 a second of either, as by Linux (icmp_msgs_per_sec): an error may
// be larger than what it is about. Divided among those who are told; more are counted as drop_icmp_rate.
#pragma once

#include <cstdint>

#include "sluice/base/counters.h"
#include "sluice/base/fair_rate.h"
#include "sluice/host/frame_output.h"
#include "sluice/splice/record.h"
#include "sluice/wire/icmp.h"
#include "worker/context.h"

namespace sluice::worker {

class IcmpErrors {
  public:
    IcmpErrors(WorkerContext& context, host::FrameOutput& output)
        : topology_(context.topology),
          output_(output),
          counters_(context.counters),
          own_(context.options.index_key, kRate),
          passed_on_(context.options.index_key, kRate) {}

    // Who is told, by which way, and from which address.
    struct Receiver {
        std::uint16_t port = 0;
        MacAddress mac;     // of the next hop
        IpAddress address;  // of one host: a packet to a group is not answered (RFC 1122 3.2.2)
        IpAddress own;      // the address that the packet was sent to
    };
    // What a router says, in the receiver's own numbers by now. message: of the family of the addresses.
    void pass_on(Instant now, const Receiver& receiver, const wire::IcmpMessage& message);

    // packet: the IP packet as it arrived; no ICMP error and no later fragment. As much of it is quoted as
    // RFC 1812 section 4.3.2.3 and RFC 4443 section 2.4 (c) want.
    void too_big(Instant now, const Receiver& receiver, ByteView packet, std::uint32_t mtu);
    enum class Exceeded : std::uint8_t { HopLimit = 0, Reassembly = 1 };  // values: the message's code
    void time_exceeded(Instant now, const Receiver& receiver, ByteView packet, Exceeded what);
    // Of ICMPv6. pointer: the byte of the packet that is at fault.
    void parameter_problem(Instant now, const Receiver& receiver, ByteView packet, std::uint8_t code,
                           std::uint32_t pointer);

  private:
    static constexpr std::uint32_t kRate = 1000;

    // sent: the counter of those that leave.
    void send(Instant now, FairRate& rate, const Receiver& receiver, const wire::IcmpMessage& message,
              Counter sent);

    const Topology& topology_;
    host::FrameOutput& output_;
    CounterSet& counters_;
    FairRate own_;  // strangers can ask for these; it is nothing to those who wait for the others
    FairRate passed_on_;
};

// The end of a spliced connection whose packets leave in `direction`.
template <IpFamily kFamily>
IcmpErrors::Receiver sender_of(const splice::Record<kFamily>& record, splice::Direction direction) {
    const splice::DirectionState& back = record.core.way(splice::opposite(direction));
    const FourTuple leg = record.leg(splice::opposite(direction)).tuple();
    return {.port = back.port, .mac = back.mac, .address = leg.remote.address, .own = leg.local.address};
}

}  // namespace sluice::worker
