// Neighbor Discovery messages are ICMPv6 messages whose body is a target address and options in units of
// eight bytes.
#include "sluice/wire/ndp.h"

#include <algorithm>
#include <array>

#include "sluice/wire/ethernet.h"
#include "sluice/wire/icmpv6.h"

namespace sluice::wire {
namespace {

constexpr std::size_t kTargetSize = 16;
constexpr std::size_t kOptionUnit = 8;
constexpr std::uint8_t kSourceLinkLayer = 1;  // RFC 4861 section 4.6.1
constexpr std::uint8_t kTargetLinkLayer = 2;

constexpr std::uint32_t kRouterFlag = 0x80000000;  // RFC 4861 section 4.4
constexpr std::uint32_t kSolicitedFlag = 0x40000000;
constexpr std::uint32_t kOverrideFlag = 0x20000000;

struct Body {
    std::uint32_t parameter = 0;
    IpAddress target;
    std::optional<MacAddress> mac;
};

// The option of this type among the rest. False when an option has no length or leaves the message, which
// RFC 4861 section 4.6 makes fatal to the message.
bool read_options(ByteView options, std::uint8_t type, std::optional<MacAddress>& mac) {
    while (!options.empty()) {
        if (options.size() < kOptionUnit) return false;
        const std::size_t size = load8(options.data() + 1) * kOptionUnit;
        if (size == 0 || size > options.size()) return false;
        // Another size is another link layer's address.
        if (load8(options.data()) == type && size == kOptionUnit) mac = load_mac(options.data() + 2);
        options = options.subspan(size);
    }
    return true;
}

// The checks that sections 7.1.1 and 7.1.2 share.
std::optional<Body> read_body(const IpPacket& packet, std::uint8_t type, std::uint8_t option_type) {
    if (packet.family != IpFamily::V6 || packet.protocol != kProtocolIcmpv6) return std::nullopt;
    const auto view = Icmpv6View::parse(packet.payload);
    if (!view || view->type() != type || view->code() != 0) return std::nullopt;
    if (packet.ttl != kNdpHopLimit) return std::nullopt;
    const ByteView bytes = view->body();
    if (bytes.size() < kTargetSize || !view->checksum_valid(packet.source, packet.destination)) {
        return std::nullopt;
    }
    Body body{.parameter = view->parameter(), .target = IpAddress::v6(bytes.first<kTargetSize>()), .mac = {}};
    // A mapped target is refused for the reason that Ipv6View refuses mapped addresses.
    if (body.target.is_multicast() || body.target.is_v4()) return std::nullopt;
    if (!read_options(bytes.subspan(kTargetSize), option_type, body.mac)) return std::nullopt;
    return body;
}

std::size_t write_body(std::uint8_t type, const Body& body, std::uint8_t option_type, const IpAddress& source,
                       const IpAddress& destination, ByteSpan out) {
    std::array<std::byte, kTargetSize + kOptionUnit> bytes{};
    std::size_t size = kTargetSize;
    std::ranges::copy(body.target.wire_bytes(), bytes.begin());
    if (body.mac) {
        store8(bytes.data() + size, option_type);
        store8(bytes.data() + size + 1, 1);  // one unit
        store_mac(bytes.data() + size + 2, *body.mac);
        size += kOptionUnit;
    }
    const IcmpMessage message{
        .type = type, .code = 0, .parameter = body.parameter, .body = ByteView(bytes).first(size)};
    return write_icmpv6(message, source, destination, out);
}

}  // namespace

std::optional<NeighborSolicitation> parse_neighbor_solicitation(const IpPacket& packet) {
    const auto body = read_body(packet, kIcmpv6NeighborSolicitation, kSourceLinkLayer);
    if (!body) return std::nullopt;
    // RFC 4861 section 7.1.1: duplicate address detection asks from "::", to the solicited-node group, and
    // does not say who asks.
    if (packet.source.is_unspecified() &&
        (packet.destination != solicited_node_multicast(body->target) || body->mac)) {
        return std::nullopt;
    }
    return NeighborSolicitation{.target = body->target, .source_mac = body->mac};
}

std::optional<NeighborAdvertisement> parse_neighbor_advertisement(const IpPacket& packet) {
    const auto body = read_body(packet, kIcmpv6NeighborAdvertisement, kTargetLinkLayer);
    if (!body) return std::nullopt;
    const bool solicited = (body->parameter & kSolicitedFlag) != 0;
    // RFC 4861 section 7.1.2: nobody in particular has asked for a multicast answer.
    if (packet.destination.is_multicast() && solicited) return std::nullopt;
    return NeighborAdvertisement{.target = body->target,
                                 .router = (body->parameter & kRouterFlag) != 0,
                                 .solicited = solicited,
                                 .override_entry = (body->parameter & kOverrideFlag) != 0,
                                 .target_mac = body->mac};
}

std::size_t write_neighbor_solicitation(const NeighborSolicitation& message, const IpAddress& source,
                                        const IpAddress& destination, ByteSpan out) {
    const Body body{.parameter = 0, .target = message.target, .mac = message.source_mac};
    return write_body(kIcmpv6NeighborSolicitation, body, kSourceLinkLayer, source, destination, out);
}

std::size_t write_neighbor_advertisement(const NeighborAdvertisement& message, const IpAddress& source,
                                         const IpAddress& destination, ByteSpan out) {
    const std::uint32_t flags = (message.router ? kRouterFlag : 0U) |
                                (message.solicited ? kSolicitedFlag : 0U) |
                                (message.override_entry ? kOverrideFlag : 0U);
    const Body body{.parameter = flags, .target = message.target, .mac = message.target_mac};
    return write_body(kIcmpv6NeighborAdvertisement, body, kTargetLinkLayer, source, destination, out);
}

IpAddress all_nodes_multicast() {
    std::array<std::byte, 16> bytes{std::byte{0xff}, std::byte{0x02}};
    bytes[15] = std::byte{1};
    return IpAddress::v6(bytes);
}

IpAddress solicited_node_multicast(const IpAddress& address) {
    std::array<std::byte, 16> bytes{std::byte{0xff}, std::byte{0x02}};
    bytes[11] = std::byte{1};
    bytes[12] = std::byte{0xff};
    std::ranges::copy(std::as_bytes(address.bytes()).last<3>(), bytes.begin() + 13);
    return IpAddress::v6(bytes);
}

MacAddress multicast_mac(const IpAddress& group) {
    MacAddress mac{{0x33, 0x33}};
    std::ranges::copy(group.bytes().last<4>(), mac.bytes.begin() + 2);
    return mac;
}

std::string to_string(const NeighborSolicitation& message) {
    std::string text = "NDP who-has " + message.target.to_string();
    if (message.source_mac) text += " from " + to_string(*message.source_mac);
    return text;
}

std::string to_string(const NeighborAdvertisement& message) {
    std::string text = "NDP " + message.target.to_string() + " is-at " +
                       (message.target_mac ? to_string(*message.target_mac) : "the sender");
    if (message.router) text += " router";
    if (message.solicited) text += " solicited";
    if (message.override_entry) text += " override";
    return text;
}

}  // namespace sluice::wire
