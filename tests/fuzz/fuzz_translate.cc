// Any bytes as a packet of a spliced connection: nothing outside the packet is touched, a packet that was
// right is right after its translation, and what goes out cannot contradict the record.
//
// Input: flags that shape the record (1 byte), then the frame. A frame that is whole but for its checksums is
// given right ones first, or the fuzzer would hardly find any.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "check.h"
#include "sluice/splice/icmp_quote.h"
#include "sluice/splice/make_record.h"
#include "sluice/splice/translate.h"
#include "sluice/wire/checksum.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/tcp.h"

using namespace sluice;

namespace {

constexpr MacAddress kOwnMac{{2, 0, 0, 0, 0, 9}};

// Bit 0: direction. Bit 1: timestamps. Bit 2: windows need conversion. Bit 3: numbers about to wrap.
template <IpFamily kFamily>
splice::Joint make_joint(std::uint8_t shape) {
    splice::Joint joint;
    const bool v4 = kFamily == IpFamily::V4;
    joint.client.tuple = {.local = *SocketAddress::parse(v4 ? "10.1.0.1:1883" : "[fd00:1::1]:1883"),
                          .remote = *SocketAddress::parse(v4 ? "10.1.0.77:40000" : "[fd00:1::77]:40000")};
    joint.broker.tuple = {.local = *SocketAddress::parse(v4 ? "10.2.0.10:2000" : "[fd00:2::10]:2000"),
                          .remote = *SocketAddress::parse(v4 ? "10.2.0.2:1883" : "[fd00:2::2]:1883")};
    const std::uint32_t base = (shape & 8U) != 0 ? 0xfffffff0U : 1000U;
    tcp::Endpoint::Position position{};
    position.timestamps = (shape & 2U) != 0;
    position.send_window = 64000;
    position.send_scale = 7;
    position.receive_scale = (shape & 4U) != 0 ? 2 : 7;
    position.receive_next = tcp::Seq(base);
    position.send_next = position.send_unacked = tcp::Seq(base + 5000);
    position.last_timestamp_sent = base + 77;
    position.last_timestamp_received = 3;
    joint.client.position = position;
    position.receive_next = tcp::Seq(base + 9000);
    position.send_next = position.send_unacked = tcp::Seq(base * 3);
    joint.broker.position = position;
    return joint;
}

template <IpFamily kFamily>
void fill_checksums(const splice::Packet<kFamily>& packet, const FourTuple& tuple) {
    if constexpr (kFamily == IpFamily::V4) {
        store16(packet.ip() + 10, 0);
        const auto size = static_cast<std::size_t>(packet.tcp() - packet.ip());
        store16(packet.ip() + 10, wire::checksum_finish(wire::checksum_sum({packet.ip(), size})));
    }
    store16(packet.tcp() + 16, 0);
    store16(packet.tcp() + 16,
            wire::transport_checksum(tuple.remote.address, tuple.local.address, wire::kProtocolTcp,
                                     {packet.tcp(), packet.segment_size()}));
}

// True when both checksums of the frame are right, as a receiver would find them.
bool checksums_valid(ByteView frame) {
    wire::IpError error{};
    const auto ip = wire::parse_ip_packet(load16(frame.data() + 12), frame.subspan(14), error);
    check(ip.has_value());
    return wire::tcp_checksum_valid(ip->source, ip->destination, ip->payload);
}

void check_account(const splice::Core& before, const splice::Core& after, splice::Direction direction,
                   splice::Verdict verdict) {
    const splice::DirectionState& way = after.way(direction);
    const splice::DirectionState& back = after.way(splice::opposite(direction));
    check(way.packets == before.way(direction).packets + 1);
    check(back.packets == before.way(splice::opposite(direction)).packets);
    // What an end acknowledged was sent to it, and neither ever goes back.
    for (std::size_t i = 0; i < 2; ++i) {
        check(after.ways[i].acked.at_or_before(after.ways[i].next));
        check(after.ways[i].acked.at_or_after(before.ways[i].acked));
        check(after.ways[i].next.at_or_after(before.ways[i].next));
    }
    if (verdict == splice::Verdict::Finished) check(after.finished());
    for (const splice::Direction d : {splice::Direction::ToBroker, splice::Direction::ToClient}) {
        const splice::Resets resets(after, d);
        check(resets.segments().front().seq == after.way(d).next);
        check(resets.segments().back().seq == after.way(d).acked);
    }
}

template <IpFamily kFamily>
void translate_one(std::uint8_t shape, ByteSpan frame) {
    const auto packet = splice::Packet<kFamily>::parse(frame);
    if (!packet) return;
    splice::Joint joint = make_joint<kFamily>(shape);
    check(!splice::obstacle_to_splice(joint));
    const auto direction = (shape & 1U) != 0 ? splice::Direction::ToClient : splice::Direction::ToBroker;
    // The packet is this connection's, whatever its addresses are.
    FourTuple& arrival = (shape & 1U) != 0 ? joint.broker.tuple : joint.client.tuple;
    const FourTuple tuple = packet->tuple();
    arrival = tuple;
    auto record = splice::make_record<kFamily>(joint);
    check(packet->arrives_by(record.leg(splice::opposite(direction))));
    fill_checksums(*packet, tuple);

    const auto before = record;
    const std::vector<std::byte> original(frame.begin(), frame.end());
    const splice::Verdict verdict = splice::translate(record, direction, *packet, kOwnMac, 1);
    if (splice::is_drop(verdict)) {
        check(std::memcmp(&before, &record, sizeof record) == 0);
        return;
    }
    check(checksums_valid(frame));
    check(packet->tuple().local == record.leg(direction).tuple().remote);
    check(packet->tuple().remote == record.leg(direction).tuple().local);
    // Payload and padding stay.
    const auto payload =
        packet->tcp() - frame.data() + static_cast<std::ptrdiff_t>(packet->tcp_header_size());
    check(std::equal(frame.begin() + payload, frame.end(), original.begin() + payload));
    check_account(before.core, record.core, direction, verdict);

    // Quoted back, whole or cut: the quote is the packet that left.
    const ByteSpan quote = frame.subspan(14);
    const auto result = splice::translate_icmp_quote(record, direction, quote);
    if (result != splice::QuoteVerdict::Translated) return;
    check(load32(packet->tcp() + 4) == load32(original.data() + (packet->tcp() - frame.data()) + 4));
    check(packet->tuple() == tuple);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    // Without a byte of slack, so that the sanitizer sees every step too far.
    const std::size_t frame_size = size - 1;
    const auto copy = std::make_unique<std::byte[]>(frame_size);
    const auto refill = [&] {
        std::copy_n(reinterpret_cast<const std::byte*>(data + 1), frame_size, copy.get());
    };
    refill();
    translate_one<IpFamily::V4>(data[0], {copy.get(), frame_size});
    translate_one<IpFamily::V6>(data[0], {copy.get(), frame_size});
    // The same bytes as what an ICMP error quotes.
    refill();
    const ByteSpan quote{copy.get(), frame_size};
    const auto v4 = splice::make_record<IpFamily::V4>(make_joint<IpFamily::V4>(data[0]));
    const auto v6 = splice::make_record<IpFamily::V6>(make_joint<IpFamily::V6>(data[0]));
    splice::translate_icmp_quote(v4, splice::Direction::ToBroker, quote);
    splice::translate_icmp_quote(v6, splice::Direction::ToBroker, quote);
    return 0;
}
