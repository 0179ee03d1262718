#include "packet_network.h"

#include <algorithm>

#include "sluice/tcp/frame.h"
#include "sluice/wire/checksum.h"

namespace sluice::load {
namespace {

constexpr std::size_t kBursts = 4;
constexpr Duration kEpoch = 100ms;
constexpr std::uint16_t kPort = 0;  // the only one

}  // namespace

PacketNetwork::PacketNetwork(const PacketNetworkOptions& options, const std::vector<IpAddress>& own,
                             port::Port& port, port::FramePool& pool, Upward& upward)
    : options_(options),
      own_(own.begin(), own.end()),
      port_(port),
      pool_(pool),
      upward_(upward),
      output_(
          {{.port = &port, .mac = port.info().mac, .mtu = port.info().mtu}}, pool, *this, *this,
          {.backlog = 4096, .wait_per_neighbor = 1024, .wait_in_all = 8192, .neighbors = options.neighbors}),
      stack_(*this, output_, *this, *this) {
    output_.tell(*this);
    for (const IpAddress& address : own) {
        std::optional<IpAddress>& first = address.is_v4() ? speaker_v4_ : speaker_v6_;
        if (!first) first = address;
    }
    for (const IpPrefix& network : options.networks) {
        const auto inside =
            std::ranges::find_if(own, [&](const IpAddress& a) { return network.contains(a); });
        if (inside != own.end()) speakers_.emplace_back(network, *inside);
    }
}

// --- in ---

std::size_t PacketNetwork::receive(Instant now) {
    if (now >= next_epoch_) {
        ++epoch_;
        next_epoch_ = now + kEpoch;
    }
    std::size_t received = 0;
    for (std::size_t burst = 0; burst < kBursts; ++burst) {
        std::array<port::Frame, kBurst> frames;
        const std::size_t n = port_.receive(0, frames);
        announce(std::span(frames).first(n));
        for (port::Frame& frame : std::span(frames).first(n)) {
            frame.port = kPort;
            if (stack_.on_frame(now, frame, host::Origin::Port).counter()) ++totals_.dropped;
        }
        pool_.release(std::span(frames).first(n));
        received += n;
        if (n < frames.size()) break;
    }
    totals_.frames_in += received;
    return received;
}

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

// A partial checksum, left for hardware to complete, is wrong like any other.
host::Disposition PacketNetwork::on_tcp(Instant now, const host::Received&, const wire::IpPacket& packet) {
    const auto view = wire::TcpView::parse(packet.payload);
    if (!view) return host::Disposition::dropped(Counter::DropTcpMalformed);
    if (!wire::tcp_checksum_valid(packet.source, packet.destination, view->bytes())) {
        return host::Disposition::dropped(Counter::DropTcpChecksum);
    }
    const auto segment = tcp::read_segment(*view);
    if (!segment) return host::Disposition::dropped(Counter::DropTcpMalformed);
    upward_.on_segment(now,
                       {.local = {packet.destination, view->destination_port()},
                        .remote = {packet.source, view->source_port()}},
                       *segment);
    return host::Disposition::consumed();
}

host::Disposition PacketNetwork::on_icmp_error(Instant now, const host::IcmpError& error) {
    const FourTuple tuple{.local = error.quote.source, .remote = error.quote.destination};
    const tcp::Seq sequence(error.quote.sequence);
    using Kind = host::IcmpError::Kind;
    switch (error.kind) {
        case Kind::TooBig: upward_.on_too_big(now, tuple, sequence, error.mtu); break;
        case Kind::Unreachable: upward_.on_unreachable(now, tuple, sequence); break;
        case Kind::TimeExceeded: return host::Disposition::dropped(Counter::DropIcmpUnhandled);
    }
    return host::Disposition::consumed();
}

bool PacketNetwork::may_echo(Instant now, std::uint16_t, const IpAddress&) { return echoes_.take(now); }

// --- out ---

void PacketNetwork::on_timer(Instant now) { output_.on_timer(now, *this); }

bool PacketNetwork::send(Instant now, const FourTuple& tuple, const tcp::Segment& segment) {
    const host::NextHop hop{.port = kPort, .neighbor = next_hop(tuple.remote.address)};
    const std::optional<MacAddress> mac = mac_of(now, hop.neighbor);
    auto frame = output_.allocate();
    if (!frame) return true;
    frame->length =
        tcp::write_segment(tuple, port_.info().mac, mac.value_or(MacAddress{}), segment, frame->writable());
    if (!mac) return output_.send_via(now, hop, *frame) != host::NextHopState::Failed;
    output_.send(kPort, *frame);
    // Full bursts do not wait for the end of the turn.
    if (output_.batched(kPort) % kBurst == 0) output_.flush();
    return true;
}

const IpAddress& PacketNetwork::next_hop(const IpAddress& destination) const {
    const std::optional<IpAddress>& gateway = destination.is_v4() ? options_.gateway_v4 : options_.gateway_v6;
    if (!gateway) return destination;
    for (const IpPrefix& network : options_.networks) {
        if (network.contains(destination)) return destination;
    }
    return *gateway;
}

std::optional<MacAddress> PacketNetwork::mac_of(Instant now, const IpAddress& neighbor) {
    Known& known = known_[load16(std::as_bytes(neighbor.bytes()).data() + 14) % known_.size()];
    if (known.epoch == epoch_ && known.address == neighbor) return known.mac;
    const std::optional<MacAddress> mac = output_.resolve(now, {.port = kPort, .neighbor = neighbor});
    if (mac) known = {.address = neighbor, .mac = *mac, .epoch = epoch_};
    return mac;
}

// --- the host ---

bool PacketNetwork::owns(std::uint16_t, const IpAddress& address) const { return own_.contains(address); }

std::optional<IpAddress> PacketNetwork::asker(std::uint16_t, const IpAddress& neighbor) const {
    for (const auto& [network, address] : speakers_) {
        if (network.contains(neighbor)) return address;
    }
    return neighbor.is_v4() ? speaker_v4_ : speaker_v6_;
}

void PacketNetwork::count(Counter what, std::uint64_t n) {
    if (what == Counter::TxFrames) totals_.frames_out += n;
}

void PacketNetwork::dropped(Counter, std::uint64_t frames) { totals_.dropped += frames; }

void PacketNetwork::neighbor_seen(const host::Sighting&) { ++epoch_; }

void PacketNetwork::neighbor_failed(Instant now, const host::NextHop&, std::span<const port::Frame> waited) {
    ++epoch_;
    for (const port::Frame& frame : waited) give_up(now, frame);
}

// What waited for a next hop that does not answer: a segment of ours, so its headers are good.
void PacketNetwork::give_up(Instant now, const port::Frame& frame) {
    const auto ethernet = wire::EthernetView::parse(frame.bytes());
    if (!ethernet) return;
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
    const auto segment = packet ? wire::TcpView::parse(packet->payload) : std::nullopt;
    if (!segment) return;
    upward_.on_unreachable(now,
                           {.local = {packet->source, segment->source_port()},
                            .remote = {packet->destination, segment->destination_port()}},
                           tcp::Seq(segment->sequence()));
}

}  // namespace sluice::load
