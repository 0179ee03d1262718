#include "worker/input.h"

#include <algorithm>
#include <cstring>

#include "sluice/tcp/frame.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ndp.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::worker {
namespace {

Counter counter_of(wire::IpError error) {
    switch (error) {
        case wire::IpError::NotIp: return Counter::DropEthernetType;
        case wire::IpError::Ipv4Malformed: return Counter::DropIpv4Malformed;
        case wire::IpError::Ipv4Checksum: return Counter::DropIpv4Checksum;
        case wire::IpError::Ipv4Fragment: return Counter::DropIpv4Fragment;
        case wire::IpError::Ipv6Malformed: return Counter::DropIpv6Malformed;
        case wire::IpError::Ipv6Extension: return Counter::DropIpv6Extension;
        case wire::IpError::Truncated: return Counter::DropIpTruncated;
    }
    return Counter::DropEthernetType;
}

bool is_icmp(const wire::IpPacket& packet) {
    return packet.protocol == (packet.family == IpFamily::V4 ? wire::kProtocolIcmp : wire::kProtocolIcmpv6);
}

// Decides only whose packet a message is about; whether it is sound is checked by whoever reads it.
bool is_icmp_error(const wire::IpPacket& packet) {
    if (packet.payload.size() < wire::kIcmpHeaderSize) return false;
    const std::uint8_t type = load8(packet.payload.data());
    return packet.family == IpFamily::V4
               ? type == wire::kIcmpUnreachable || type == wire::kIcmpTimeExceeded
               : type == wire::kIcmpv6Unreachable || type == wire::kIcmpv6PacketTooBig ||
                     type == wire::kIcmpv6TimeExceeded;
}

}  // namespace

Input::Input(const WorkerOptions& options, const WorkerResources& resources, const Directory& directory,
             Forwarder& forwarder, FrameOutput& output, Flows& flows, Prober& prober, LocalProtocols& local,
             CounterSet& counters, Mail& mail)
    : worker_(options.index),
      topology_(resources.topology),
      handover_(resources.handover),
      directory_(directory),
      forwarder_(forwarder),
      output_(output),
      flows_(flows),
      prober_(prober),
      local_(local),
      counters_(counters),
      mail_(mail),
      owner_(options.workers),
      hints_(1, 4),
      given_(options.workers, false) {}

bool Input::on_frame(Instant now, const port::Frame& frame, bool handed_over) {
    const auto ethernet = wire::EthernetView::parse(frame.bytes());
    if (!ethernet) {
        counters_.add(Counter::DropEthernetShort);
        return false;
    }
    if (!for_this_port(frame, ethernet->destination())) {
        counters_.add(Counter::DropEthernetDestination);
        return false;
    }
    if (ethernet->ether_type() == wire::kEtherTypeArp) {
        const bool news =
            local_.on_arp(now, {frame.port, ethernet->source()}, ethernet->payload(), !handed_over);
        if (news && !handed_over) copy_to_others(frame);
        return false;
    }
    return on_ip(now, frame, *ethernet, handed_over);
}

bool Input::for_this_port(const port::Frame& frame, const MacAddress& destination) const {
    return destination.is_multicast() || destination == topology_.ports()[frame.port].mac;
}

// Ours on that port, or a group that neighbor discovery speaks to.
bool Input::destination_good(std::uint16_t port, const IpAddress& destination) const {
    if (destination.is_v6() && destination.is_multicast()) return true;
    const OwnedAddress* owned = topology_.owned(destination);
    return owned != nullptr && owned->port == port;
}

bool Input::on_ip(Instant now, const port::Frame& frame, const wire::EthernetView& ethernet,
                  bool handed_over) {
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet.ether_type(), ethernet.payload(), error);
    if (!packet) {
        counters_.add(frame.multi_segment ? Counter::DropMultiSegment : counter_of(error));
        // The port cuts what is larger than its buffers, and the address is unknown then.
        if (error == wire::IpError::Truncated) hint(now, frame.port, IpAddress{}, Event::Fault::OverMtu);
        return false;
    }
    const auto drop = [&](Counter reason) {
        counters_.add(reason);
        return false;
    };
    if (packet->header_size + packet->payload.size() > topology_.ports()[frame.port].mtu) {
        hint(now, frame.port, packet->source, Event::Fault::OverMtu);
        return drop(Counter::DropIpOverMtu);
    }
    const bool discovery = packet->family == IpFamily::V6 && packet->destination.is_multicast();
    const bool duplicate_probe = discovery && packet->source.is_unspecified();
    if (packet->source.is_multicast() || packet->source.is_loopback() ||
        (packet->source.is_unspecified() && !duplicate_probe)) {
        return drop(Counter::DropIpSource);
    }
    if (!destination_good(frame.port, packet->destination)) return drop(Counter::DropIpNotOurs);
    // RFC 1122 section 3.3.6: what a group of hosts was sent is not for one of them to answer.
    if (ethernet.destination().is_multicast() && !discovery) return drop(Counter::DropEthernetDestination);
    const Arrival arrival{frame.port, ethernet.source()};
    if (is_icmp(*packet)) return on_icmp(now, frame, arrival, *packet, handed_over);
    if (packet->protocol != wire::kProtocolTcp || discovery) return drop(Counter::DropIpProtocol);
    return on_tcp(now, frame, arrival, *packet, handed_over);
}

