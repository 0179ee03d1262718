// Any fragments in any order: the table keeps to its limits, what comes out is a sound packet that is no
// fragment, and a packet cut into parts comes out as it was however they lie among others'.
#include <cstddef>
#include <cstdint>

#include "check.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/reassembly.h"

using namespace sluice;

namespace {

constexpr wire::ReassemblyLimits kLimits{
    .timeout = 30s, .packets = 6, .bytes = 16384, .source_packets = 3, .source_bytes = 8192};

void check_whole(IpFamily family, ByteView packet) {
    wire::IpError error{};
    if (family == IpFamily::V4) {
        const auto view = wire::Ipv4View::parse(packet, error);
        check(view && view->checksum_valid() && !view->is_fragment() &&
              view->total_length() == packet.size());
    } else {
        const auto view = wire::Ipv6View::parse(packet, error);
        check(view && wire::kIpv6HeaderSize + view->payload_length() == packet.size());
    }
}

}  // namespace

// data: for each fragment a length and the bytes of a packet, whose version says the family; a length of 0
// lets time pass.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes = std::as_bytes(std::span(data, size));
    wire::Reassembly v4(kLimits);
    wire::Reassembly v6(kLimits);
    Instant now = Instant{} + 1h;
    std::size_t held = 0;
    const auto lose = [&](std::size_t n) {
        check(n <= held);
        held -= n;
    };
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t length = std::min<std::size_t>(load8(bytes.data() + at), bytes.size() - at - 1);
        const ByteView packet = bytes.subspan(at + 1, length);
        at += 1 + length;
        if (packet.empty()) {
            now += 7s;
            const auto told = [&](const wire::Reassembly::Remains& r) { lose(r.fragments); };
            v4.expire(now, told);
            v6.expire(now, told);
            continue;
        }
        const IpFamily family = load8(packet.data()) >> 4U == 4 ? IpFamily::V4 : IpFamily::V6;
        const auto fragment = wire::parse_fragment(family, packet);
        if (!fragment) continue;
        wire::Reassembly& table = family == IpFamily::V4 ? v4 : v6;
        ++held;
        const std::size_t before = table.size();
        const auto result = table.add(now, *fragment, 4096);
        if (result.fate == wire::Reassembly::Status::Whole) {
            check_whole(family, result.packet);
            check(table.size() + 1 >= before);
        }
        lose(result.evicted + result.spoiled);
        check(table.size() <= kLimits.packets && table.bytes() <= kLimits.bytes);
        check(table.next_deadline() > now);
    }
    return 0;
}
