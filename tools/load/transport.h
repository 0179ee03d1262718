// What carries bytes between the load generator and its peers: TCP connections under numbers. Behind
// it stand kernel sockets (socket_transport.h), or the project's own TCP over a port (packet_transport.h).
// Who uses it knows neither.
//
// One thread does it all. Time comes in as an argument and never runs backwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/base/time.h"

namespace sluice::load {

// Names a connection, below Transport::capacity(). Of clients, the user chooses it; of what is accepted, the
// transport does. It is used again after on_end().
using Id = std::uint32_t;

// How a connection ended.
enum class End : std::uint8_t {
    Finished,     // both sides closed in order
    Reset,        // the other side reset it once it was open
    Refused,      // a reset answered the SYN
    TimedOut,     // the other side was silent for too long
    Unreachable,  // the network says so, or its next hop does not answer
    Aborted,      // abort() was called
};
const char* to_string(End end);  // "finished", "reset", ...

// Told of what happens, only from within Transport::turn(), open(), send(), close() and abort(). Each may
// call the transport for any connection, this one included.
class Events {
  public:
    // The handshake is over; what is sent now leaves at once.
    virtual void on_open(Instant now, Id id) = 0;
    // All bytes that have arrived and were not taken yet, in one piece, never none. Returns how many of them,
    // from the front, are taken: the rest comes again once there is more. One that takes nothing although
    // Transport::receive_limit() bytes lie there makes no progress any more and has to be ended.
    virtual std::size_t on_bytes(Instant now, Id id, ByteView bytes) = 0;
    // The connection is no more, and its number is free. The last call for it. Where the other side closes
    // first, the transport closes as well, after on_bytes() was given everything.
    virtual void on_end(Instant now, Id id, End end) = 0;

  protected:
    ~Events() = default;
};

class Transport {
  public:
    virtual ~Transport() = default;

    // As many connections as may exist at a time.
    virtual Id capacity() const = 0;
    // Most bytes that wait for on_bytes() to take them.
    virtual std::size_t receive_limit() const = 0;

    // Begins the handshake of connection `id` (< capacity(), and not in use). Its end is told by on_open() or
    // on_end(), the latter perhaps before this returns. False: nothing was begun, because sockets or ports
    // are used up; it may be tried again later.
    [[nodiscard]] virtual bool open(Instant now, Id id) = 0;
    // Takes all the bytes, to be sent as soon as may be, or none and returns false: more than send_limit
    // would wait, because the other side does not read. Requires an open connection that was not closed here.
    [[nodiscard]] virtual bool send(Instant now, Id id, ByteView bytes) = 0;
    // Closes this side after all that was sent; on_end() follows once the other side has closed too, or has
    // kept silent for too long. Bytes that arrive meanwhile are still delivered. Nothing for a connection
    // that is closed already.
    virtual void close(Instant now, Id id) = 0;
    // Resets the connection; on_end() comes before this returns.
    virtual void abort(Instant now, Id id) = 0;
    // The other side's address, of a connection in use; and the address and port here.
    virtual FourTuple tuple(Id id) const = 0;

    // One round: takes what has arrived, delivers it, does what is due, sends. True when there was anything
    // to do.
    virtual bool turn(Instant now) = 0;
    // Waits until something may have arrived or is due, at most so long.
    virtual void rest(Instant now, Duration at_most) = 0;

    struct Totals {
        std::uint64_t connections = 0;  // in use now
        std::uint64_t bytes_in = 0;     // payload
        std::uint64_t bytes_out = 0;
        std::uint64_t packets_in = 0;  // frames; of sockets, reads
        std::uint64_t packets_out = 0;
        std::uint64_t retransmits = 0;   // segments sent again; 0 where it is not known
        std::uint64_t dropped = 0;       // frames that were wrong, of no connection, or without a free buffer
        std::uint64_t turned_away = 0;   // of dropped, those that would have begun one connection too many
        std::uint64_t memory_bytes = 0;  // of the tables of connections, as far as they are used
    };
    virtual Totals totals() const = 0;
};

}  // namespace sluice::load
