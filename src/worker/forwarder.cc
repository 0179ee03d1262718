#include "worker/forwarder.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "sluice/wire/checksum.h"

namespace sluice::worker {

Forwarder::Forwarder(WorkerContext& context, FlowTable& flow_table, Spliced& spliced,
                     host::FrameOutput& output)
    : flow_table_(flow_table),
      spliced_(spliced),
      output_(output),
      counters_(context.counters),
      stats_(context.stats) {
    for (const PortFacts& port : context.topology.ports()) exits_.push_back({port.mac, port.mtu});
    use(*context.snapshot);
}

void Forwarder::use(const backend::Snapshot& snapshot) {
    sums_.clear();
    first_.clear();
    for (const backend::Pool& pool : snapshot.pools) {
        first_.push_back(static_cast<std::uint32_t>(sums_.size()));
        for (const backend::Backend& backend : pool.backends) {
            backend::Traffic& traffic = stats_.traffic(backend.position);
            sums_.push_back({.traffic = &traffic.to_broker});
            sums_.push_back({.traffic = &traffic.to_client});
        }
    }
}

// --- looking ahead ---

void Forwarder::begin_burst(Instant now, std::span<const port::Frame> burst) {
    assert(burst.size() <= kBurst);
    now_ = now;
    milliseconds_ = milliseconds32(now);
    burst_ = burst;
    for (const port::Frame& frame : burst) __builtin_prefetch(frame.data, 1);
    const std::size_t n = std::min(burst.size(), kClassifyAhead);
    for (std::size_t i = 0; i < n; ++i) classify(burst[i], lookups_[i]);
    for (std::size_t i = 0; i < std::min(n, kPrefetchAhead); ++i) prefetch_record(lookups_[i]);
}

void Forwarder::classify(const port::Frame& frame, Lookup& lookup, bool judged) const {
    lookup.kind = Lookup::Kind::Nothing;
    if (frame.length < wire::kEthernetHeaderSize || frame.multi_segment) return;
    if (!exits_[frame.port].mac.is_at(frame.data)) return;
    const std::uint16_t type = load16(frame.data + wire::kEtherTypeAt);
    if (type == wire::kEtherTypeIpv4) {
        classify_as<IpFamily::V4>(frame, lookup, lookup.v4, judged);
    } else if (type == wire::kEtherTypeIpv6) {
        classify_as<IpFamily::V6>(frame, lookup, lookup.v6, judged);
    }
}

template <IpFamily kFamily>
void Forwarder::classify_as(const port::Frame& frame, Lookup& lookup, Packet<kFamily>& into,
                            bool judged) const {
    if (!into.read({frame.data, frame.length})) return;
    if (into.size() > exits_[frame.port].mtu && !judged) return;
    const splice::Ends<kFamily> ends = into.ends();
    lookup.from_client = flow_table_.is_from_client<kFamily>(ends, frame.port);
    if (lookup.from_client) {
        lookup.hash = flow_table_.hash(ends);
        flow_table_.prefetch_client(lookup.hash);
    } else {
        if (!flow_table_.find_lease<kFamily>(ends, frame.port, lookup.lease)) return;
        flow_table_.prefetch(lookup.lease);
    }
    lookup.kind = kFamily == IpFamily::V4 ? Lookup::Kind::V4 : Lookup::Kind::V6;
}

// Brings the record that the frame is probably for.
void Forwarder::prefetch_record(Lookup& lookup) const {
    if (lookup.kind == Lookup::Kind::Nothing) return;
    lookup.likely =
        lookup.from_client ? flow_table_.candidate(lookup.hash) : flow_table_.holder(lookup.lease);
    lookup.ended = spliced_.ended();
    if (!lookup.likely || !lookup.likely->is_spliced()) return;
    if (lookup.likely->kind() == Reference::Kind::Spliced4) {
        spliced_.table<IpFamily::V4>().prefetch(lookup.likely->number());
    } else {
        spliced_.table<IpFamily::V6>().prefetch(lookup.likely->number());
    }
}

// --- forward ---

host::Disposition Forwarder::forward(std::size_t i) {
    if (i + kClassifyAhead < burst_.size())
        classify(burst_[i + kClassifyAhead], lookups_[i + kClassifyAhead]);
    if (i + kPrefetchAhead < burst_.size()) prefetch_record(lookups_[i + kPrefetchAhead]);
    const Lookup& lookup = lookups_[i];
    const port::Frame& frame = burst_[i];
    const auto go = [&]<IpFamily kFamily>(const Packet<kFamily>& packet) {
        const wire::TcpFlags flags = packet.flags();
        // What ends a connection must be sound before it is believed; and a SYN is never a record's to carry:
        // Input sees what it means.
        if (flags.syn) return host::Disposition::punt();
        if ((flags.fin || flags.rst) && !is_sound(packet)) return host::Disposition::punt();
        return rewrite<kFamily>(lookup, packet, frame);
    };
    return visit(lookup, go);
}

host::Disposition Forwarder::forward(Instant now, const port::Frame& frame) {
    now_ = now;
    milliseconds_ = milliseconds32(now);
    Lookup lookup;
    classify(frame, lookup, true);
    return visit(lookup, [&](const auto& packet) { return rewrite(lookup, packet, frame); });
}

// Calls go(packet) with the packet that was seen.
template <typename Go>
host::Disposition Forwarder::visit(const Lookup& lookup, Go&& go) {
    switch (lookup.kind) {
        case Lookup::Kind::V4: return go(lookup.v4);
        case Lookup::Kind::V6: return go(lookup.v6);
        case Lookup::Kind::Nothing: break;
    }
    return host::Disposition::punt();
}

template <IpFamily kFamily>
bool Forwarder::is_sound(const Packet<kFamily>& packet) {
    const FourTuple tuple = packet.tuple();
    return wire::tcp_checksum_valid(tuple.remote.address, tuple.local.address, packet.segment());
}

// Nearly always what prefetch_record() found still holds. Inline, because it is the way of every packet.
template <IpFamily kFamily>
[[gnu::always_inline]] inline std::uint32_t Forwarder::find(const Lookup& lookup,
                                                            const Packet<kFamily>& packet) const {
    if (lookup.likely && lookup.ended == spliced_.ended() && is_it(lookup, packet, *lookup.likely))
        [[likely]] {
        return lookup.likely->number();
    }
    return search(lookup, packet);
}

template <IpFamily kFamily>
bool Forwarder::is_it(const Lookup& lookup, const Packet<kFamily>& packet, Reference candidate) const {
    // A lease is held by one connection at a time, and its spliced holder changes only where a record ends.
    return candidate.kind() == kSplicedKind<kFamily> &&
           (!lookup.from_client ||
            packet.arrives_by(spliced_.table<kFamily>()[candidate.number()].leg(Direction::ToClient)));
}

template <IpFamily kFamily>
[[gnu::noinline]] std::uint32_t Forwarder::search(const Lookup& lookup, const Packet<kFamily>& packet) const {
    const auto found =
        lookup.from_client
            ? flow_table_.find_client(lookup.hash,
                                      [&](Reference candidate) { return is_it(lookup, packet, candidate); })
            : flow_table_.holder(lookup.lease);
    return found && found->kind() == kSplicedKind<kFamily> ? found->number() : flow::kNoEntry;
}

template <IpFamily kFamily>
host::Disposition Forwarder::rewrite(const Lookup& lookup, const Packet<kFamily>& packet,
                                     const port::Frame& frame) {
    const std::uint32_t id = find<kFamily>(lookup, packet);
    if (id == flow::kNoEntry) return host::Disposition::punt();
    splice::Record<kFamily>& record = spliced_.table<kFamily>()[id];
    const Direction direction = lookup.from_client ? Direction::ToBroker : Direction::ToClient;
    if (lookup.from_client) follow_client(record, packet, frame);
    const splice::DirectionState& way = record.core.way(direction);
    const Exit& exit = exits_[way.port];
    Room room{.size = exit.mtu};
    bool narrow = false;
    const bool rare = packet.size() > exit.mtu || way.has(splice::DirectionState::kNarrow) ||
                      record.core.way(Direction::ToClient).has(splice::DirectionState::kSlow);
    if (rare) [[unlikely]] {
        Room given;
        if (const auto why = look_closer(id, direction, packet, given))
            return host::Disposition::dropped(*why);
        room = given;
        narrow = is_narrow(packet, room);
    }
    const splice::Verdict verdict = splice::translate(record, direction, packet, exit.mac, milliseconds_);
    if (is_drop(verdict)) [[unlikely]] {
        return drop(record, direction, packet, verdict);
    }
    const std::size_t size = wire::kEthernetHeaderSize + packet.size();  // without padding
    const std::uint32_t payload = packet.payload_size();
    const tcp::Seq sequence = packet.sequence();
    // From here on the frame is not ours: a full port drops it.
    if (narrow) [[unlikely]] {
        send_narrow(output_, counters_, way.port, frame, packet, room);
    } else {
        output_.send(way.port, frame, static_cast<std::uint32_t>(size));
    }
    account(record.core, direction, payload);
    if (verdict != splice::Verdict::Forward) [[unlikely]] {
        spliced_.on_verdict<kFamily>(now_, id, direction, verdict, sequence);
    }
    return host::Disposition::forwarded();
}

template <IpFamily kFamily>
bool Forwarder::is_narrow(const Packet<kFamily>& packet, const Room& room) {
    return packet.size() > room.size || room.fragments;
}

// Of a packet that may have to be cut, or be a copy that is held back: writes to `room` what its path takes.
// Returns why it is not to leave, nullopt when it is.
template <IpFamily kFamily>
[[gnu::noinline]] std::optional<Counter> Forwarder::look_closer(std::uint32_t id, Direction direction,
                                                                const Packet<kFamily>& packet, Room& room) {
    splice::Record<kFamily>& record = spliced_.table<kFamily>()[id];
    room = spliced_.room<kFamily>(now_, id, direction, exits_[record.core.way(direction).port].mtu);
    if (is_narrow(packet, room)) {
        if (const auto why = why_not_narrow(record, direction, packet, room)) return why;
    }
    if (record.core.way(Direction::ToClient).has(splice::DirectionState::kSlow)) {
        splice::Flight& flight = spliced_.table<kFamily>().flight(id);
        if (splice::is_early_copy(record, direction, packet, flight, milliseconds_)) {
            return Counter::SpliceCopiesHeld;
        }
    }
    return std::nullopt;
}

// Why what is too large for its path cannot be cut for it; nullopt when it can. Pieces get checksums of their
// own, so that damage has to be found before. The sender of what cannot be cut is told.
template <IpFamily kFamily>
std::optional<Counter> Forwarder::why_not_narrow(const splice::Record<kFamily>& record, Direction direction,
                                                 const Packet<kFamily>& packet, const Room& room) {
    if (packet.size() <= room.size) return std::nullopt;
    if (!is_sound(packet)) return Counter::DropTcpChecksum;
    if (fits_narrow(packet, room)) return std::nullopt;
    spliced_.errors().too_big(now_, sender_of(record, direction), {packet.ip(), packet.size()}, room.size);
    return Counter::DropSpliceOverMtu;
}

template <IpFamily kFamily>
host::Disposition Forwarder::drop(const splice::Record<kFamily>& record, Direction direction,
                                  const Packet<kFamily>& packet, splice::Verdict verdict) {
    if (verdict == splice::Verdict::DropTtl) {
        spliced_.errors().time_exceeded(now_, sender_of(record, direction), {packet.ip(), packet.size()},
                                        IcmpErrors::Exceeded::HopLimit);
    }
    return host::Disposition::dropped(drop_counter(verdict));
}

// A client may move behind another gateway; its packets are the best way back, those at least that can be its
// own. What it repeats counts as well: it repeats because answers by the old way do not arrive.
template <IpFamily kFamily>
void Forwarder::follow_client(splice::Record<kFamily>& record, const Packet<kFamily>& packet,
                              const port::Frame& frame) {
    splice::DirectionState& way = record.core.way(Direction::ToClient);
    const std::byte* const source = packet.ethernet() + wire::kEthernetSourceAt;
    if (way.port == frame.port && way.mac.is_at(source)) return;
    if ((load8(source) & 1U) != 0) return;  // a group is nobody to send to
    if (!splice::is_plausible(record, Direction::ToBroker, packet) || !is_sound(packet)) {
        counters_.add(Counter::PathsDoubted);
        return;
    }
    std::memcpy(way.mac.bytes.data(), source, 6);
    way.port = static_cast<std::uint8_t>(frame.port);
    counters_.add(Counter::SplicePathsMoved);
}

// One addition a packet; count() does the rest once a burst.
inline void Forwarder::account(const splice::Core& core, Direction direction, std::uint32_t payload) {
    const std::uint32_t account =
        first_[core.pool] + 2U * core.backend + static_cast<std::uint32_t>(direction);
    std::uint64_t& fresh = sums_[account].fresh;
    touched_[touched_count_] = account;
    touched_count_ += fresh == 0 ? 1 : 0;
    fresh += std::uint64_t{1} << 32U | payload;
}

void Forwarder::count() {
    std::array<backend::DirectionTraffic, 2> all{};  // by Direction
    for (const std::uint32_t touched : std::span(touched_).first(touched_count_)) {
        TrafficSum& account = sums_[touched];
        const std::uint64_t packets = account.fresh >> 32U;
        const std::uint64_t bytes = account.fresh & 0xffffffffU;
        account.fresh = 0;
        account.traffic->count(packets, bytes);
        all[touched % 2].packets += packets;
        all[touched % 2].bytes += bytes;
    }
    touched_count_ = 0;
    const auto add = [&](Direction direction, Counter packets, Counter bytes) {
        const backend::DirectionTraffic& passed = all[static_cast<std::size_t>(direction)];
        if (passed.packets == 0) return;
        counters_.add(packets, passed.packets);
        counters_.add(bytes, passed.bytes);
    };
    add(Direction::ToBroker, Counter::SplicePacketsToBroker, Counter::SpliceBytesToBroker);
    add(Direction::ToClient, Counter::SplicePacketsToClient, Counter::SpliceBytesToClient);
}

}  // namespace sluice::worker
