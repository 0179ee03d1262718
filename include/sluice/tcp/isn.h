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

// RFC 7323 section 5.4: an offset per tuple hides the uptime and keeps clocks of different peers apart.
std::uint32_t timestamp_offset(const SipKey& key, const FourTuple& tuple);

}  // namespace sluice::tcp
