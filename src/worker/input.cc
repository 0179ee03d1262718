#include "worker/input.h"

#include <algorithm>
#include <cstring>

#include "sluice/tcp/frame.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/fragment.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/ipv6_extensions.h"
#include "sluice/wire/ndp.h"
#include "sluice/wire/tcp_quote.h"
#include "worker/unwrap.h"

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

// Decides only whose packet a message is about; its reader checks whether it is sound.
bool is_icmp_error(const wire::IpPacket& packet) {
    if (packet.payload.size() < wire::kIcmpHeaderSize) return false;
    const std::uint8_t type = load8(packet.payload.data());
    return packet.family == IpFamily::V4
               ? type == wire::kIcmpUnreachable || type == wire::kIcmpTimeExceeded
               : type == wire::kIcmpv6Unreachable || type == wire::kIcmpv6PacketTooBig ||
                     type == wire::kIcmpv6TimeExceeded;
}

// RFC 4861's messages; RFC 6980 wants those in fragments ignored.
bool is_discovery(const wire::IpPacket& packet) {
    constexpr std::uint8_t kFirst = 133;
    constexpr std::uint8_t kLast = 137;
    if (packet.protocol != wire::kProtocolIcmpv6 || packet.payload.empty()) return false;
    const std::uint8_t type = load8(packet.payload.data());
    return packet.family == IpFamily::V6 && type >= kFirst && type <= kLast;
}

bool is_to_group(const IpAddress& destination) { return destination.is_v6() && destination.is_multicast(); }

}  // namespace

Input::Input(WorkerContext& context, const FlowTable& flow_table, Forwarder& forwarder, FrameOutput& output,
             ConnectionTable& connections, Prober& prober, LocalProtocols& local, IcmpErrors& errors)
    : worker_(context.options.index),
      topology_(context.topology),
      handover_(context.handover),
      flow_table_(flow_table),
      forwarder_(forwarder),
      output_(output),
      connections_(connections),
      prober_(prober),
      local_(local),
      errors_(errors),
      counters_(context.counters),
      events_(context.events),
      steering_(context.options.workers),
      fragments_(context, output, errors),
      hints_(1, 4),
      given_(context.options.workers, false) {}

bool Input::on_frame(Instant now, const port::Frame& received, bool handed_over) {
    port::Frame frame = received;
    if (take_off_priority_tags(frame)) counters_.add(Counter::VlanPriorityTags);
    const auto ethernet = wire::EthernetView::parse(frame.bytes());
    if (!ethernet) return drop(Counter::DropEthernetShort);
    if (!for_this_port(frame, ethernet->destination())) return drop(Counter::DropEthernetDestination);
    if (ethernet->ether_type() == wire::kEtherTypeArp) {
        const bool news =
            local_.on_arp(now, {frame.port, ethernet->source()}, ethernet->payload(), !handed_over);
        if (news && !handed_over) copy_to_others(frame);
        return false;
    }
    return on_ip(now, frame, handed_over ? Origin::Worker : Origin::Port);
}

bool Input::drop(Counter reason) {
    counters_.add(reason);
    return false;
}

bool Input::for_this_port(const port::Frame& frame, const MacAddress& destination) const {
    return destination.is_multicast() || destination == topology_.ports()[frame.port].mac;
}

// RFC 1122 section 3.2.1.3: one host's own.
bool Input::source_good(std::uint16_t port, const IpAddress& source) const {
    if (source.is_multicast() || source.is_loopback() || source.is_unspecified()) return false;
    if (source.is_v6()) return true;
    return source.v4_value() != 0xffffffffU &&
           std::ranges::none_of(topology_.ports()[port].networks,
                                [&](const IpPrefix& network) { return network.broadcast() == source; });
}

// Ours on that port, or a group that neighbor discovery speaks to.
bool Input::destination_good(std::uint16_t port, const IpAddress& destination) const {
    if (is_to_group(destination)) return true;
    const OwnedAddress* owned = topology_.owned(destination);
    return owned != nullptr && owned->port == port;
}

std::optional<Counter> Input::misdirected(const port::Frame& frame, const IpAddress& source,
                                          const IpAddress& destination) const {
    const bool discovery = is_to_group(destination);
    const bool duplicate_probe = discovery && source.is_unspecified();
    if (!source_good(frame.port, source) && !duplicate_probe) return Counter::DropIpSource;
    if (!destination_good(frame.port, destination)) return Counter::DropIpNotOurs;
    // RFC 1122 section 3.3.6: what a group of hosts was sent is not for one of them to answer.
    const bool to_many = wire::load_mac(frame.data).is_multicast();
    return to_many && !discovery ? std::optional(Counter::DropEthernetDestination) : std::nullopt;
}

// What came from a worker was judged there, and what was put together is as large as it is.
bool Input::is_over_mtu(Instant now, const port::Frame& frame, std::size_t size, const IpAddress& source,
                        Origin origin) {
    if (origin != Origin::Port || size <= topology_.ports()[frame.port].mtu) return false;
    hint(now, frame.port, source, Event::Fault::OverMtu);
    counters_.add(Counter::DropIpOverMtu);
    return true;
}

bool Input::on_ip(Instant now, const port::Frame& frame, Origin origin) {
    const auto ethernet = wire::EthernetView::parse(frame.bytes());
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
    if (!packet) return on_wrapped_ip(now, frame, error, origin);
    if (is_over_mtu(now, frame, packet->header_size + packet->payload.size(), packet->source, origin)) {
        return false;
    }
    if (const auto reason = misdirected(frame, packet->source, packet->destination)) return drop(*reason);
    const Arrival arrival{frame.port, ethernet->source()};
    if (is_icmp(*packet)) return on_icmp(now, frame, arrival, *packet, origin);
    if (packet->protocol != wire::kProtocolTcp || is_to_group(packet->destination)) {
        return drop(Counter::DropIpProtocol);
    }
    return on_tcp(now, frame, arrival, *packet, origin);
}

