// ICMPv6: the same layout as ICMP, other numbers, and a checksum that covers the addresses.
#include "sluice/wire/icmpv6.h"

#include "icmp_message.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/ip.h"

namespace sluice::wire {

std::optional<Icmpv6View> Icmpv6View::parse(ByteView message) {
    if (message.size() < kIcmpHeaderSize) return std::nullopt;
    return Icmpv6View(message);
}

bool Icmpv6View::checksum_valid(const IpAddress& source, const IpAddress& destination) const {
    return transport_checksum_valid(source, destination, kProtocolIcmpv6, bytes());
}

IcmpMessage echo_reply(const Icmpv6View& request) {
    return {.type = kIcmpv6EchoReply, .code = 0, .parameter = request.parameter(), .body = request.body()};
}

std::size_t write_icmpv6(const IcmpMessage& message, const IpAddress& source, const IpAddress& destination,
                         ByteSpan out) {
    const std::size_t size = kIcmpHeaderSize + message.body.size();
    return write_icmp_message(message, pseudo_header_sum(source, destination, kProtocolIcmpv6, size), out);
}

std::string to_string(const Icmpv6View& message) {
    const auto text = [&]() -> std::string {
        switch (message.type()) {
            case kIcmpv6EchoReply: return echo_text("echo reply", message);
            case kIcmpv6EchoRequest: return echo_text("echo request", message);
            case kIcmpv6PacketTooBig: return "packet too big mtu " + std::to_string(message.mtu());
            case kIcmpv6TimeExceeded: return "time exceeded code " + std::to_string(message.code());
            case kIcmpv6Unreachable: return "unreachable code " + std::to_string(message.code());
            default: return type_text(message);  // an open set of numbers, not a state
        }
    };
    return "ICMPv6 " + text() + " len " + std::to_string(message.body().size());
}

}  // namespace sluice::wire
