// Initial sequence numbers (RFC 6528): a 4-microsecond clock plus a keyed hash of the four-tuple, so that a
// tuple used again starts later, and nobody outside can guess the start.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/siphash.h"
#include "sluice/base/time.h"
#include "sluice/tcp/segment.h"
#include "sluice/tcp/seq.h"

namespace sluice::tcp {

Seq initial_sequence(const SipKey& key, const FourTuple& tuple, Instant now);

// The numbers with which a tuple starts anew after a connection that ended at `last` (RFC 6191): its sequence
// numbers and its timestamps must go on from there, or a peer in TIME-WAIT ignores the SYN. fresh: what they
// would be for a tuple never used. The timestamp comes as the offset to add to milliseconds32(now).
Seq sequence_after(Seq last, Seq fresh);
std::uint32_t timestamp_offset_after(std::uint32_t last, Instant now);

// The other side of the same rule: whether a SYN begins a connection that cannot be mistaken for the old one
// of its tuple, which only waits for stragglers. next: what the old one would have sent next; last_timestamp:
// its last TSval, nullopt without timestamps. Timestamps decide where both have them and they differ.
bool begins_later(const Segment& syn, Seq next, std::optional<std::uint32_t> last_timestamp);

// RFC 7323 section 5.4: an offset per tuple hides the uptime and keeps clocks of different peers apart.
std::uint32_t timestamp_offset(const SipKey& key, const FourTuple& tuple);

}  // namespace sluice::tcp
