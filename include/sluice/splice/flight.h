// Copies that come too early. A broker got to know Sluice's round trip in the handshake, not the client's, so
// its first retransmission time-outs may be far shorter than the way to a device behind a slow radio: it
// repeats what nobody can have acknowledged yet, and the device pays for every copy. Within one round trip of
// the client, counted from when a flight of text began and until the client has said anything about it, there
// is no news that a repetition could be based on. So a record may let it fall without harm: what was lost is
// repeated once more after the round trip, as a sender that had known it would have done.
#pragma once

#include <cstdint>
#include <type_traits>

#include "sluice/base/time.h"
#include "sluice/splice/packet.h"
#include "sluice/splice/record.h"

namespace sluice::splice {

// Kept beside the record of a slow client; all zero: nothing is on its way.
struct Flight {
    std::uint32_t began = 0;       // milliseconds32 when the text on its way to the client began to leave
    std::uint16_t round_trip = 0;  // milliseconds, the client's
    bool waiting = false;          // the client has not said anything about it yet
};
static_assert(std::is_trivially_copyable_v<Flight> && sizeof(Flight) == 8);

// From this round trip on a client counts as slow. Kernels wait 200 ms at least before they repeat (RFC 6298
// section 2.4 would have a second), so brokers of quicker clients repeat nothing early.
inline constexpr Duration kSlowRoundTrip = std::chrono::milliseconds(120);

// The flight of a client with that round trip, as its endpoint measured it; nullopt: it is not slow.
std::optional<Flight> flight_of(Duration smoothed_rtt, Duration variation);

// Notes a packet that is about to be translated; record must be marked DirectionState::kSlow. True when it is
// a copy that comes too early and says nothing else: to be dropped.
template <IpFamily kFamily>
bool is_early_copy(const Record<kFamily>& record, Direction direction, const Packet<kFamily>& packet,
                   Flight& flight, std::uint32_t now);

extern template bool is_early_copy(const Record<IpFamily::V4>&, Direction, const Packet<IpFamily::V4>&,
                                   Flight&, std::uint32_t);
extern template bool is_early_copy(const Record<IpFamily::V6>&, Direction, const Packet<IpFamily::V6>&,
                                   Flight&, std::uint32_t);

}  // namespace sluice::splice
