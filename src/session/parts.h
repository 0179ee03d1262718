// What the files of this room share: the times and sizes of a connection's life that no configuration key
// sets, and small helpers.
#pragma once

#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/session/connection.h"
#include "sluice/tcp/endpoint.h"

namespace sluice::session {

// How long a refused client may take to close its side before it is reset.
inline constexpr Duration kRefusalLinger = 2s;

// How long a peer may stay half-closed with nothing else ending the connection; Keep Alive and idle_timeout
// end it sooner.
inline constexpr Duration kHalfClosed = 24h;

// How long, after its end, what a connection still owes either end may take: longer than the retransmissions
// of an end that is gone, and enough for a slow one that is there.
inline constexpr Duration kDeliveryLimit = 5min;

// Largest CONNACK that is looked into; a larger one passes unread.
inline constexpr std::size_t kMaxConnackSize = 64 * 1024;

// How long a client that sends on behind its CONNECT without waiting for the answer must have been silent
// before it gets it, and after what time it gets it in any case.
inline constexpr Duration kStillSending = 10ms;
inline constexpr Duration kAnswerDue = 200ms;

// Bytes held for one direction of a relayed connection towards the broker.
inline constexpr std::uint32_t kBrokerBuffer = 256 * 1024;

// What a segment says of the other direction, without its own text and FIN.
tcp::Segment without_text(const tcp::Segment& segment);

}  // namespace sluice::session
