// The fast path: rewrites a packet of a spliced connection in place, from the leg it arrived by to the leg it
// leaves by, and keeps the record's account of it. No clock, no I/O, no allocation.
//
//   Ethernet     both addresses
//   IP           addresses; TTL or hop limit less one; IPv4 header checksum
//   TCP          ports, SEQ, ACK, window (from the sender's scale to the one the receiver was told), checksum
//   TCP options  SACK edges, TSval, TSecr, wherever they stand; all others stay
//
// Everything else stays byte for byte. Checksums change incrementally (RFC 1624), so a packet that was
// damaged stays damaged. ACK, SACK edges and TSecr move only when the ACK bit is set: without it they mean
// nothing. Nothing is answered here and nothing is refused for its sequence: judging a segment is its
// receiver's part, whose challenge ACK (RFC 5961) or duplicate ACK comes back by the same way.
//
// What the record notes of a packet is another matter, because it decides what ends the record and where it
// sends: nobody has judged the packet yet. So it believes what only the ends can know, both numbers at once
// (RFC 5961 section 5), and never an acknowledgement of what was not sent.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/base/counters.h"
#include "sluice/splice/checksum_delta.h"
#include "sluice/splice/options.h"
#include "sluice/splice/packet.h"
#include "sluice/splice/record.h"
#include "sluice/tcp/segment.h"

