// Initial sequence numbers (RFC 6528): a 4-microsecond clock plus a keyed hash of the four-tuple, so that a
// tuple used again starts later, and nobody outside can guess the start.
#pragma once

#include <cstdint>

#include "sluice/base/address.h"
#include "sluice/base/siphash.h"
#include "sluice/base/time.h"
#include "sluice/tcp/seq.h"

namespace sluice::tcp {

Seq initial_sequence(const SipKey& key, const FourTuple& tuple, Instant now);

// The numbers with which a tuple starts anew after a connection that ended at `last` (RFC 6191): its sequence
// numbers and its timestamps must go on from there, or a peer in TIME-WAIT ignores the SYN. fresh: what they
// would be for a tuple never used. The timestamp comes as the offset to add to milliseconds32(now).
Seq sequence_after(Seq last, Seq fresh);
std::uint32_t timestamp_offset_after(std::uint32_t last, Instant now);

// RFC 7323 section 5.4: an offset per tuple hides the uptime and keeps clocks of different peers apart.
std::uint32_t timestamp_offset(const SipKey& key, const FourTuple& tuple);

}  // namespace sluice::tcp
