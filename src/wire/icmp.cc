// ICMP for IPv4, and what ICMPv6 shares with it.
#include "sluice/wire/icmp.h"

#include <algorithm>

#include "icmp_message.h"
#include "sluice/wire/checksum.h"

namespace sluice::wire {

std::size_t write_icmp_message(const IcmpMessage& message, std::uint16_t pseudo_sum, ByteSpan out) {
    const std::size_t size = kIcmpHeaderSize + message.body.size();
    if (out.size() < size) return 0;
    std::byte* const p = out.data();
    store8(p, message.type);
    store8(p + 1, message.code);
    store16(p + 2, 0);
    store32(p + 4, message.parameter);
    std::ranges::copy(message.body, p + kIcmpHeaderSize);
    store16(p + 2, checksum_finish(checksum_add(pseudo_sum, checksum_sum(out.first(size)))));
    return size;
}

std::string echo_text(std::string_view name, const IcmpMessageView& message) {
    return std::string(name) + " id " + std::to_string(message.identifier()) + " seq " +
           std::to_string(message.sequence());
}

std::string type_text(const IcmpMessageView& message) {
    return "type " + std::to_string(message.type()) + " code " + std::to_string(message.code());
}

std::optional<IcmpView> IcmpView::parse(ByteView message) {
    if (message.size() < kIcmpHeaderSize) return std::nullopt;
    return IcmpView(message);
}

bool IcmpView::checksum_valid() const { return checksum_sum(bytes()) == 0xffff; }

IcmpMessage echo_reply(const IcmpView& request) {
    return {.type = kIcmpEchoReply, .code = 0, .parameter = request.parameter(), .body = request.body()};
}

std::size_t write_icmp(const IcmpMessage& message, ByteSpan out) {
    return write_icmp_message(message, 0, out);
}

std::string to_string(const IcmpView& message) {
    const auto text = [&]() -> std::string {
        switch (message.type()) {
            case kIcmpEchoReply: return echo_text("echo reply", message);
            case kIcmpEchoRequest: return echo_text("echo request", message);
            case kIcmpTimeExceeded: return "time exceeded code " + std::to_string(message.code());
            case kIcmpUnreachable:
                if (message.code() == kIcmpCodeFragmentationNeeded) {
                    return "fragmentation needed mtu " + std::to_string(message.next_hop_mtu());
                }
                return "unreachable code " + std::to_string(message.code());
            default: return type_text(message);  // an open set of numbers, not a state
        }
    };
    return "ICMP " + text() + " len " + std::to_string(message.body().size());
}

}  // namespace sluice::wire
