// One client's connection through Sluice, from its SYN to its end: two TCP endpoints and what was decided
// between them. Owned by one worker's slab; nobody else touches it.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/mqtt/connect.h"
#include "sluice/nat/source_pool.h"
#include "sluice/session/leg.h"
#include "sluice/session/whereabouts.h"

namespace sluice::session {

// Where a connection stands. Stored, never inferred from packets.
enum class Phase : std::uint8_t {
    Handshake,     // the client's SYN was answered
    AwaitConnect,  // reading the CONNECT
    Connecting,    // a broker was chosen, its handshake is under way
    Replaying,     // the CONNECT is with the broker, its CONNACK is awaited
    Relayed,       // both legs up, bytes are copied between two endpoints
    Resting,       // their positions are kept instead; of a Connection, nothing is left but to remove it
    Spliced,       // both endpoints gave way to one record; of a Connection, nothing is left but to remove it
    Delivering,    // it is over, and each end is told so once it has what the other one was acknowledged
    Refusing,      // a CONNACK refusal (or nothing) was sent to the client, its leg is being closed
    Closing,       // both legs have sent or met their end
    Ended,         // nothing is left but to remove it
};
const char* to_string(Phase phase);

// How long an end of a closed connection still answers late retransmissions. A host that closes first keeps
// TIME-WAIT for 2 MSL; Sluice may be shorter, because a lease rests in quarantine after it and each new use
// of a tuple starts with a later sequence number and timestamp (RFC 6191).
inline constexpr Duration kLinger = 1s;

// For how long, once a client's Keep Alive has run out, its broker may end the connection in its own words.
// Brokers look at their clients from time to time only: Mosquitto does so every six seconds and counts whole
// ones.
inline constexpr Duration kBrokersTurn = 10s;

// After how long a silence a connection is ended; zero: never. MQTT 3.1.1 section 3.1.2.10: a server gives up
// after one and a half Keep Alive without a packet from the client; that server is the broker, and Sluice
// sees to it when the broker has not. idle_timeout holds where there is no Keep Alive.
constexpr Duration idle_limit(std::uint16_t keep_alive, Duration idle_timeout) {
    return keep_alive != 0 ? Duration(std::chrono::seconds(keep_alive)) * 3 / 2 + kBrokersTurn : idle_timeout;
}

// When that is; kNever for never. last: the client's last packet where it has a Keep Alive, else the last one
// from either side.
constexpr Instant idle_deadline(Instant last, std::uint16_t keep_alive, Duration idle_timeout) {
    const Duration limit = idle_limit(keep_alive, idle_timeout);
    return limit == Duration::zero() ? kNever : last + limit;
}

inline constexpr std::uint32_t kNoBackend = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::size_t kMaxAttempts = 11;  // first choice and at most ten retries (pool.retries)

// How to reach the client: by the way its own packets came, so that no route back is needed.
struct ClientPath {
    std::uint16_t port = 0;
    MacAddress mac;
};

struct Connection {
    Connection(const FourTuple& client_, const ClientPath& path_, std::uint32_t listener_,
               std::uint32_t pool_, const tcp::EndpointOptions& options, std::unique_ptr<CodecChain> codecs,
               Instant now)
        : listener(listener_),
          pool(pool_),
          client(client_),
          identity(client_.remote),
          path(path_),
          client_leg(options, std::move(codecs)),
          client_mss(options.send_mss_limit),
          first_window(options.receive_window.value_or(0)),
          opened(now),
          last_heard(now),
          last_traffic(now) {}
    // One that was established before; client_leg_ goes on where it was.
    Connection(const FourTuple& client_, const ClientPath& path_, std::uint32_t listener_,
               std::uint32_t pool_, Leg&& client_leg_, Instant opened_)
        : listener(listener_),
          pool(pool_),
          client(client_),
          identity(client_.remote),
          path(path_),
          client_leg(std::move(client_leg_)),
          opened(opened_),
          last_heard(opened_),
          last_traffic(opened_) {}

