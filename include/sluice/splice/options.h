// The TCP options that hold sequence numbers or clocks, moved in place: SACK blocks (RFC 2018, RFC 2883) and
// timestamps (RFC 7323), wherever the sender put them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/bytes.h"
#include "sluice/splice/checksum_delta.h"

namespace sluice::splice {

// What to add to the fields of one segment, modulo 2^32.
struct Shifts {
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgement = 0;  // and SACK edges
    std::uint32_t timestamp = 0;        // TSval
    std::uint32_t echo = 0;             // TSecr
};

struct ShiftedOptions {
    bool well_formed = true;      // false: a length below 2 or past the end; some options may have been moved
    bool timestamps = false;      // one was there and was moved
    std::uint32_t timestamp = 0;  // its TSval, moved; the last one's if there are several
};

// options: between the fixed TCP header and the payload. Timestamps are left alone unless kTimestamps: a
// connection that did not agree on them ignores them. So is a known kind of a wrong length, and every other
// kind.
template <bool kTimestamps>
ShiftedOptions shift_options(ByteSpan options, const Shifts& shifts, ChecksumDelta& delta);

extern template ShiftedOptions shift_options<false>(ByteSpan, const Shifts&, ChecksumDelta&);
extern template ShiftedOptions shift_options<true>(ByteSpan, const Shifts&, ChecksumDelta&);

}  // namespace sluice::splice