namespace sluice::splice {

// What to do with the packet, and with the record after it. Forward and drops stand alone; the others may
// come together, and with all of them the packet is sent.
enum class Verdict : std::uint8_t {
    Forward = 0,
    NoTimestamps = 0x01,  // they were agreed on, and it has none
    Answered = 0x02,      // it comes from the end that is asked (DirectionState::kAsked), and is its own
    // It is an RST in the window that need not be its sender's, nor be taken by its receiver: the ends have
    // to be asked.
    DoubtedReset = 0x04,
    Reset = 0x08,        // it is an RST that its receiver takes: the connection is over
    Finished = 0x10,     // both FINs are acknowledged: the record need only outlast their retransmissions
    DropTtl = 0x20,      // TTL or hop limit is used up; packet and record are as before
    DropOptions = 0x40,  // an option runs past the header; the record is as before, the packet is not
};
constexpr Verdict operator|(Verdict a, Verdict b) {
    return static_cast<Verdict>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool has(Verdict all, Verdict one) {
    return (static_cast<std::uint8_t>(all) & static_cast<std::uint8_t>(one)) != 0;
}
constexpr bool is_drop(Verdict v) { return has(v, Verdict::DropTtl | Verdict::DropOptions); }
// Requires is_drop().
constexpr Counter drop_counter(Verdict v) {
    return v == Verdict::DropTtl ? Counter::DropTtlExceeded : Counter::DropTcpMalformed;
}

// Translates one packet that arrived by the leg opposite to `direction`. own_mac: of the port it leaves by,
// record.core.way(direction).port. now: milliseconds32. The size does not change; whether it fits that port
// is the caller's to check before. Not for a SYN: it may mean a new connection, which no record can carry.
//
// kTimestamps must be record.core.timestamps(): a burst that is sorted by it runs without that branch.
template <IpFamily kFamily, bool kTimestamps>
Verdict translate(Record<kFamily>& record, Direction direction, const Packet<kFamily>& packet,
                  const MacAddress& own_mac, std::uint32_t now);

// The same for a record of either kind.
template <IpFamily kFamily>
Verdict translate(Record<kFamily>& record, Direction direction, const Packet<kFamily>& packet,
                  const MacAddress& own_mac, std::uint32_t now) {
    return record.core.timestamps() ? translate<kFamily, true>(record, direction, packet, own_mac, now)
                                    : translate<kFamily, false>(record, direction, packet, own_mac, now);
}

// A window field from one scale to another: never more than was granted except that what was not zero does
// not become zero, which would stop the sender; at most 65535 (RFC 7323 section 2.3).
constexpr std::uint16_t convert_window(std::uint16_t window, std::uint8_t from, std::uint8_t to) {
    const std::uint32_t scaled = (std::uint32_t{window} << from) >> to;
    const std::uint32_t at_least = window != 0 ? 1 : 0;
    return static_cast<std::uint16_t>(std::clamp<std::uint32_t>(scaled, at_least, 0xffff));
}

// Resets that Sluice sends by itself to the receiver of `direction`: one that takes effect if everything
// sent has arrived, and one for the case that nothing has since its last acknowledgement (RFC 5961 section
// 3.2 wants the exact RCV.NXT). A receiver that is in between answers with a challenge ACK, and the reset for
// that (tcp::reset_for) is exact. No timestamps: an RST needs none (RFC 7323 section 3.2).
class Resets {
  public:
    Resets(const Core& core, Direction direction);
    std::span<const tcp::Segment> segments() const& { return {segments_.data(), count_}; }
    std::span<const tcp::Segment> segments() const&& = delete;  // would outlive what it shows

  private:
    std::array<tcp::Segment, 2> segments_;
    std::size_t count_;
};

// An ACK that Sluice sends by itself to the receiver of `direction`, of nothing but what both ends have
// confirmed. As a challenge (RFC 5961 section 4) its number is what the receiver acknowledged last: an end
// that knows the connection ignores it, one that has forgotten it answers by the reset that is exact for this
// record. As a probe it is one less, as a keepalive's (RFC 9293 section 3.8.4), which an end that knows the
// connection answers too.
enum class Ask : std::uint8_t { Challenge, Probe };
tcp::Segment bare_ack(const Core& core, Direction direction, Ask ask);

namespace detail {

inline constexpr std::uint8_t kFin = wire::TcpFlags::kFin;
inline constexpr std::uint8_t kRst = wire::TcpFlags::kRst;
inline constexpr std::uint8_t kAck = wire::TcpFlags::kAck;

// What tracking must know of a segment.
struct SegmentFacts {
    tcp::Seq begin;         // in the receiver's numbering
    tcp::Seq acknowledges;  // in the sender's own numbering
    std::uint32_t payload;  // bytes
    std::uint16_t window;   // as it arrived
    std::uint8_t flags;     // as TcpFlags::to_byte()
};

// How far beyond the receiver's window a sender may go on: to probe a closed one, by one unit of the scale in
// which it was told (RFC 7323 section 2.3: at most 2^14), or because an earlier window, its receiver's or the
// one of Sluice's endpoint, had granted more. What is on its way already is within its reach anyhow.
inline constexpr std::uint32_t kOvershoot = 0x4000;

inline std::uint32_t reach(const DirectionState& way) {
    return std::max(way.window_size(), way.next.since(way.acked)) + kOvershoot;
}

// True when the sender may have come to `at` by now.
inline bool within_reach(const DirectionState& way, tcp::Seq at) { return at.since(way.acked) <= reach(way); }

// The same, or it repeats what was confirmed not long ago.
inline bool is_near(const DirectionState& way, tcp::Seq at) {
    return at.since(way.acked.retreat(reach(way))) <= 2 * reach(way);
}

// `way` leads to the sender of this acknowledgement: it covers nothing that was not sent, nor is it old
// (RFC 5961 section 5.2).
inline bool may_acknowledge(const DirectionState& way, tcp::Seq at) {
    return way.next.since(at) <= way.next.since(way.acked) + reach(way);
}

// Nearly every segment goes on where its sender was, and acknowledges something on its way or nothing new.
inline bool is_in_order(const DirectionState& way, const DirectionState& back, const SegmentFacts& facts) {
    return (facts.flags & kAck) != 0 && facts.begin == way.next && facts.payload <= kOvershoot &&
           facts.acknowledges.since(back.acked) <= back.next.since(back.acked);
}

// Whether another segment can be its sender's own: who does not see the connection guesses both numbers.
[[gnu::noinline]] inline bool is_believed(const DirectionState& way, const DirectionState& back,
                                          const SegmentFacts& facts) {
    return (facts.flags & kAck) != 0 && is_near(way, facts.begin) &&
           may_acknowledge(back, facts.acknowledges);
}

inline void note_sent(DirectionState& way, tcp::Seq end) {
    if (within_reach(way, end)) way.next = tcp::later(way.next, end);
}

// `way` leads to the sender of this acknowledgement.
inline void note_acknowledged(DirectionState& way, tcp::Seq acknowledges, std::uint16_t window) {
    if (acknowledges.since(way.acked) > way.next.since(way.acked)) return;
    way.acked = acknowledges;
    way.window = window;
}

// For everything that has FIN or RST, comes after a FIN, or from an end that is asked.
Verdict track_special(Core& core, Direction direction, const SegmentFacts& facts, bool believed);

inline Verdict track(Core& core, Direction direction, const SegmentFacts& facts, bool in_order,
                     bool believed) {
    const unsigned special =
        (facts.flags & (kFin | kRst)) | ((core.ways[0].flags | core.ways[1].flags) &
                                         unsigned{DirectionState::kFinSeen | DirectionState::kAsked});
    if (special != 0) [[unlikely]] {
        return track_special(core, direction, facts, believed);
    }
    if (in_order) [[likely]] {
        DirectionState& back = core.way(opposite(direction));
        core.way(direction).next = facts.begin.advance(facts.payload);
        back.acked = facts.acknowledges;
        back.window = facts.window;
        return Verdict::Forward;
    }
    if (!believed) return Verdict::Forward;
    note_sent(core.way(direction), facts.begin.advance(facts.payload));
    note_acknowledged(core.way(opposite(direction)), facts.acknowledges, facts.window);
    return Verdict::Forward;
}

// What is not believed counts as traffic but keeps nobody alive, or a stranger who knows the addresses could
// do that for a dead client.
inline void count(Core& core, Direction direction, std::uint32_t payload, bool believed, std::uint32_t now) {
    DirectionState& way = core.way(direction);
    ++way.packets;
    way.flags |= DirectionState::kHeard;
    if (payload == 0) return;
    way.set_bytes(way.bytes() + payload);
    if (!believed) return;
    if (direction == Direction::ToBroker || core.keep_alive == 0) core.last_heard = now;
}

template <IpFamily kFamily>
std::byte* hop_limit(const Packet<kFamily>& packet) {
    return packet.ip() + (kFamily == IpFamily::V4 ? wire::kIpv4TtlAt : wire::kIpv6HopLimitAt);
}

template <IpFamily kFamily>
[[gnu::always_inline]] inline void rewrite_network(const Packet<kFamily>& packet, const DirectionState& way,
                                                   const Ends<kFamily>& leg, const MacAddress& own_mac) {
    std::byte* const ethernet = packet.ethernet();
    std::memcpy(ethernet, way.mac.bytes.data(), 6);
    std::memcpy(ethernet + wire::kEthernetSourceAt, own_mac.bytes.data(), 6);

    std::byte* const ip = packet.ip();
    std::byte* const limit = hop_limit(packet);
    store8(limit, static_cast<std::uint8_t>(load8(limit) - 1));
    if constexpr (kFamily == IpFamily::V4) {
        ChecksumDelta delta;
        delta.replace16(0x0100, 0);  // the TTL is the upper half of its word
        delta.replace32(load32(ip + wire::kIpv4SourceAt), load32(leg.local.data()));
        delta.replace32(load32(ip + wire::kIpv4DestinationAt), load32(leg.remote.data()));
        store16(ip + wire::kIpv4ChecksumAt, delta.apply(load16(ip + wire::kIpv4ChecksumAt)));
        std::memcpy(ip + wire::kIpv4SourceAt, leg.local.data(), 4);
        std::memcpy(ip + wire::kIpv4DestinationAt, leg.remote.data(), 4);
    } else {
        std::memcpy(ip + wire::kIpv6SourceAt, leg.local.data(), 16);
        std::memcpy(ip + wire::kIpv6DestinationAt, leg.remote.data(), 16);
    }
}

template <bool kTimestamps>
[[gnu::always_inline]] inline ShiftedOptions rewrite_options(std::byte* options, std::size_t size,
                                                             const Shifts& shifts, ChecksumDelta& delta) {
    if (size == 0) return {};
    if (kTimestamps && size == 12 && load32(options) == wire::kAlignedTimestamps) [[likely]] {
        const std::uint32_t value = load32(options + 4);
        const std::uint32_t echo = load32(options + 8);
        delta.replace32(value, value + shifts.timestamp);
        delta.replace32(echo, echo + shifts.echo);
        store32(options + 4, value + shifts.timestamp);
        store32(options + 8, echo + shifts.echo);
        return {.timestamps = true, .timestamp = value + shifts.timestamp};
    }
    return shift_options<kTimestamps>({options, size}, shifts, delta);
}

}  // namespace detail

template <IpFamily kFamily, bool kTimestamps>
inline Verdict translate(Record<kFamily>& record, Direction direction, const Packet<kFamily>& packet,
                         const MacAddress& own_mac, std::uint32_t now) {
    // RFC 1812 section 5.3.1, RFC 8200 section 3.
    if (load8(detail::hop_limit(packet)) <= 1) return Verdict::DropTtl;
    Core& core = record.core;
    const DirectionState& way = core.way(direction);
    const DirectionState& back = core.way(opposite(direction));
    const Ends<kFamily>& leg = record.leg(direction);
    std::byte* const tcp = packet.tcp();
    const std::uint8_t flags = load8(tcp + wire::kTcpFlagsAt);
    const std::uint32_t if_ack = (flags & detail::kAck) != 0 ? 0xffffffffU : 0;
    const Shifts shifts{.sequence = way.sequence_delta,
                        .acknowledgement = (0 - back.sequence_delta) & if_ack,
                        .timestamp = way.timestamp_delta,
                        .echo = (0 - back.timestamp_delta) & if_ack};
    ChecksumDelta delta(way.checksum_delta);
    const std::size_t header_size = packet.tcp_header_size();
    const ShiftedOptions options = detail::rewrite_options<kTimestamps>(
        tcp + wire::kTcpHeaderSize, header_size - wire::kTcpHeaderSize, shifts, delta);
    if (!options.well_formed) [[unlikely]] {
        return Verdict::DropOptions;
    }

    detail::rewrite_network(packet, way, leg, own_mac);
    const std::uint32_t sequence = load32(tcp + wire::kTcpSequenceAt);
    const std::uint32_t acknowledgement = load32(tcp + wire::kTcpAcknowledgementAt);
    const std::uint16_t window = load16(tcp + wire::kTcpWindowAt);
    const std::uint16_t new_window = convert_window(window, back.their_scale, way.our_scale);
    delta.replace32(sequence, sequence + shifts.sequence);
    delta.replace32(acknowledgement, acknowledgement + shifts.acknowledgement);
    delta.replace16(window, new_window);
    std::memcpy(tcp, leg.local_port.data(), 2);
    std::memcpy(tcp + wire::kTcpDestinationPortAt, leg.remote_port.data(), 2);
    store32(tcp + wire::kTcpSequenceAt, sequence + shifts.sequence);
    store32(tcp + wire::kTcpAcknowledgementAt, acknowledgement + shifts.acknowledgement);
    store16(tcp + wire::kTcpWindowAt, new_window);
    store16(tcp + wire::kTcpChecksumAt, delta.apply(load16(tcp + wire::kTcpChecksumAt)));

    const detail::SegmentFacts facts{.begin = tcp::Seq(sequence + shifts.sequence),
                                     .acknowledges = tcp::Seq(acknowledgement),
                                     .payload = packet.payload_size(),
                                     .window = window,
                                     .flags = flags};
    const bool in_order = detail::is_in_order(way, back, facts);
    const bool believed = in_order || detail::is_believed(way, back, facts);
    if (kTimestamps && options.timestamps && believed) {
        std::uint32_t& last = core.last_timestamp(direction);
        last = tcp::later(tcp::Seq(last), tcp::Seq(options.timestamp)).value();
    }
    detail::count(core, direction, facts.payload, believed, now);
    const Verdict verdict = detail::track(core, direction, facts, in_order, believed);
    // An RST needs none (RFC 7323 section 3.2).
    const bool lacks_clock = kTimestamps && !options.timestamps && (flags & detail::kRst) == 0;
    return lacks_clock ? verdict | Verdict::NoTimestamps : verdict;
}

// Whether the packet, not translated yet, can be its sender's own: whether it goes on with both streams or
// repeats what they have carried not long ago. Of a stranger's guesses hardly any is.
template <IpFamily kFamily>
bool is_plausible(const Record<kFamily>& record, Direction direction, const Packet<kFamily>& packet) {
    const DirectionState& way = record.core.way(direction);
    const detail::SegmentFacts facts{
        .begin = packet.sequence().advance(way.sequence_delta),
        .acknowledges = tcp::Seq(load32(packet.tcp() + wire::kTcpAcknowledgementAt)),
        .payload = 0,
        .window = 0,
        .flags = load8(packet.tcp() + wire::kTcpFlagsAt)};
    const bool reset = (facts.flags & detail::kRst) != 0;  // who leaves need not be followed
    return !reset && detail::is_believed(way, record.core.way(opposite(direction)), facts);
}

}  // namespace sluice::splice
