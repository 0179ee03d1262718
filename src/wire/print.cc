// Walks a frame as the balancer would, but goes on where the balancer drops, and says what is wrong.
#include "sluice/wire/print.h"

#include <string_view>

#include "sluice/wire/arp.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/ndp.h"
#include "sluice/wire/tcp.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::wire {
namespace {

std::string_view checksum_note(bool valid) { return valid ? "" : " (wrong checksum)"; }

std::string_view tcp_checksum_note(const IpPacket& packet) {
    if (tcp_checksum_valid(packet.source, packet.destination, packet.payload)) return "";
    if (is_partial_checksum(packet.source, packet.destination, packet.payload)) return " (partial checksum)";
    return checksum_note(false);
}

std::string describe_tcp(const IpPacket& packet) {
    const auto view = TcpView::parse(packet.payload);
    if (!view) return "malformed TCP";
    const auto header = view->header();
    if (!header) return "TCP with malformed options";
    return to_string(*header, view->payload().size()).append(tcp_checksum_note(packet));
}

// Of an error message, the connection it is about.
std::string quote_note(IpFamily family, ByteView body) {
    const auto quote = parse_tcp_quote(family, body);
    if (!quote) return "";
    return " about TCP " + quote->source.to_string() + " > " + quote->destination.to_string() + " seq " +
           std::to_string(quote->sequence);
}

std::string describe_icmp(const IpPacket& packet) {
    const auto view = IcmpView::parse(packet.payload);
    if (!view) return "malformed ICMP";
    std::string text = to_string(*view);
    const bool echo = view->type() == kIcmpEchoRequest || view->type() == kIcmpEchoReply;
    if (!echo) text += quote_note(IpFamily::V4, view->body());
    return text.append(checksum_note(view->checksum_valid()));
}

std::string describe_icmpv6(const IpPacket& packet) {
    if (const auto solicitation = parse_neighbor_solicitation(packet)) return to_string(*solicitation);
    if (const auto advertisement = parse_neighbor_advertisement(packet)) return to_string(*advertisement);
    const auto view = Icmpv6View::parse(packet.payload);
    if (!view) return "malformed ICMPv6";
    std::string text = to_string(*view);
    const bool error = view->type() < kIcmpv6EchoRequest;  // RFC 4443 section 2.1
    if (error) text += quote_note(IpFamily::V6, view->body());
    return text.append(checksum_note(view->checksum_valid(packet.source, packet.destination)));
}

std::string describe_transport(const IpPacket& packet) {
    const bool v4 = packet.family == IpFamily::V4;
    if (packet.protocol == kProtocolTcp) return describe_tcp(packet);
    if (packet.protocol == kProtocolIcmp && v4) return describe_icmp(packet);
    if (packet.protocol == kProtocolIcmpv6 && !v4) return describe_icmpv6(packet);
    return "len " + std::to_string(packet.payload.size());
}

std::string describe_ip(std::uint16_t ether_type, ByteView payload) {
    IpError error{};
    std::string text;
    if (ether_type == kEtherTypeIpv4) {
        if (const auto view = Ipv4View::parse(payload, error)) text = to_string(view->header());
    } else if (const auto view = Ipv6View::parse(payload, error)) {
        text = to_string(view->header());
    }
    const auto packet = parse_ip_packet(ether_type, payload, error);
    if (!text.empty()) text += ", ";
    return text + (packet ? describe_transport(*packet) : std::string(to_string(error)));
}

}  // namespace

std::string describe_frame(ByteView frame) {
    const auto ethernet = EthernetView::parse(frame);
    if (!ethernet) return "short frame of " + std::to_string(frame.size()) + " bytes";
    const std::uint16_t type = ethernet->ether_type();
    if (type == kEtherTypeIpv4 || type == kEtherTypeIpv6) {
        return to_string(ethernet->source()) + " > " + to_string(ethernet->destination()) + ", " +
               describe_ip(type, ethernet->payload());
    }
    if (type == kEtherTypeArp) {
        const auto arp = ArpView::parse(ethernet->payload());
        return to_string(ethernet->source()) + " > " + to_string(ethernet->destination()) + ", " +
               (arp ? to_string(arp->packet()) : "malformed ARP");
    }
    return to_string(ethernet->header()) + " len " + std::to_string(ethernet->payload().size());
}

}  // namespace sluice::wire
