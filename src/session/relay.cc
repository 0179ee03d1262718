// Two endpoints and the bytes between them. Back-pressure needs no code of its own: what one leg cannot take
// stays in the other's receive buffer, whose window then closes.
#include <algorithm>

#include "sluice/session/session.h"

namespace sluice::session {
namespace {

// Moves what fits; returns the bytes moved.
std::size_t move(Instant now, Leg& from, tcp::Output& from_out, Leg& to, tcp::Output& to_out) {
    std::size_t moved = 0;
    while (from.readable() != 0) {
        const std::size_t taken = to.write(now, from.peek(), to_out);
        if (taken == 0) break;
        from.consume(now, taken, from_out);
        moved += taken;
    }
    // Half-close (RFC 9293 section 3.6) passes on once every byte before it has.
    if (from.at_end() && !to.shutdown_called()) to.shutdown(now, to_out);
    return moved;
}

}  // namespace

void Session::move_to_broker(Instant now) {
    const std::size_t moved = move(now, c_.client_leg, to_client_, *c_.broker_leg, to_broker_);
    c_.bytes_from_client += moved;
    count(Counter::RelayBytesToBroker, moved);
    s_.stats.traffic(broker().position).to_broker.count(0, moved);
}

void Session::move_to_client(Instant now) {
    const std::size_t moved = move(now, *c_.broker_leg, to_broker_, c_.client_leg, to_client_);
    if (moved == 0) return;
    c_.last_traffic = now;
    c_.bytes_from_broker += moved;
    count(Counter::RelayBytesToClient, moved);
    s_.stats.traffic(broker().position).to_client.count(0, moved);
}

// Neither end is promised more than the other one takes, less what is on its way there. A record will hold no
// bytes, and a promise stays one: what an end has room for behind a splice is the other end's word alone.
// Until a broker is there the client is left at its first window. Who sends on behind its CONNECT without
// waiting for an answer has that window again and again until there is one, as far as connect_window reaches:
// it may close as soon as it has sent all, and what it has not sent by then is lost with the answer that
// resets it. While memory is short he has it once. A connection that stays relayed has buffers to promise.
void Session::follow_windows() {
    if (!c_.broker_leg || c_.stays_relayed || c_.phase == Phase::Delivering || c_.phase == Phase::Closing) {
        return;
    }
    const auto room_behind = [](const Leg& leg, std::size_t on_the_way) {
        const std::uint32_t room = leg.spare_window();
        return room - static_cast<std::uint32_t>(std::min<std::size_t>(room, on_the_way));
    };
    c_.broker_leg->allow(room_behind(c_.client_leg, c_.broker_leg->readable()));
    const bool settled = c_.phase == Phase::Relayed || c_.heard_auth;
    // Bytes that are no text yet may be the beginning of a unit, whose end must come.
    if (!settled && (c_.client_leg.readable() != 0 || !c_.client_leg.transparent()))
        return c_.client_leg.allow(s_.waiting.is_short() ? 0 : c_.first_window);
    if (c_.phase == Phase::Connecting) return;
    // What the broker was given of the CONNECT stays until its answer; another one may be given all of it.
    const std::size_t owed = c_.connect_packet.size() + c_.client_leg.readable() - c_.replayed;
    const std::uint32_t room = room_behind(*c_.broker_leg, owed);
    c_.client_leg.allow(settled ? room : std::min(room, s_.waiting.reach(c_.first_window)));
}

// What the steps had to send may have told the windows already.
void Session::update_windows(Instant now) {
    c_.client_leg.update_window(now, to_client_);
    if (c_.broker_leg) c_.broker_leg->update_window(now, to_broker_);
}

// A publisher that closes as soon as it has sent all is reset by the first answer, and what it has not sent
// by then is lost. So a client that did not wait for the CONNACK gets it behind its FIN, or when it was
// silent for a moment.
bool Session::holds_answer(Instant now) {
    if (c_.answer_held == kNever) return false;
    if (now < c_.answer_held && !c_.client_leg.peer_finished()) return true;
    c_.answer_held = kNever;
    return false;
}

void Session::step_relayed(Instant now) {
    if (handle_failed_leg(now)) return;
    move_to_broker(now);
    if (!holds_answer(now)) move_to_client(now);
    // What had no room before was decoded now.
    if (handle_failed_leg(now)) return;
    if (c_.client_leg.over() && c_.broker_leg->over()) {
        count_ending(Counter::ClosedOrderly);
        c_.phase = Phase::Closing;
    }
}

// Why a leg is over that was reset or gave up; the client's first.
std::optional<Counter> Session::failed_leg() const {
    if (c_.client_leg.failed()) {
        return c_.client_leg.timed_out() ? Counter::ClosedClientTimeout : Counter::ClosedClientReset;
    }
    if (c_.broker_leg && c_.broker_leg->failed()) {
        return c_.broker_leg->timed_out() ? Counter::ClosedBrokerTimeout : Counter::ClosedBrokerReset;
    }
    return std::nullopt;
}

// The other leg is told by a reset, so that its end knows that bytes may be missing, once it has those that
// this one was acknowledged.
bool Session::handle_failed_leg(Instant now) {
    const auto reason = failed_leg();
    if (reason) begin_delivering(now, *reason);
    return reason.has_value();
}

}  // namespace sluice::session
