#include "sluice/splice/translate.h"

namespace sluice::splice {
namespace detail {
namespace {

void note_sent_near_end(DirectionState& way, tcp::Seq end, bool fin) {
    if (!within_reach(way, end)) return;
    if (fin) {
        // Nothing of the same sender comes behind it, whatever was seen before.
        way.flags |= DirectionState::kFinSeen;
        way.next = end;
    } else if (end.after(way.next)) {
        // A sender that goes on behind a FIN has sent none.
        way.flags =
            static_cast<std::uint8_t>(way.flags & ~(DirectionState::kFinSeen | DirectionState::kFinAcked));
        way.next = end;
    }
}

void note_acknowledged_near_end(DirectionState& way, tcp::Seq acknowledges, std::uint16_t window) {
    note_acknowledged(way, acknowledges, window);
    if (way.has(DirectionState::kFinSeen) && way.acked == way.next) way.flags |= DirectionState::kFinAcked;
}

// RFC 5961 section 3.2: only RCV.NXT will do. What the receiver has confirmed is sure to be that, or to be
// the answer to its own segment. A sender that gives up uses SND.NXT instead, text in flight or not; whether
// its receiver has come so far, only that one knows, and any number in the window may be a stranger's.
Verdict judge_reset(const DirectionState& way, tcp::Seq at) {
    if (at == way.acked) return Verdict::Reset;
    return within_reach(way, at) ? Verdict::DoubtedReset : Verdict::Forward;
}

}  // namespace

Verdict track_special(Core& core, Direction direction, const SegmentFacts& facts, bool believed) {
    DirectionState& way = core.way(direction);
    DirectionState& back = core.way(opposite(direction));
    if ((facts.flags & kRst) != 0) return judge_reset(way, facts.begin);
    if (believed) {
        const bool fin = (facts.flags & kFin) != 0;
        note_sent_near_end(way, facts.begin.advance(facts.payload + (fin ? 1U : 0U)), fin);
        note_acknowledged_near_end(back, facts.acknowledges, facts.window);
    }
    const Verdict verdict = core.finished() ? Verdict::Finished : Verdict::Forward;
    return believed && back.has(DirectionState::kAsked) ? verdict | Verdict::Answered : verdict;
}

}  // namespace detail

Resets::Resets(const Core& core, Direction direction) : count_(1) {
    const DirectionState& way = core.way(direction);
    tcp::Segment reset;
    reset.seq = way.next;
    reset.ack = core.sender_acked(opposite(direction));
    reset.flags.rst = true;
    reset.flags.ack = true;
    segments_[0] = reset;
    if (way.acked != way.next) {
        reset.seq = way.acked;
        segments_[1] = reset;
        count_ = 2;
    }
}

tcp::Segment bare_ack(const Core& core, Direction direction, Ask ask) {
    const DirectionState& way = core.way(direction);
    const DirectionState& back = core.way(opposite(direction));
    tcp::Segment segment;
    segment.seq = ask == Ask::Probe ? way.acked.retreat(1) : way.acked;
    segment.ack = core.sender_acked(opposite(direction));
    segment.flags.ack = true;
    segment.window = convert_window(back.window, back.their_scale, way.our_scale);
    if (core.timestamps()) {
        segment.options.timestamps =
            wire::TcpTimestamps{core.last_timestamp(direction), core.sender_timestamp(opposite(direction))};
    }
    return segment;
}

}  // namespace sluice::splice
