#include "sluice/host/unwrap.h"

#include <cstring>

#include "sluice/wire/ethernet.h"
#include "sluice/wire/ipv6.h"

namespace sluice::host {
namespace {

constexpr std::size_t kTagSize = 4;
constexpr std::uint16_t kTypeTag = 0x8100;
constexpr std::uint16_t kTypeServiceTag = 0x88a8;
constexpr std::uint16_t kVlan = 0x0fff;  // beside three bits of priority and one of drop eligibility
constexpr int kMostTags = 2;

bool has_priority_tag(const port::Frame& frame) {
    if (frame.length < wire::kEthernetHeaderSize + kTagSize) return false;
    const std::uint16_t type = load16(frame.data + wire::kEtherTypeAt);
    return (type == kTypeTag || type == kTypeServiceTag) &&
           (load16(frame.data + wire::kEtherTypeAt + 2) & kVlan) == 0;
}

// The first `kept` bytes move over the `size` behind them.
void close_gap(port::Frame& frame, std::size_t kept, std::size_t size) {
    std::memmove(frame.data + size, frame.data, kept);
    frame.data += size;
    frame.length -= static_cast<std::uint32_t>(size);
    frame.capacity -= static_cast<std::uint32_t>(size);
}

}  // namespace

bool take_off_priority_tags(port::Frame& frame) {
    int taken = 0;
    for (; taken < kMostTags && has_priority_tag(frame); ++taken)
        close_gap(frame, wire::kEtherTypeAt, kTagSize);
    return taken != 0;
}

void take_off_extensions(port::Frame& frame, const wire::Ipv6Chain& chain) {
    close_gap(frame, wire::kEthernetHeaderSize + wire::kIpv6HeaderSize, chain.size);
    std::byte* const ip = frame.data + wire::kEthernetHeaderSize;
    store16(ip + wire::kIpv6LengthAt,
            static_cast<std::uint16_t>(load16(ip + wire::kIpv6LengthAt) - chain.size));
    store8(ip + wire::kIpv6NextHeaderAt, chain.next_header);
}

}  // namespace sluice::host
