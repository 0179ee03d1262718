#include "worker/connection_table.h"

#include <algorithm>

#include "sluice/tcp/frame.h"
#include "sluice/tcp/isn.h"
#include "sluice/wire/path_mtu.h"

namespace sluice::worker {
namespace {

constexpr std::size_t kAwaitingPerNeighbor = 4096;

// Whether a segment can be the client's own: it goes on with both streams or repeats what they have carried
// (RFC 5961 section 5), or it is the SYN again. Who does not see the connection guesses both numbers.
bool is_clients_own(const tcp::Endpoint::Position& at, const tcp::Segment& segment) {
    constexpr std::uint32_t kBehind = 0x10000;  // how old a repetition may be
    if (segment.flags.rst) return false;        // who leaves need not be followed
    if (segment.flags.syn) return segment.seq.advance(1) == at.receive_next;
    const std::uint32_t window = at.receive_edge.since(at.receive_next);
    return segment.flags.ack && segment.seq.since(at.receive_next.retreat(kBehind)) <= kBehind + window &&
           at.send_next.since(segment.ack) <= at.send_next.since(at.send_unacked) + kBehind;
}

}  // namespace

ConnectionTable::ConnectionTable(WorkerContext& context, FlowTable& flow_table, Spliced& spliced,
                                 host::FrameOutput& output, Answers& answers, Ways& ways, SessionNews& news,
                                 Instant now)
    : options_(context.options),
      topology_(context.topology),
      flow_table_(flow_table),
      spliced_(spliced),
      listeners_(context.listeners),
      output_(output),
      answers_(answers),
      ways_(ways),
      counters_(context.counters),
      events_(context.events),
      news_(news),
      chooser_(context.load, options_.seed, options_.workers),
      waiting_(context.connect_memory, options_.workers, options_.max_connections,
               context.snapshot->connect_memory),
      context_{.snapshot = context.snapshot,
               .chooser = chooser_,
               .load = context.load,
               .source_pools = flow_table.pools(),
               .counters = context.counters,
               .stats = context.stats,
               .transmitter = *this,
               .whereabouts = news.table(),
               .waiting = waiting_,
               .codecs = context.codecs,
               .isn_key = options_.isn_key,
               .session_key = options_.session_key,
               .worker = options_.index},
      slab_(options_.max_connections),
      wheel_(options_.max_connections, now),
      resting_(options_.max_connections, now),
      succeeded_(backend::kMaxBackends, Instant::min()),
      failing_(backend::kMaxBackends, false),
      now_(now) {}

// --- input ---

std::optional<Reference> ConnectionTable::find_client(const FourTuple& tuple, std::uint64_t hash) const {
    return flow_table_.find_client(hash, [&](Reference candidate) {
        return candidate.is_spliced() ? spliced_.is_client(candidate, tuple) : is_client(candidate, tuple);
    });
}

std::optional<Reference> ConnectionTable::find_broker(const FourTuple& tuple) const {
    const auto lease = flow_table_.lease_of(tuple);
    return lease ? flow_table_.holder(*lease) : std::nullopt;
}

// Of a connection at rest nothing is under way that an ICMP error could be about.
std::uint32_t ConnectionTable::relayed_client(const FourTuple& tuple) const {
    const auto found = find_client(tuple, flow_table_.hash(tuple));
    return found && found->kind() == Reference::Kind::Relayed ? found->number() : flow::kNoEntry;
}

std::uint32_t ConnectionTable::relayed_broker(const FourTuple& tuple) const {
    const auto found = find_broker(tuple);
    return found && found->kind() == Reference::Kind::Relayed ? found->number() : flow::kNoEntry;
}

host::Disposition ConnectionTable::on_client_segment(Instant now, std::uint32_t listener,
                                                     const FourTuple& tuple, const Arrival& arrival,
                                                     const tcp::Segment& segment) {
    const std::uint64_t hash = flow_table_.hash(tuple);
    std::optional<Reference> found = find_client(tuple, hash);
    const bool opens = segment.flags.syn && !segment.flags.ack && !segment.flags.rst;
    if (found && opens && make_room(now, *found, hash, segment)) found.reset();
    if (found && found->is_spliced()) return on_spliced(now, *found, splice::Direction::ToBroker, segment);
    if (found) {
        const std::uint32_t id = awake(now, *found);
        follow_client(slab_[id], arrival, segment);
        bool taken = true;
        drive(now, id, [&](session::Session& s) { taken = s.on_client_segment(now, segment); });
        return taken ? host::Disposition::consumed() : host::Disposition::punt();
    }
    // To a removed listener its address is a closed port.
    const bool listens =
        accepting_ && context_.snapshot->listeners[listener].standing == backend::Standing::Active;
    if (opens && listens) {
        accept(now, listener, tuple, arrival, segment, hash);
    } else if (!listens || !complete(now, listener, tuple, arrival, segment, hash)) {
        counters_.add(Counter::TcpNoConnection);
        reset(now, tuple, arrival, segment);
    }
    return host::Disposition::consumed();
}

// What may mean a new connection is not for a record to carry, or it would reach the other end undecided.
host::Disposition ConnectionTable::on_spliced(Instant now, Reference spliced, splice::Direction from,
                                              const tcp::Segment& segment) {
    if (!segment.flags.syn) return host::Disposition::punt();
    // With RST it means nothing, and an RST is never answered.
    if (segment.flags.rst) return host::Disposition::dropped(Counter::DropSpliceSyn);
    spliced_.on_syn(now, spliced, from);
    return host::Disposition::consumed();
}

// A client may move behind another gateway; its packets are still the best way back.
void ConnectionTable::follow_client(session::Connection& c, const Arrival& arrival,
                                    const tcp::Segment& segment) {
    if (c.path.port == arrival.port && c.path.mac == arrival.source_mac) return;
    if (arrival.source_mac.is_multicast()) return;  // a group is nobody to send to
    if (!is_clients_own(c.client_leg.position(), segment)) return counters_.add(Counter::PathsDoubted);
    c.path = {arrival.port, arrival.source_mac};
}

// Ends what only waits for stragglers when a SYN may open its tuple anew. A connection whose client's side is
// over, but not its broker's, goes on without a place in the index: its broker's packets find it by the
// lease.
bool ConnectionTable::make_room(Instant now, Reference old, std::uint64_t hash, const tcp::Segment& syn) {
    if (old.is_spliced()) return spliced_.make_room(now, old, syn);
    if (old.kind() == Reference::Kind::Resting) return false;  // both its sides are there
    const session::Connection& c = slab_[old.number()];
    if (c.client_leg.closed() && c.phase != session::Phase::Closing) {
        flow_table_.erase_client(hash, old);
        return true;
    }
    if (!makes_room_for(slab_[old.number()], syn)) return false;
    drive(now, old.number(), [&](session::Session& s) { s.make_room(now); });
    return true;
}

// RFC 9293 section 3.10.7.4 and RFC 6191 section 2: a SYN may open anew what is only waiting for stragglers,
// if its timestamp or, without one on both, its sequence number lies after everything that the old connection
// has used.
bool ConnectionTable::makes_room_for(const session::Connection& old, const tcp::Segment& syn) const {
    if (old.phase != session::Phase::Closing) return false;
    if (old.client_leg.closed()) return true;
    if (!old.client_leg.over()) return false;
    const tcp::Endpoint::Position used = old.client_leg.position();
    const auto last = used.timestamps ? std::optional(used.last_timestamp_received) : std::nullopt;
    return tcp::begins_later(syn, used.receive_next, last);
}

host::Disposition ConnectionTable::on_broker_segment(Instant now, const FourTuple& tuple,
                                                     const Arrival& arrival, const tcp::Segment& segment) {
    const auto found = find_broker(tuple);
    if (!found || meets_attempt(*found, segment)) {
        counters_.add(Counter::TcpNoConnection);
        reset(now, tuple, arrival, segment);
        return host::Disposition::consumed();
    }
    if (found->is_spliced()) return on_spliced(now, *found, splice::Direction::ToClient, segment);
    bool taken = true;
    drive(now, awake(now, *found), [&](session::Session& s) { taken = s.on_broker_segment(now, segment); });
    return taken ? host::Disposition::consumed() : host::Disposition::punt();
}

// Brokers open no connections to the addresses that Sluice comes from: they are closed ports, also while an
// attempt is under way. TCP would take such a SYN for a simultaneous open (RFC 9293 section 3.5), and the
// broker's own answer would no longer fit; it takes no number to be guessed, so anybody could fail attempts.
bool ConnectionTable::meets_attempt(Reference found, const tcp::Segment& segment) const {
    return found.kind() == Reference::Kind::Relayed && segment.flags.syn && !segment.flags.ack &&
           slab_[found.number()].phase == session::Phase::Connecting;
}

// ICMP is easily forged; RFC 5927 section 4.1 wants the quoted sequence number to be one that is in flight.
void ConnectionTable::on_packet_too_big(Instant now, const QuotedSegment& quoted, std::uint16_t mtu) {
    const auto in_flight = [&](const session::Leg& leg) {
        const tcp::Endpoint::Position p = leg.position();
        const tcp::Seq seq{quoted.sequence};
        return seq.at_or_after(p.send_unacked) && seq.before(p.send_next);
    };
    const auto not_ours = [&] { counters_.add(Counter::DropIcmpUnhandled); };
    const std::uint16_t mss = wire::mss_of(quoted.tuple.local.address.family(), mtu);
    if (const std::uint32_t id = relayed_broker(quoted.tuple); id != flow::kNoEntry) {
        if (!slab_[id].broker_leg || !in_flight(*slab_[id].broker_leg)) return not_ours();
        counters_.add(Counter::IcmpTooBigApplied);
        drive(now, id, [&](session::Session& s) { s.on_broker_path_mss(now, mss); });
        return;
    }
    const std::uint32_t id = relayed_client(quoted.tuple);
    if (id == flow::kNoEntry || !in_flight(slab_[id].client_leg)) return not_ours();
    counters_.add(Counter::IcmpTooBigApplied);
    drive(now, id, [&](session::Session& s) { s.on_client_path_mss(now, mss); });
}

void ConnectionTable::on_unreachable(Instant now, const QuotedSegment& quoted) {
    const std::uint32_t id = relayed_broker(quoted.tuple);
    if (id == flow::kNoEntry || slab_[id].phase != session::Phase::Connecting ||
        slab_[id].broker_leg->position().send_unacked != tcp::Seq{quoted.sequence}) {
        counters_.add(Counter::DropIcmpUnhandled);
        return;
    }
    counters_.add(Counter::IcmpUnreachableApplied);
    drive(now, id, [&](session::Session& s) { s.on_broker_unreachable(now); });
}

void ConnectionTable::neighbor_failed(Instant now, const NextHop& neighbor, std::span<const port::Frame>) {
    const auto entry = awaiting_neighbor_.find(neighbor);
    if (entry == awaiting_neighbor_.end()) return;
    const std::vector<std::uint32_t> ids = std::move(entry->second);
    awaiting_neighbor_.erase(entry);
    for (const std::uint32_t id : ids) {
        // The slot may have been given to another connection since.
        if (!slab_.contains(id) || slab_[id].phase != session::Phase::Connecting) continue;
        const auto hop = topology_.route(slab_[id].upstream.local.address, slab_[id].upstream.remote.address);
        if (hop != neighbor) continue;
        drive(now, id, [&](session::Session& s) { s.on_broker_unreachable(now); });
    }
}

void ConnectionTable::reset(Instant now, const FourTuple& tuple, const Arrival& arrival,
                            const tcp::Segment& segment) {
    const auto answer = tcp::reset_for(segment);
    if (!answer) return;
    const Answers::Kind kind =
        flow_table_.lease_of(tuple) ? Answers::Kind::Broker : Answers::kind_of(segment);
    if (!answers_.may(now, arrival.port, kind, tuple.remote.address)) {
        counters_.add(Counter::DropTcpResetRate);
        return;
    }
    auto frame = output_.allocate();
    if (!frame) return;
    frame->length = tcp::write_segment(tuple, topology_.ports()[arrival.port].mac, arrival.source_mac,
                                       *answer, frame->writable());
    output_.send(arrival.port, *frame);
    counters_.add(Counter::TcpResetsSent);
}

// --- driving a session ---

void ConnectionTable::drive(Instant now, std::uint32_t id, absl::FunctionRef<void(session::Session&)> event) {
    run(now, id, event);
    drain_unreachable(now);
    relieve(now);
}

void ConnectionTable::run(Instant now, std::uint32_t id, absl::FunctionRef<void(session::Session&)> event) {
    now_ = now;
    session::Connection& c = slab_[id];
    const bool was_half_open = c.phase == session::Phase::Handshake;
    const bool was_waiting = session::is_waiting(c.phase);
    session::Session session(c, context_);
    event(session);
    if (was_half_open && c.phase != session::Phase::Handshake) --listeners_[c.listener].half_open;
    if (was_waiting)
        waiting_.hold(id, session::is_waiting(c.phase) ? session::holding_of(c) : session::Holding{});
    if (c.phase == session::Phase::Spliced || c.phase == session::Phase::Resting) {
        // What took its place has everything by now: lease, load and place in the index.
        wheel_.cancel(id);
        slab_.erase(id);
    } else if (c.phase == session::Phase::Ended) {
        remove(id);
    } else {
        wheel_.arm(id, session.deadline());
    }
}

// Whoever takes memory that is not to be had ends those who have had it longest without a broker's word.
void ConnectionTable::relieve(Instant now) {
    std::uint32_t n = 0;
    while (const auto id = waiting_.first_to_go()) {
        const Counter reason =
            waiting_.asks_broker(*id) ? Counter::ClientWaitingEvicted : Counter::ClientConnectEvicted;
        run(now, *id, [&](session::Session& s) { s.terminate(now, reason); });
        if (++n % kFlushEvery == 0) output_.flush_all();
    }
    if (waiting_.becomes_short()) counters_.add(Counter::ConnectMemoryShort);
}

// A session that finds its broker's neighbor dead while sending is told so here, outside its own call. Each
// telling makes it try its next choice, so this ends when choices do.
void ConnectionTable::drain_unreachable(Instant now) {
    while (!unreachable_.empty()) {
        const std::uint32_t id = unreachable_.back();
        unreachable_.pop_back();
        if (!slab_.contains(id) || slab_[id].phase != session::Phase::Connecting) continue;
        drive(now, id, [&](session::Session& s) { s.on_broker_unreachable(now); });
    }
}

void ConnectionTable::remove(std::uint32_t id) {
    const session::Connection& c = slab_[id];
    if (context_.snapshot->connection_log && c.ended_by &&
        *c.ended_by != Counter::ClientHandshakeFailed) {  // it never was a connection
        tell_ending(c);
    }
    --listeners_[c.listener].connections;
    wheel_.cancel(id);
    flow_table_.erase_client(flow_table_.hash(c.client), {Reference::Kind::Relayed, id});
    ways_.leave_client(c.client);
    waiting_.leave(id);
    slab_.erase(id);
}

void ConnectionTable::tell_ending(const session::Connection& c) {
    events_.post(EndedConnection{session::summary_of(now_, c), *c.ended_by});
}

bool ConnectionTable::on_timer(Instant now) {
    const auto fire = [&](std::uint32_t id) {
        if (!let_go(id)) drive(now, id, [&](session::Session& s) { s.on_timer(now); });
    };
    const auto expired = [&](std::uint32_t resting) { expire(now, resting); };
    const bool any = wheel_.advance(now, fire, kTimersPerTurn) != 0;
    return resting_.timers().advance(now, expired, kTimersPerTurn) != 0 || any;
}

void ConnectionTable::end_all(Instant now) {
    std::uint32_t n = 0;
    for (std::uint32_t id = slab_.next(0); id != flow::kNoEntry; id = slab_.next(id + 1)) {
        drive(now, id, [&](session::Session& s) { s.terminate(now, Counter::ClosedByOperator); });
        if (++n % kFlushEvery == 0) output_.flush_all();
    }
    for (std::uint32_t r = resting_.next(0); r != flow::kNoEntry; r = resting_.next(r + 1)) {
        drive(now, wake(now, r), [&](session::Session& s) { s.terminate(now, Counter::ClosedByOperator); });
        if (++n % kFlushEvery == 0) output_.flush_all();
    }
}

bool ConnectionTable::evict(Instant now, Reference reference, bool persistent_too, Counter reason) {
    const std::uint32_t number = reference.number();
    const bool rests = reference.kind() == Reference::Kind::Resting;
    if (!rests && slab_[number].phase != session::Phase::Relayed) return false;
    if ((rests ? resting_[number].persistent : slab_[number].persistent) && !persistent_too) return false;
    const std::uint32_t id = awake(now, reference);
    // A broker that is down will not take what it is owed.
    const bool at_once = reason == Counter::ClosedBackendDown;
    drive(now, id, [&](session::Session& s) {
        if (at_once) {
            s.terminate(now, reason);
        } else {
            s.conclude(now, reason);
        }
    });
    return true;
}

bool ConnectionTable::kill(Instant now, Reference reference, const FourTuple& client) {
    const std::uint32_t number = reference.number();
    const bool rests = reference.kind() == Reference::Kind::Resting;
    if (!(rests ? resting_.contains(number) : slab_.contains(number))) return false;
    if (!is_client(reference, client)) return false;
    drive(now, awake(now, reference),
          [&](session::Session& s) { s.terminate(now, Counter::ClosedByOperator); });
    return true;
}

// --- session::Transmitter ---

void ConnectionTable::to_client(const session::Connection& c, const tcp::Segment& segment) {
    auto frame = output_.allocate();
    if (!frame) return;
    frame->length = tcp::write_segment(c.client, topology_.ports()[c.path.port].mac, c.path.mac, segment,
                                       frame->writable());
    output_.send(c.path.port, *frame);
}

void ConnectionTable::to_broker(const session::Connection& c, const tcp::Segment& segment) {
    const auto hop = topology_.route(c.upstream.local.address, c.upstream.remote.address);
    if (!hop) {
        counters_.add(Counter::DropNoRoute);
        return;
    }
    auto frame = output_.allocate();
    if (!frame) return;
    frame->length = tcp::write_segment(c.upstream, topology_.ports()[hop->port].mac, MacAddress{}, segment,
                                       frame->writable());
    switch (output_.send_via(now_, *hop, *frame)) {
        case host::NextHopState::Known:
            if (!awaiting_neighbor_.empty()) awaiting_neighbor_.erase(*hop);
            return;
        case host::NextHopState::Asked: {
            auto& ids = awaiting_neighbor_[*hop];
            if (ids.size() < kAwaitingPerNeighbor) ids.push_back(c.id);
            return;
        }
        case host::NextHopState::Failed: unreachable_.push_back(c.id); return;
    }
}

std::uint16_t ConnectionTable::broker_mss(const IpAddress& source) const {
    return topology_.ports()[topology_.owned(source)->port].mss(source.family());
}

// A broker that has taken another client since this attempt began is there: segments got lost on the way, or
// its queue was full for a moment. Where many attempts fail together, as after a jam, none of them tells
// more.
void ConnectionTable::attempt_failed(std::uint32_t backend, const backend::Outcome& outcome, Instant since) {
    if (succeeded_[backend] > since) return;
    failing_[backend] = true;
    events_.post({.kind = Event::Kind::AttemptFailed,
                  .backend = backend,
                  .failure = outcome.failure,
                  .code = outcome.code});
}

void ConnectionTable::attempt_succeeded(std::uint32_t backend) {
    succeeded_[backend] = now_;
    if (!failing_[backend]) return;
    failing_[backend] = !events_.post({.kind = Event::Kind::AttemptSucceeded, .backend = backend});
}

std::optional<session::LinkDestination> ConnectionTable::broker_hop(const session::Connection& c) {
    const auto hop = topology_.route(c.upstream.local.address, c.upstream.remote.address);
    if (!hop) return std::nullopt;
    const auto mac = output_.resolve(now_, *hop);
    return mac ? std::optional(session::LinkDestination{.port = hop->port, .mac = *mac}) : std::nullopt;
}

bool ConnectionTable::splice(const session::Connection& c, const splice::Joint& joint) {
    const auto hop = topology_.route(c.upstream.local.address, c.upstream.remote.address);
    const auto label = splice::Label::of(static_cast<std::uint8_t>(*c.version), c.client_id);
    const Spliced::Memory memory{.stay = c.stay.value_or(session::Stay{}), .expiry = c.session_expiry};
    return spliced_.adopt(now_, {Reference::Kind::Relayed, c.id}, joint, label, memory, *hop, c.identity);
}

// --- listing ---

std::uint32_t ConnectionTable::list(Instant now, std::uint32_t from, std::span<ListedConnection> out,
                                    std::size_t& written) const {
    std::uint32_t id = slab_.next(from);
    for (; id != flow::kNoEntry && written < out.size(); id = slab_.next(id + 1)) {
        const session::Connection& c = slab_[id];
        ListedConnection& row = out[written++];
        row = {session::summary_of(now, c),
               Reference(Reference::Kind::Relayed, id).raw(),
               c.phase,
               c.packets_from_client(),
               c.packets_from_broker(),
               now - std::max(c.last_heard, c.last_traffic)};
        if (c.lease) continue;
        row.backend = session::kNoBackend;
        row.upstream = {};
    }
    return id;
}

std::uint64_t ConnectionTable::used_bytes() const {
    constexpr std::uint32_t kSample = 256;
    std::uint64_t sum = 0;
    std::uint32_t n = 0;
    for (std::uint32_t id = slab_.next(0); id != flow::kNoEntry && n < kSample;
         id = slab_.next(id + 1), ++n) {
        const session::Connection& c = slab_[id];
        sum += sizeof c + flow::TimerWheel::kBytesPerTimer + c.client_leg.memory_bytes() +
               (c.broker_leg ? c.broker_leg->memory_bytes() : 0) + c.client_id.capacity() +
               c.connect_packet.capacity();
    }
    return (n == 0 ? 0 : sum * slab_.size() / n) + resting_.used_bytes();
}

}  // namespace sluice::worker
