#include "worker/packets.h"

#include <algorithm>

#include "sluice/wire/arp.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/ndp.h"

namespace sluice::test {

Tap::Tap(Lab& lab) {
    lab.on_sent = [this](std::uint16_t port, ByteView frame) { see(port, frame); };
}

void Tap::see(std::uint16_t port, ByteView frame) {
    frames.emplace_back(port, Frame(frame.begin(), frame.end()));
    const auto ethernet = wire::EthernetView::parse(frame);
    wire::IpError error{};
    const auto packet =
        ethernet ? wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error) : std::nullopt;
    if (!packet || packet->protocol != wire::kProtocolTcp) return;
    const auto view = wire::TcpView::parse(packet->payload);
    const auto header = view ? view->header() : std::nullopt;
    if (!header) return;
    tcp.push_back(
        {.port = port,
         .ethernet = ethernet->header(),
         .from = {packet->source, header->source_port},
         .to = {packet->destination, header->destination_port},
         .tcp = *header,
         .payload = std::string(as_text(view->payload())),
         .checksum_valid = wire::tcp_checksum_valid(packet->source, packet->destination, view->bytes()),
         .ttl = packet->ttl});
}

std::vector<SeenSegment> Tap::upstream_syns() const {
    std::vector<SeenSegment> syns;
    for (const SeenSegment& s : tcp) {
        if (s.port == 1 && s.is_syn() && s.from.port >= 1024) syns.push_back(s);
    }
    return syns;
}

std::size_t Tap::tcp_on(std::uint16_t port) const {
    return static_cast<std::size_t>(std::ranges::count(tcp, port, &SeenSegment::port));
}

Frame make_segment(const RawSegment& s) {
    Frame frame(4096);
    frame.resize(wire::write_tcp_frame({.source_mac = s.source_mac,
                                        .destination_mac = s.destination_mac,
                                        .source = s.from.address,
                                        .destination = s.to.address},
                                       {.source_port = s.from.port,
                                        .destination_port = s.to.port,
                                        .sequence = s.sequence,
                                        .acknowledgement = s.acknowledgement,
                                        .flags = s.flags,
                                        .window = s.window,
                                        .options = s.options},
                                       as_bytes(s.payload), {}, frame));
    return frame;
}

namespace {

Frame make_error(const SeenSegment& quoted, std::uint32_t sequence, wire::IcmpMessage message) {
    const Frame sent =
        make_segment({.from = quoted.from, .to = quoted.to, .sequence = sequence, .flags = {.syn = true}});
    message.body = ByteView(sent).subspan(wire::kEthernetHeaderSize);
    Frame frame(2048);
    frame.resize(wire::write_icmp_frame({.source_mac = MacAddress{{0x02, 0, 0, 0, 3, 99}},
                                         .destination_mac = Lab::kBackMac,
                                         .source = quoted.to.address,
                                         .destination = quoted.from.address},
                                        message, frame));
    return frame;
}

}  // namespace

Frame make_unreachable(const SeenSegment& quoted, std::uint32_t sequence) {
    return quoted.from.address.is_v4()
               ? make_error(quoted, sequence,
                            {.type = wire::kIcmpUnreachable, .code = wire::kIcmpCodeProhibited})
               : make_error(quoted, sequence,
                            {.type = wire::kIcmpv6Unreachable, .code = wire::kIcmpv6CodeProhibited});
}

Frame make_too_big(const SeenSegment& quoted, std::uint32_t sequence, std::uint32_t mtu) {
    return quoted.from.address.is_v4()
               ? make_error(quoted, sequence,
                            {.type = wire::kIcmpUnreachable,
                             .code = wire::kIcmpCodeFragmentationNeeded,
                             .parameter = mtu})
               : make_error(quoted, sequence, {.type = wire::kIcmpv6PacketTooBig, .parameter = mtu});
}

Frame make_announcement(const IpAddress& address, const MacAddress& mac) {
    Frame frame(128);
    if (address.is_v4()) {
        frame.resize(wire::write_arp_frame(kBroadcastMac,
                                           {.operation = wire::ArpOperation::Request,
                                            .sender_mac = mac,
                                            .sender_ip = address,
                                            .target_mac = {},
                                            .target_ip = address},
                                           frame));
    } else {
        frame.resize(wire::write_neighbor_advertisement_frame(
            {.source_mac = mac,
             .destination_mac = wire::multicast_mac(wire::all_nodes_multicast()),
             .source = address,
             .destination = wire::all_nodes_multicast()},
            {.target = address, .solicited = false, .override_entry = true, .target_mac = mac}, frame));
    }
    return frame;
}

Frame make_neighbor_answer(const IpAddress& address, const MacAddress& mac, const IpAddress& asker,
                           const MacAddress& asker_mac) {
    Frame frame(128);
    if (address.is_v4()) {
        frame.resize(wire::write_arp_frame(asker_mac,
                                           {.operation = wire::ArpOperation::Reply,
                                            .sender_mac = mac,
                                            .sender_ip = address,
                                            .target_mac = asker_mac,
                                            .target_ip = asker},
                                           frame));
    } else {
        frame.resize(wire::write_neighbor_advertisement_frame(
            {.source_mac = mac, .destination_mac = asker_mac, .source = address, .destination = asker},
            {.target = address, .solicited = true, .override_entry = true, .target_mac = mac}, frame));
    }
    return frame;
}

worker::Command slow_port() {
    worker::Command command;
    command.kind = worker::Command::Kind::SetSpeed;
    command.speed = 1;
    return command;
}

Counts::Counts(const Lab& lab) : lab_(lab) { restart(); }

void Counts::restart() {
    before_.clear();
    for (const CounterInfo& c : kCounterTable) before_.push_back(lab_.count(c.id));
}

std::map<std::string_view, std::uint64_t> Counts::moved(std::string_view prefix) const {
    std::map<std::string_view, std::uint64_t> moved;
    for (std::size_t i = 0; i < kCounterCount; ++i) {
        const std::uint64_t now = lab_.count(kCounterTable[i].id);
        if (kCounterTable[i].name.starts_with(prefix) && now != before_[i]) {
            moved[kCounterTable[i].name] = now - before_[i];
        }
    }
    return moved;
}

}  // namespace sluice::test
