#include "sluice/splice/make_record.h"

#include <algorithm>
#include <limits>

#include "sluice/splice/checksum_delta.h"
#include "sluice/wire/checksum.h"

namespace sluice::splice {
namespace {

template <typename Int>
bool fits(std::uint32_t value) {
    return value <= std::numeric_limits<Int>::max();
}

// Sum of everything in a leg's packets that translation replaces: addresses and ports, in any order.
template <IpFamily kFamily>
std::uint16_t sum_of(const Ends<kFamily>& ends) {
    return wire::checksum_add(
        wire::checksum_add(wire::checksum_sum(ends.local), wire::checksum_sum(ends.remote)),
        wire::checksum_add(wire::checksum_sum(ends.local_port), wire::checksum_sum(ends.remote_port)));
}

// The way to `to`, whose packets come from `from`.
DirectionState make_way(const LegFacts& to, const LegFacts& from, std::uint16_t checksum_delta) {
    const tcp::Endpoint::Position& out = to.position;
    const tcp::Endpoint::Position& in = from.position;
    DirectionState way{
        .sequence_delta = out.send_next.since(in.receive_next),
        .timestamp_delta = 0,
        .next = out.send_next,
        .acked = out.send_unacked,
        .packets = to.packets,
        .window = static_cast<std::uint16_t>(std::min(out.send_window >> out.send_scale, 0xffffU)),
        .checksum_delta = checksum_delta,
        .mac = to.mac,
        .port = static_cast<std::uint8_t>(to.port),
        .their_scale = out.send_scale,
        .our_scale = out.receive_scale,
        .flags = DirectionState::kHeard,
    };
    way.set_bytes(to.bytes);
    if (out.timestamps) {
        // The last value that came in becomes the last one that went out, so that what follows is later in
        // both clocks: no jump back that PAWS would refuse (RFC 7323 section 5).
        way.timestamp_delta = out.last_timestamp_sent - in.last_timestamp_received;
        way.flags |= DirectionState::kTimestamps;
    }
    return way;
}

bool quiet(const tcp::Endpoint::Position& p) { return p.send_next == p.send_unacked; }

}  // namespace

const char* to_string(Obstacle obstacle) {
    switch (obstacle) {
        case Obstacle::MixedFamilies: return "mixed families";
        case Obstacle::NotQuiet: return "not quiet";
        case Obstacle::Timestamps: return "timestamps on one leg only";
        case Obstacle::Sack: return "SACK on one leg only";
        case Obstacle::SegmentSize: return "segments too large for the other leg";
        case Obstacle::Range: return "index out of range";
    }
    __builtin_unreachable();
}

std::optional<Obstacle> obstacle_to_splice(const Joint& joint) {
    const tcp::Endpoint::Position& client = joint.client.position;
    const tcp::Endpoint::Position& broker = joint.broker.position;
    if (joint.client.tuple.local.address.family() != joint.broker.tuple.local.address.family()) {
        return Obstacle::MixedFamilies;
    }
    if (client.timestamps != broker.timestamps) return Obstacle::Timestamps;
    if (client.sack != broker.sack) return Obstacle::Sack;
    if (client.receive_mss > broker.peer_mss || broker.receive_mss > client.peer_mss) {
        return Obstacle::SegmentSize;
    }
    if (!fits<std::uint16_t>(joint.listener) || !fits<std::uint16_t>(joint.pool) ||
        !fits<std::uint16_t>(joint.backend) || !fits<std::uint8_t>(joint.client.port) ||
        !fits<std::uint8_t>(joint.broker.port)) {
        return Obstacle::Range;
    }
    if (!quiet(client) || !quiet(broker)) return Obstacle::NotQuiet;
    return std::nullopt;
}

template <IpFamily kFamily>
Record<kFamily> make_record(const Joint& joint) {
    Record<kFamily> record;
    Ends<kFamily>& client = record.leg(Direction::ToClient);
    Ends<kFamily>& broker = record.leg(Direction::ToBroker);
    client = Ends<kFamily>::of(joint.client.tuple);
    broker = Ends<kFamily>::of(joint.broker.tuple);
    const std::uint16_t client_sum = sum_of(client);
    const std::uint16_t broker_sum = sum_of(broker);

    Core& core = record.core;
    core.way(Direction::ToBroker) =
        make_way(joint.broker, joint.client, checksum_difference(client_sum, broker_sum));
    core.way(Direction::ToClient) =
        make_way(joint.client, joint.broker, checksum_difference(broker_sum, client_sum));
    if (joint.persistent) core.way(Direction::ToBroker).flags |= DirectionState::kPersistent;
    core.opened = joint.opened;
    core.last_heard = joint.last_heard;
    core.last_timestamps = {joint.broker.position.last_timestamp_sent,
                            joint.client.position.last_timestamp_sent};
    core.listener = static_cast<std::uint16_t>(joint.listener);
    core.pool = static_cast<std::uint16_t>(joint.pool);
    core.backend = static_cast<std::uint16_t>(joint.backend);
    core.keep_alive = joint.keep_alive;
    return record;
}

template Record<IpFamily::V4> make_record(const Joint& joint);
template Record<IpFamily::V6> make_record(const Joint& joint);

}  // namespace sluice::splice
