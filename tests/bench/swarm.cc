// The swarm's wire: frames to and from the worker, and ARP. What clients and brokers do is in swarm_ends.cc.
#include "swarm.h"

#include <algorithm>
#include <bit>
#include <sstream>
#include <string_view>

#include "cycles.h"
#include "sluice/mqtt/writer.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/ip_packet.h"

namespace sluice::bench {
namespace {

constexpr MacAddress kClientGatewayMac{{0x02, 0, 0, 0, 1, 99}};
constexpr MacAddress kBrokersMac{{0x02, 0, 0, 0, 2, 99}};
constexpr std::string_view kClientId = "swarm-00000000";

}  // namespace

std::string Tally::to_string() const {
    std::ostringstream t;
    t << "opened " << opened << ", connected " << connected << ", closed " << closed << "; brokers: opened "
      << broker_opened << ", connected " << broker_connected << ", closed " << broker_closed << "; pings "
      << pings << ", answered " << pongs << "; bytes to brokers " << to_brokers << ", arrived " << at_brokers
      << "; bytes to clients " << to_clients << ", arrived " << at_clients << "; repeated " << repeated
      << ", resets " << resets << ", refused " << refused << ", holes " << holes
      << ", wrong acknowledgements " << acknowledged << ", wrong checksums " << checksums << ", strangers "
      << strangers << ", overflows " << overflows;
    return t.str();
}

Swarm::Swarm(const Plan& plan, std::uint32_t window, StackPool& pool)
    : plan_(plan),
      window_(window),
      pool_(pool),
      clients_(plan.clients),
      broker_ends_(plan.broker_ends()),
      broker_end_of_(plan.clients),
      connect_(mqtt::write_connect({.client_id = kClientId, .keep_alive = plan.keep_alive})),
      front_(*this, 0, kFrontMac, 4 * window),
      back_(*this, 1, kBackMac, 4 * window) {
    connect_id_ = as_text(connect_).find(kClientId) + kClientId.size() - kDigits;
}

// --- frames ---

Swarm::Wire::Wire(Swarm& swarm, std::uint16_t index, const MacAddress& mac, std::uint32_t capacity)
    : swarm_(swarm), index_(index), queue_(std::bit_ceil(std::max(capacity, 1024U))) {
    info_.name = index == 0 ? "front" : "back";
    info_.device = "swarm";
    info_.driver = "swarm";
    info_.mac = mac;
}

bool Swarm::Wire::push(const port::Frame& frame) {
    if (waiting() == queue_.size()) return false;
    port::Frame& slot = queue_[tail_++ & (queue_.size() - 1)];
    slot = frame;
    slot.port = index_;
    return true;
}

std::size_t Swarm::Wire::receive(std::uint16_t, std::span<port::Frame> out) {
    const std::uint64_t began = cycles();
    while (waiting() < out.size() && swarm_.begin(index_ == 1)) {
    }
    const std::size_t n = std::min<std::size_t>(out.size(), waiting());
    for (std::size_t i = 0; i < n; ++i) out[i] = queue_[head_++ & (queue_.size() - 1)];
    swarm_.received_ += n;
    swarm_.spent_ += cycles() - began;
    return n;
}

std::size_t Swarm::Wire::transmit(std::uint16_t, std::span<const port::Frame> frames) {
    const std::uint64_t began = cycles();
    for (const port::Frame& frame : frames) swarm_.on_frame(index_ == 1, frame);
    swarm_.sent_ += frames.size();
    swarm_.spent_ += cycles() - began;
    return frames.size();
}

void Swarm::on_frame(bool at_broker, const port::Frame& frame) {
    const auto ethernet = wire::EthernetView::parse(frame.bytes());
    if (ethernet && ethernet->ether_type() == wire::kEtherTypeArp) {
        on_arp(frame);
    } else if (Heard heard; ethernet && read(*ethernet, heard)) {
        at_broker ? on_broker(heard) : on_client(heard);
    }
    pool_.release({&frame, 1});
}

// False unless it is a sound TCP packet; all others are faults, but for what the worker says of itself.
bool Swarm::read(const wire::EthernetView& ethernet, Heard& heard) {
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet.ether_type(), ethernet.payload(), error);
    if (packet && packet->protocol == wire::kProtocolIcmpv6) return false;
    const auto segment = packet ? wire::TcpView::parse(packet->payload) : std::nullopt;
    const auto header = segment ? segment->header() : std::nullopt;
    if (!header) {
        ++tally_.strangers;
        return false;
    }
    if (!wire::tcp_checksum_valid(packet->source, packet->destination, segment->bytes())) {
        ++tally_.checksums;
        return false;
    }
    heard = {.from = {packet->source, header->source_port},
             .to = {packet->destination, header->destination_port},
             .header = *header,
             .payload = segment->payload()};
    return true;
}

// The brokers are asked for; everything else is the worker telling of itself.
void Swarm::on_arp(const port::Frame& frame) {
    const auto question = wire::ArpView::parse(frame.bytes().subspan(wire::kEthernetHeaderSize));
    if (!question || question->operation() != wire::ArpOperation::Request) return;
    if (question->target_ip().v4_value() - Plan::kFirstBroker >= plan_.brokers) return;
    port::Frame answer;
    if (pool_.allocate({&answer, 1}) == 0) {
        ++tally_.overflows;
        return;
    }
    answer.length = static_cast<std::uint32_t>(wire::write_arp_frame(question->sender_mac(),
                                                                     {.operation = wire::ArpOperation::Reply,
                                                                      .sender_mac = kBrokersMac,
                                                                      .sender_ip = question->target_ip(),
                                                                      .target_mac = question->sender_mac(),
                                                                      .target_ip = question->sender_ip()},
                                                                     answer.writable()));
    if (!back_.push(answer)) ++tally_.overflows;
}

// Writes one segment of the speaker and moves its sequence number on. echo: the timestamp that is answered, 0
// for none.
void Swarm::say(const Speaker& speaker, wire::TcpFlags flags, ByteView payload, std::uint32_t echo) {
    port::Frame frame;
    if (pool_.allocate({&frame, 1}) == 0) {
        ++tally_.overflows;
        return;
    }
    End& end = speaker.end;
    wire::TcpHeader header{.source_port = speaker.local.port,
                           .destination_port = speaker.remote.port,
                           .sequence = end.send_next,
                           .acknowledgement = flags.ack ? end.receive_next : 0,
                           .flags = flags,
                           .window = 64'000};
    // Every end has a clock of its own, as Linux gives every connection one.
    header.options.timestamps =
        wire::TcpTimestamps{.value = milliseconds_ + speaker.number * 0x9e3779b1U, .echo = echo};
    if (flags.syn) {
        header.options.mss = 1460;
        header.options.sack_permitted = true;
        header.options.window_scale = 7;
    }
    const wire::FrameAddresses addresses{.source_mac = speaker.broker ? kBrokersMac : kClientGatewayMac,
                                         .destination_mac = speaker.broker ? kBackMac : kFrontMac,
                                         .source = speaker.local.address,
                                         .destination = speaker.remote.address};
    frame.length =
        static_cast<std::uint32_t>(wire::write_tcp_frame(addresses, header, payload, {}, frame.writable()));
    end.send_next += static_cast<std::uint32_t>(payload.size()) + (flags.syn ? 1 : 0) + (flags.fin ? 1 : 0);
    if (!wire(speaker.broker).push(frame)) ++tally_.overflows;
}

}  // namespace sluice::bench
