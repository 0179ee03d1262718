#include "sluice/session/session.h"

#include <algorithm>

#include "session/parts.h"
#include "sluice/session/resting.h"

namespace sluice::session {

tcp::Segment without_text(const tcp::Segment& segment) {
    tcp::Segment bare = segment;
    bare.flags.psh = bare.flags.fin = false;
    bare.payload = bare.payload_tail = {};
    return bare;
}

const char* to_string(Phase phase) {
    switch (phase) {
        case Phase::Handshake: return "handshake";
        case Phase::AwaitConnect: return "await-connect";
        case Phase::Connecting: return "connecting";
        case Phase::Replaying: return "replaying";
        case Phase::Relayed: return "relayed";
        case Phase::Resting: return "resting";
        case Phase::Spliced: return "spliced";
        case Phase::Delivering: return "delivering";
        case Phase::Refusing: return "refusing";
        case Phase::Closing: return "closing";
        case Phase::Ended: return "ended";
    }
    return "?";
}

void Session::open(Instant now, const tcp::Segment& syn, tcp::Seq initial) {
    c_.client_leg.listen(initial);
    c_.client_leg.on_segment(now, syn, to_client_);
    c_.client_mss = c_.client_leg.position().peer_mss;
    advance(now);
}

void Session::open(Instant now, const tcp::SynCookies::Opening& opening) {
    c_.client_leg.resume_handshake(now, opening);
    c_.client_mss = c_.client_leg.position().peer_mss;
}

void Session::ClientOutput::send(const tcp::Segment& segment) {
    const Connection& c = session_.c_;
    if (!segment.flags.syn || !c.cookie_note) return session_.s_.transmitter.to_client(c, segment);
    session_.s_.transmitter.to_client(c, tcp::with_cookie_note(segment, *c.cookie_note));
}

bool Session::on_client_segment(Instant now, const tcp::Segment& segment) {
    if (splice_before(now, c_.client_leg, to_client_, segment)) return false;
    if (c_.lease) s_.stats.traffic(broker().position).to_broker.count(1, 0);
    const std::size_t unread = c_.client_leg.readable();
    c_.client_leg.on_segment(now, c_.phase == Phase::Delivering ? without_text(segment) : segment,
                             to_client_);
    if (c_.client_leg.readable() > unread) {
        c_.last_heard = now;
        c_.last_traffic = now;
        if (c_.answer_held != kNever) c_.answer_held = std::min(now + kStillSending, c_.answer_due);
    }
    advance(now);
    return true;
}

bool Session::on_broker_segment(Instant now, const tcp::Segment& segment) {
    if (!c_.broker_leg) return true;
    if (splice_before(now, *c_.broker_leg, to_broker_, segment)) return false;
    s_.stats.traffic(broker().position).to_client.count(1, 0);
    const bool closing_in_order = c_.phase == Phase::Delivering && may_close_in_order();
    const bool speaks = segment.payload_size() != 0;
    const bool takes = c_.phase != Phase::Delivering || (closing_in_order && !speaks);
    c_.broker_leg->on_segment(now, takes ? segment : without_text(segment), to_broker_);
    // As a closed socket answers.
    if (closing_in_order && speaks && c_.broker_leg->all_acknowledged()) {
        c_.broker_leg->abort(now, to_broker_);
    }
    advance(now);
    return true;
}

void Session::on_broker_unreachable(Instant now) {
    // Once established, TCP itself finds out whether the way is really gone (RFC 5461: a soft error).
    if (c_.phase != Phase::Connecting) return;
    attempt_failed(now, backend::ProbeFailure::Unreachable);
    advance(now);
}

void Session::on_client_path_mss(Instant now, std::uint16_t mss) {
    c_.client_leg.on_path_mss(now, mss, to_client_);
    advance(now);
}

void Session::on_broker_path_mss(Instant now, std::uint16_t mss) {
    if (c_.broker_leg) c_.broker_leg->on_path_mss(now, mss, to_broker_);
    advance(now);
}

void Session::on_timer(Instant now) {
    if (phase_deadline() > now && try_rest(now)) return;
    c_.client_leg.on_timer(now, to_client_);
    if (c_.broker_leg) c_.broker_leg->on_timer(now, to_broker_);
    advance(now);
    if (c_.phase != Phase::Spliced && c_.phase != Phase::Ended && phase_deadline() <= now) {
        on_phase_deadline(now);
        advance(now);
    }
}

// A reason that is the broker's as well, if there was one.
void Session::count_ending(Counter reason) {
    count(reason);
    c_.ended_by = reason;
    if (c_.lease) s_.stats.ended(broker().position, reason);
}

Instant Session::deadline() const {
    Instant earliest = std::min({c_.client_leg.next_deadline(), phase_deadline(), c_.rests_at});
    if (c_.broker_leg) earliest = std::min(earliest, c_.broker_leg->next_deadline());
    return earliest;
}

void Session::advance(Instant now) {
    Phase before;
    do {
        before = c_.phase;
        follow_windows();
        switch (c_.phase) {
            case Phase::Handshake: step_handshake(now); break;
            case Phase::AwaitConnect: step_await_connect(now); break;
            case Phase::Connecting: step_connecting(now); break;
            case Phase::Replaying: step_replaying(now); break;
            case Phase::Relayed: step_relayed(now); break;
            case Phase::Delivering: step_delivering(now); break;
            case Phase::Refusing: step_refusing(now); break;
            case Phase::Closing: step_closing(now); break;
            case Phase::Resting:
            case Phase::Spliced:
            case Phase::Ended: break;
        }
    } while (c_.phase != before);
    if (!try_splice(now)) update_windows(now);
    c_.rests_at = may_rest() ? now + kRestAfter : kNever;
}

void Session::step_handshake(Instant now) {
    if (c_.client_leg.closed()) {
        count(Counter::ClientHandshakeFailed);
        end(now);
    }
    if (!c_.client_leg.established()) return;
    count(Counter::ClientAccepted);
    c_.phase = Phase::AwaitConnect;
}

// Both legs are through with each other and answer stragglers until their endpoints say that it is enough.
void Session::step_closing(Instant now) {
    const bool client_closed = c_.client_leg.closed();
    const bool upstream_closed = !c_.broker_leg || c_.broker_leg->closed();
    if (client_closed && upstream_closed) end(now);
}

Instant Session::phase_deadline() const {
    switch (c_.phase) {
        case Phase::Handshake:
        case Phase::AwaitConnect: return c_.opened + listener().config.connect_timeout;
        case Phase::Connecting:
        case Phase::Replaying:
        case Phase::Delivering:
        case Phase::Refusing: return c_.attempt_deadline;
        case Phase::Relayed: return std::min(idle_deadline(), c_.answer_held);
        case Phase::Resting:
        case Phase::Spliced:
        case Phase::Closing:
        case Phase::Ended: return kNever;
    }
    return kNever;
}

Instant Session::idle_deadline() const {
    return session::idle_deadline(c_.keep_alive != 0 ? c_.last_heard : c_.last_traffic, c_.keep_alive,
                                  listener().config.idle_timeout);
}

void Session::on_phase_deadline(Instant now) {
    switch (c_.phase) {
        case Phase::Handshake: terminate(now, Counter::ClientHandshakeFailed); return;
        case Phase::AwaitConnect: terminate(now, Counter::ClientConnectTimeout); return;
        case Phase::Connecting: attempt_failed(now, backend::ProbeFailure::Silent); return;
        case Phase::Replaying:
            if (c_.heard_auth) {
                begin_delivering(now, Counter::ClosedBrokerTimeout);
            } else {
                attempt_failed(now, backend::ProbeFailure::Silent);
            }
            return;
        case Phase::Relayed: begin_delivering(now, Counter::ClosedIdle); return;
        case Phase::Delivering:
        case Phase::Refusing: give_up(now); return;  // the reason was counted when it began
        case Phase::Resting:
        case Phase::Spliced:
        case Phase::Closing:
        case Phase::Ended: return;
    }
}

}  // namespace sluice::session
