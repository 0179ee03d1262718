#include "worker/segment_frame.h"

#include "sluice/wire/frame.h"

namespace sluice::worker {

void write_segment(port::Frame& frame, const FourTuple& tuple, const MacAddress& from, const MacAddress& to,
                   const tcp::Segment& segment) {
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
    frame.length = static_cast<std::uint32_t>(
        wire::write_tcp_frame(addresses, header, segment.payload, segment.payload_tail, frame.writable()));
}

}  // namespace sluice::worker
