// The quiet point: from the positions of two TCP endpoints to the record that replaces them. Every delta of a
// splice is computed here and nowhere else.
//
//   client's leg:  RCV.NXT = c, SND.NXT = SND.UNA = l      broker's leg:  SND.NXT = SND.UNA = u, RCV.NXT = b
//   to the broker: SEQ + (u - c), ACK - (l - b)            to the client: SEQ + (l - b), ACK - (u - c)
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/splice/record.h"
#include "sluice/tcp/endpoint.h"

namespace sluice::splice {

struct LegFacts {
    FourTuple tuple;  // local is Sluice's end
    tcp::Endpoint::Position position;
    MacAddress mac;  // next hop towards the leg's remote end
    std::uint16_t port = 0;
    std::uint32_t packets = 0;  // sent towards the remote end before the splice
    std::uint64_t bytes = 0;    // payload, likewise
};

// Both endpoints must be in Established, no byte may be held by Sluice in either direction (nothing readable,
// nothing out of order), and no ACK may be pending: nobody would send it any more.
struct Joint {
    LegFacts client;
    LegFacts broker;
    std::uint32_t listener = 0;
    std::uint32_t pool = 0;
    std::uint32_t backend = 0;     // index in the pool
    std::uint32_t opened = 0;      // seconds, as Core has it
    std::uint16_t keep_alive = 0;  // seconds
    bool persistent = false;       // the broker's session outlives the connection
    std::uint32_t last_heard = 0;  // milliseconds32
};

// Why two legs cannot be one record: the connection stays relayed.
enum class Obstacle : std::uint8_t {
    MixedFamilies,  // one leg speaks IPv4, the other IPv6
    NotQuiet,       // something that Sluice sent is not acknowledged yet: may pass
    Timestamps,     // agreed on one leg only (RFC 7323)
    Sack,           // agreed on one leg only (RFC 2018)
    SegmentSize,    // one end may send larger segments than the other takes (RFC 6691)
    Range,          // an index does not fit the record
};
const char* to_string(Obstacle obstacle);

std::optional<Obstacle> obstacle_to_splice(const Joint& joint);

// Requires that obstacle_to_splice() found none and that both legs are of kFamily.
template <IpFamily kFamily>
Record<kFamily> make_record(const Joint& joint);

extern template Record<IpFamily::V4> make_record(const Joint& joint);
extern template Record<IpFamily::V6> make_record(const Joint& joint);

}  // namespace sluice::splice
