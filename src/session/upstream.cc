// The broker's side of a connection: choice, attempt, replay of the CONNECT, and the CONNACK that ends the
// waiting.
#include <algorithm>

#include "session/parts.h"
#include "sluice/mqtt/connack.h"
#include "sluice/session/leg_options.h"
#include "sluice/session/session.h"
#include "sluice/tcp/isn.h"

namespace sluice::session {
namespace {

Counter counter_of(backend::ProbeFailure failure) {
    switch (failure) {
        case backend::ProbeFailure::Refused: return Counter::UpstreamRefused;
        case backend::ProbeFailure::Unreachable: return Counter::UpstreamUnreachable;
        case backend::ProbeFailure::Closed: return Counter::UpstreamClosedEarly;
        case backend::ProbeFailure::None:
        case backend::ProbeFailure::Silent:
        case backend::ProbeFailure::NoAnswer:
        case backend::ProbeFailure::Rejected:
        case backend::ProbeFailure::Protocol:
        case backend::ProbeFailure::BadStatus:
        case backend::ProbeFailure::BadBody: break;
    }
    return Counter::UpstreamSilent;
}

}  // namespace

// Gives the client to the next broker that can be attempted, or refuses it.
void Session::try_next(Instant now) {
    Counter reason = Counter::RefusedNoBackend;
    mqtt::Refusal refusal = mqtt::Refusal::ServerUnavailable;
    while (c_.tried_count <= pool().config.retries) {
        const auto tried = std::span(c_.tried).first(c_.tried_count);
        const backend::Choice choice =
            s_.chooser.choose(now, *s_.snapshot, c_.pool, c_.key, tried, remembered_broker());
        if (choice.outcome == backend::Choice::Outcome::AllFull) {
            reason = Counter::RefusedBackendFull;
            refusal = mqtt::Refusal::ServerBusy;
        }
        if (choice.outcome != backend::Choice::Outcome::Chosen) break;
        c_.tried[c_.tried_count++] = choice.backend;
        if (choice.remembered) count(Counter::AssignedIdsFound);
        if (attempt(now, choice.backend)) return;
        // No source address and port is free towards this broker; another broker has its own.
        reason = Counter::RefusedSourcePorts;
        refusal = mqtt::Refusal::QuotaExceeded;
    }
    if (c_.client_leg.closed()) {  // nobody is left to be told
        count_ending(Counter::ClientGoneWhileConnecting);
        end(now);
        return;
    }
    refuse(now, c_.version, refusal, reason);
}

bool Session::attempt(Instant now, std::uint32_t index) {
    const backend::Backend& broker = pool().backends[index];
    nat::SourcePool& sources = s_.source_pools[c_.pool];
    c_.lease = sources.acquire(index, broker.config.address.address.family(), c_.id, now);
    if (!c_.lease) return false;

    count(Counter::LeasesAcquired);
    count(Counter::UpstreamAttempts);
    c_.backend = index;
    c_.upstream = {.local = sources.source(*c_.lease), .remote = broker.config.address};
    s_.chooser.sent(now, broker);
    count_load(1);
    const std::optional<nat::LastUse> last = sources.last_use(*c_.lease, now);
    c_.broker_leg.emplace(broker_options(c_, s_.transmitter.broker_mss(c_.upstream.local.address), last, now),
                          s_.codecs != nullptr ? s_.codecs->for_broker(c_.pool, index) : nullptr);
    c_.replayed = 0;
    c_.phase = Phase::Connecting;
    c_.asked = now;
    c_.attempt_deadline = now + pool().config.attempt_timeout;
    tcp::Seq first = tcp::initial_sequence(s_.isn_key, c_.upstream, now);
    if (last) first = tcp::sequence_after(tcp::Seq(last->sequence), first);
    c_.broker_leg->connect(now, first, to_broker_);
    return true;
}

// The broker did not take the client; the client, still waiting, goes to the next choice.
void Session::attempt_failed(Instant now, backend::ProbeFailure failure) {
    count(counter_of(failure));
    s_.stats.attempt_failed(broker().position, failure);
    // A broker that could not be reached counts as unwell. What one does with a CONNECT is in the hands of
    // whoever sent it, and no client shall take brokers out of the pool; only "unavailable" is the broker's
    // own word (read_connack).
    if (c_.phase == Phase::Connecting) {
        s_.transmitter.attempt_failed(broker().position, failure, c_.asked);
    }
    c_.broker_leg->abort(now, to_broker_);
    give_up_upstream(now);
    if (c_.tried_count <= pool().config.retries) count(Counter::UpstreamRetried);
    try_next(now);
}

bool Session::another_broker_left(Instant now) {
    if (c_.tried_count > pool().config.retries) return false;
    const auto tried = std::span(c_.tried).first(c_.tried_count);
    return s_.chooser.choose(now, *s_.snapshot, c_.pool, c_.key, tried).outcome ==
           backend::Choice::Outcome::Chosen;
}

// Gives back what the broker's leg holds. Its last words, if any, were sent by the caller.
void Session::give_up_upstream(Instant now) {
    if (!c_.lease) return;
    c_.broker_leg->count_statistics(s_.counters);
    const auto end = c_.broker_leg->position();
    c_.broker_leg.reset();
    s_.source_pools[c_.pool].release(
        *c_.lease, now, {.sequence = end.send_next.value(), .timestamp = end.last_timestamp_sent});
    c_.lease.reset();
    count_load(-1);
    count(Counter::LeasesReleased);
}

void Session::step_connecting(Instant now) {
    if (c_.broker_leg->closed()) {
        attempt_failed(
            now, c_.broker_leg->refused() ? backend::ProbeFailure::Refused : backend::ProbeFailure::Silent);
        return;
    }
    if (!c_.broker_leg->established()) return;
    count(Counter::UpstreamEstablished);
    s_.stats.connected(broker().position, now - c_.asked);
    // Where probes send a CONNECT, a broker must do more to be well than take connections.
    if (pool().config.health.type != config::HealthType::Mqtt)
        s_.transmitter.attempt_succeeded(broker().position);
    c_.phase = Phase::Replaying;
    // A broker that takes the CONNECT and never answers is as silent as one that never took it.
    c_.attempt_deadline = now + listener().config.connect_timeout;
}

// The broker is given the CONNECT from its copy, and behind it what the client has sent with it. That stays
// in the client's endpoint until the broker has answered, so that another one can still have all of it: no
// broker acts on it before it has accepted the CONNECT.
void Session::replay(Instant now) {
    const std::size_t connect = c_.connect_packet.size();
    while (true) {
        const bool behind = c_.replayed >= connect;
        const ByteView next = behind ? c_.client_leg.peek(c_.replayed - connect)
                                     : ByteView(c_.connect_packet).subspan(c_.replayed);
        if (next.empty()) return;
        const std::size_t taken = c_.broker_leg->write(now, next, to_broker_);
        c_.replayed += taken;
        s_.stats.traffic(broker().position).to_broker.count(0, taken);
        if (!behind && c_.replayed == connect) c_.asked = now;
        if (taken != next.size()) return;
    }
}

// No other broker will need what this one was given of the client's bytes.
void Session::let_go_of_replayed(Instant now) {
    const std::size_t given = c_.replayed - std::min(c_.replayed, c_.connect_packet.size());
    c_.replayed -= given;
    c_.client_leg.consume(now, given, to_client_);
    c_.bytes_from_client += given;
    count(Counter::RelayBytesToBroker, given);
}

void Session::step_replaying(Instant now) {
    if (c_.heard_auth) {
        if (handle_failed_leg(now)) return;
        move_to_broker(now);
    } else {
        replay(now);
    }
    if (!read_connack(now)) return;
    if (c_.replayed > c_.connect_packet.size() && !c_.client_leg.peer_finished()) {
        c_.answer_held = now + kStillSending;
        c_.answer_due = now + kAnswerDue;
    }
    let_go_of_replayed(now);
    c_.phase = Phase::Relayed;
    c_.connect_packet = std::vector<std::byte>();  // {} would keep its memory
    c_.replayed = 0;
    c_.last_heard = now;
    c_.last_traffic = now;
}

// A broker that closes or resets instead of answering, be it within its answer, has not taken the client.
// True when that is the client's to hear, because no other broker can go on.
bool Session::left_without_answer(Instant now) {
    const bool over = c_.broker_leg->closed();
    if (!over && !c_.broker_leg->peer_finished() && !c_.broker_leg->failed()) return false;
    if (c_.heard_auth) return true;
    if (!over) {
        attempt_failed(now, backend::ProbeFailure::Closed);
    } else if (c_.broker_leg->timed_out()) {
        attempt_failed(now, backend::ProbeFailure::Silent);
    } else {
        attempt_failed(now, backend::ProbeFailure::Refused);
    }
    return false;
}

// True when the broker's answer is known, whatever it is, and its bytes may pass to the client.
bool Session::read_connack(Instant now) {
    if (c_.broker_leg->readable() == 0) return left_without_answer(now);
    std::vector<std::byte> scratch;
    const ByteView bytes = c_.broker_leg->contiguous(scratch);
    const mqtt::ConnackResult result = mqtt::read_connack(bytes, *c_.version, kMaxConnackSize);
    if (std::holds_alternative<mqtt::NeedMore>(result)) return left_without_answer(now);
    if (const auto* auth = std::get_if<mqtt::Auth>(&result)) {
        if (c_.client_leg.closed()) return true;  // nobody will answer it
        return pass_auth(now, bytes.first(auth->size)) && read_connack(now);
    }
    const auto* connack = std::get_if<mqtt::Connack>(&result);
    if (connack == nullptr) {
        count(Counter::ConnackMalformed);  // nonsense is the client's to judge
        return true;
    }
    const auto latency = c_.asked == kNever ? std::nullopt : std::optional(now - c_.asked);
    s_.stats.answered(broker().position, *c_.version, connack->reason_code, latency);
    if (connack->accepted()) {
        count(Counter::ConnackAccepted);
        s_.transmitter.attempt_succeeded(broker().position);
        if (connack->server_keep_alive) c_.keep_alive = *connack->server_keep_alive;
        if (connack->assigned_client_id) c_.client_id.assign(*connack->assigned_client_id);
        remember(now, *connack);
        return true;
    }
    count(Counter::ConnackRefused);
    if (connack->unavailable(*c_.version)) {
        s_.transmitter.attempt_failed(broker().position,
                                      {backend::ProbeFailure::Rejected, connack->reason_code}, c_.asked);
    }
    if (!connack->try_another(*c_.version) || c_.heard_auth || !another_broker_left(now)) return true;
    count(Counter::ConnackRetried);
    c_.broker_leg->abort(now, to_broker_);
    give_up_upstream(now);
    try_next(now);
    return false;
}

// Enhanced authentication (MQTT 5 section 4.12): the client answers, and the CONNACK is still to come. Once
// it has heard this broker, no other one can go on with it.
bool Session::pass_auth(Instant now, ByteView packet) {
    if (c_.client_leg.writable() < packet.size()) return false;
    c_.client_leg.write(now, packet, to_client_);
    c_.bytes_from_broker += packet.size();
    count(Counter::RelayBytesToClient, packet.size());
    s_.stats.traffic(broker().position).to_client.count(0, packet.size());
    c_.broker_leg->consume(now, packet.size(), to_broker_);
    let_go_of_replayed(now);
    c_.heard_auth = true;
    c_.asked = kNever;
    c_.attempt_deadline = now + listener().config.connect_timeout;
    return true;
}

}  // namespace sluice::session
