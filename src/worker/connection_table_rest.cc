// ConnectionTable, rests: a connection that stays relayed and is quiet gives up its endpoints, and its slot,
// for an entry in the table of those at rest. Whatever happens to it makes it a connection again first.
#include <algorithm>

#include "worker/connection_table.h"

namespace sluice::worker {

bool ConnectionTable::rest(session::Connection& c) {
    if (resting_.full()) return false;
    const std::uint32_t number =
        resting_.insert(session::rest(c), session::extras_of(c),
                        {.client = c.client_leg.take_codecs(), .broker = c.broker_leg->take_codecs()});
    const Reference name = RestingTable::name_of(number);
    flow_table_.rename_client(flow_table_.hash(c.client), {Reference::Kind::Relayed, c.id}, name);
    flow_table_.rename_lease({.pool = c.pool, .lease = *c.lease}, name);
    resting_.timers().arm(number, idle_deadline(now_, number));
    return true;
}

// Its number among those with endpoints. There is a slot: connections are counted in whatever form.
std::uint32_t ConnectionTable::wake(Instant now, std::uint32_t number) {
    const std::uint32_t id = slab_.insert(
        session::wake(resting_[number], resting_.extras(number), resting_.take_codecs(number), now));
    resting_.erase(number);
    session::Connection& c = slab_[id];
    c.id = id;
    const Reference name{Reference::Kind::Relayed, id};
    flow_table_.rename_client(flow_table_.hash(c.client), RestingTable::name_of(number), name);
    flow_table_.rename_lease({.pool = c.pool, .lease = *c.lease}, name);
    ways_.follow(c);
    return id;
}

std::uint32_t ConnectionTable::awake(Instant now, Reference reference) {
    return reference.kind() == Reference::Kind::Resting ? wake(now, reference.number()) : reference.number();
}

Instant ConnectionTable::idle_deadline(Instant now, std::uint32_t resting) const {
    const session::RestingConnection& c = resting_[resting];
    return session::idle_deadline(c, context_.snapshot->listeners[c.listener].config.idle_timeout, now);
}

// A reload may have moved the deadline since the timer was armed.
void ConnectionTable::expire(Instant now, std::uint32_t resting) {
    const Instant due = idle_deadline(now, resting);
    if (due > now) return resting_.timers().arm(resting, due);
    drive(now, wake(now, resting), [&](session::Session& s) { s.on_timer(now); });
}

std::uint32_t ConnectionTable::list_resting(Instant now, std::uint32_t from, std::span<ListedConnection> out,
                                            std::size_t& written) const {
    std::uint32_t number = resting_.next(from);
    for (; number != flow::kNoEntry && written < out.size(); number = resting_.next(number + 1)) {
        const session::RestingConnection& c = resting_[number];
        out[written++] = {session::summary_of(now, c, resting_.extras(number)),
                          RestingTable::name_of(number).raw(),
                          session::Phase::Resting,
                          c.packets_from_client,
                          c.packets_from_broker,
                          since(now, c.last_traffic)};
    }
    return number == flow::kNoEntry ? flow::kNoEntry : RestingTable::name_of(number).raw();
}

}  // namespace sluice::worker
