// What is told of a connection whoever asks: a listing, and the notice of its end, are this and what only
// they have. It is filled here for each form that a connection takes, so that all forms are described alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/session/connection.h"
#include "sluice/session/resting.h"
#include "sluice/splice/record.h"
#include "sluice/splice/table.h"

namespace sluice::session {

// Of fixed size and without pointers, so that it passes through a mailbox. Numbers are those of the registry.
struct ConnectionSummary {
    static constexpr std::size_t kShownClientId = 128;

    std::uint32_t listener = 0;
    std::uint32_t pool = 0;
    std::uint32_t backend = kNoBackend;  // index in the pool; kNoBackend: it never had one
    FourTuple client;                    // local: the listener
    SocketAddress identity;              // who the client is: client.remote, or whom its stream named
    FourTuple upstream;                  // local: the leased source; unspecified addresses without a backend
    std::uint8_t mqtt_version = 0;       // protocol level; 0: no CONNECT was read
    std::uint16_t keep_alive = 0;        // seconds in force
    bool persistent = false;             // the session outlives the connection
    std::uint32_t client_id_size = 0;    // bytes of the whole client ID, as far as it is known
    std::uint32_t client_id_shown = 0;   // bytes of it in client_id
    std::array<char, kShownClientId> client_id{};
    std::uint64_t bytes_from_client = 0;
    std::uint64_t bytes_from_broker = 0;
    Duration age{0};  // since the client's SYN; of one that has ended, how long it lasted

    std::string_view shown_client_id() const { return {client_id.data(), client_id_shown}; }
};
static_assert(std::is_trivially_copyable_v<ConnectionSummary>);

// Of a connection with endpoints. Its backend is the last one it had, which may have gone.
ConnectionSummary summary_of(Instant now, const Connection& connection);

// Of one at rest.
ConnectionSummary summary_of(Instant now, const RestingConnection& connection, const RestingExtras& extras);

// Of a spliced one. identity: as in the summary.
template <IpFamily kFamily>
ConnectionSummary summary_of(Instant now, const splice::Record<kFamily>& record, const splice::Label& label,
                             const SocketAddress& identity);

}  // namespace sluice::session
