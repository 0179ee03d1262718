// Endpoint, arriving segments: SYN-RECEIVED and the synchronized states in the order of RFC 9293 section
// 3.10.7.4, with PAWS (RFC 7323 section 5) and the blind-attack rules of RFC 5961 at their places. The ACK
// itself is endpoint_ack.cc.
#include <algorithm>

#include "endpoint_impl.h"

namespace sluice::tcp {

namespace {
constexpr Duration kTimestampLife = std::chrono::hours(24 * 24);  // RFC 7323 section 5.5

}  // namespace

void Endpoint::Impl::on_synchronized(Instant now, const Segment& segment, Output& out) {
    if (state == State::SynReceived && segment.flags.syn && !segment.flags.rst && segment.seq == irs)
        return on_repeated_syn(now, segment, out);
    // Second, check the RST bit; put first because its window check is its own and PAWS does not apply.
    if (segment.flags.rst) return on_reset(now, segment, out);
    // First, check the timestamp and the sequence number.
    if (!timestamp_fits(now, segment, out)) return;
    if (!sequence_fits(segment)) return on_unacceptable(now, segment, out);
    // Fourth, check the SYN bit (RFC 5961 section 4.2).
    if (segment.flags.syn) return challenge(now, out);
    // Fifth, check the ACK field.
    if (!segment.flags.ack) return;
    if (state == State::SynReceived) {
        if (!complete_handshake(segment, out)) return;
        establish(now, segment);
    }
    if (!acknowledgement_fits(now, segment, out)) return;
    note_timestamp(now, segment);
    take_acknowledgement(now, segment);
    if (state == State::Closed) return;
    // Sixth, urgent data is text like any other (RFC 6093). Seventh and eighth:
    process_payload(now, segment);
    take_fin(now, segment);

    transmit(now, out);
    if (ack_now) send_ack(now, out);
}

// RFC 5961 section 3.2: only the exact number resets; one that merely fits is asked to prove itself.
void Endpoint::Impl::on_reset(Instant now, const Segment& segment, Output& out) {
    if (segment.seq != rcv_nxt) {
        if (segment.seq.after(rcv_nxt) && segment.seq.at_or_before(receive_edge)) {
            challenge(now, out);
        } else {
            ++statistics.out_of_window;
        }
        return;
    }
    switch (state) {
        case State::SynReceived: return close(Failure::Refused);
        case State::TimeWait: return close(Failure::None);
        case State::Closed:
        case State::Listen:
        case State::SynSent:
        case State::Established:
        case State::FinWait1:
        case State::FinWait2:
        case State::CloseWait:
        case State::Closing:
        case State::LastAck: return close(Failure::Reset);
    }
}

// RFC 7323 sections 3.2 and 5.3 R1. A segment without the option that was agreed on should be dropped, but
// hosts and middleboxes that leave it out exist, whose connections would hang; other stacks take it.
bool Endpoint::Impl::timestamp_fits(Instant now, const Segment& segment, Output& out) {
    if (!timestamps) return true;
    if (!segment.options.timestamps) {
        if (!segment.flags.syn) ++statistics.missing_timestamps;
        return true;
    }
    if (!is_old(now, segment.options.timestamps->value)) return true;
    ++statistics.paws_rejected;
    reject_unacceptable(now, segment, out);
    return false;
}

// The acceptability test of RFC 9293 section 3.4, a little wider where strictness would lose an ACK: an empty
// segment at the window's edge (a peer that filled the window is there), and one that starts at RCV.NXT with
// a closed window.
bool Endpoint::Impl::sequence_fits(const Segment& segment) const {
    const bool starts_in = segment.seq == rcv_nxt || segment.seq.before(receive_edge) ||
                           (segment.seq == receive_edge && segment.payload_size() == 0);
    const bool ends_in =
        segment.length() == 0 ? segment.seq.at_or_after(rcv_nxt) : segment.end().after(rcv_nxt);
    return starts_in && ends_in;
}

// What RFC 9293 section 3.10.7.4 answers and drops, the ACK of an old segment excepted.
void Endpoint::Impl::on_unacceptable(Instant now, const Segment& segment, Output& out) {
    ++statistics.out_of_window;
    // The FIN again: our ACK was lost (RFC 9293 section 3.10.7.4, TIME-WAIT).
    if (state == State::TimeWait && segment.flags.fin) linger_at = now + options.time_wait;
    if (segment.flags.syn) return challenge(now, out);
    if (brings_late_ack(segment)) {
        take_acknowledgement(now, segment);
        if (state == State::Closed) return;
        transmit(now, out);
    }
    reject_unacceptable(now, segment, out);
}

// All of the segment was received before, yet its ACK is news: those that said so first were lost. A peer
// that only repeats itself, or probes, has no other way to tell. What a guesser could use stays narrow: a
// window's worth of old numbers, and of ACKs only those that RFC 5961 section 5.2 lets through and that move
// SND.UNA, so neither an old window nor a duplicate comes in this way.
bool Endpoint::Impl::brings_late_ack(const Segment& segment) const {
    return is_synchronized(state) && segment.flags.ack && segment.seq.before(rcv_nxt) &&
           segment.end().at_or_before(rcv_nxt) &&
           segment.seq.at_or_after(rcv_nxt.retreat(options.receive_buffer)) && segment.ack.after(snd_una) &&
           !segment.ack.after(snd_nxt);
}

// An ACK for what cannot be used. Two endpoints that disagree would answer each other's ACKs for ever, so
// those for empty segments are limited; probes come slower than that.
void Endpoint::Impl::reject_unacceptable(Instant now, const Segment& segment, Output& out) {
    if (segment.length() == 0) {
        if (now < next_refusal) return;
        next_refusal = now + options.challenge_ack_interval;
    }
    send_ack(now, out);
}

void Endpoint::Impl::challenge(Instant now, Output& out) {
    if (now < next_challenge) return;
    next_challenge = now + options.challenge_ack_interval;
    ++statistics.challenge_acks;
    send_ack(now, out);
}

// RFC 7323 section 4.3 (2): the echo must be that of the oldest segment an ACK covers. A value older than its
// own clock can be compared with is replaced whatever it says (section 5.5).
void Endpoint::Impl::note_timestamp(Instant now, const Segment& segment) {
    if (!timestamps || !segment.options.timestamps || segment.seq.after(last_ack_sent)) return;
    const std::uint32_t value = segment.options.timestamps->value;
    if (is_old(now, value)) return;
    ts_recent = value;
    ts_recent_at = now;
}

// A zero is what some hosts put into their SYN in place of their clock: nothing is older than that.
bool Endpoint::Impl::is_old(Instant now, std::uint32_t timestamp) const {
    return ts_recent != 0 && Seq(timestamp).before(Seq(ts_recent)) && now - ts_recent_at <= kTimestampLife;
}

bool Endpoint::Impl::receiving() const {
    return state == State::Established || state == State::FinWait1 || state == State::FinWait2;
}

// Seventh step, and the choice of when to acknowledge (RFC 5681 section 4.2).
void Endpoint::Impl::process_payload(Instant now, const Segment& segment) {
    const std::uint32_t size = segment.payload_size();
    if (size == 0 || !receiving()) return;
    const bool gap_before = reassembly.has_gap();
    const bool in_order = segment.seq == rcv_nxt;
    reassembly.insert(segment.seq, segment.payload);
    reassembly.insert(segment.seq.advance(static_cast<std::uint32_t>(segment.payload.size())),
                      segment.payload_tail);
    const std::uint32_t gained = reassembly.next().since(rcv_nxt);
    rcv_nxt = reassembly.next();
    statistics.bytes_in += gained;
    if (state == State::FinWait2 && gained != 0) linger_at = now + options.fin_wait_2;

    unacked_in += gained;
    full_segment = static_cast<std::uint16_t>(
        std::clamp<std::uint32_t>(size, full_segment, std::max(options.receive_mss, full_segment)));
    if (!in_order || gap_before || gained != size || unacked_in >= 2U * full_segment ||
        options.delayed_ack <= Duration::zero()) {
        ack_now = true;
    } else if (delayed_ack_at == kNever) {
        delayed_ack_at = now + options.delayed_ack;
    }
}

// Eighth step. A FIN behind a gap waits for it to be filled.
void Endpoint::Impl::take_fin(Instant now, const Segment& segment) {
    if (!receiving()) return;
    if (segment.flags.fin) {
        const Seq fin = segment.seq.advance(segment.payload_size());
        ack_now = true;
        if (fin.at_or_after(rcv_nxt) && (fin.at_or_before(receive_edge) || fin == rcv_nxt))
            fin_announced = fin;
    }
    if (!fin_announced || fin_announced->after(rcv_nxt)) return;
    if (fin_announced->before(rcv_nxt)) {  // text went past it: it was not the peer's
        fin_announced.reset();
        return;
    }
    fin_announced.reset();
    fin_received = true;
    // Text beyond a FIN belongs to no stream, and must not be reported (RFC 2018 section 4: blocks lie above
    // the ACK).
    reassembly.drop_early();
    rcv_nxt = rcv_nxt.advance(1);
    receive_edge = later(receive_edge, rcv_nxt);
    ack_now = true;
    if (state == State::Established) {
        state = State::CloseWait;
    } else if (state == State::FinWait1) {
        state = State::Closing;
    } else {
        enter_time_wait(now);
    }
}

}  // namespace sluice::tcp
