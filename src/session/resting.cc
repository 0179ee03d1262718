// From two legs to a compact record and back. What an endpoint's position holds and what it loses:
// sluice/tcp/resting_position.h.
#include "sluice/session/resting.h"

#include <chrono>

#include "session/parts.h"
#include "sluice/session/session.h"

namespace sluice::session {

RestingConnection rest(const Connection& c) {
    const auto opened = std::chrono::duration_cast<std::chrono::seconds>(c.opened.time_since_epoch());
    splice::Label label = splice::Label::of(static_cast<std::uint8_t>(*c.version), c.client_id);
    label.size = static_cast<std::uint16_t>(c.client_id_size());
    return {.client = c.client,
            .upstream = c.upstream,
            .path = c.path,
            .client_leg = c.client_leg.rest(),
            .broker_leg = c.broker_leg->rest(),
            .bytes_from_client = c.bytes_from_client,
            .bytes_from_broker = c.bytes_from_broker,
            .packets_from_client = c.packets_from_client(),
            .packets_from_broker = c.packets_from_broker(),
            .listener = c.listener,
            .pool = c.pool,
            .lease = *c.lease,
            .opened = static_cast<std::uint32_t>(opened.count()),
            .last_heard = milliseconds32(c.last_heard),
            .last_traffic = milliseconds32(c.last_traffic),
            .keep_alive = c.keep_alive,
            .persistent = c.persistent,
            .label = label};
}

RestingExtras extras_of(const Connection& c) {
    RestingExtras extras;
    if (c.identity != c.client.remote) extras.identity = c.identity;
    if (!c.stay) return extras;
    extras.stay = *c.stay;
    extras.session_expiry = c.session_expiry;
    return extras;
}

Connection wake(const RestingConnection& r, const RestingExtras& extras, RestingCodecs codecs, Instant now) {
    Connection c(r.client, r.path, r.listener, r.pool,
                 Leg(r.client_leg, std::move(codecs.client), tcp::EndpointOptions{}.send_buffer, now),
                 Instant(std::chrono::seconds(r.opened)));
    c.phase = Phase::Relayed;
    c.backend = r.lease.backend;
    c.lease = r.lease;
    c.upstream = r.upstream;
    c.broker_leg.emplace(r.broker_leg, std::move(codecs.broker), kBrokerBuffer, now);
    c.version = static_cast<mqtt::Version>(r.label.version);
    c.client_id.assign(r.label.shown());
    c.client_id_cut = static_cast<std::uint16_t>(r.label.size - c.client_id.size());
    c.persistent = r.persistent;
    c.keep_alive = r.keep_alive;
    if (extras.has_identity()) c.identity = extras.identity;
    if (extras.stay.key != 0) {
        c.stay = extras.stay;
        c.session_expiry = extras.session_expiry;
    }
    c.stays_relayed = true;
    c.last_heard = now - since(now, r.last_heard);
    c.last_traffic = now - since(now, r.last_traffic);
    c.bytes_from_client = r.bytes_from_client;
    c.bytes_from_broker = r.bytes_from_broker;
    c.packets_before = {r.packets_from_client, r.packets_from_broker};
    return c;
}

Instant idle_deadline(const RestingConnection& r, Duration idle_timeout, Instant now) {
    const Duration silence = since(now, r.keep_alive != 0 ? r.last_heard : r.last_traffic);
    return idle_deadline(now - silence, r.keep_alive, idle_timeout);
}

// Nothing is held, owed or under way, and no timer but the idle one has anything to do.
bool Session::may_rest() const {
    return c_.phase == Phase::Relayed && c_.stays_relayed && c_.answer_held == kNever &&
           c_.client_leg.may_rest() && c_.broker_leg->may_rest();
}

bool Session::try_rest(Instant now) {
    if (now < c_.rests_at || !may_rest() || !s_.transmitter.rest(c_)) return false;
    c_.client_leg.count_statistics(s_.counters);
    c_.broker_leg->count_statistics(s_.counters);
    c_.phase = Phase::Resting;
    return true;
}

}  // namespace sluice::session
