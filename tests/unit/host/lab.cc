#include "lab.h"

#include <gtest/gtest.h>

#include "sluice/wire/checksum.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"

namespace sluice::host::test {
namespace {

template <typename Write>
Bytes make(Write&& write) {
    Bytes frame(4096);
    frame.resize(write(ByteSpan(frame)));
    return frame;
}

Bytes arp(const MacAddress& to, wire::ArpOperation operation, const IpAddress& sender, const MacAddress& mac,
          const IpAddress& target) {
    return make([&](ByteSpan out) {
        return wire::write_arp_frame(to,
                                     {.operation = operation,
                                      .sender_mac = mac,
                                      .sender_ip = sender,
                                      .target_mac = {},
                                      .target_ip = target},
                                     out);
    });
}

}  // namespace

Bytes arp_request(const IpAddress& sender, const IpAddress& target) {
    return arp(kBroadcastMac, wire::ArpOperation::Request, sender, kNeighborMac, target);
}

Bytes arp_reply(const IpAddress& sender, const MacAddress& mac, const IpAddress& target) {
    return arp(kFrontMac, wire::ArpOperation::Reply, sender, mac, target);
}

Bytes solicitation(const IpAddress& sender, const IpAddress& target) {
    const IpAddress group = wire::solicited_node_multicast(target);
    const auto mac = sender.is_unspecified() ? std::nullopt : std::optional(kNeighborMac);
    return make([&](ByteSpan out) {
        return wire::write_neighbor_solicitation_frame({.source_mac = kNeighborMac,
                                                        .destination_mac = wire::multicast_mac(group),
                                                        .source = sender,
                                                        .destination = group},
                                                       {.target = target, .source_mac = mac}, out);
    });
}

Bytes advertisement(const IpAddress& target, const MacAddress& mac, const IpAddress& destination) {
    const bool group = destination.is_multicast();
    return make([&](ByteSpan out) {
        return wire::write_neighbor_advertisement_frame(
            {.source_mac = mac,
             .destination_mac = group ? wire::multicast_mac(destination) : kFrontMac,
             .source = target,
             .destination = destination},
            {.target = target, .solicited = !group, .override_entry = true, .target_mac = mac}, out);
    });
}

Bytes icmp(const MacAddress& to, const IpAddress& sender, const IpAddress& target,
           const wire::IcmpMessage& message) {
    return make([&](ByteSpan out) {
        return wire::write_icmp_frame(
            {.source_mac = kNeighborMac, .destination_mac = to, .source = sender, .destination = target},
            message, out);
    });
}

Bytes echo_request(const MacAddress& to, const IpAddress& sender, const IpAddress& target) {
    return icmp(to, sender, target,
                {.type = sender.is_v4() ? wire::kIcmpEchoRequest : wire::kIcmpv6EchoRequest,
                 .code = 0,
                 .parameter = 0x12345678,
                 .body = as_bytes("abcdefgh")});
}

Bytes packet(const MacAddress& to, const IpAddress& sender, const IpAddress& target, std::uint8_t protocol,
             std::size_t size) {
    // An echo of the wanted size, under another protocol's number.
    const Bytes data(size - wire::kIcmpHeaderSize);
    Bytes frame =
        icmp(to, sender, target,
             {.type = sender.is_v4() ? wire::kIcmpEchoRequest : wire::kIcmpv6EchoRequest, .body = data});
    std::byte* const header = frame.data() + wire::kEthernetHeaderSize;
    if (sender.is_v6()) {
        store8(header + 6, protocol);
        return frame;
    }
    store8(header + 9, protocol);
    store16(header + 10, 0);
    store16(header + 10, wire::checksum_finish(wire::checksum_sum(ByteView(header, wire::kIpv4HeaderSize))));
    return frame;
}

std::optional<wire::ArpPacket> arp_of(const Bytes& frame) {
    const auto ethernet = wire::EthernetView::parse(frame);
    if (!ethernet || ethernet->ether_type() != wire::kEtherTypeArp) return std::nullopt;
    const auto view = wire::ArpView::parse(ethernet->payload());
    return view ? std::optional(view->packet()) : std::nullopt;
}

std::optional<wire::IpPacket> packet_of(const Bytes& frame) {
    const auto ethernet = wire::EthernetView::parse(frame);
    wire::IpError error{};
    return wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
}

std::optional<wire::NeighborAdvertisement> advertisement_of(const Bytes& frame) {
    const auto packet = packet_of(frame);
    return packet ? wire::parse_neighbor_advertisement(*packet) : std::nullopt;
}

MacAddress destination_of(const Bytes& frame) { return wire::EthernetView::parse(frame)->destination(); }

// --- HostLab ---

HostLab::HostLab(const FrameOutputOptions& options)
    : front({.name = "front", .index = 0, .mac = kFrontMac}, pool),
      back({.name = "back", .index = 1, .mac = kBackMac}, pool),
      own{{ip("10.1.0.1"), 0},  {ip("10.2.0.1"), 1},  {ip("10.2.0.10"), 1},
          {ip("fd00:1::1"), 0}, {ip("fd00:2::1"), 1}, {ip("fd00:2::13"), 1}},
      output({{.port = &front, .mac = kFrontMac, .networks = {*IpPrefix::parse("10.1.0.0/16")}},
              {.port = &back, .mac = kBackMac, .networks = {*IpPrefix::parse("10.2.0.0/16")}}},
             pool, *this, *this, options),
      stack(*this, output, *this, *this) {
    output.tell(*this);
}

HostLab::~HostLab() = default;

Disposition HostLab::receive(std::uint16_t port, const Bytes& frame, Origin origin) {
    port::MemoryPort& device = port == 0 ? front : back;
    device.inject(frame);
    port::Frame received;
    EXPECT_EQ(device.receive(0, std::span(&received, 1)), 1U);
    const Disposition verdict = stack.on_frame(now, received, origin);
    pool.release(std::span(&received, 1));
    return verdict;
}

std::vector<Bytes> HostLab::sent(std::uint16_t port) {
    output.flush();
    return (port == 0 ? front : back).take();
}

NextHopState HostLab::send_to(const NextHop& hop, std::uint8_t mark) {
    auto frame = output.allocate();
    EXPECT_TRUE(frame);
    frame->length = 60;
    std::fill_n(frame->data, frame->length, std::byte{0});
    store8(frame->data + frame->length - 1, mark);
    return output.send_via(now, hop, *frame);
}

void HostLab::pass(Duration time) {
    const Instant end = now + time;
    while (output.next_deadline() <= end) {
        now = std::max(now, output.next_deadline());
        output.on_timer(now, *this);
    }
    now = end;
}

bool HostLab::owns(std::uint16_t port, const IpAddress& address) const {
    const auto found = own.find(address);
    return found != own.end() && found->second == port;
}

std::optional<IpAddress> HostLab::asker(std::uint16_t port, const IpAddress& neighbor) const {
    for (const auto& [address, at] : own) {
        if (at == port && address.family() == neighbor.family()) return address;
    }
    return std::nullopt;
}

Disposition HostLab::on_tcp(Instant, const Received&, const wire::IpPacket& packet) {
    tcp.push_back(packet);
    tcp.back().payload = {};
    return Disposition::consumed();
}

Disposition HostLab::on_icmp_error(Instant, const IcmpError& error) {
    errors.push_back(error);
    errors.back().message.body = {};
    return Disposition::consumed();
}

std::optional<Disposition> HostLab::steer_icmp_error(const Received&, const wire::TcpQuote&) {
    return is_elsewhere ? std::optional(Disposition::dropped(Counter::DropHandoverFull)) : std::nullopt;
}

Disposition HostLab::on_wrapped(Instant at, const Received& in, wire::IpError error) {
    wrapped.push_back(error);
    return UpperLayer::on_wrapped(at, in, error);
}

void HostLab::on_neighbor_news(const Received& in) {
    news.emplace_back(in.frame.bytes().begin(), in.frame.bytes().end());
}

void HostLab::neighbor_failed(Instant, const NextHop& neighbor, std::span<const port::Frame> waited) {
    failed.emplace_back(neighbor, waited.size());
}

}  // namespace sluice::host::test
