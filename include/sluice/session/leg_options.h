// What each leg's endpoint offers and allows, so that the two legs of a connection can be one record.
#pragma once

#include <cstdint>
#include <optional>

#include "sluice/backend/snapshot.h"
#include "sluice/base/address.h"
#include "sluice/base/siphash.h"
#include "sluice/base/time.h"
#include "sluice/nat/source_pool.h"
#include "sluice/session/connection.h"
#include "sluice/tcp/endpoint.h"

namespace sluice::session {

// Towards a client: no more than what its pools can be spliced with. port_mss: largest payload on the
// client's port. tuple: local is the listener. key: secret.
tcp::EndpointOptions client_options(const backend::Snapshot& snapshot, std::uint32_t listener,
                                    const FourTuple& tuple, std::uint16_t port_mss, const SipKey& key);

// Towards a broker. mss: largest payload that the way there takes. last: how the tuple was used before.
tcp::EndpointOptions broker_options(const Connection& connection, std::uint16_t mss,
                                    const std::optional<nat::LastUse>& last, Instant now);

}  // namespace sluice::session
