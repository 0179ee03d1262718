#include "sluice/splice/translate.h"

namespace sluice::splice {
namespace detail {
namespace {

void note_sent_near_end(Way& way, tcp::Seq end, bool fin) {
    if (way.has(Way::kFinSeen) || !within_reach(way, end)) return;
    // A FIN short of what was already sent is not the sender's own.
    if (fin && end.at_or_after(way.next)) way.flags |= Way::kFinSeen;
    way.next = tcp::later(way.next, end);
}

void note_acknowledged_near_end(Way& way, tcp::Seq acknowledges, std::uint16_t window) {
    // Who takes bytes beyond a FIN has not taken the FIN.
    if (within_reach(way, acknowledges) && acknowledges.after(way.next)) {
        way.flags = static_cast<std::uint8_t>(way.flags & ~(Way::kFinSeen | Way::kFinAcked));
    }
    note_acknowledged(way, acknowledges, window);
    if (way.has(Way::kFinSeen) && way.acked == way.next) way.flags |= Way::kFinAcked;
}

}  // namespace

Verdict track_ending(Core& core, Direction direction, const Passage& passage) {
    Way& way = core.way(direction);
    if ((passage.flags & kRst) != 0) {
        // RFC 5961 section 3.2: only RCV.NXT will do. That is `next` when all has arrived, and `acked` when
        // what was sent since is lost, or when the RST answers the receiver's own segment.
        const bool exact = passage.begin == way.next || passage.begin == way.acked;
        return exact ? Verdict::Reset : Verdict::Forward;
    }
    // RFC 5961 section 4: a SYN changes nothing; its receiver sends a challenge ACK.
    if ((passage.flags & kSyn) != 0) return core.finished() ? Verdict::Finished : Verdict::Forward;
    const bool fin = (passage.flags & kFin) != 0;
    note_sent_near_end(way, passage.begin.advance(passage.payload + (fin ? 1U : 0U)), fin);
    if ((passage.flags & kAck) != 0) {
        note_acknowledged_near_end(core.way(opposite(direction)), passage.acknowledges, passage.window);
    }
    return core.finished() ? Verdict::Finished : Verdict::Forward;
}

}  // namespace detail

Resets::Resets(const Core& core, Direction direction) : count_(1) {
    const Way& way = core.way(direction);
    const Way& back = core.way(opposite(direction));
    tcp::Segment reset;
    reset.seq = way.next;
    // What the other end has taken of this receiver's bytes, in this receiver's numbering.
    reset.ack = back.acked.retreat(back.sequence_delta);
    reset.flags.rst = true;
    reset.flags.ack = true;
    segments_[0] = reset;
    if (way.acked != way.next) {
        reset.seq = way.acked;
        segments_[1] = reset;
        count_ = 2;
    }
}

}  // namespace sluice::splice
