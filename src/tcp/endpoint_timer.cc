// Endpoint, time: retransmission (RFC 6298), zero-window probes (RFC 9293 section 3.8.6.1), delayed ACKs, and
// the waits that end a connection.
#include <algorithm>

#include "endpoint_impl.h"

namespace sluice::tcp {

Instant Endpoint::Impl::next_deadline() const {
    return std::min({retransmit_at, persist_at, delayed_ack_at, linger_at});
}

void Endpoint::Impl::on_timer(Instant now, Output& out) {
    if (now >= linger_at) {
        if (state == State::TimeWait) return close(Failure::None);
        return give_up(now, out);  // FIN-WAIT-2: the peer never finished
    }
    if (now >= delayed_ack_at) send_ack(now, out);
    if (now >= retransmit_at) {
        if (state == State::SynSent || state == State::SynReceived) {
            on_handshake_timer(now, out);
        } else {
            on_retransmission_timer(now, out);
        }
    }
    if (now >= persist_at) on_persist_timer(now, out);
}

void Endpoint::Impl::on_handshake_timer(Instant now, Output& out) {
    // Quietly: the source address of the SYN may be forged.
    if (expiries == options.syn_retries) return close(Failure::TimedOut);
    ++expiries;
    ++statistics.timeouts;
    ++statistics.retransmits;
    timing = false;
    rto.back_off();
    retransmit_at = now + rto.value();
    send_syn(now, out);
}

// RFC 6298 (5.4) to (5.6); RFC 6675 section 5.1.
void Endpoint::Impl::on_retransmission_timer(Instant now, Output& out) {
    if (expiries == options.data_retries) return give_up(now, out);
    ++expiries;
    ++statistics.timeouts;
    congestion.timed_out(in_flight(), expiries > 1);
    rto.back_off();
    // RFC 2018 section 8: a peer may drop what it reported. It did when it misses the first byte it reported;
    // and a second expiry for the same data is reason enough to doubt.
    if (expiries > 1 || scoreboard.reports_first_byte()) scoreboard.forget_reports();
    scoreboard.mark_lost(snd_nxt, true);
    recovery = Recovery::Full;
    recovery_point = snd_nxt;
    duplicates = 0;
    resend_now = true;
    retransmit_at = now + rto.value();
    transmit(now, out);
}

// The window is closed, or too small to be worth a segment, and nothing in flight will bring news of it. A
// probe repeats the last number before SND.NXT without text, so it leaves no trace in the sequence space:
// every peer must answer it with its window.
void Endpoint::Impl::on_persist_timer(Instant now, Output& out) {
    if (const std::uint32_t size = std::min({unsent(), send_room(), segment_size()}); size != 0) {
        // The override timeout of RFC 9293 section 3.8.6.2.1.
        const Seq left = snd_nxt;
        snd_nxt = snd_nxt.advance(size);
        statistics.bytes_out += size;
        send_range(now, {left, snd_nxt}, out);
        return arm_send_timers(now);
    }
    if (probes_silent == options.probe_retries) return give_up(now, out);
    ++probes_silent;
    if (probes < 16) ++probes;
    Segment probe = blank();
    probe.seq = snd_nxt.retreat(1);
    add_options(now, probe);
    emit(probe, out);
    persist_at = now + std::min(rto.value() * (1U << probes), rto.maximum());
}

// One of the two runs while there is something to send: retransmission when it is in flight, persist when it
// cannot be.
void Endpoint::Impl::arm_send_timers(Instant now) {
    if (snd_una != snd_nxt) {
        persist_at = kNever;
        if (retransmit_at == kNever) retransmit_at = now + rto.value();
        return;
    }
    retransmit_at = kNever;
    if (!may_send_text() || (unsent() == 0 && !fin_due())) {
        persist_at = kNever;
    } else if (persist_at == kNever) {
        persist_at = now + rto.value();
    }
}

}  // namespace sluice::tcp
