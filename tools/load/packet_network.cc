#include "packet_network.h"

#include <algorithm>
#include <span>

#include "sluice/neighbor/frames.h"
#include "sluice/tcp/frame.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::load {
namespace {

constexpr std::size_t kBursts = 4;
constexpr std::size_t kAllocateAtOnce = 64;
constexpr Duration kEpoch = 100ms;

}  // namespace

PacketNetwork::PacketNetwork(const PacketNetworkOptions& options, const std::vector<IpAddress>& own,
                             port::Port& port, port::FramePool& pool, Upward& upward)
    : options_(options),
      own_(own.begin(), own.end()),
      port_(port),
      pool_(pool),
      upward_(upward),
      link_(*this),
      neighbors_(options.neighbors) {
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

PacketNetwork::~PacketNetwork() {
    pool_.release(batch_);
    pool_.release(spare_);
    pool_.release(lost_);
    for (const auto& [address, frames] : waiting_) pool_.release(frames);
}

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
        for (const port::Frame& frame : std::span(frames).first(n)) {
            if (!on_frame(now, frame)) ++totals_.dropped;
        }
        pool_.release(std::span(frames).first(n));
        received += n;
        if (n < frames.size()) break;
    }
    totals_.frames_in += received;
    return received;
}

void PacketNetwork::on_timer(Instant now) {
    if (neighbors_.next_deadline() <= now) neighbors_.on_timer(now, link_);
    // Whoever is told may send again and fail again, so the list is taken first.
    const std::vector<port::Frame> lost = std::exchange(lost_, {});
    for (const port::Frame& frame : lost) give_up(now, frame);
    pool_.release(lost);
}

// What was held for a next hop that does not answer: a segment of ours, so its headers are good.
void PacketNetwork::give_up(Instant now, const port::Frame& frame) {
    ++totals_.dropped;
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

bool PacketNetwork::flush() {
    if (batch_.empty()) return false;
    const std::size_t sent = port_.transmit(0, batch_);
    totals_.frames_out += sent;
    if (sent == batch_.size()) {
        batch_.clear();
        return false;
    }
    batch_.erase(batch_.begin(), batch_.begin() + static_cast<std::ptrdiff_t>(sent));
    return true;
}

PacketNetwork::Fate PacketNetwork::send(Instant now, const FourTuple& tuple, const tcp::Segment& segment) {
    const IpAddress& neighbor = next_hop(tuple.remote.address);
    const std::optional<MacAddress> mac = mac_of(now, neighbor);
    if (!mac && neighbors_.failed(neighbor)) {
        ++totals_.dropped;
        return Fate::Unreachable;
    }
    auto frame = allocate();
    if (!frame) return Fate::Sent;
    frame->length =
        tcp::write_segment(tuple, port_.info().mac, mac.value_or(MacAddress{}), segment, frame->writable());
    if (!mac) return hold(neighbor, *frame);
    enqueue(*frame);
    return Fate::Sent;
}

PacketNetwork::Fate PacketNetwork::hold(const IpAddress& neighbor, const port::Frame& frame) {
    std::vector<port::Frame>& queue = waiting_[neighbor];
    if (queue.size() == kWaitPerNeighbor || waiting_frames_ == kWaitInAll) {
        ++totals_.dropped;
        spare_.push_back(frame);
        return Fate::Sent;
    }
    queue.push_back(frame);
    ++waiting_frames_;
    return Fate::Sent;
}

std::optional<port::Frame> PacketNetwork::allocate() {
    if (spare_.empty()) {
        spare_.resize(kAllocateAtOnce);
        spare_.resize(pool_.allocate(spare_));
        if (spare_.empty()) {
            ++totals_.dropped;
            return std::nullopt;
        }
    }
    const port::Frame frame = spare_.back();
    spare_.pop_back();
    return frame;
}

// A full burst does not wait for the end of the turn.
void PacketNetwork::enqueue(const port::Frame& frame) {
    if (batch_.size() == kBacklog) {
        ++totals_.dropped;
        spare_.push_back(frame);
        return;
    }
    batch_.push_back(frame);
    if (batch_.size() == kBurst) flush();
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
    const std::optional<MacAddress> mac = neighbors_.lookup(now, neighbor, link_);
    if (mac) known = {.address = neighbor, .mac = *mac, .epoch = epoch_};
    return mac;
}

std::optional<IpAddress> PacketNetwork::speaker_to(const IpAddress& neighbor) const {
    for (const auto& [network, address] : speakers_) {
        if (network.contains(neighbor)) return address;
    }
    return neighbor.is_v4() ? speaker_v4_ : speaker_v6_;
}

void PacketNetwork::Link::solicit(const neighbor::Solicitation& solicitation) {
    const auto speaker = network.speaker_to(solicitation.target);
    if (!speaker) return;
    auto frame = network.allocate();
    if (!frame) return;
    frame->length = static_cast<std::uint32_t>(neighbor::write_question(
        network.port_.info().mac, *speaker, solicitation.target, solicitation.to, frame->writable()));
    network.enqueue(*frame);
}

void PacketNetwork::Link::resolved(const neighbor::Resolution& resolution) {
    ++network.epoch_;
    const auto entry = network.waiting_.find(resolution.address);
    if (entry == network.waiting_.end()) return;
    const std::vector<port::Frame> frames = std::move(entry->second);
    network.waiting_.erase(entry);
    network.waiting_frames_ -= frames.size();
    if (!resolution.mac) {
        network.lost_.insert(network.lost_.end(), frames.begin(), frames.end());
        return;
    }
    for (const port::Frame& frame : frames) {
        wire::store_mac(frame.data, *resolution.mac);
        network.enqueue(frame);
    }
}

void PacketNetwork::Link::moved(const IpAddress&, const MacAddress&, const MacAddress&) { ++network.epoch_; }

}  // namespace sluice::load
