#include "worker/icmp_errors.h"

#include <algorithm>

#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"

namespace sluice::worker {
namespace {

// So that the whole error has at most 576 bytes, or IPv6's smallest MTU.
ByteView quote_of(IpFamily family, ByteView packet) {
    return packet.first(std::min<std::size_t>(packet.size(), family == IpFamily::V4 ? 548 : 1232));
}

}  // namespace

void IcmpErrors::pass_on(Instant now, const Receiver& receiver, const wire::IcmpMessage& message) {
    send(now, passed_on_, receiver, message, Counter::IcmpErrorsTranslated);
}

void IcmpErrors::send(Instant now, FairRate& rate, const Receiver& receiver, const wire::IcmpMessage& message,
                      Counter sent) {
    if (receiver.mac.is_multicast()) return;  // a group is nobody to send to
    if (!rate.take(now, receiver.address)) {
        counters_.add(Counter::DropIcmpRate);
        return;
    }
    auto frame = output_.allocate();
    if (!frame) return;
    frame->length =
        static_cast<std::uint32_t>(wire::write_icmp_frame({.source_mac = topology_.ports()[receiver.port].mac,
                                                           .destination_mac = receiver.mac,
                                                           .source = receiver.own,
                                                           .destination = receiver.address},
                                                          message, frame->writable()));
    output_.send(receiver.port, *frame);
    counters_.add(sent);
}

void IcmpErrors::too_big(Instant now, const Receiver& receiver, ByteView packet, std::uint32_t mtu) {
    const IpFamily family = receiver.own.family();
    const ByteView quote = quote_of(family, packet);
    const wire::IcmpMessage v4{.type = wire::kIcmpUnreachable,
                               .code = wire::kIcmpCodeFragmentationNeeded,
                               .parameter = mtu,
                               .body = quote};
    const wire::IcmpMessage v6{.type = wire::kIcmpv6PacketTooBig, .parameter = mtu, .body = quote};
    send(now, own_, receiver, family == IpFamily::V4 ? v4 : v6, Counter::IcmpTooBigSent);
}

void IcmpErrors::time_exceeded(Instant now, const Receiver& receiver, ByteView packet, Exceeded what) {
    const IpFamily family = receiver.own.family();
    const std::uint8_t type = family == IpFamily::V4 ? wire::kIcmpTimeExceeded : wire::kIcmpv6TimeExceeded;
    const wire::IcmpMessage message{
        .type = type, .code = static_cast<std::uint8_t>(what), .body = quote_of(family, packet)};
    send(now, own_, receiver, message, Counter::IcmpTimeExceededSent);
}

void IcmpErrors::parameter_problem(Instant now, const Receiver& receiver, ByteView packet, std::uint8_t code,
                                   std::uint32_t pointer) {
    const wire::IcmpMessage message{.type = wire::kIcmpv6ParameterProblem,
                                    .code = code,
                                    .parameter = pointer,
                                    .body = quote_of(IpFamily::V6, packet)};
    send(now, own_, receiver, message, Counter::IcmpParameterProblemSent);
}

}  // namespace sluice::worker
