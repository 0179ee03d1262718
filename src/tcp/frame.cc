#include "sluice/tcp/frame.h"

#include "sluice/wire/frame.h"

namespace sluice::tcp {

std::uint32_t write_segment(const FourTuple& tuple, const MacAddress& from, const MacAddress& to,
                            const Segment& segment, ByteSpan out) {
    const wire::FrameAddresses addresses{.source_mac = from,
                                         .destination_mac = to,
                                         .source = tuple.local.address,
                                         .destination = tuple.remote.address};
    const wire::TcpHeader header{.source_port = tuple.local.port,
                                 .destination_port = tuple.remote.port,
                                 .sequence = segment.seq.value(),
                                 .acknowledgement = segment.flags.ack ? segment.ack.value() : 0,
                                 .flags = segment.flags,
                                 .window = segment.window,
                                 .options = segment.options};
    return static_cast<std::uint32_t>(
        wire::write_tcp_frame(addresses, header, segment.payload, segment.payload_tail, out));
}

std::optional<Segment> read_segment(const wire::TcpView& view) {
    const auto header = view.header();
    if (!header) return std::nullopt;
    return Segment{.seq = Seq(header->sequence),
                   .ack = Seq(header->acknowledgement),
                   .flags = header->flags,
                   .window = header->window,
                   .options = header->options,
                   .payload = view.payload(),
                   .payload_tail = {}};
}

}  // namespace sluice::tcp
