#include "worker/local_protocols.h"

#include "sluice/neighbor/frames.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ndp.h"
#include "sluice/wire/path_mtu.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::worker {

LocalProtocols::LocalProtocols(WorkerContext& context, FrameOutput& output, Answers& answers,
                               ConnectionTable& connections, Spliced& spliced, Prober& prober)
    : topology_(context.topology),
      output_(output),
      answers_(answers),
      connections_(connections),
      spliced_(spliced),
      prober_(prober),
      counters_(context.counters) {}

bool LocalProtocols::owned_on(std::uint16_t port, const IpAddress& address) const {
    const OwnedAddress* owned = topology_.owned(address);
    return owned != nullptr && owned->port == port;
}

// RFC 826, "Packet Reception": merge first, then answer what is asked of us.
bool LocalProtocols::on_arp(Instant now, const Arrival& arrival, ByteView payload, bool answer) {
    const auto view = wire::ArpView::parse(payload);
    if (!view || view->sender_mac().is_multicast()) {
        counters_.add(Counter::DropArpMalformed);
        return false;
    }
    const wire::ArpPacket packet = view->packet();
    const bool for_us = owned_on(arrival.port, packet.target_ip);
    if (packet.operation == wire::ArpOperation::Reply && for_us) {
        output_.learn_answer(now, arrival.port, packet.sender_ip, packet.sender_mac);
        return true;
    }
    output_.learn_announcement(now, arrival.port, packet.sender_ip, packet.sender_mac,
                               packet.sender_ip == packet.target_ip);
    if (packet.operation != wire::ArpOperation::Request || !for_us || !answer) return true;
    auto frame = output_.allocate();
    if (!frame) return true;
    frame->length = static_cast<std::uint32_t>(neighbor::write_answer(topology_.ports()[arrival.port].mac,
                                                                      packet.target_ip, packet.sender_mac,
                                                                      packet.sender_ip, frame->writable()));
    output_.send(arrival.port, *frame);
    counters_.add(Counter::ArpReplies);
    return true;
}

bool LocalProtocols::on_icmp(Instant now, const Arrival& arrival, const wire::IpPacket& packet, bool answer) {
    if (packet.family == IpFamily::V6) return on_icmp_v6(now, arrival, packet, answer);
    on_icmp_v4(now, arrival, packet);
    return false;
}

void LocalProtocols::on_icmp_v4(Instant now, const Arrival& arrival, const wire::IpPacket& packet) {
    const auto view = wire::IcmpView::parse(packet.payload);
    if (!view || !view->checksum_valid()) {
        counters_.add(Counter::DropIcmpMalformed);
        return;
    }
    if (view->type() == wire::kIcmpEchoRequest) {
        echo(now, arrival, packet, wire::echo_reply(*view));
    } else if (view->type() == wire::kIcmpUnreachable && view->code() == wire::kIcmpCodeFragmentationNeeded) {
        on_error(now, packet.family, Error::TooBig, view->message(), view->next_hop_mtu());
    } else if (view->type() == wire::kIcmpUnreachable) {
        on_error(now, packet.family, Error::Unreachable, view->message());
    } else if (view->type() == wire::kIcmpTimeExceeded) {
        on_error(now, packet.family, Error::TimeExceeded, view->message());
    } else {
        counters_.add(Counter::DropIcmpUnhandled);
    }
}

bool LocalProtocols::on_icmp_v6(Instant now, const Arrival& arrival, const wire::IpPacket& packet,
                                bool answer) {
    const auto view = wire::Icmpv6View::parse(packet.payload);
    if (!view || !view->checksum_valid(packet.source, packet.destination)) {
        counters_.add(Counter::DropIcmpMalformed);
        return false;
    }
    switch (view->type()) {
        case wire::kIcmpv6NeighborSolicitation: return on_solicitation(now, arrival, packet, answer);
        case wire::kIcmpv6NeighborAdvertisement: return on_advertisement(now, arrival, packet);
        case wire::kIcmpv6EchoRequest: echo(now, arrival, packet, wire::echo_reply(*view)); break;
        case wire::kIcmpv6PacketTooBig:
            on_error(now, packet.family, Error::TooBig, view->message(), view->mtu());
            break;
        case wire::kIcmpv6Unreachable:
            on_error(now, packet.family, Error::Unreachable, view->message());
            break;
        case wire::kIcmpv6TimeExceeded:
            on_error(now, packet.family, Error::TimeExceeded, view->message());
            break;
        default: counters_.add(Counter::DropIcmpUnhandled); break;  // types are open-ended
    }
    return false;
}