    std::uint32_t id = 0;  // slot in the slab
    Phase phase = Phase::Handshake;
    std::uint32_t listener;
    std::uint32_t pool;

    FourTuple client;  // local: the listener
    // Who the client is: the address it sends from, or the one that its stream has named. Limits, routes,
    // logs and listings go by it; packets by `client`.
    SocketAddress identity;
    ClientPath path;
    Leg client_leg;
    std::uint16_t client_mss = 0;  // largest payload the client takes, from its SYN and its port's MTU
    // Bytes from its SYN on that the client was promised room for before anything was known of its broker.
    std::uint32_t first_window = 0;
    // What its SYN-ACK's numbers tell (tcp/syn_cookie.h), so that its handshake can be let go of; nullopt:
    // they tell nothing.
    std::optional<std::uint8_t> cookie_note;

    std::uint32_t backend = kNoBackend;  // index in the pool
    std::optional<nat::Lease> lease;
    FourTuple upstream;  // local: the leased source
    std::optional<Leg> broker_leg;

    // From the CONNECT.
    std::optional<mqtt::Version> version;
    std::string client_id;
    std::uint16_t client_id_cut = 0;   // bytes at its end that were let go of at a rest
    std::optional<std::uint64_t> key;  // hash of the balancing key; nullopt when it is empty
    bool persistent = false;           // the session outlives the connection
    std::uint32_t session_expiry =
        0;  // seconds from the connection's end; the CONNACK's replaces the CONNECT's
    std::optional<std::uint32_t> session_at;  // mark of the broker where its session is known to be
    std::optional<Stay> stay;                 // what was told of its session when this connection began
    std::uint16_t keep_alive = 0;             // seconds; the broker's Server Keep Alive replaces the client's
    std::size_t connect_size = 0;             // bytes
    // A copy of the CONNECT, kept until the CONNACK so that another broker can be tried after "unavailable".
    std::vector<std::byte> connect_packet;
    // Until the CONNACK: bytes given to the upstream endpoint, of connect_packet and what is behind it.
    std::size_t replayed = 0;
    bool heard_auth = false;  // the client has heard the broker's AUTH: no other one can go on with it
    std::optional<Counter> ended_by;  // why it is over, or about to be
    bool stays_relayed = false;       // the two legs can never be one record

    std::array<std::uint32_t, kMaxAttempts> tried{};
    std::uint8_t tried_count = 0;

    Instant opened;
    Instant attempt_deadline = kNever;  // when the patience with the present phase ends
    // When the broker was sent what it is to answer: the SYN, then the whole CONNECT. kNever: others have a
    // part in how long that takes.
    Instant asked = kNever;
    // Relayed: until when the broker's answer waits for a client that sends on without waiting for it, and
    // until when at most; kNever: it does not.
    Instant answer_held = kNever;
    Instant answer_due = kNever;
    Instant rests_at = kNever;  // relayed, and nothing is under way: when it may rest
    Instant last_heard;         // last payload from the client
    Instant last_traffic;       // last payload from either side
    std::uint64_t bytes_from_client = 0;
    std::uint64_t bytes_from_broker = 0;
    // Segments that endpoints have received which gave way to a rest: the client's, the broker's.
    std::array<std::uint32_t, 2> packets_before{};

    // Whole, in bytes.
    std::size_t client_id_size() const { return client_id.size() + client_id_cut; }
    // Segments received, modulo 2^32.
    std::uint32_t packets_from_client() const {
        return packets_before[0] + static_cast<std::uint32_t>(client_leg.segments_in());
    }
    std::uint32_t packets_from_broker() const {
        return packets_before[1] + (broker_leg ? static_cast<std::uint32_t>(broker_leg->segments_in()) : 0);
    }
};

}  // namespace sluice::session
