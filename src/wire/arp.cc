// ARP packets of the one kind that matters here: IPv4 addresses over Ethernet.
#include "sluice/wire/arp.h"

#include <cstring>

namespace sluice::wire {
namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint8_t kHardwareLength = 6;
constexpr std::uint8_t kProtocolLength = 4;

void store_ip(std::byte* to, const IpAddress& ip) {
    std::memcpy(to, ip.wire_bytes().data(), kProtocolLength);
}

}  // namespace

std::optional<ArpView> ArpView::parse(ByteView payload) {
    if (payload.size() < kArpPacketSize) return std::nullopt;
    const std::byte* const p = payload.data();
    // RFC 826 "Packet Reception": do I have the hardware type, do I speak the protocol.
    if (load16(p) != kHardwareEthernet || load16(p + 2) != kEtherTypeIpv4 ||
        load8(p + 4) != kHardwareLength || load8(p + 5) != kProtocolLength) {
        return std::nullopt;
    }
    const std::uint16_t operation = load16(p + 6);
    if (operation != static_cast<std::uint16_t>(ArpOperation::Request) &&
        operation != static_cast<std::uint16_t>(ArpOperation::Reply)) {
        return std::nullopt;
    }
    return ArpView(payload.first(kArpPacketSize));
}

std::size_t write_arp(const ArpPacket& packet, ByteSpan out) {
    std::byte* const p = out.data();
    store16(p, kHardwareEthernet);
    store16(p + 2, kEtherTypeIpv4);
    store8(p + 4, kHardwareLength);
    store8(p + 5, kProtocolLength);
    store16(p + 6, static_cast<std::uint16_t>(packet.operation));
    store_mac(p + 8, packet.sender_mac);
    store_ip(p + 14, packet.sender_ip);
    store_mac(p + 18, packet.target_mac);
    store_ip(p + 24, packet.target_ip);
    return kArpPacketSize;
}

std::string to_string(const ArpPacket& packet) {
    switch (packet.operation) {
        case ArpOperation::Request:
            return "ARP who-has " + packet.target_ip.to_string() + " tell " + packet.sender_ip.to_string() +
                   " (" + to_string(packet.sender_mac) + ")";
        case ArpOperation::Reply:
            return "ARP " + packet.sender_ip.to_string() + " is-at " + to_string(packet.sender_mac);
    }
    __builtin_unreachable();  // the view lets no other value in
}

}  // namespace sluice::wire