bool Input::on_icmp(Instant now, const port::Frame& frame, const Arrival& arrival,
                    const wire::IpPacket& packet, bool handed_over) {
    if (!handed_over && is_icmp_error(packet)) {
        const auto quote =
            wire::parse_tcp_quote(packet.family, packet.payload.subspan(wire::kIcmpHeaderSize));
        if (quote) {
            const std::uint32_t owner = owner_of({.local = quote->source, .remote = quote->destination});
            if (owner != worker_) return hand_over(frame, owner);
        }
    }
    const bool news = local_.on_icmp(now, arrival, packet, !handed_over);
    if (news && !handed_over) copy_to_others(frame);
    return false;
}

bool Input::on_tcp(Instant now, const port::Frame& frame, const Arrival& arrival,
                   const wire::IpPacket& packet, bool handed_over) {
    const auto view = wire::TcpView::parse(packet.payload);
    if (!view) {
        counters_.add(Counter::DropTcpMalformed);
        return false;
    }
    const FourTuple tuple{.local = {packet.destination, view->destination_port()},
                          .remote = {packet.source, view->source_port()}};
    if (!handed_over && given_.size() != 1) {
        const std::uint32_t owner = owner_of(tuple);
        if (owner != worker_) return hand_over(frame, owner);
    }
    if (!checksum_good(now, arrival, packet, view->bytes())) return false;
    const auto segment = tcp::read_segment(*view);
    if (!segment) {
        counters_.add(Counter::DropTcpMalformed);
        return false;
    }
    const bool taken = deliver(now, arrival, tuple, *segment);
    return !taken && forwarder_.forward(now, frame) == Forwarder::Fate::Sent;
}

bool Input::checksum_good(Instant now, const Arrival& arrival, const wire::IpPacket& packet,
                          ByteView segment) {
    if (wire::tcp_checksum_valid(packet.source, packet.destination, segment)) return true;
    if (wire::is_partial_checksum(packet.source, packet.destination, segment)) {
        counters_.add(Counter::DropTcpPartialChecksum);
        hint(now, arrival.port, packet.source, Event::Fault::PartialChecksum);
    } else {
        counters_.add(Counter::DropTcpChecksum);
    }
    return false;
}

// False when the packet is a spliced connection's.
bool Input::deliver(Instant now, const Arrival& arrival, const FourTuple& tuple,
                    const tcp::Segment& segment) {
    if (const auto listener = directory_.listener_at(tuple.local); listener) {
        return flows_.on_client_segment(now, *listener, tuple, arrival, segment);
    }
    if (prober_.on_segment(now, tuple, segment)) return true;
    if (topology_.owned(tuple.local.address)->source) {
        return flows_.on_broker_segment(now, tuple, arrival, segment);
    }
    counters_.add(Counter::TcpNoListener);
    flows_.reset(now, tuple, arrival, segment);
    return true;
}

std::uint32_t Input::owner_of(const FourTuple& tuple) const {
    return directory_.listener_at(tuple.local) ? owner_.of_client(tuple)
                                               : owner_.of_source_port(tuple.local.port);
}

bool Input::hand_over(const port::Frame& frame, std::uint32_t owner) {
    if (!handover_.ring(worker_, owner).send(frame)) {
        counters_.add(Counter::DropHandoverFull);
        return false;
    }
    counters_.add(Counter::HandoverFrames);
    given_[owner] = true;
    return true;
}

// Answers about neighbors reach one worker, but every worker has asked for itself.
void Input::copy_to_others(const port::Frame& frame) {
    for (std::uint32_t other = 0; other < given_.size(); ++other) {
        if (other == worker_) continue;
        auto copy = output_.allocate();
        if (!copy) return;
        copy->length = std::min(frame.length, copy->capacity);
        copy->port = frame.port;
        copy->multi_segment = frame.multi_segment;
        std::memcpy(copy->data, frame.data, copy->length);
        if (!hand_over(*copy, other)) output_.discard(*copy);
    }
}

void Input::ring_bells() {
    for (std::uint32_t other = 0; other < given_.size(); ++other) {
        if (!given_[other]) continue;
        given_[other] = false;
        handover_.wake_if_resting(other);
    }
}

// Control tells the operator; a few a second are enough for that, and the drop counters have the whole
// number.
void Input::hint(Instant now, std::uint16_t port, const IpAddress& peer, Event::Fault fault) {
    if (!hints_.take(now)) return;
    if (mail_.post({.kind = Event::Kind::OffloadHint, .fault = fault, .port = port, .address = peer})) {
        counters_.add(Counter::HintOffload);
    }
}

}  // namespace sluice::worker