// error: why it is not plain IP.
bool Input::on_wrapped_ip(Instant now, const port::Frame& frame, wire::IpError error, Origin origin) {
    if (error == wire::IpError::Ipv6Extension) return on_extensions(now, frame, origin);
    if (error == wire::IpError::Ipv4Fragment) return on_fragment(now, frame, IpFamily::V4, origin);
    // The port cuts what is larger than its buffers, and the address is unknown then.
    if (error == wire::IpError::Truncated) hint(now, frame.port, IpAddress{}, Event::Fault::OverMtu);
    return drop(frame.multi_segment ? Counter::DropMultiSegment : counter_of(error));
}

bool Input::on_extensions(Instant now, const port::Frame& frame, Origin origin) {
    const auto ethernet = wire::EthernetView::parse(frame.bytes());
    wire::IpError error{};
    const auto view = wire::Ipv6View::parse(ethernet->payload(), error);
    if (is_over_mtu(now, frame, view->bytes().size(), view->source(), origin)) return false;
    if (const auto reason = misdirected(frame, view->source(), view->destination())) return drop(*reason);
    wire::Ipv6Problem problem;
    const auto chain = wire::walk_ipv6_extensions(view->bytes(), problem);
    if (!chain) {
        counters_.add(Counter::DropIpv6Extension);
        if (!problem.to_be_told || is_to_group(view->destination())) return false;
        errors_.parameter_problem(now,
                                  {.port = frame.port,
                                   .mac = ethernet->source(),
                                   .address = view->source(),
                                   .own = view->destination()},
                                  view->bytes(), problem.code, problem.pointer);
        return false;
    }
    port::Frame plain = frame;
    take_off_extensions(plain, *chain);
    if (chain->next_header == wire::kProtocolFragment) return on_fragment(now, plain, IpFamily::V6, origin);
    return on_ip(now, plain, chain->atomic_fragment ? Origin::Fragments : origin);
}

// Parts of packets for us alone; ours to put together, or the worker's that their name says.
bool Input::on_fragment(Instant now, const port::Frame& frame, IpFamily family, Origin origin) {
    const auto fragment = wire::parse_fragment(family, frame.bytes().subspan(wire::kEthernetHeaderSize));
    // One within another is nothing that a host sends.
    if (!fragment || origin == Origin::Fragments) return drop(spoiled_fragment(family));
    const std::size_t size = fragment->header.size() + fragment->data.size();
    if (is_over_mtu(now, frame, size, fragment->source, origin)) return false;
    if (const auto reason = misdirected(frame, fragment->source, fragment->destination)) return drop(*reason);
    const std::uint8_t protocol = fragment->protocol;
    const bool v4 = family == IpFamily::V4;
    const bool spoken = protocol == wire::kProtocolTcp ||
                        (v4 ? protocol == wire::kProtocolIcmp
                            : protocol == wire::kProtocolIcmpv6 || wire::is_ipv6_extension(protocol));
    if (!spoken || is_to_group(fragment->destination)) return drop(Counter::DropIpProtocol);
    if (origin == Origin::Port) {
        const std::uint32_t owner =
            steering_.of_fragment(fragment->source, fragment->destination, fragment->identification,
                                  v4 ? protocol : std::uint8_t{0});
        if (owner != worker_) return hand_over(frame, owner);
    }
    const auto whole = fragments_.add(now, frame, *fragment);
    if (whole && !on_ip(now, *whole, Origin::Fragments)) output_.discard(*whole);
    return false;
}

bool Input::on_icmp(Instant now, const port::Frame& frame, const Arrival& arrival,
                    const wire::IpPacket& packet, Origin origin) {
    const bool handed_over = origin == Origin::Worker;
    if (origin == Origin::Fragments && is_discovery(packet)) return drop(Counter::DropIcmpMalformed);
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
                   const wire::IpPacket& packet, Origin origin) {
    const auto view = wire::TcpView::parse(packet.payload);
    if (!view) {
        counters_.add(Counter::DropTcpMalformed);
        return false;
    }
    const FourTuple tuple{.local = {packet.destination, view->destination_port()},
                          .remote = {packet.source, view->source_port()}};
    if (origin != Origin::Worker && given_.size() != 1) {
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
    if (const auto listener = flow_table_.listener_at(tuple.local); listener) {
        return connections_.on_client_segment(now, *listener, tuple, arrival, segment);
    }
    if (prober_.on_segment(now, tuple, segment)) return true;
    if (topology_.owned(tuple.local.address)->source) {
        return connections_.on_broker_segment(now, tuple, arrival, segment);
    }
    counters_.add(Counter::TcpNoListener);
    connections_.reset(now, tuple, arrival, segment);
    return true;
}

std::uint32_t Input::owner_of(const FourTuple& tuple) const {
    return flow_table_.listener_at(tuple.local) ? steering_.of_client(tuple)
                                                : steering_.of_source_port(tuple.local.port);
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

void Input::ring_doorbells() {
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
    if (events_.post({.kind = Event::Kind::OffloadHint, .fault = fault, .port = port, .address = peer})) {
        counters_.add(Counter::HintOffload);
    }
}

}  // namespace sluice::worker
