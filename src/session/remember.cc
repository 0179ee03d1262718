// Which sessions are remembered, and with which broker: those that the pool's method would not find again.
#include "sluice/session/session.h"

namespace sluice::session {

// Where the key is made of something else, clients of one ID may be several: of tenants, or of sites.
std::uint64_t session_scope(const backend::Pool& pool, std::optional<std::uint64_t> key) {
    const bool by_id =
        pool.config.balance != config::Balance::Maglev || pool.config.hash_key == config::HashKey::ClientId;
    return by_id ? 0 : key.value_or(0);
}

SessionName Session::session_name() const {
    return {.pool = c_.pool, .client_id = c_.client_id, .scope = session_scope(pool(), c_.key)};
}

// Where the session of this client was last.
void Session::recall(Instant now) {
    const Stay* const stay = s_.whereabouts.find(now, s_.session_key, session_name());
    if (stay != nullptr) c_.session_at = stay->broker;
}

// Anew for each choice, as a reload may have changed the pool. nullopt: it is not known, or no longer there.
std::optional<std::uint32_t> Session::remembered_broker() const {
    return c_.session_at ? pool().find(*c_.session_at) : std::nullopt;
}

// The broker has accepted the client: its session is there now, and nowhere else.
void Session::remember(Instant now, const mqtt::Connack& connack) {
    c_.session_expiry = connack.session_expiry.value_or(c_.session_expiry);
    if (c_.client_id.empty()) return;
    SessionName name = session_name();
    if (connack.assigned_client_id) name.scope = 0;
    const Stay* const known = s_.whereabouts.find(now, s_.session_key, name);
    Stay stay{.key = known != nullptr ? known->key : session_key(s_.session_key, name),
              .since = now,
              .broker = broker().mark,
              .until = Stay::kOpen};
    const bool same = known != nullptr && known->broker == stay.broker;
    if (c_.session_expiry != 0 &&
        (connack.assigned_client_id || same || !found_without(known != nullptr, connack.session_present))) {
        if (known == nullptr) count(Counter::AssignedIdsKept);
        c_.stay = stay;
        s_.transmitter.learned(stay);
    } else if (known != nullptr) {
        stay.until = Stay::kOver;
        s_.transmitter.learned(stay);
    }
}

// Whether the client's next connection finds this session by the pool's method alone. A client that was sent
// past its first choice, and of whose session nothing was known, should not find one where it came to: if it
// does, these brokers share their sessions, and it may go home.
bool Session::found_without(bool known, bool session_present) const {
    if (pool().config.balance != config::Balance::Maglev || !c_.key) return false;
    return pool().maglev->lookup(*c_.key) == c_.backend || (!known && session_present);
}

}  // namespace sluice::session
