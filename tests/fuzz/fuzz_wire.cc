// Any bytes as a frame, and as the inside of every layer: nothing is read out of bounds, what a view accepts
// lies inside the input, and what is written from it reads back the same.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "check.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/ndp.h"
#include "sluice/wire/print.h"
#include "sluice/wire/tcp.h"
#include "sluice/wire/tcp_quote.h"

using namespace sluice;

namespace {

void check_ethernet(ByteView bytes) {
    const auto view = wire::EthernetView::parse(bytes);
    if (!view) return;
    std::array<std::byte, wire::kEthernetHeaderSize> out;
    wire::write_ethernet_header(view->header(), out);
    check(std::ranges::equal(out, bytes.first(out.size())));
}

void check_arp(ByteView bytes) {
    const auto view = wire::ArpView::parse(bytes);
    if (!view) return;
    std::array<std::byte, wire::kArpPacketSize> out;
    wire::write_arp(view->packet(), out);
    check(std::ranges::equal(out, bytes.first(out.size())));
}

void check_ip_headers(ByteView bytes) {
    wire::IpError error{};
    if (const auto view = wire::Ipv4View::parse(bytes, error)) {
        check(view->header_size() + view->payload().size() == view->total_length());
        std::array<std::byte, wire::kIpv4HeaderSize> out;
        wire::write_ipv4_header(view->header(), 0, out);
        const auto back = wire::Ipv4View::parse(out, error);
        check(back && back->header() == view->header() && back->checksum_valid());
    } else {
        check(error == wire::IpError::Ipv4Malformed || error == wire::IpError::Truncated);
    }
    if (const auto view = wire::Ipv6View::parse(bytes, error)) {
        check(view->payload().size() == view->payload_length());
        std::array<std::byte, wire::kIpv6HeaderSize> out;
        wire::write_ipv6_header(view->header(), view->payload().size(), out);
        check(std::ranges::equal(out, bytes.first(out.size())));
    } else {
        check(error == wire::IpError::Ipv6Malformed || error == wire::IpError::Truncated);
    }
}

// A frame written from a received segment must be accepted, and hold the same.
void check_tcp(ByteView bytes, const IpAddress& source, const IpAddress& destination) {
    const auto view = wire::TcpView::parse(bytes);
    if (!view) return;
    wire::tcp_checksum_valid(source, destination, bytes);
    wire::is_partial_checksum(source, destination, bytes);
    const auto header = view->header();
    if (!header) return;
    std::vector<std::byte> out(bytes.size() + 200);
    const wire::FrameAddresses addresses{.source = source, .destination = destination};
    const ByteView payload = view->payload();
    const std::size_t half = payload.size() / 2;
    const std::size_t size =
        wire::write_tcp_frame(addresses, *header, payload.first(half), payload.subspan(half), out);
    check(size > 0);
    const auto ethernet = wire::EthernetView::parse(ByteView(out).first(size));
    wire::IpError error{};
    const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
    check(packet && wire::tcp_checksum_valid(packet->source, packet->destination, packet->payload));
    const auto back = wire::TcpView::parse(packet->payload);
    check(back && back->sequence() == header->sequence && back->flags() == header->flags &&
          std::ranges::equal(back->payload(), payload));
}

void check_icmp(ByteView bytes) {
    const auto view = wire::IcmpView::parse(bytes);
    if (!view) return;
    std::vector<std::byte> out(bytes.size());
    check(wire::write_icmp(view->message(), out) == bytes.size());
    check(wire::IcmpView::parse(out)->checksum_valid());
    wire::parse_tcp_quote(IpFamily::V4, view->body());
    wire::parse_tcp_quote(IpFamily::V6, view->body());
}

void check_ndp(const wire::IpPacket& packet) {
    std::array<std::byte, wire::kNdpMaxMessageSize> out;
    wire::IpPacket again = packet;
    if (const auto message = wire::parse_neighbor_solicitation(packet)) {
        const std::size_t size =
            wire::write_neighbor_solicitation(*message, packet.source, packet.destination, out);
        again.payload = ByteView(out).first(size);
        check(wire::parse_neighbor_solicitation(again) == message);
    }
    if (const auto message = wire::parse_neighbor_advertisement(packet)) {
        const std::size_t size =
            wire::write_neighbor_advertisement(*message, packet.source, packet.destination, out);
        again.payload = ByteView(out).first(size);
        check(wire::parse_neighbor_advertisement(again) == message);
    }
}

// The fuzzer does not find checksums: an NDP message gets the right one before it is read.
void check_ndp_behind_the_checksum(ByteView bytes) {
    if (bytes.size() < wire::kIcmpHeaderSize) return;
    static const IpAddress source = *IpAddress::parse("fe80::1");
    static const IpAddress destination = *IpAddress::parse("fe80::2");
    std::vector<std::byte> message(bytes.begin(), bytes.end());
    store16(message.data() + 2, 0);
    store16(message.data() + 2,
            wire::transport_checksum(source, destination, wire::kProtocolIcmpv6, message));
    check_ndp({.source = source,
               .destination = destination,
               .family = IpFamily::V6,
               .protocol = wire::kProtocolIcmpv6,
               .ttl = wire::kNdpHopLimit,
               .header_size = wire::kIpv6HeaderSize,
               .payload = message});
}

void check_packet(ByteView bytes) {
    wire::IpError error{};
    for (const std::uint16_t type : {wire::kEtherTypeIpv4, wire::kEtherTypeIpv6}) {
        const auto packet = wire::parse_ip_packet(type, bytes, error);
        if (!packet) continue;
        check(packet->header_size + packet->payload.size() <= bytes.size());
        check(packet->source.family() == packet->family && packet->destination.family() == packet->family);
        check_tcp(packet->payload, packet->source, packet->destination);
        check_ndp(*packet);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes = std::as_bytes(std::span(data, size));
    check(!wire::describe_frame(bytes).empty());
    check_ethernet(bytes);
    // The same bytes from the front of every layer, so that short inputs reach deep.
    for (const std::size_t at : {std::size_t{0}, wire::kEthernetHeaderSize}) {
        if (size < at) break;
        const ByteView layer = bytes.subspan(at);
        check_arp(layer);
        check_ip_headers(layer);
        check_packet(layer);
        check_tcp(layer, IpAddress::v4(10, 1, 0, 1), IpAddress::v4(10, 1, 0, 2));
        check_icmp(layer);
        check_ndp_behind_the_checksum(layer);
        wire::parse_tcp_quote(IpFamily::V4, layer);
        wire::parse_tcp_quote(IpFamily::V6, layer);
    }
    return 0;
}
