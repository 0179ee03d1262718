// The front of a TCP packet as an ICMP error quotes it: an IP header whose length runs past the quote, and at
// least the eight bytes that RFC 792 promises.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"

namespace sluice::wire {

// As the packet was sent: source is the sender's end.
struct TcpQuote {
    SocketAddress source;
    SocketAddress destination;
    std::uint32_t sequence = 0;
    std::uint16_t size = 0;  // bytes of the whole IP packet, as its header says

    friend bool operator==(const TcpQuote&, const TcpQuote&) = default;
};

// quoted: the body of the error; family: that of the packet the error came in. nullopt when the quote is of
// another protocol or family, a later fragment, or too short for ports and sequence. Nothing proves that a
// quote is honest: RFC 5927 asks to compare the sequence with what is in flight.
std::optional<TcpQuote> parse_tcp_quote(IpFamily family, ByteView quoted);

}  // namespace sluice::wire