bool LocalProtocols::on_solicitation(Instant now, const Arrival& arrival, const wire::IpPacket& packet,
                                     bool answer) {
    const auto question = wire::parse_neighbor_solicitation(packet);
    if (!question) {
        counters_.add(Counter::DropIcmpMalformed);
        return false;
    }
    if (!owned_on(arrival.port, question->target)) {
        counters_.add(Counter::DropIpNotOurs);
        return false;
    }
    if (question->source_mac) {
        output_.learn_announcement(now, arrival.port, packet.source, *question->source_mac, false);
    }
    if (!answer) return true;
    auto frame = output_.allocate();
    if (!frame) return true;
    frame->length = static_cast<std::uint32_t>(neighbor::write_answer(topology_.ports()[arrival.port].mac,
                                                                      question->target, arrival.source_mac,
                                                                      packet.source, frame->writable()));
    output_.send(arrival.port, *frame);
    counters_.add(Counter::NdpAdvertisements);
    return true;
}

bool LocalProtocols::on_advertisement(Instant now, const Arrival& arrival, const wire::IpPacket& packet) {
    const auto message = wire::parse_neighbor_advertisement(packet);
    if (!message) {
        counters_.add(Counter::DropIcmpMalformed);
        return false;
    }
    // RFC 4861 section 7.2.5; a unicast answer may leave the option out.
    const MacAddress mac = message->target_mac.value_or(arrival.source_mac);
    if (message->solicited) {
        output_.learn_answer(now, arrival.port, message->target, mac);
    } else if (message->override_entry) {
        output_.learn_announcement(now, arrival.port, message->target, mac, true);
    }
    return true;
}

void LocalProtocols::on_error(Instant now, IpFamily family, Error kind, const wire::IcmpMessage& message,
                              std::uint32_t mtu) {
    const auto quote = wire::parse_tcp_quote(family, message.body);
    if (!quote) {
        counters_.add(Counter::DropIcmpUnhandled);
        return;
    }
    const QuotedSegment segment{.tuple = {.local = quote->source, .remote = quote->destination},
                                .sequence = quote->sequence,
                                .size = quote->size};
    if (kind == Error::TooBig) return on_too_big(now, segment, mtu);
    // What a spliced connection's ends do about it is theirs to decide.
    if (spliced_.on_icmp_error(now, segment, message)) return;
    switch (kind) {
        case Error::TooBig: return;
        case Error::Unreachable:
            if (!prober_.on_unreachable(now, segment.tuple, tcp::Seq{segment.sequence})) {
                connections_.on_unreachable(now, segment);
            }
            return;
        // A soft error that says nothing new to TCP (RFC 1122 section 4.2.3.9).
        case Error::TimeExceeded: counters_.add(Counter::DropIcmpUnhandled); return;
    }
}

void LocalProtocols::on_too_big(Instant now, const QuotedSegment& quoted, std::uint32_t told) {
    const auto mtu = wire::path_mtu(quoted.tuple.local.address.family(), told, quoted.size);
    if (!mtu) {
        counters_.add(Counter::DropIcmpUnhandled);
        return;
    }
    if (!spliced_.on_packet_too_big(now, quoted, *mtu)) connections_.on_packet_too_big(now, quoted, *mtu);
}

void LocalProtocols::echo(Instant now, const Arrival& arrival, const wire::IpPacket& packet,
                          const wire::IcmpMessage& reply) {
    if (!owned_on(arrival.port, packet.destination)) {
        counters_.add(Counter::DropIpNotOurs);
        return;
    }
    if (!answers_.may(now, arrival.port, Answers::Kind::Echo, packet.source)) {
        counters_.add(Counter::DropIcmpRate);
        return;
    }
    auto frame = output_.allocate();
    if (!frame) return;
    frame->length =
        static_cast<std::uint32_t>(wire::write_icmp_frame({.source_mac = topology_.ports()[arrival.port].mac,
                                                           .destination_mac = arrival.source_mac,
                                                           .source = packet.destination,
                                                           .destination = packet.source},
                                                          reply, frame->writable()));
    if (frame->length == 0) {
        output_.discard(*frame);
        counters_.add(Counter::DropIcmpMalformed);
        return;
    }
    output_.send(arrival.port, *frame);
    counters_.add(Counter::IcmpEchoReplies);
}

}  // namespace sluice::worker
