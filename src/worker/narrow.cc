#include "worker/narrow.h"

#include <algorithm>
#include <array>
#include <span>

#include "sluice/splice/cut.h"

namespace sluice::worker {
namespace {

constexpr std::size_t kMostPieces = 64;

}  // namespace

Room NarrowPaths::room(Instant now, Reference connection, splice::Direction direction,
                       splice::DirectionState& way, std::uint16_t mtu) {
    const auto limit = limits_.find(key(connection, direction));
    if (limit != limits_.end() && now < limit->second.until) {
        return {.size = std::min<std::uint32_t>(limit->second.room.size, mtu),
                .fragments = limit->second.room.fragments};
    }
    if (limit != limits_.end()) limits_.erase(limit);
    way.flags = static_cast<std::uint8_t>(way.flags & ~unsigned{splice::DirectionState::kNarrow});
    return {.size = mtu};
}

bool NarrowPaths::narrow(Instant now, Reference connection, splice::Direction direction,
                         splice::DirectionState& way, std::uint16_t mtu, std::uint16_t told) {
    const Room before = way.has(splice::DirectionState::kNarrow) ? room(now, connection, direction, way, mtu)
                                                                 : Room{.size = mtu};
    const Room after{.size = std::max(told, kSmallest), .fragments = told < kSmallest};
    if (after.size >= before.size && !(after.fragments && !before.fragments)) return false;
    limits_[key(connection, direction)] = {.room = after, .until = now + kBelieved};
    way.flags |= splice::DirectionState::kNarrow;
    return true;
}

void NarrowPaths::erase(Reference connection) {
    for (const splice::Direction direction : {splice::Direction::ToBroker, splice::Direction::ToClient}) {
        limits_.erase(key(connection, direction));
    }
}

template <IpFamily kFamily>
bool fits_narrow(const splice::Packet<kFamily>& packet, const Room& room) {
    if (packet.size() <= room.size) return true;
    const std::size_t pieces = splice::Cut<kFamily>(packet, room.size).pieces();
    return pieces != 0 && pieces <= kMostPieces;
}

template <IpFamily kFamily>
void send_narrow(host::FrameOutput& output, CounterSet& counters, std::uint16_t port,
                 const port::Frame& frame, const splice::Packet<kFamily>& packet, const Room& room) {
    if constexpr (kFamily == IpFamily::V4) {
        if (room.fragments) splice::allow_fragments(packet);
    }
    if (packet.size() <= room.size) {
        output.send(port, frame, static_cast<std::uint32_t>(wire::kEthernetHeaderSize + packet.size()));
        return;
    }
    splice::Cut<kFamily> cut(packet, room.size);
    // Written before the first one leaves: a full port gives its frame away.
    std::array<port::Frame, kMostPieces> rest;
    std::size_t written = 0;
    for (std::size_t piece = 1; piece < cut.pieces(); ++piece) {
        auto fresh = output.allocate();
        if (!fresh) break;  // lost, as on a link that is full
        fresh->length = cut.write(piece, fresh->writable());
        rest[written++] = *fresh;
    }
    output.send(port, frame, cut.keep_first());
    for (const port::Frame& piece : std::span(rest).first(written)) output.send(port, piece);
    counters.add(Counter::SpliceSplitSegments);
}

template bool fits_narrow(const splice::Packet<IpFamily::V4>&, const Room&);
template bool fits_narrow(const splice::Packet<IpFamily::V6>&, const Room&);
template void send_narrow(host::FrameOutput&, CounterSet&, std::uint16_t, const port::Frame&,
                          const splice::Packet<IpFamily::V4>&, const Room&);
template void send_narrow(host::FrameOutput&, CounterSet&, std::uint16_t, const port::Frame&,
                          const splice::Packet<IpFamily::V6>&, const Room&);

}  // namespace sluice::worker
