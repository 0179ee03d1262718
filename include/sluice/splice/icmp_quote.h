// The packet that an ICMP error quotes, translated back (RFC 5508 section 4): a router complains about a
// packet as Sluice sent it, and the end that has to act on it must find the one that it sent itself. The
// error's own headers are the caller's to write anew.
#pragma once

#include <cstdint>

#include "sluice/base/bytes.h"
#include "sluice/splice/record.h"

namespace sluice::splice {

enum class QuoteVerdict : std::uint8_t {
    Translated,
    Foreign,      // not TCP, a later fragment, cut short of the sequence number, or not this connection's
    NotInFlight,  // nothing with that sequence is on its way: forged or too late (RFC 5927 section 4.1)
};

// Whether a packet that begins with that number, as it left, may be on this way now.
inline bool is_in_flight(const DirectionState& way, tcp::Seq sequence) {
    return sequence.at_or_after(way.acked) && sequence.before(way.next);
}

// quote: the body of an ICMP error about a packet that left in `direction`. Rewritten in place into what the
// sender of that direction had sent: addresses, ports and sequence, and, as far as the quote reaches,
// acknowledgement, options and checksums. The window field and the TTL stay as quoted. Not touched unless
// Translated.
template <IpFamily kFamily>
QuoteVerdict translate_icmp_quote(const Record<kFamily>& record, Direction direction, ByteSpan quote);

extern template QuoteVerdict translate_icmp_quote(const Record<IpFamily::V4>&, Direction, ByteSpan);
extern template QuoteVerdict translate_icmp_quote(const Record<IpFamily::V6>&, Direction, ByteSpan);

}  // namespace sluice::splice
