// How clients' connections begin. While few handshakes of a listener are half open, each is held with an
// endpoint of its own. From half of the limit on their SYN-ACKs are cookies as well, so that those whose
// timer fires can be let go of: who answers later is known by the cookie. At the limit nothing is held any
// more.
#include <algorithm>

#include "sluice/session/leg_options.h"
#include "sluice/tcp/frame.h"
#include "sluice/tcp/isn.h"
#include "worker/connection_table.h"

namespace sluice::worker {
namespace {

// A share of a limit that holds for all workers together, rounded up so that no worker is left with nothing.
std::uint32_t share(std::uint32_t limit, std::uint32_t workers) { return (limit + workers - 1) / workers; }

// The one segment that an endpoint sends which is not kept.
struct SynAck final : tcp::Output {
    void send(const tcp::Segment& sent) override { segment = sent; }
    tcp::Segment segment;
};

}  // namespace

// How many handshakes of a listener may be held: as many as it says, and of all together no more than half of
// the places that connections leave. The others are for those who come by cookie.
std::uint32_t ConnectionTable::half_open_limit(std::uint32_t listener) const {
    const backend::Listener& facts = context_.snapshot->listeners[listener];
    const ListenerLoad& own = listeners_[listener];
    std::uint32_t all = 0;
    for (const ListenerLoad& load : listeners_) all += load.half_open;
    const auto half_of_the_rest = [](std::uint32_t places, std::uint32_t taken) {
        return (places - std::min(places, taken) + 1) / 2;
    };
    const std::uint32_t in_table = half_of_the_rest(options_.max_connections, size() + spliced_.size() - all);
    std::uint32_t limit = std::min(share(facts.config.half_open, options_.workers),
                                   in_table - std::min(in_table, all - own.half_open));
    if (facts.config.max_connections != 0) {
        const std::uint32_t places = share(facts.config.max_connections, options_.workers);
        limit = std::min(limit, half_of_the_rest(places, own.connections - own.half_open));
    }
    return limit;
}

tcp::SynCookies& ConnectionTable::cookies(std::uint32_t listener) {
    while (cookies_.size() <= listener) cookies_.emplace_back(options_.isn_key);
    return cookies_[listener];
}

tcp::EndpointOptions ConnectionTable::client_options(std::uint32_t listener, const FourTuple& tuple,
                                                     const Arrival& arrival) const {
    const std::uint16_t mss = topology_.ports()[arrival.port].mss(tuple.local.address.family());
    tcp::EndpointOptions options =
        session::client_options(*context_.snapshot, listener, tuple, mss, options_.isn_key);
    options.receive_window = waiting_.reach(*options.receive_window);
    return options;
}

// Why there can be no connection for this client now.
std::optional<Counter> ConnectionTable::obstacle(std::uint32_t listener, const IpAddress& client) const {
    const backend::Listener& facts = context_.snapshot->listeners[listener];
    if (!facts.admits(client)) return Counter::DropSynDenied;
    if (facts.config.max_connections != 0 &&
        listeners_[listener].connections >= share(facts.config.max_connections, options_.workers)) {
        return Counter::DropSynListenerFull;
    }
    if (size() + spliced_.size() >= options_.max_connections) return Counter::DropSynTableFull;
    return std::nullopt;
}

void ConnectionTable::accept(Instant now, std::uint32_t listener, const FourTuple& tuple,
                             const Arrival& arrival, const tcp::Segment& syn, std::uint64_t hash) {
    if (const auto reason = obstacle(listener, tuple.remote.address)) return counters_.add(*reason);
    const std::uint32_t limit = half_open_limit(listener);
    const std::uint32_t held = listeners_[listener].half_open;
    if (held >= limit) return answer_by_cookie(now, listener, tuple, arrival, syn);

    const tcp::EndpointOptions options = client_options(listener, tuple, arrival);
    const std::uint32_t id = hold(now, listener, tuple, arrival, options, hash);
    tcp::Seq initial = tcp::initial_sequence(options_.isn_key, tuple, now);
    if (held >= limit / 2 && tcp::cookie_holds(options, syn)) {
        initial = cookies(listener).sequence_for(now, tuple, syn, options);
        slab_[id].cookie_note = tcp::cookie_note(options, syn);
    }
    drive(now, id, [&](session::Session& s) { s.open(now, syn, initial); });
}

// A connection in its place, without any packet yet: half open until drive() sees another phase.
std::uint32_t ConnectionTable::hold(Instant now, std::uint32_t listener, const FourTuple& tuple,
                                    const Arrival& arrival, const tcp::EndpointOptions& options,
                                    std::uint64_t hash) {
    const std::uint32_t pool = context_.snapshot->listeners[listener].pool;
    const std::uint32_t id =
        slab_.insert(tuple, session::ClientPath{arrival.port, arrival.source_mac}, listener, pool, options,
                     context_.codecs != nullptr ? context_.codecs->for_client(listener) : nullptr, now);
    slab_[id].id = id;
    flow_table_.insert_client(hash, {Reference::Kind::Relayed, id});
    ways_.join_client(now, tuple);
    ++listeners_[listener].connections;
    ++listeners_[listener].half_open;
    return id;
}

void ConnectionTable::answer_by_cookie(Instant now, std::uint32_t listener, const FourTuple& tuple,
                                       const Arrival& arrival, const tcp::Segment& syn) {
    auto frame = output_.allocate();
    if (!frame) return;
    tcp::EndpointOptions options = client_options(listener, tuple, arrival);
    const tcp::Seq initial = cookies(listener).sequence_for(now, tuple, syn, options);
    tcp::restrict_to_cookie(options, syn);
    SynAck answer;
    tcp::Endpoint endpoint(options);
    endpoint.listen(initial);
    endpoint.on_segment(now, syn, answer);
    frame->length = tcp::write_segment(tuple, topology_.ports()[arrival.port].mac, arrival.source_mac,
                                       tcp::with_cookie_note(answer.segment, tcp::cookie_note(options, syn)),
                                       frame->writable());
    output_.send(arrival.port, *frame);
    counters_.add(Counter::SynCookiesSent);
}

// True when the segment has completed a handshake that was not held, or would have if there were room: its
// client believes that it is connected, and repeats what it sends.
bool ConnectionTable::complete(Instant now, std::uint32_t listener, const FourTuple& tuple,
                               const Arrival& arrival, const tcp::Segment& ack, std::uint64_t hash) {
    if (!tcp::may_carry_cookie(ack)) return false;
    const auto opening = cookies(listener).open(now, tuple, ack);
    if (!opening) {
        if (cookies(listener).sent_lately(now)) counters_.add(Counter::SynCookiesFailed);
        return false;
    }
    if (const auto reason = obstacle(listener, tuple.remote.address)) {
        counters_.add(*reason);
        return true;
    }
    tcp::EndpointOptions options = client_options(listener, tuple, arrival);
    tcp::keep_announced(opening->announced, options);
    const std::uint32_t id = hold(now, listener, tuple, arrival, options, hash);
    counters_.add(Counter::SynCookiesAccepted);
    drive(now, id, [&](session::Session& s) {
        s.open(now, *opening);
        static_cast<void>(s.on_client_segment(now, ack));  // no splice comes so early
    });
    return true;
}

// Instead of a SYN-ACK's repetition. Half of the room is for handshakes that have not had their time yet.
bool ConnectionTable::let_go(std::uint32_t id) {
    const session::Connection& c = slab_[id];
    if (c.phase != session::Phase::Handshake || !c.cookie_note) return false;
    ListenerLoad& load = listeners_[c.listener];
    if (load.half_open <= half_open_limit(c.listener) / 2) return false;
    counters_.add(Counter::HalfOpenLetGo);
    --load.half_open;
    remove(id);
    return true;
}

}  // namespace sluice::worker
