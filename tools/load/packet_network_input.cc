// PacketNetwork, arriving frames: what they are, whether they are valid, and which connection they concern.
#include <algorithm>

#include "packet_network.h"
#include "sluice/neighbor/frames.h"
#include "sluice/tcp/frame.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ndp.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::load {

// A guess: what looks like a TCP packet without IP options.
void PacketNetwork::announce(std::span<const port::Frame> frames) {
    constexpr std::size_t kAt = wire::kEthernetHeaderSize;
    for (const port::Frame& frame : frames) __builtin_prefetch(frame.data);
    std::array<FourTuple, kBurst> tuples;
    std::size_t n = 0;
    for (const port::Frame& frame : frames) {
        const ByteView bytes = frame.bytes();
        if (bytes.size() < kAt + 60) continue;
        const std::byte* const ip = bytes.data() + kAt;
        if (load16(ip - 2) == wire::kEtherTypeIpv4 && load8(ip) == 0x45 &&
            load8(ip + 9) == wire::kProtocolTcp) {
            tuples[n++] = {.local = {IpAddress::v4(bytes.subspan<kAt + 16, 4>()), load16(ip + 22)},
                           .remote = {IpAddress::v4(bytes.subspan<kAt + 12, 4>()), load16(ip + 20)}};
        } else if (load16(ip - 2) == wire::kEtherTypeIpv6 && load8(ip + 6) == wire::kProtocolTcp) {
            tuples[n++] = {.local = {IpAddress::v6(bytes.subspan<kAt + 24, 16>()), load16(ip + 42)},
                           .remote = {IpAddress::v6(bytes.subspan<kAt + 8, 16>()), load16(ip + 40)}};
        }
    }
    upward_.on_burst(std::span(tuples).first(n));
}

bool PacketNetwork::on_frame(Instant now, const port::Frame& frame) {
    const auto ethernet = wire::EthernetView::parse(frame.bytes());
    if (!ethernet || frame.multi_segment) return false;
    const MacAddress destination = ethernet->destination();
    if (!destination.is_multicast() && destination != port_.info().mac) return false;
    if (ethernet->ether_type() == wire::kEtherTypeArp) return on_arp(now, ethernet->payload());
    return on_ip(now, frame, *ethernet);
}

// RFC 826, "Packet Reception": merge first, then answer what is asked of us.
bool PacketNetwork::on_arp(Instant now, ByteView payload) {
    const auto view = wire::ArpView::parse(payload);
    if (!view || view->sender_mac().is_multicast()) return false;
    const wire::ArpPacket packet = view->packet();
    const bool for_us = owns(packet.target_ip);
    if (packet.operation == wire::ArpOperation::Reply && for_us) {
        neighbors_.on_answer(now, packet.sender_ip, packet.sender_mac, link_);
        return true;
    }
    neighbors_.on_announcement(now, packet.sender_ip, packet.sender_mac, link_);
    if (packet.operation != wire::ArpOperation::Request || !for_us) return true;
    auto frame = allocate();
    if (!frame) return true;
    frame->length = static_cast<std::uint32_t>(neighbor::write_answer(
        port_.info().mac, packet.target_ip, packet.sender_mac, packet.sender_ip, frame->writable()));
    enqueue(*frame);
    return true;
}

bool PacketNetwork::on_ip(Instant now, const port::Frame& frame, const wire::EthernetView& ethernet) {
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet.ether_type(), ethernet.payload(), error);
    if (!packet || packet->header_size + packet->payload.size() > port_.info().mtu) return false;
    const bool discovery = packet->family == IpFamily::V6 && packet->destination.is_multicast();
    const bool is_icmp =
        packet->protocol == (packet->family == IpFamily::V4 ? wire::kProtocolIcmp : wire::kProtocolIcmpv6);
    if (discovery) return is_icmp && on_icmpv6(now, ethernet.source(), *packet);
    if (load8(frame.data) & 1U)
        return false;  // a group's frame with a host's packet (RFC 1122 section 3.3.6)
    if (!owns(packet->destination) || packet->source.is_multicast() || packet->source.is_unspecified())
        return false;
    if (packet->protocol == wire::kProtocolTcp) return on_tcp(now, *packet);
    if (!is_icmp) return false;
    return packet->family == IpFamily::V4 ? on_icmp(now, ethernet.source(), *packet)
                                          : on_icmpv6(now, ethernet.source(), *packet);
}

