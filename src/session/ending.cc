// How a connection with two endpoints ends. What Sluice has acknowledged to one end is the other's to have,
// whatever became of the first: its reset, its silence or an idle limit say nothing about bytes that it was
// told have arrived.
#include "session/parts.h"
#include "sluice/session/session.h"

namespace sluice::session {

void Session::terminate(Instant now, Counter reason) {
    // It may be over already, or one leg may.
    if (!c_.ended_by) count_ending(failed_leg().value_or(reason));
    give_up(now);
}

void Session::conclude(Instant now, Counter reason) {
    begin_delivering(now, reason);
    advance(now);
}

// From here on nothing more is taken from either end, or this would not come to an end: text that arrives is
// not acknowledged, so its sender is not deceived.
void Session::begin_delivering(Instant now, Counter reason) {
    count_ending(reason);
    c_.phase = Phase::Delivering;
    c_.attempt_deadline = now + kDeliveryLimit;
}

void Session::step_delivering(Instant now) {
    move_to_broker(now);
    move_to_client(now);
    Leg& broker_leg = *c_.broker_leg;
    // A leg that has failed takes no more, and only what it had to say for itself must still arrive.
    if ((broker_leg.readable() == 0 || c_.client_leg.failed()) && c_.client_leg.all_acknowledged()) {
        c_.client_leg.abort(now, to_client_);
    }
    if ((c_.client_leg.readable() == 0 || broker_leg.failed()) && broker_leg.all_acknowledged() &&
        !may_close_in_order()) {
        broker_leg.abort(now, to_broker_);
    }
    if (c_.client_leg.closed() && broker_leg.closed()) end(now);
}

// Whoever publishes and closes without reading has said all, and resets only because it is answered. The
// broker has its FIN and need not hear of that reset, which would make it drop what it has not read yet;
// unless it has something to say itself, which nobody will read.
bool Session::may_close_in_order() const {
    return c_.ended_by == Counter::ClosedClientReset && c_.client_leg.peer_finished() &&
           c_.broker_leg->readable() == 0 && !c_.broker_leg->peer_finished();
}

void Session::give_up(Instant now) {
    c_.client_leg.abort(now, to_client_);
    if (c_.broker_leg) c_.broker_leg->abort(now, to_broker_);
    end(now);
}

// Acknowledged to one end, and not by the other one. What a refused client has said is for nobody.
void Session::count_undelivered() {
    const bool owes = c_.phase == Phase::Connecting || c_.phase == Phase::Replaying ||
                      c_.phase == Phase::Relayed || c_.phase == Phase::Delivering;
    if (!owes) return;
    std::uint64_t bytes = c_.client_leg.undelivered();
    bytes += c_.connect_packet.size();
    bytes -= c_.replayed;
    if (c_.broker_leg) bytes += c_.broker_leg->undelivered();
    count(Counter::RelayBytesUndelivered, bytes);
}

void Session::end(Instant now) {
    count_undelivered();
    give_up_upstream(now);
    c_.client_leg.count_statistics(s_.counters);
    if (c_.stay) {
        if (const auto news = after_connection(*c_.stay, c_.session_expiry, now))
            s_.transmitter.learned(*news);
    }
    c_.phase = Phase::Ended;
}

}  // namespace sluice::session
