#include "worker/fragments.h"

#include <array>
#include <cstring>

#include "sluice/wire/ethernet.h"
#include "sluice/wire/ip.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"

namespace sluice::worker {
namespace {

// Where a fragment came from, in a word: its neighbor's MAC address and the port.
std::uint64_t origin_of(const port::Frame& frame) {
    const std::byte* const source = frame.data + wire::kEthernetSourceAt;
    return std::uint64_t{load32(source)} << 32U | std::uint64_t{load16(source + 4)} << 16U | frame.port;
}
MacAddress mac_of(std::uint64_t origin) {
    std::array<std::byte, 8> bytes;
    store32(bytes.data(), static_cast<std::uint32_t>(origin >> 32U));
    store32(bytes.data() + 4, static_cast<std::uint32_t>(origin));
    return wire::load_mac(bytes.data());
}

bool is_tcp(const wire::Reassembly::Remains& remains) {
    const std::byte* const ip = remains.first.data();
    return load8(ip + (remains.source.is_v4() ? wire::kIpv4ProtocolAt : wire::kIpv6HeaderSize)) ==
           wire::kProtocolTcp;
}

}  // namespace

Fragments::Fragments(WorkerContext& context, host::FrameOutput& output, IcmpErrors& errors)
    : output_(output),
      errors_(errors),
      counters_(context.counters),
      v4_({.timeout = 30s}),
      v6_({.timeout = 60s}) {}

std::optional<port::Frame> Fragments::add(Instant now, const port::Frame& frame,
                                          const wire::Fragment& fragment) {
    using Status = wire::Reassembly::Status;
    const std::size_t largest = frame.capacity - wire::kEthernetHeaderSize;
    const auto result = of(fragment.family).add(now, fragment, largest, origin_of(frame));
    if (result.evicted != 0) counters_.add(Counter::DropFragmentTable, result.evicted);
    switch (result.fate) {
        case Status::Held: break;
        case Status::Spoiled: counters_.add(spoiled_fragment(fragment.family), result.spoiled); break;
        case Status::TooLarge: counters_.add(Counter::DropMultiSegment, result.spoiled); break;
        case Status::Whole: return frame_of(frame, result.packet);
    }
    return std::nullopt;
}

std::optional<port::Frame> Fragments::frame_of(const port::Frame& last, ByteView packet) {
    auto frame = output_.allocate();
    if (!frame) return std::nullopt;
    counters_.add(Counter::IpFragmentsReassembled);
    frame->port = last.port;
    frame->length = static_cast<std::uint32_t>(wire::kEthernetHeaderSize + packet.size());
    std::memcpy(frame->data, last.data, wire::kEthernetHeaderSize);
    std::memcpy(frame->data + wire::kEthernetHeaderSize, packet.data(), packet.size());
    return frame;
}

void Fragments::on_timer(Instant now) {
    const auto told = [&](const wire::Reassembly::Remains& remains) { give_up(now, remains); };
    v4_.expire(now, told);
    v6_.expire(now, told);
}

// RFC 1122 section 3.3.2 and RFC 8200 section 4.5: the sender of the first part is told. About TCP only,
// so never about an ICMP error.
void Fragments::give_up(Instant now, const wire::Reassembly::Remains& remains) {
    if (remains.fragments == 0) return;
    counters_.add(Counter::DropFragmentTimeout, remains.fragments);
    if (remains.first.empty() || !is_tcp(remains)) return;
    errors_.time_exceeded(now,
                          {.port = static_cast<std::uint16_t>(remains.origin),
                           .mac = mac_of(remains.origin),
                           .address = remains.source,
                           .own = remains.destination},
                          remains.first, IcmpErrors::Exceeded::Reassembly);
}

}  // namespace sluice::worker