// A partial checksum, left for hardware to complete, is wrong like any other.
bool PacketNetwork::on_tcp(Instant now, const wire::IpPacket& packet) {
    const auto view = wire::TcpView::parse(packet.payload);
    if (!view || !wire::tcp_checksum_valid(packet.source, packet.destination, view->bytes())) return false;
    const auto segment = tcp::read_segment(*view);
    if (!segment) return false;
    upward_.on_segment(now,
                       {.local = {packet.destination, view->destination_port()},
                        .remote = {packet.source, view->source_port()}},
                       *segment);
    return true;
}

bool PacketNetwork::on_icmp(Instant now, const MacAddress& from, const wire::IpPacket& packet) {
    const auto view = wire::IcmpView::parse(packet.payload);
    if (!view || !view->checksum_valid()) return false;
    if (view->type() == wire::kIcmpEchoRequest) return echo(now, from, packet, wire::echo_reply(*view));
    if (view->type() != wire::kIcmpUnreachable) return false;
    const bool too_big = view->code() == wire::kIcmpCodeFragmentationNeeded;
    return on_error(now, packet.family, view->message(),
                    too_big ? std::optional<std::uint32_t>(view->next_hop_mtu()) : std::nullopt);
}

bool PacketNetwork::on_icmpv6(Instant now, const MacAddress& from, const wire::IpPacket& packet) {
    const auto view = wire::Icmpv6View::parse(packet.payload);
    if (!view || !view->checksum_valid(packet.source, packet.destination)) return false;
    switch (view->type()) {
        case wire::kIcmpv6NeighborSolicitation: return on_solicitation(now, from, packet);
        case wire::kIcmpv6NeighborAdvertisement: return on_advertisement(now, from, packet);
        case wire::kIcmpv6EchoRequest: return echo(now, from, packet, wire::echo_reply(*view));
        case wire::kIcmpv6PacketTooBig: return on_error(now, packet.family, view->message(), view->mtu());
        case wire::kIcmpv6Unreachable: return on_error(now, packet.family, view->message(), std::nullopt);
        default: return false;  // types are open-ended
    }
}

bool PacketNetwork::on_solicitation(Instant now, const MacAddress& from, const wire::IpPacket& packet) {
    const auto question = wire::parse_neighbor_solicitation(packet);
    if (!question || !owns(question->target)) return false;
    if (question->source_mac) neighbors_.on_announcement(now, packet.source, *question->source_mac, link_);
    auto frame = allocate();
    if (!frame) return true;
    frame->length = static_cast<std::uint32_t>(
        neighbor::write_answer(port_.info().mac, question->target, from, packet.source, frame->writable()));
    enqueue(*frame);
    return true;
}

// RFC 4861 section 7.2.5; a unicast answer may leave the option out.
bool PacketNetwork::on_advertisement(Instant now, const MacAddress& from, const wire::IpPacket& packet) {
    const auto message = wire::parse_neighbor_advertisement(packet);
    if (!message) return false;
    const MacAddress mac = message->target_mac.value_or(from);
    if (message->solicited) {
        neighbors_.on_answer(now, message->target, mac, link_);
    } else if (message->override_entry) {
        neighbors_.on_announcement(now, message->target, mac, link_);
    }
    return true;
}

bool PacketNetwork::on_error(Instant now, IpFamily family, const wire::IcmpMessage& message,
                             std::optional<std::uint32_t> mtu) {
    const auto quote = wire::parse_tcp_quote(family, message.body);
    if (!quote) return false;
    const FourTuple tuple{.local = quote->source, .remote = quote->destination};
    if (mtu) {
        upward_.on_too_big(now, tuple, tcp::Seq(quote->sequence), *mtu);
    } else {
        upward_.on_unreachable(now, tuple, tcp::Seq(quote->sequence));
    }
    return true;
}

bool PacketNetwork::echo(Instant now, const MacAddress& from, const wire::IpPacket& packet,
                         const wire::IcmpMessage& reply) {
    if (!owns(packet.destination) || !echoes_.take(now)) return false;
    auto frame = allocate();
    if (!frame) return true;
    frame->length = static_cast<std::uint32_t>(wire::write_icmp_frame({.source_mac = port_.info().mac,
                                                                       .destination_mac = from,
                                                                       .source = packet.destination,
                                                                       .destination = packet.source},
                                                                      reply, frame->writable()));
    if (frame->length == 0) {
        spare_.push_back(*frame);
        return false;
    }
    enqueue(*frame);
    return true;
}

}  // namespace sluice::load
