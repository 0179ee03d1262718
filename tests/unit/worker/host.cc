#include "worker/host.h"

#include <algorithm>

#include "sluice/wire/arp.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ndp.h"
#include "sluice/wire/tcp.h"

namespace sluice::test {
namespace {

constexpr std::size_t kFrameRoom = 2048;
constexpr std::uint32_t kSequenceStep = 0x20000;

template <typename Write>
std::vector<std::byte> make_frame(Write&& write) {
    std::vector<std::byte> frame(kFrameRoom);
    frame.resize(write(ByteSpan(frame)));
    return frame;
}

std::vector<std::byte> tcp_frame(const MacAddress& from, const MacAddress& to, const FourTuple& tuple,
                                 const tcp::Segment& s) {
    return make_frame([&](ByteSpan out) {
        return wire::write_tcp_frame({.source_mac = from,
                                      .destination_mac = to,
                                      .source = tuple.local.address,
                                      .destination = tuple.remote.address},
                                     {.source_port = tuple.local.port,
                                      .destination_port = tuple.remote.port,
                                      .sequence = s.seq.value(),
                                      .acknowledgement = s.flags.ack ? s.ack.value() : 0,
                                      .flags = s.flags,
                                      .window = s.window,
                                      .options = s.options},
                                     s.payload, s.payload_tail, out);
    });
}

}  // namespace

void Socket::send(const tcp::Segment& segment) {
    host_.transmit(tcp_frame(host_.mac, gateway_, tuple, segment));
}

void Socket::write(std::string_view bytes) {
    unsent += bytes;
    unsent_from += endpoint.write(host_.now, as_bytes(std::string_view(unsent).substr(unsent_from)), *this);
    if (unsent_from == unsent.size()) {
        unsent.clear();
        unsent_from = 0;
    }
}

void Socket::write(ByteView bytes) { write(as_text(bytes)); }
void Socket::shutdown() { endpoint.shutdown(host_.now, *this); }
void Socket::abort() { endpoint.abort(host_.now, *this); }

void Socket::collect() {
    while (!hold && endpoint.readable() != 0) {
        const ByteView piece = endpoint.peek();
        received += as_text(piece);
        endpoint.consume(host_.now, piece.size(), *this);
    }
    if (!unsent.empty()) write(std::string_view{});
}

Socket& Host::connect(const SocketAddress& from, const SocketAddress& to, const MacAddress& gateway,
                      const tcp::EndpointOptions& options) {
    sockets.push_back(std::make_unique<Socket>(*this, FourTuple{from, to}, gateway, options));
    Socket& socket = *sockets.back();
    socket.endpoint.connect(now, tcp::Seq(0xfffffff0U + kSequenceStep * opened_++), socket);
    return socket;
}

void Host::listen(std::uint16_t port, std::function<void(Socket&)> on_data) {
    listeners_[port] = std::move(on_data);
}

bool Host::has(const IpAddress& address) const {
    return std::ranges::find(addresses, address) != addresses.end();
}

void Host::on_frame(Instant at, ByteView frame) {
    now = at;
    if (silent) return;
    const auto ethernet = wire::EthernetView::parse(frame);
    if (!ethernet) return;
    if (ethernet->ether_type() == wire::kEtherTypeArp) return on_arp(ethernet->payload());
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
    if (!packet) return;
    if (packet->protocol == wire::kProtocolIcmpv6) return on_solicitation(*packet, ethernet->source());
    if (ethernet->destination() != mac || packet->protocol != wire::kProtocolTcp || deaf_tcp) return;
    on_tcp(*packet, ethernet->source());
}

void Host::on_arp(ByteView payload) {
    const auto view = wire::ArpView::parse(payload);
    if (!view || view->operation() != wire::ArpOperation::Request || !has(view->target_ip())) return;
    transmit(make_frame([&](ByteSpan out) {
        return wire::write_arp_frame(view->sender_mac(),
                                     {.operation = wire::ArpOperation::Reply,
                                      .sender_mac = mac,
                                      .sender_ip = view->target_ip(),
                                      .target_mac = view->sender_mac(),
                                      .target_ip = view->sender_ip()},
                                     out);
    }));
}

void Host::on_solicitation(const wire::IpPacket& packet, const MacAddress& from) {
    const auto question = wire::parse_neighbor_solicitation(packet);
    if (!question || !has(question->target)) return;
    transmit(make_frame([&](ByteSpan out) {
        return wire::write_neighbor_advertisement_frame(
            {.source_mac = mac,
             .destination_mac = from,
             .source = question->target,
             .destination = packet.source},
            {.target = question->target, .solicited = true, .override_entry = true, .target_mac = mac}, out);
    }));
}

void Host::on_tcp(const wire::IpPacket& packet, const MacAddress& from) {
    if (!has(packet.destination)) return;
    const auto view = wire::TcpView::parse(packet.payload);
    if (!view || !wire::tcp_checksum_valid(packet.source, packet.destination, view->bytes())) return;
    const auto header = view->header();
    if (!header) return;
    const tcp::Segment segment{.seq = tcp::Seq(header->sequence),
                               .ack = tcp::Seq(header->acknowledgement),
                               .flags = header->flags,
                               .window = header->window,
                               .options = header->options,
                               .payload = view->payload(),
                               .payload_tail = {}};
    const FourTuple tuple{{packet.destination, header->destination_port},
                          {packet.source, header->source_port}};
    // The newest socket of a tuple counts: older ones are over.
    auto found = std::find_if(sockets.rbegin(), sockets.rend(), [&](const auto& s) {
        return s->tuple == tuple && s->endpoint.state() != tcp::State::Closed;
    });
    const auto listener = listeners_.find(tuple.local.port);
    if (found == sockets.rend()) {
        if (listener == listeners_.end() || !segment.flags.syn || segment.flags.ack) {
            if (const auto reset = tcp::reset_for(segment)) transmit(tcp_frame(mac, from, tuple, *reset));
            return;
        }
        sockets.push_back(std::make_unique<Socket>(*this, tuple, from, accept_options));
        sockets.back()->endpoint.listen(tcp::Seq(0x7ffffff0U + kSequenceStep * opened_++));
        found = sockets.rbegin();
    }
    Socket& socket = **found;
    const bool opening = socket.endpoint.state() == tcp::State::SynReceived;
    const std::size_t before = socket.received.size();
    socket.endpoint.on_segment(now, segment, socket);
    if (opening && on_accept && tcp::is_synchronized(socket.endpoint.state())) on_accept(socket);
    socket.collect();
    if (socket.received.size() != before && listener != listeners_.end()) listener->second(socket);
}

void Host::on_timer(Instant at) {
    now = at;
    for (const auto& s : sockets) {
        if (s->endpoint.next_deadline() <= now) s->endpoint.on_timer(now, *s);
    }
}

void Host::forget_finished() {
    std::erase_if(sockets, [](const auto& s) {
        return s->endpoint.state() == tcp::State::Closed || s->endpoint.state() == tcp::State::TimeWait;
    });
}

Instant Host::next_deadline() const {
    Instant earliest = kNever;
    for (const auto& s : sockets) earliest = std::min(earliest, s->endpoint.next_deadline());
    return earliest;
}

}  // namespace sluice::test
