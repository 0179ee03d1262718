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
bool promises_more(const splice::LegFacts& to, const splice::LegFacts& other) {
    return to.position.receive_edge.since(to.position.receive_next) > other.position.send_window;
}

}  // namespace

// True when the segment is the record's: what it acknowledges made the connection quiet.
bool Session::splice_before(Instant now, Leg& receiver, tcp::Output& out, const tcp::Segment& segment) {
    if (c_.phase != Phase::Relayed || c_.stays_relayed || segment.length() == 0 || !segment.flags.ack ||
        segment.flags.syn || segment.flags.rst) {
        return false;
    }
    const auto at = receiver.position();
    if (segment.seq != at.receive_next || segment.ack != at.send_next) return false;
    const Leg& other = &receiver == &c_.client_leg ? *c_.broker_leg : c_.client_leg;
    if (!other.quiet()) return false;
    receiver.anticipate(now, without_text(segment), out);
    return try_splice(now);
}

// What stands in the way does not pass: options are agreed on once.
bool Session::can_be_one_record() {
    const auto obstacle = splice::obstacle_to_splice(joint({}));
    if (obstacle) count(counter_of(*obstacle));
    return !obstacle;
}

bool Session::try_splice(Instant now) {
    if (c_.phase != Phase::Relayed || c_.stays_relayed) return false;
    // Codecs stay. They are no obstacle that an operator could clear, and are not counted as one; and it need
    // not be quiet to see them: until it stays relayed an end may send no more than the other one takes, and
    // a unit that has begun would wait for that.
    const bool coded = !c_.client_leg.transparent() || !c_.broker_leg->transparent();
    if (!coded && (!c_.client_leg.quiet() || !c_.broker_leg->quiet())) return false;
    if (coded || !can_be_one_record()) {
        c_.stays_relayed = true;
        c_.client_leg.allow(std::nullopt);
        c_.broker_leg->allow(std::nullopt);
        return false;
    }
    const auto hop = s_.transmitter.broker_hop(c_);
    if (!hop) return false;
    // Nobody would send these any more.
    follow_windows();
    c_.client_leg.acknowledge(now, to_client_);
    c_.broker_leg->acknowledge(now, to_broker_);
    const splice::Joint both = joint(*hop);
    if (!s_.transmitter.splice(c_, both)) return false;
    if (promises_more(both.client, both.broker) || promises_more(both.broker, both.client)) {
        count(Counter::SpliceBeyondWindow);
    }
    c_.client_leg.count_statistics(s_.counters);
    c_.broker_leg->count_statistics(s_.counters);
    c_.phase = Phase::Spliced;
    return true;
}

splice::Joint Session::joint(const LinkDestination& broker_hop) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(c_.opened.time_since_epoch());
    return {.client = {.tuple = c_.client,
                       .position = c_.client_leg.position(),
                       .mac = c_.path.mac,
                       .port = c_.path.port,
                       .packets = c_.packets_from_broker(),
                       .bytes = c_.bytes_from_broker},
            .broker = {.tuple = c_.upstream,
                       .position = c_.broker_leg->position(),
                       .mac = broker_hop.mac,
                       .port = broker_hop.port,
                       .packets = c_.packets_from_client(),
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
