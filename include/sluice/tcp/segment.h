// A TCP segment between endpoint and wire: what was read from a packet, or what shall become one. Ports and
// addresses are the caller's matter; the endpoint never sees them.
#pragma once

#include <cstdint>

#include "sluice/base/bytes.h"
#include "sluice/tcp/seq.h"
#include "sluice/wire/tcp.h"

namespace sluice::tcp {

struct Segment {
    Seq seq;
    Seq ack;  // meaningful when flags.ack
    wire::TcpFlags flags;
    std::uint16_t window = 0;  // as on the wire: scaled unless SYN is set
    wire::TcpOptions options;
    // Borrowed. A received segment uses payload alone; one to be sent may come in two pieces, because the
    // send buffer is a ring. Valid until the call that delivered it returns.
    ByteView payload;
    ByteView payload_tail;

    std::uint32_t payload_size() const {
        return static_cast<std::uint32_t>(payload.size() + payload_tail.size());
    }
    // SEG.LEN of RFC 9293: payload, SYN and FIN.
    std::uint32_t length() const { return payload_size() + (flags.syn ? 1U : 0U) + (flags.fin ? 1U : 0U); }
    Seq end() const { return seq.advance(length()); }
};

// Where an endpoint puts what it sends. Called any number of times during one input; must not call back into
// the endpoint.
class Output {
  public:
    virtual void send(const Segment& segment) = 0;

  protected:
    ~Output() = default;
};

}  // namespace sluice::tcp
