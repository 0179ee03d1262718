#include "sluice/host/stack.h"

#include <algorithm>

#include "sluice/host/unwrap.h"
#include "sluice/neighbor/frames.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/ip.h"

namespace sluice::host {
namespace {

Disposition disposition_of(wire::IpError error) {
    switch (error) {
        case wire::IpError::NotIp: return Disposition::punt(Counter::DropEthernetType);
        case wire::IpError::Ipv4Malformed: return Disposition::dropped(Counter::DropIpv4Malformed);
        case wire::IpError::Ipv4Checksum: return Disposition::dropped(Counter::DropIpv4Checksum);
        case wire::IpError::Ipv4Fragment: return Disposition::dropped(Counter::DropIpv4Fragment);
        case wire::IpError::Ipv6Malformed: return Disposition::dropped(Counter::DropIpv6Malformed);
        case wire::IpError::Ipv6Extension: return Disposition::dropped(Counter::DropIpv6Extension);
        case wire::IpError::Truncated: return Disposition::dropped(Counter::DropIpTruncated);
    }
    return Disposition::punt(Counter::DropEthernetType);
}

bool is_icmp(const wire::IpPacket& packet) {
    return packet.protocol == (packet.family == IpFamily::V4 ? wire::kProtocolIcmp : wire::kProtocolIcmpv6);
}

}  // namespace

Disposition UpperLayer::on_wrapped(Instant, const Received&, wire::IpError error) {
    return disposition_of(error);
}

// --- Ethernet ---

Disposition Stack::on_frame(Instant now, const port::Frame& frame, Origin origin) {
    Received in{.frame = frame, .origin = origin};
    if (take_off_priority_tags(in.frame)) counters_.count(Counter::VlanPriorityTags, 1);
    if (in.frame.length < wire::kEthernetHeaderSize) return Disposition::dropped(Counter::DropEthernetShort);
    const MacAddress destination = wire::load_mac(in.frame.data);
    if (!destination.is_multicast() && destination != interface(in).mac) {
        return Disposition::dropped(Counter::DropEthernetDestination);
    }
    return in.ether_type() == wire::kEtherTypeArp ? on_arp(now, in) : on_ip(now, in);
}

// RFC 826, "Packet Reception": merge first, then answer what is asked of us.
Disposition Stack::on_arp(Instant now, const Received& in) {
    const auto view = wire::ArpView::parse(in.payload());
    if (!view || view->sender_mac().is_multicast()) return Disposition::dropped(Counter::DropArpMalformed);
    const wire::ArpPacket packet = view->packet();
    const std::uint16_t port = in.frame.port;
    const bool for_us = addresses_.owns(port, packet.target_ip);
    if (packet.operation == wire::ArpOperation::Reply && for_us) {
        output_.learn_answer(now, port, packet.sender_ip, packet.sender_mac);
    } else {
        output_.learn_announcement(now, port, packet.sender_ip, packet.sender_mac,
                                   packet.sender_ip == packet.target_ip);
        if (packet.operation == wire::ArpOperation::Request && for_us) {
            answer(in, packet.target_ip, packet.sender_mac, packet.sender_ip, Counter::ArpReplies);
        }
    }
    tell(in);
    return for_us ? Disposition::consumed() : Disposition::punt();
}

// Says where `target`, which is ours, is to be found; another instance has done so where it handed over.
void Stack::answer(const Received& in, const IpAddress& target, const MacAddress& asker_mac,
                   const IpAddress& asker, Counter counter) {
    if (in.origin == Origin::Handover) return;
    auto frame = output_.allocate();
    if (!frame) return;
    frame->length = static_cast<std::uint32_t>(
        neighbor::write_answer(interface(in).mac, target, asker_mac, asker, frame->writable()));
    output_.send(in.frame.port, *frame);
    counters_.count(counter, 1);
}

void Stack::tell(const Received& in) {
    if (in.origin != Origin::Handover) upper_.on_neighbor_news(in);
}

// --- IP ---

Disposition Stack::on_ip(Instant now, const Received& in) {
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(in.ether_type(), in.payload(), error);
    if (!packet) return on_unplain_ip(now, in, error);
    const std::size_t size = packet->header_size + packet->payload.size();
    if (const auto verdict = judge(now, in, size, packet->source, packet->destination)) return *verdict;
    if (is_icmp(*packet)) return on_icmp(now, in, *packet);
    if (packet->protocol != wire::kProtocolTcp || is_group(packet->destination)) {
        return Disposition::punt(Counter::DropIpProtocol);
    }
    return upper_.on_tcp(now, in, *packet);
}

Disposition Stack::on_unplain_ip(Instant now, const Received& in, wire::IpError error) {
    if (error == wire::IpError::Ipv6Extension || error == wire::IpError::Ipv4Fragment) {
        return upper_.on_wrapped(now, in, error);
    }
    // The port cuts what is larger than its buffers, and the address is unknown then.
    if (error == wire::IpError::Truncated) upper_.on_over_mtu(now, in.frame.port, IpAddress{});
    return in.frame.multi_segment ? Disposition::dropped(Counter::DropMultiSegment) : disposition_of(error);
}

std::optional<Disposition> Stack::judge(Instant now, const Received& in, std::size_t size,
                                        const IpAddress& source, const IpAddress& destination) {
    // What was handed over was judged there, and what was put together is as large as it is.
    if (in.origin == Origin::Port && size > interface(in).mtu) {
        upper_.on_over_mtu(now, in.frame.port, source);
        return Disposition::dropped(Counter::DropIpOverMtu);
    }
    const bool group = is_group(destination);
    const bool duplicate_probe = group && source.is_unspecified();
    if (!is_source(in.frame.port, source) && !duplicate_probe) {
        return Disposition::dropped(Counter::DropIpSource);
    }
    if (!group && !addresses_.owns(in.frame.port, destination)) {
        return Disposition::punt(Counter::DropIpNotOurs);
    }
    // RFC 1122 section 3.3.6: what a group of hosts was sent is not for one of them to answer.
    if (!group && wire::load_mac(in.frame.data).is_multicast()) {
        return Disposition::dropped(Counter::DropEthernetDestination);
    }
    return std::nullopt;
}

// RFC 1122 section 3.2.1.3: one host's own.
bool Stack::is_source(std::uint16_t port, const IpAddress& address) const {
    if (address.is_multicast() || address.is_loopback() || address.is_unspecified()) return false;
    if (address.is_v6()) return true;
    return address.v4_value() != 0xffffffffU &&
           std::ranges::none_of(output_.interfaces()[port].networks,
                                [&](const IpPrefix& network) { return network.broadcast() == address; });
}

}  // namespace sluice::host
