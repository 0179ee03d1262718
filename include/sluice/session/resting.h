// A relayed connection at rest: what is kept of one whose two legs can never be one record, while nothing
// happens on either. Of its legs only their positions are left, and of the rest what packets find it by, what
// ends it, and what is told of it. Fixed size, no heap.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/nat/source_pool.h"
#include "sluice/session/connection.h"
#include "sluice/session/leg.h"
#include "sluice/session/whereabouts.h"
#include "sluice/splice/table.h"

namespace sluice::session {

// After how long without any segment a connection may rest. Longer than an endpoint's challenge_ack_interval,
// so that the limit on challenge ACKs stays one (tcp::Endpoint::resume()), and than the pause between a
// question and its answer, so that these do not make endpoints for every packet.
inline constexpr Duration kRestAfter = 1s;

struct RestingConnection {
    FourTuple client;    // local: the listener
    FourTuple upstream;  // local: the leased source
    ClientPath path;
    RestingLeg client_leg;
    RestingLeg broker_leg;
    std::uint64_t bytes_from_client = 0;
    std::uint64_t bytes_from_broker = 0;
    std::uint32_t packets_from_client = 0;  // modulo 2^32
    std::uint32_t packets_from_broker = 0;
    std::uint32_t listener = 0;
    std::uint32_t pool = 0;
    nat::Lease lease;                // its backend is the connection's, by index in the pool
    std::uint32_t opened = 0;        // seconds of the time line
    std::uint32_t last_heard = 0;    // as milliseconds32()
    std::uint32_t last_traffic = 0;  // likewise
    std::uint16_t keep_alive = 0;    // seconds
    bool persistent = false;
    splice::Label label;  // a longer client ID is cut
};
static_assert(sizeof(RestingConnection) == 272 && std::is_trivially_copyable_v<RestingConnection>);

// What only few of them have; it is kept apart, so that the others need no memory for it.
struct RestingExtras {
    Stay stay;                         // its key is 0 where the session is not remembered
    SocketAddress identity;            // unspecified: the address that the client sends from
    std::uint32_t session_expiry = 0;  // of a session that is remembered

    bool has_identity() const { return !identity.address.is_unspecified(); }
    bool any() const { return stay.key != 0 || has_identity(); }
};
static_assert(std::is_trivially_copyable_v<RestingExtras>);

// The codecs of both legs, which go on as they are. Of most connections none.
struct RestingCodecs {
    std::unique_ptr<CodecChain> client;
    std::unique_ptr<CodecChain> broker;

    bool any() const { return client != nullptr || broker != nullptr; }
};

// connection: one that Session has found able to rest.
RestingConnection rest(const Connection& connection);
RestingExtras extras_of(const Connection& connection);
// The connection again, relayed, in no slot yet. Its endpoints' statistics start at zero; of its times, those
// of the last bytes are kept to a millisecond, that of its beginning to a second.
Connection wake(const RestingConnection& resting, const RestingExtras& extras, RestingCodecs codecs,
                Instant now);

// When it has been silent for too long (idle_limit()); kNever for never.
Instant idle_deadline(const RestingConnection& resting, Duration idle_timeout, Instant now);

}  // namespace sluice::session
