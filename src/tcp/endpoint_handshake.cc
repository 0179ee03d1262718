// Endpoint, opening: LISTEN (RFC 9293 section 3.10.7.2), SYN-SENT (3.10.7.3), what is special in
// SYN-RECEIVED, and what the SYNs agree on.
#include <algorithm>

#include "endpoint_impl.h"

namespace sluice::tcp {

// There is no connection that this segment could belong to.
void Endpoint::Impl::refuse(const Segment& segment, Output& out) {
    const auto reset = reset_for(segment);
    if (!reset) return;
    ++statistics.segments_out;
    out.send(*reset);
}

void Endpoint::Impl::on_listen(Instant now, const Segment& segment, Output& out) {
    if (segment.flags.rst) return;
    if (segment.flags.ack) return refuse(segment, out);
    if (!segment.flags.syn) return;
    accept_syn(now, segment);
    state = State::SynReceived;
    send_syn(now, out);
}

void Endpoint::Impl::on_syn_sent(Instant now, const Segment& segment, Output& out) {
    // First, check the ACK bit.
    if (segment.flags.ack && (!segment.ack.after(iss) || segment.ack.after(snd_nxt))) {
        refuse(segment, out);
        if (!segment.flags.rst) repeat_challenged_syn(now, out);
        return;
    }
    // Second, check the RST bit; it counts only beside an ACK of our SYN (RFC 5961 section 3.2).
    if (segment.flags.rst) {
        if (segment.flags.ack) close(Failure::Refused);
        return;
    }
    // Fourth, check the SYN bit.
    if (!segment.flags.syn) return;
    accept_syn(now, segment);
    if (!segment.flags.ack) {  // both sides opened at once
        state = State::SynReceived;
        send_syn(now, out);
        return;
    }
    establish(now, segment);
    ack_now = true;
    transmit(now, out);
    if (ack_now) send_ack(now, out);
}

// The peer still knows an older connection of these addresses and ports, and has spent our SYN on a challenge
// ACK (RFC 5961 section 4.2) or in TIME-WAIT. The reset before has ended that connection, so the SYN need not
// wait for its timer. Once only: guessed addresses and ports can make us do it.
void Endpoint::Impl::repeat_challenged_syn(Instant now, Output& out) {
    if (syn_challenged) return;
    syn_challenged = true;
    ++statistics.retransmits;
    timing = false;
    retransmit_at = now + rto.value();
    send_syn(now, out);
}

// The peer's SYN again in SYN-RECEIVED. Without ACK, our SYN-ACK was lost. With ACK, it answers our SYN in a
// simultaneous open, and the peer has our SYN-ACK as its answer.
void Endpoint::Impl::on_repeated_syn(Instant now, const Segment& segment, Output& out) {
    if (segment.flags.ack) {
        if (!complete_handshake(segment, out)) return;
        note_timestamp(now, segment);
        establish(now, segment);
        return transmit(now, out);
    }
    note_timestamp(now, segment);
    ++statistics.retransmits;
    timing = false;
    send_syn(now, out);
}

// SYN-RECEIVED, fifth step: false when the segment does not acknowledge our SYN.
bool Endpoint::Impl::complete_handshake(const Segment& segment, Output& out) {
    if (!segment.ack.after(snd_una) || segment.ack.after(snd_nxt)) {
        refuse(segment, out);
        return false;
    }
    return true;
}

// Takes over what the peer's SYN says.
void Endpoint::Impl::accept_syn(Instant now, const Segment& segment) {
    const wire::TcpOptions& offer = segment.options;
    irs = segment.seq;
    if (allowed_edge) allowed_edge = irs.advance(1 + allowed_edge->since(rcv_nxt));
    rcv_nxt = irs.advance(1);
    last_ack_sent = rcv_nxt;
    reassembly.start(rcv_nxt);
    receive_edge = rcv_nxt.advance(first_window(options));

    // An MSS of zero says nothing.
    const std::uint16_t said = offer.mss.value_or(0);
    const std::uint16_t announced = std::max(said != 0 ? said : options.default_send_mss, kSmallestMss);
    peer_mss = std::min({announced, options.send_mss_limit, peer_mss});
    scaling = options.window_scale.has_value() && offer.window_scale.has_value();
    if (scaling) {  // RFC 7323 section 2.3: a shift above 14 is taken for 14
        send_scale = std::min(*offer.window_scale, wire::kMaxWindowScale);
        receive_scale = *options.window_scale;
    }
    sack = options.sack && offer.sack_permitted;
    timestamps = options.timestamps && offer.timestamps.has_value();
    if (timestamps) {
        ts_recent = offer.timestamps->value;
        ts_recent_at = now;
    }
    snd_wl1 = segment.seq;
    snd_wl2 = segment.flags.ack ? segment.ack : snd_una;
    snd_wnd = segment.window;
    max_snd_wnd = snd_wnd;
}

// Our SYN is acknowledged.
void Endpoint::Impl::establish(Instant now, const Segment& segment) {
    measure_handshake(now, segment);
    // A SYN that was challenged got there: no sign of a narrow path (RFC 5681 section 3.1).
    const bool syn_repeated = statistics.retransmits > (syn_challenged ? 1U : 0U);
    state = State::Established;
    if (shut) begin_closing();
    snd_una = segment.ack;
    snd_wl1 = segment.seq;
    snd_wl2 = segment.ack;
    if (segment.flags.syn) {  // its window is never scaled (RFC 7323 section 2.2)
        snd_wnd = segment.window;
        max_snd_wnd = snd_wnd;
    }
    scoreboard.start(snd_una);
    recovery_point = iss;
    congestion.start(send_mss(), syn_repeated);
    if (syn_repeated) rto.distrust_handshake();
    expiries = 0;
    retransmit_at = kNever;
}

// The peer keeps the timestamp of the copy of our SYN that it took, and repeats it when its answer was lost
// (RFC 7323 section 4.3): the echo of an earlier copy is as old as all the answers that were lost since. That
// of the last copy is exact, as nothing else carried it.
void Endpoint::Impl::measure_handshake(Instant now, const Segment& segment) {
    const auto& stamp = segment.options.timestamps;
    if (timing || (stamp && Seq(stamp->echo).at_or_after(Seq(syn_timestamp)))) measure(now, segment);
}

std::uint16_t first_window(const EndpointOptions& options) {
    return static_cast<std::uint16_t>(
        std::min({options.receive_buffer, options.receive_window.value_or(0xffff), 0xffffU}));
}

// Nothing tells the round trip: the echo in the ACK is of a time that may not be a clock's (syn_cookie.h).
void Endpoint::Impl::resume_handshake(Instant now, Seq initial_send_sequence, const Segment& syn) {
    iss = snd_una = initial_send_sequence;
    snd_nxt = iss.advance(1);
    accept_syn(now, syn);
    state = State::SynReceived;
    last_tsval = milliseconds32(now) + options.timestamp_offset;
    syn_timestamp = last_tsval + 1;
}

// SYN, or SYN-ACK in SYN-RECEIVED. Also when it is sent again.
void Endpoint::Impl::send_syn(Instant now, Output& out) {
    const bool answer = state == State::SynReceived;
    Segment segment = blank();
    segment.seq = iss;
    segment.flags = {.syn = true, .ack = answer};
    segment.window = first_window(options);
    segment.options.mss = options.receive_mss;
    if (answer ? scaling : options.window_scale.has_value())
        segment.options.window_scale = *options.window_scale;
    segment.options.sack_permitted = answer ? sack : options.sack;
    if (answer ? timestamps : options.timestamps) {
        syn_timestamp = milliseconds32(now) + options.timestamp_offset;
        segment.options.timestamps =
            wire::TcpTimestamps{.value = syn_timestamp, .echo = answer ? ts_recent : 0};
    }
    if (snd_nxt == iss) {
        snd_nxt = iss.advance(1);
        timing = true;
        timed_end = snd_nxt;
        timed_at = now;
    }
    if (retransmit_at == kNever) retransmit_at = now + rto.value();
    emit(segment, out);
}

}  // namespace sluice::tcp
