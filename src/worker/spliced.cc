#include "worker/spliced.h"

#include <algorithm>

#include "sluice/session/connection.h"
#include "sluice/tcp/frame.h"
#include "sluice/tcp/isn.h"
#include "worker/spliced_parts.h"

namespace sluice::worker {
namespace {

using splice::Direction;

}  // namespace

Spliced::Spliced(WorkerContext& context, FlowTable& flow_table, host::FrameOutput& output, Ways& ways,
                 SessionNews& news, Instant now)
    : context_(context),
      topology_(context.topology),
      flow_table_(flow_table),
      output_(output),
      ways_(ways),
      listeners_(context.listeners),
      load_(context.load),
      counters_(context.counters),
      stats_(context.stats),
      events_(context.events),
      news_(news),
      worker_(context.options.index),
      table4_(context.options.max_connections, now),
      table6_(context.options.max_connections, now),
      memories_{LazyArray<Memory>(context.options.max_connections),
                LazyArray<Memory>(context.options.max_connections)},
      errors_(context, output) {}

// --- making and ending ---

bool Spliced::adopt(Instant now, Reference relayed, const splice::Joint& joint, const splice::Label& label,
                    const Memory& memory, const NextHop& hop, const SocketAddress& identity) {
    return with_family(joint.client.tuple.local.address.family(), [&]<IpFamily kFamily>() {
        const splice::Record<kFamily> record = splice::make_record<kFamily>(joint);
        const std::uint32_t id = table<kFamily>().insert(record, label);
        if (id == flow::kNoEntry) return false;
        const tcp::Endpoint::Position& client = joint.client.position;
        if (const auto slow = splice::flight_of(client.smoothed_rtt, client.rtt_variation)) {
            table<kFamily>()[id].core.way(Direction::ToClient).flags |= splice::DirectionState::kSlow;
            table<kFamily>().flight(id) = *slow;
        }
        if (memory.stay.key != 0) memories(kFamily)[id] = memory;
        const Reference name = name_of<kFamily>(id);
        if (identity != joint.client.tuple.remote) identities_[name.raw()] = identity;
        flow_table_.rename_client(flow_table_.hash(joint.client.tuple), relayed, name);
        flow_table_.rename_lease(*flow_table_.lease_of(joint.broker.tuple), name);
        table<kFamily>().timers().arm(id, next_look(now, record.core));
        ways_.join_broker(now, hop, joint.broker.mac);
        counters_.add(Counter::Spliced);
        return true;
    });
}

bool Spliced::is_client(Reference reference, const FourTuple& client) const {
    return with_family(family_of(reference), [&]<IpFamily kFamily>() {
        return table<kFamily>()[reference.number()].leg(Direction::ToClient).tuple() == client;
    });
}

Instant Spliced::deadline(Instant now, const splice::Core& core) const {
    return session::idle_deadline(now - since(now, core.last_heard), core.keep_alive,
                                  context_.snapshot->listeners[core.listener].config.idle_timeout);
}

// When the timer fires next: at the idle deadline, or before it to see whether the broker has said anything.
Instant Spliced::next_look(Instant now, const splice::Core& core) const {
    return std::min(deadline(now, core), now + kSilence);
}

template <IpFamily kFamily>
void Spliced::remove(Instant now, std::uint32_t id) {
    const splice::Record<kFamily>& record = table<kFamily>()[id];
    const splice::Core& core = record.core;
    const FourTuple upstream = record.leg(Direction::ToBroker).tuple();
    flow_table_.erase_client(flow_table_.hash(record.leg(Direction::ToClient).tuple()), name_of<kFamily>(id));
    flow_table_.release(*flow_table_.lease_of(upstream), now,
                        {.sequence = core.way(Direction::ToBroker).next.value(),
                         .timestamp = core.last_timestamp(Direction::ToBroker)});
    counters_.add(Counter::LeasesReleased);
    ways_.leave_client(record.leg(Direction::ToClient).tuple());
    ways_.leave_broker(upstream);
    if (((core.ways[0].flags | core.ways[1].flags) & splice::DirectionState::kAsked) != 0) {
        checks_.close(name_of<kFamily>(id));
    }
    if (((core.ways[0].flags | core.ways[1].flags) & splice::DirectionState::kNarrow) != 0) {
        paths_.erase(name_of<kFamily>(id));
    }
    --listeners_[core.listener].connections;
    load_.add(worker_, position(core), -1, core.persistent());
    forget<kFamily>(now, id);
    if (!identities_.empty()) identities_.erase(name_of<kFamily>(id).raw());
    table<kFamily>().erase(id);
    ++ended_;
}

// From here on its session, if it is remembered, has its expiry.
template <IpFamily kFamily>
void Spliced::forget(Instant now, std::uint32_t id) {
    Memory& memory = memories(kFamily)[id];
    if (memory.stay.key == 0) return;
    if (const auto news = session::after_connection(memory.stay, memory.expiry, now))
        news_.learned(now, *news);
    memory = {};
}

template <IpFamily kFamily>
session::ConnectionSummary Spliced::summary(Instant now, std::uint32_t id) const {
    const splice::Record<kFamily>& record = table<kFamily>()[id];
    const auto named = identities_.find(name_of<kFamily>(id).raw());
    return session::summary_of(
        now, record, table<kFamily>().label(id),
        named != identities_.end() ? named->second : record.leg(Direction::ToClient).tuple().remote);
}

// Counts the end of a connection, and tells of it where a log is kept.
template <IpFamily kFamily>
void Spliced::tell_ending(Instant now, std::uint32_t id, Counter reason) {
    const splice::Record<kFamily>& record = table<kFamily>()[id];
    const splice::Core& core = record.core;
    counters_.add(reason);
    stats_.ended(position(core), reason);
    if (!context_.snapshot->connection_log) return;
    events_.post(EndedConnection{summary<kFamily>(now, id), reason});
}

template <IpFamily kFamily>
void Spliced::on_verdict(Instant now, std::uint32_t id, Direction direction, splice::Verdict verdict,
                         tcp::Seq sequence) {
    using splice::Verdict;
    splice::Core& core = table<kFamily>()[id].core;
    if (has(verdict, Verdict::NoTimestamps)) counters_.add(Counter::SpliceMissingTimestamps);
    if (has(verdict, Verdict::Reset)) {
        if (!is_over(core)) tell_ending<kFamily>(now, id, reason_of_reset<kFamily>(id, direction));
        return remove<kFamily>(now, id);
    }
    if (is_over(core)) return;
    if (has(verdict, Verdict::DoubtedReset)) doubt_reset<kFamily>(now, id, direction, sequence);
    // Both FINs are acknowledged: what may still come are repetitions, because the last ACK was lost.
    if (has(verdict, Verdict::Finished)) {
        stop_asking<kFamily>(id);
        core.way(Direction::ToBroker).flags |= splice::DirectionState::kLingers;
        tell_ending<kFamily>(now, id, Counter::ClosedOrderly);
        table<kFamily>().timers().arm(id, now + session::kLinger);
    } else if (has(verdict, Verdict::Answered)) {
        on_answer<kFamily>(now, id);
    }
}

template void Spliced::on_verdict<IpFamily::V4>(Instant, std::uint32_t, Direction, splice::Verdict, tcp::Seq);
template void Spliced::on_verdict<IpFamily::V6>(Instant, std::uint32_t, Direction, splice::Verdict, tcp::Seq);

bool Spliced::make_room(Instant now, Reference old, const tcp::Segment& syn) {
    return with_family(family_of(old), [&]<IpFamily kFamily>() {
        const splice::Core& core = table<kFamily>()[old.number()].core;
        if (!is_over(core)) return false;
        const std::uint32_t last = core.sender_timestamp(Direction::ToBroker);
        if (!tcp::begins_later(syn, core.sender_next(Direction::ToBroker),
                               core.timestamps() ? std::optional(last) : std::nullopt)) {
            return false;
        }
        remove<kFamily>(now, old.number());
        return true;
    });
}

template <IpFamily kFamily>
void Spliced::reset_both(const splice::Record<kFamily>& record) {
    for (const Direction direction : {Direction::ToBroker, Direction::ToClient}) {
        const splice::DirectionState& way = record.core.way(direction);
        const splice::Resets resets(record.core, direction);
        for (const tcp::Segment& segment : resets.segments()) {
            auto frame = output_.allocate();
            if (!frame) return;
            frame->length = tcp::write_segment(record.leg(direction).tuple(), topology_.ports()[way.port].mac,
                                               way.mac, segment, frame->writable());
            output_.send(way.port, *frame);
        }
    }
}

template <IpFamily kFamily>
void Spliced::end(Instant now, std::uint32_t id, Counter reason) {
    reset_both(table<kFamily>()[id]);
    tell_ending<kFamily>(now, id, reason);
    remove<kFamily>(now, id);
}

template void Spliced::end<IpFamily::V4>(Instant, std::uint32_t, Counter);
template void Spliced::end<IpFamily::V6>(Instant, std::uint32_t, Counter);

bool Spliced::evict(Instant now, Reference reference, bool persistent_too, Counter reason) {
    return with_family(family_of(reference), [&]<IpFamily kFamily>() {
        const splice::Core& core = table<kFamily>()[reference.number()].core;
        if (is_over(core) || (core.persistent() && !persistent_too)) return false;
        end<kFamily>(now, reference.number(), reason);
        return true;
    });
}

bool Spliced::kill(Instant now, Reference reference, const FourTuple& client) {
    return with_family(family_of(reference), [&]<IpFamily kFamily>() {
        const splice::Table<kFamily>& records = table<kFamily>();
        const std::uint32_t id = reference.number();
        if (!records.contains(id) || is_over(records[id].core) || !is_client(reference, client)) return false;
        end<kFamily>(now, id, Counter::ClosedByOperator);
        return true;
    });
}

void Spliced::end_all(Instant now) {
    const auto end = [&]<IpFamily kFamily>() {
        splice::Table<kFamily>& records = table<kFamily>();
        std::uint32_t n = 0;
        for (std::uint32_t id = records.next(0); id != flow::kNoEntry; id = records.next(id + 1)) {
            if (is_over(records[id].core)) {
                remove<kFamily>(now, id);
            } else {
                this->end<kFamily>(now, id, Counter::ClosedByOperator);
            }
            if (++n % kFlushEvery == 0) output_.flush_all();
        }
    };
    end.operator()<IpFamily::V4>();
    end.operator()<IpFamily::V6>();
}

// --- time ---

// Packets only note when they came; the timer looks at that note when it fires, and goes on from there.
template <IpFamily kFamily>
void Spliced::expire(Instant now, std::uint32_t id) {
    const splice::Record<kFamily>& record = table<kFamily>()[id];
    if (is_over(record.core)) return remove<kFamily>(now, id);
    if (deadline(now, record.core) <= now) return end<kFamily>(now, id, Counter::ClosedIdle);
    table<kFamily>().timers().arm(id, next_look(now, record.core));
    ask_silent_broker<kFamily>(now, id);
}

bool Spliced::on_timer(Instant now) {
    const auto fire = [&]<IpFamily kFamily>() {
        return table<kFamily>().timers().advance(
                   now, [&](std::uint32_t id) { expire<kFamily>(now, id); }, kTimersPerTurn) != 0;
    };
    bool any = fire.operator()<IpFamily::V4>();
    any = fire.operator()<IpFamily::V6>() || any;
    return check_liveness(now) || any;
}

Instant Spliced::next_deadline() const {
    return std::min({table<IpFamily::V4>().timers().next_wakeup(),
                     table<IpFamily::V6>().timers().next_wakeup(), checks_.next_deadline()});
}

// --- listing ---

template <IpFamily kFamily>
ListedConnection Spliced::listed(Instant now, std::uint32_t id) const {
    const splice::Record<kFamily>& record = table<kFamily>()[id];
    const splice::Core& core = record.core;
    return {summary<kFamily>(now, id),
            name_of<kFamily>(id).raw(),
            is_over(core) ? session::Phase::Closing : session::Phase::Spliced,
            core.way(Direction::ToBroker).packets,
            core.way(Direction::ToClient).packets,
            since(now, core.last_heard)};
}

std::uint32_t Spliced::list(Instant now, std::uint32_t from, std::span<ListedConnection> out,
                            std::size_t& written) const {
    const auto fill = [&]<IpFamily kFamily>() {
        const std::uint32_t first = name_of<kFamily>(0).raw();
        std::uint32_t id = table<kFamily>().next(from <= first ? 0 : from - first);
        for (; id != flow::kNoEntry && written < out.size(); id = table<kFamily>().next(id + 1)) {
            out[written++] = listed<kFamily>(now, id);
        }
        return id == flow::kNoEntry ? flow::kNoEntry : name_of<kFamily>(id).raw();
    };
    if (from < name_of<IpFamily::V6>(0).raw()) {
        const std::uint32_t more = fill.operator()<IpFamily::V4>();
        if (more != flow::kNoEntry) return more;
    }
    return fill.operator()<IpFamily::V6>();
}

std::uint64_t Spliced::reserved_bytes() const {
    return table<IpFamily::V4>().memory_bytes() + table<IpFamily::V6>().memory_bytes() +
           (memories_[0].size() + memories_[1].size()) * sizeof(Memory);
}

std::uint64_t Spliced::used_bytes() const {
    return table<IpFamily::V4>().size() * splice::Table<IpFamily::V4>::kBytesPerRecord +
           table<IpFamily::V6>().size() * splice::Table<IpFamily::V6>::kBytesPerRecord;
}

}  // namespace sluice::worker
