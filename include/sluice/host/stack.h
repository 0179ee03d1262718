// A host on its ports, up to IP: tells received frames apart, answers ARP, neighbor discovery and echo, and
// hands the rest up. It holds nothing of its own: neighbors are the output's, addresses the caller's.
//
// Several instances, one a thread, may be the same host together. A frame reaches one of them; what another
// one needs of it, its owner passes on (Origin::Handover).
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/host/disposition.h"
#include "sluice/host/frame_output.h"
#include "sluice/host/interface.h"
#include "sluice/port/frame.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::host {

// Where a frame comes from, and so what was judged before and what it may be.
enum class Origin : std::uint8_t {
    Port,
    Handover,   // another instance, which has judged it, and answered what was to be answered
    Fragments,  // put together here: it may be larger than what arrives in one frame
};

// A frame with a whole Ethernet header.
struct Received {
    port::Frame frame;
    Origin origin = Origin::Port;

    std::uint16_t ether_type() const { return load16(frame.data + wire::kEtherTypeAt); }
    ByteView payload() const { return frame.bytes().subspan(wire::kEthernetHeaderSize); }
    Arrival arrival() const {
        return {.port = frame.port, .source_mac = wire::load_mac(frame.data + wire::kEthernetSourceAt)};
    }
};

// What a router, or the other end's host, says about a packet of ours. Nobody vouches for who says so.
struct IcmpError {
    enum class Kind : std::uint8_t { TooBig, Unreachable, TimeExceeded };
    Kind kind = Kind::Unreachable;
    std::uint32_t mtu = 0;      // of TooBig, as it was told; 0 from very old routers
    wire::TcpQuote quote;       // source: ours
    wire::IcmpMessage message;  // borrows from the frame
};

// The caller's part.
class UpperLayer {
  public:
    // A TCP packet for an own address; nothing of TCP itself was looked at.
    virtual Disposition on_tcp(Instant now, const Received& in, const wire::IpPacket& packet) = 0;
    // The message is sound.
    virtual Disposition on_icmp_error(Instant now, const IcmpError& error) = 0;
    // Whether `to` may have an answer to its echo now.
    virtual bool may_echo(Instant now, std::uint16_t port, const IpAddress& to) = 0;

    // What not every host has: each is, by default, not there.

    // Where the packet that an ICMP error quotes is another instance's, what became of the frame. Asked
    // before the message is checked.
    virtual std::optional<Disposition> steer_icmp_error(const Received&, const wire::TcpQuote&) {
        return std::nullopt;
    }
    // A fragment over IPv4 (Ipv4Fragment), or IPv6 with extension headers (Ipv6Extension); judge() has not
    // seen it. Whoever makes it plain gives that to on_ip().
    virtual Disposition on_wrapped(Instant now, const Received& in, wire::IpError error);
    // The frame says where a neighbor is. Not told of Origin::Handover.
    virtual void on_neighbor_news(const Received&) {}
    // A packet of `peer` (unspecified: unknown) was larger than the MTU, or than a buffer.
    virtual void on_over_mtu(Instant, std::uint16_t, const IpAddress&) {}

  protected:
    ~UpperLayer() = default;
};

class Stack {
  public:
    // All borrowed. Output's interfaces are the host's.
    Stack(const Addresses& addresses, FrameOutput& output, CounterSink& counters, UpperLayer& upper)
        : addresses_(addresses), output_(output), counters_(counters), upper_(upper) {}

    // The frame stays the caller's, unless it was Forwarded.
    Disposition on_frame(Instant now, const port::Frame& frame, Origin origin);
    // For whoever makes plain what was wrapped.
    Disposition on_ip(Instant now, const Received& in);
    // Whether an IP packet of that size may be taken; nullopt: yes.
    std::optional<Disposition> judge(Instant now, const Received& in, std::size_t size,
                                     const IpAddress& source, const IpAddress& destination);

  private:
    Disposition on_arp(Instant now, const Received& in);
    Disposition on_unplain_ip(Instant now, const Received& in, wire::IpError error);
    Disposition on_icmp(Instant now, const Received& in, const wire::IpPacket& packet);
    Disposition on_icmp_v4(Instant now, const Received& in, const wire::IpPacket& packet);
    Disposition on_icmp_v6(Instant now, const Received& in, const wire::IpPacket& packet);
    Disposition on_error(Instant now, const wire::IpPacket& packet, IcmpError::Kind kind,
                         const wire::IcmpMessage& message, std::uint32_t mtu = 0);
    Disposition on_solicitation(Instant now, const Received& in, const wire::IpPacket& packet);
    Disposition on_advertisement(Instant now, const Received& in, const wire::IpPacket& packet);
    Disposition echo(Instant now, const Received& in, const wire::IpPacket& packet,
                     const wire::IcmpMessage& reply);
    void answer(const Received& in, const IpAddress& target, const MacAddress& asker_mac,
                const IpAddress& asker, Counter counter);
    void tell(const Received& in);
    bool is_source(std::uint16_t port, const IpAddress& address) const;
    const Interface& interface(const Received& in) const { return output_.interfaces()[in.frame.port]; }

    const Addresses& addresses_;
    FrameOutput& output_;
    CounterSink& counters_;
    UpperLayer& upper_;
};

// A group that IPv6 hosts speak to each other by; over IPv4 none is spoken to.
inline bool is_group(const IpAddress& address) { return address.is_v6() && address.is_multicast(); }

}  // namespace sluice::host
