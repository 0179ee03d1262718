#include "sluice/splice/icmp_quote.h"

#include <cstring>

#include "sluice/splice/checksum_delta.h"
#include "sluice/splice/options.h"
#include "sluice/wire/ip.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/tcp.h"
#include "sluice/wire/tcp_quote.h"

namespace sluice::splice {
namespace {

// Puts the addresses that the sender knows the packet by. The quote holds a whole IP header.
template <IpFamily kFamily>
void restore_addresses(const Ends<kFamily>& origin, std::byte* ip) {
    if constexpr (kFamily == IpFamily::V4) {
        ChecksumDelta delta;
        delta.replace32(load32(ip + wire::kIpv4SourceAt), load32(origin.remote.data()));
        delta.replace32(load32(ip + wire::kIpv4DestinationAt), load32(origin.local.data()));
        store16(ip + wire::kIpv4ChecksumAt, delta.apply(load16(ip + wire::kIpv4ChecksumAt)));
        std::memcpy(ip + wire::kIpv4SourceAt, origin.remote.data(), 4);
        std::memcpy(ip + wire::kIpv4DestinationAt, origin.local.data(), 4);
    } else {
        std::memcpy(ip + wire::kIpv6SourceAt, origin.remote.data(), 16);
        std::memcpy(ip + wire::kIpv6DestinationAt, origin.local.data(), 16);
    }
}

// segment: what the quote holds of TCP, at least eight bytes.
void restore_segment(const Core& core, Direction direction, ByteSpan segment) {
    const DirectionState& way = core.way(direction);
    const DirectionState& back = core.way(opposite(direction));
    std::byte* const tcp = segment.data();
    ChecksumDelta delta(static_cast<std::uint16_t>(~way.checksum_delta));
    const auto shift = [&](std::size_t at, std::uint32_t by) {
        const std::uint32_t before = load32(tcp + at);
        delta.replace32(before, before + by);
        store32(tcp + at, before + by);
    };
    shift(wire::kTcpSequenceAt, 0 - way.sequence_delta);
    if (segment.size() < wire::kTcpHeaderSize) return;

    const bool ack = wire::TcpFlags::from_byte(load8(tcp + wire::kTcpFlagsAt)).ack;
    const Shifts shifts{.sequence = 0,
                        .acknowledgement = ack ? back.sequence_delta : 0,
                        .timestamp = 0 - way.timestamp_delta,
                        .echo = ack ? back.timestamp_delta : 0};
    shift(wire::kTcpAcknowledgementAt, shifts.acknowledgement);
    if (const auto view = wire::TcpView::parse(segment); view) {
        const ByteSpan options = segment.subspan(wire::kTcpHeaderSize, view->option_bytes().size());
        if (core.timestamps()) {
            shift_options<true>(options, shifts, delta);
        } else {
            shift_options<false>(options, shifts, delta);
        }
    }
    store16(tcp + wire::kTcpChecksumAt, delta.apply(load16(tcp + wire::kTcpChecksumAt)));
}

}  // namespace

template <IpFamily kFamily>
QuoteVerdict translate_icmp_quote(const Record<kFamily>& record, Direction direction, ByteSpan quote) {
    const auto parsed = wire::parse_tcp_quote(kFamily, quote);
    if (!parsed) return QuoteVerdict::Foreign;
    if (FourTuple{.local = parsed->source, .remote = parsed->destination} != record.leg(direction).tuple()) {
        return QuoteVerdict::Foreign;
    }
    if (!is_in_flight(record.core.way(direction), tcp::Seq(parsed->sequence))) {
        return QuoteVerdict::NotInFlight;
    }

    const Ends<kFamily>& origin = record.leg(opposite(direction));
    const std::size_t ip_size =
        kFamily == IpFamily::V4 ? wire::ipv4_header_size(quote.data()) : wire::kIpv6HeaderSize;
    restore_addresses(origin, quote.data());
    const ByteSpan segment = quote.subspan(ip_size);
    std::memcpy(segment.data(), origin.remote_port.data(), 2);
    std::memcpy(segment.data() + wire::kTcpDestinationPortAt, origin.local_port.data(), 2);
    restore_segment(record.core, direction, segment);
    return QuoteVerdict::Translated;
}

template QuoteVerdict translate_icmp_quote(const Record<IpFamily::V4>&, Direction, ByteSpan);
template QuoteVerdict translate_icmp_quote(const Record<IpFamily::V6>&, Direction, ByteSpan);

}  // namespace sluice::splice
