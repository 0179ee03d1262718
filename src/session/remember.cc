// Which sessions are remembered, and with which broker: those that the pool's method would not find again.
#include "sluice/session/session.h"

namespace sluice::session {

// Where the session of this client was last.
void Session::recall(Instant now) {
    if (c_.client_id.empty()) return;
    const Stay* const stay = s_.whereabouts.find(now, session_key(s_.session_key, c_.pool, c_.client_id));
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
    const std::uint64_t key = session_key(s_.session_key, c_.pool, c_.client_id);
    const Stay* const known = s_.whereabouts.find(now, key);
    Stay stay{.key = key, .since = now, .broker = broker().mark, .until = Stay::kOpen};
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
    if (pool().balance != config::Balance::Maglev || !c_.key) return false;
    return pool().maglev->lookup(*c_.key) == c_.backend || (!known && session_present);
}

}  // namespace sluice::session
