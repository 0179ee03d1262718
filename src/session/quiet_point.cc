// The quiet point: the moment at which two endpoints hold nothing that a record could not, so that it takes
// their place. It is looked for after everything that happens to a relayed connection, and before the text of
// a segment is taken: a client that answers the CONNACK at once acknowledges it in the same segment, and a
// busy one may never be quieter than that.
#include <chrono>

#include "session/parts.h"
#include "sluice/session/session.h"

namespace sluice::session {
namespace {

Counter counter_of(splice::Obstacle obstacle) {
    switch (obstacle) {
        case splice::Obstacle::MixedFamilies: return Counter::RelayedMixedFamilies;
        case splice::Obstacle::Timestamps: return Counter::RelayedTimestamps;
        case splice::Obstacle::Sack: return Counter::RelayedSack;
        case splice::Obstacle::SegmentSize: return Counter::RelayedSegmentSize;
        case splice::Obstacle::Range:
        case splice::Obstacle::NotQuiet: break;
    }
    return Counter::RelayedRange;
}

// Whether an end may send more than the other one takes, because its endpoint had promised more. That is the
// other's to refuse, and its sender's to repeat: no reason to keep endpoints.
bool promises_more(const tcp::Endpoint::Position& to, const tcp::Endpoint::Position& other) {
    return to.receive_edge.since(to.receive_next) > other.send_window;
}

}  // namespace

// True when the segment is the record's: what it acknowledges made the connection quiet.
bool Session::splice_before(Instant now, tcp::Endpoint& receiver, tcp::Output& out,
                            const tcp::Segment& segment) {
    if (c_.phase != Phase::Relayed || c_.stays_relayed || segment.length() == 0 || !segment.flags.ack ||
        segment.flags.syn || segment.flags.rst) {
        return false;
    }
    const tcp::Endpoint::Position at = receiver.position();
    if (segment.seq != at.receive_next || segment.ack != at.send_next) return false;
    const tcp::Endpoint& other = &receiver == &c_.client_end ? *c_.upstream_end : c_.client_end;
    if (!other.quiet()) return false;
    receiver.anticipate(now, without_text(segment), out);
    return try_splice(now);
}

bool Session::try_splice(Instant now) {
    if (c_.phase != Phase::Relayed || c_.stays_relayed || !c_.client_end.quiet() ||
        !c_.upstream_end->quiet()) {
        return false;
    }
    if (const auto obstacle = splice::obstacle_to_splice(joint({})); obstacle) {
        count(counter_of(*obstacle));
        c_.stays_relayed = true;  // none of them passes: options are agreed on once
        c_.client_end.allow(std::nullopt);
        c_.upstream_end->allow(std::nullopt);
        return false;
    }
    const auto hop = s_.transmitter.broker_hop(c_);
    if (!hop) return false;
    // Nobody would send these any more.
    follow_windows();
    c_.client_end.acknowledge(now, to_client_);
    c_.upstream_end->acknowledge(now, to_broker_);
    const splice::Joint both = joint(*hop);
    if (!s_.transmitter.splice(c_, both)) return false;
    if (promises_more(both.client.position, both.broker.position) ||
        promises_more(both.broker.position, both.client.position)) {
        count(Counter::SpliceBeyondWindow);
    }
    count_statistics(s_.counters, c_.client_end.statistics());
    count_statistics(s_.counters, c_.upstream_end->statistics());
    c_.phase = Phase::Spliced;
    return true;
}

splice::Joint Session::joint(const LinkDestination& broker_hop) const {
    const auto packets_in = [&](const tcp::Endpoint& end) {
        return static_cast<std::uint32_t>(end.statistics().segments_in);
    };
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(c_.opened.time_since_epoch());
    return {.client = {.tuple = c_.client,
                       .position = c_.client_end.position(),
                       .mac = c_.path.mac,
                       .port = c_.path.port,
                       .packets = packets_in(*c_.upstream_end),
                       .bytes = c_.bytes_from_broker},
            .broker = {.tuple = c_.upstream,
                       .position = c_.upstream_end->position(),
                       .mac = broker_hop.mac,
                       .port = broker_hop.port,
                       .packets = packets_in(c_.client_end),
                       .bytes = c_.bytes_from_client},
            .listener = c_.listener,
            .pool = c_.pool,
            .backend = c_.backend,
            .opened = static_cast<std::uint32_t>(seconds.count()),
            .keep_alive = c_.keep_alive,
            .persistent = c_.persistent,
            .last_heard = milliseconds32(c_.keep_alive != 0 ? c_.last_heard : c_.last_traffic)};
}

}  // namespace sluice::session
