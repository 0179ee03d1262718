// Stack, ICMP of both families: neighbor discovery, echo, and what routers say.
#include "sluice/host/stack.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ndp.h"

namespace sluice::host {
namespace {

// Decides only whose packet a message is about; whether it is sound is checked by whoever reads it.
bool is_error(const wire::IpPacket& packet) {
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
    if (packet.family != IpFamily::V6 || packet.payload.empty()) return false;
    const std::uint8_t type = load8(packet.payload.data());
    return type >= kFirst && type <= kLast;
}

}  // namespace

Disposition Stack::on_icmp(Instant now, const Received& in, const wire::IpPacket& packet) {
    if (in.origin == Origin::Fragments && is_discovery(packet)) {
        return Disposition::dropped(Counter::DropIcmpMalformed);
    }
    if (in.origin != Origin::Handover && is_error(packet)) {
        const auto quote =
            wire::parse_tcp_quote(packet.family, packet.payload.subspan(wire::kIcmpHeaderSize));
        const auto elsewhere = quote ? upper_.steer_icmp_error(in, *quote) : std::nullopt;
        if (elsewhere) return *elsewhere;
    }
    return packet.family == IpFamily::V4 ? on_icmp_v4(now, in, packet) : on_icmp_v6(now, in, packet);
}

Disposition Stack::on_icmp_v4(Instant now, const Received& in, const wire::IpPacket& packet) {
    using Kind = IcmpError::Kind;
    const auto view = wire::IcmpView::parse(packet.payload);
    if (!view || !view->checksum_valid()) return Disposition::dropped(Counter::DropIcmpMalformed);
    switch (view->type()) {
        case wire::kIcmpEchoRequest: return echo(now, in, packet, wire::echo_reply(*view));
        case wire::kIcmpUnreachable:
            if (view->code() == wire::kIcmpCodeFragmentationNeeded) {
                return on_error(now, packet, Kind::TooBig, view->message(), view->next_hop_mtu());
            }
            return on_error(now, packet, Kind::Unreachable, view->message());
        case wire::kIcmpTimeExceeded: return on_error(now, packet, Kind::TimeExceeded, view->message());
        default: return Disposition::dropped(Counter::DropIcmpUnhandled);  // types are open-ended
    }
}

Disposition Stack::on_icmp_v6(Instant now, const Received& in, const wire::IpPacket& packet) {
    using Kind = IcmpError::Kind;
    const auto view = wire::Icmpv6View::parse(packet.payload);
    if (!view || !view->checksum_valid(packet.source, packet.destination)) {
        return Disposition::dropped(Counter::DropIcmpMalformed);
    }
    switch (view->type()) {
        case wire::kIcmpv6NeighborSolicitation: return on_solicitation(now, in, packet);
        case wire::kIcmpv6NeighborAdvertisement: return on_advertisement(now, in, packet);
        case wire::kIcmpv6EchoRequest: return echo(now, in, packet, wire::echo_reply(*view));
        case wire::kIcmpv6PacketTooBig:
            return on_error(now, packet, Kind::TooBig, view->message(), view->mtu());
        case wire::kIcmpv6Unreachable: return on_error(now, packet, Kind::Unreachable, view->message());
        case wire::kIcmpv6TimeExceeded: return on_error(now, packet, Kind::TimeExceeded, view->message());
        default:  // types are open-ended; routers and multicast listeners speak to groups
            return is_group(packet.destination) ? Disposition::punt(Counter::DropIcmpUnhandled)
                                                : Disposition::dropped(Counter::DropIcmpUnhandled);
    }
}

Disposition Stack::on_solicitation(Instant now, const Received& in, const wire::IpPacket& packet) {
    const auto question = wire::parse_neighbor_solicitation(packet);
    if (!question) return Disposition::dropped(Counter::DropIcmpMalformed);
    if (!addresses_.owns(in.frame.port, question->target)) {
        return Disposition::punt(Counter::DropIpNotOurs);
    }
    if (question->source_mac) {
        output_.learn_announcement(now, in.frame.port, packet.source, *question->source_mac, false);
    }
    answer(in, question->target, in.arrival().source_mac, packet.source, Counter::NdpAdvertisements);
    tell(in);
    return Disposition::consumed();
}

// RFC 4861 section 7.2.5; a unicast answer may leave the option out.
Disposition Stack::on_advertisement(Instant now, const Received& in, const wire::IpPacket& packet) {
    const auto message = wire::parse_neighbor_advertisement(packet);
    if (!message) return Disposition::dropped(Counter::DropIcmpMalformed);
    const MacAddress mac = message->target_mac.value_or(in.arrival().source_mac);
    if (message->solicited) {
        output_.learn_answer(now, in.frame.port, message->target, mac);
    } else if (message->override_entry) {
        output_.learn_announcement(now, in.frame.port, message->target, mac, true);
    }
    tell(in);
    return is_group(packet.destination) ? Disposition::punt() : Disposition::consumed();
}

Disposition Stack::on_error(Instant now, const wire::IpPacket& packet, IcmpError::Kind kind,
                            const wire::IcmpMessage& message, std::uint32_t mtu) {
    const auto quote = wire::parse_tcp_quote(packet.family, message.body);
    if (!quote) return Disposition::dropped(Counter::DropIcmpUnhandled);
    return upper_.on_icmp_error(now, {.kind = kind, .mtu = mtu, .quote = *quote, .message = message});
}

Disposition Stack::echo(Instant now, const Received& in, const wire::IpPacket& packet,
                        const wire::IcmpMessage& reply) {
    const Arrival arrival = in.arrival();
    if (!addresses_.owns(arrival.port, packet.destination)) {
        return Disposition::punt(Counter::DropIpNotOurs);
    }
    if (!upper_.may_echo(now, arrival.port, packet.source)) {
        return Disposition::dropped(Counter::DropIcmpRate);
    }
    auto frame = output_.allocate();
    if (!frame) return Disposition::consumed();
    frame->length = static_cast<std::uint32_t>(wire::write_icmp_frame({.source_mac = interface(in).mac,
                                                                       .destination_mac = arrival.source_mac,
                                                                       .source = packet.destination,
                                                                       .destination = packet.source},
                                                                      reply, frame->writable()));
    if (frame->length == 0) {
        output_.discard(*frame);
        return Disposition::dropped(Counter::DropIcmpMalformed);
    }
    output_.send(arrival.port, *frame);
    counters_.count(Counter::IcmpEchoReplies, 1);
    return Disposition::consumed();
}

}  // namespace sluice::host
