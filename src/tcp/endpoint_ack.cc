// Endpoint, the ACK field: RFC 9293 section 3.10.7.4, fifth step; round-trip samples; and the decision that
// something was lost (RFC 6675, RFC 6582).
#include <algorithm>

#include "endpoint_impl.h"

namespace sluice::tcp {

// RFC 5961 section 5.2: what was never sent, or is older than a window can explain, comes from somebody else.
bool Endpoint::Impl::acknowledgement_fits(Instant now, const Segment& segment, Output& out) {
    if (!segment.ack.after(snd_nxt) && !segment.ack.before(snd_una.retreat(max_snd_wnd))) return true;
    challenge(now, out);
    return false;
}

void Endpoint::Impl::take_acknowledgement(Instant now, const Segment& segment) {
    probes_silent = 0;
    if (snd_wnd == 0) expiries = 0;  // it answers, it just has no room (RFC 9293 section 3.8.6.1)

    bool news = false;
    if (sack) {
        for (std::size_t i = 0; i < segment.options.sack_count; ++i) {
            const wire::SackBlock& block = segment.options.sack[i];
            news |= scoreboard.report(Seq(block.left), Seq(block.right), snd_nxt);
        }
    }
    const bool advances = segment.ack.after(snd_una);
    if (advances) {
        advance_unacked(now, segment);
        if (state == State::Closed) return;
    } else if (segment.ack == snd_una && snd_una != snd_nxt) {
        // RFC 6675 section 2 counts ACKs with news, RFC 5681 section 2 those that change nothing at all.
        const std::uint32_t window = static_cast<std::uint32_t>(segment.window) << send_scale;
        if (sack ? news : segment.length() == 0 && window == snd_wnd) ++duplicates;
    }
    update_send_window(segment, advances);
    find_loss();
}

// RFC 9293 section 3.10.7.4: an old segment must not bring back an old window. One that moved SND.UNA is new
// whatever its number: a window kept from before would reach further from there than the peer ever granted.
void Endpoint::Impl::update_send_window(const Segment& segment, bool advances) {
    if (segment.ack.before(snd_una)) return;
    const bool newer = advances || snd_wl1.before(segment.seq) ||
                       (snd_wl1 == segment.seq && snd_wl2.at_or_before(segment.ack));
    if (!newer) return;
    snd_wnd = static_cast<std::uint32_t>(segment.window) << send_scale;
    max_snd_wnd = std::max(max_snd_wnd, snd_wnd);
    snd_wl1 = segment.seq;
    snd_wl2 = segment.ack;
    if (snd_wnd != 0) probes = 0;
}

void Endpoint::Impl::advance_unacked(Instant now, const Segment& segment) {
    const std::uint32_t flight = in_flight();
    const std::uint32_t acked = segment.ack.since(snd_una);
    const bool fin = fin_sent && segment.ack == snd_nxt && !fin_acked;
    measure(now, segment);
    send_buffer.drop(acked - (fin ? 1U : 0U));
    snd_una = segment.ack;
    scoreboard.advance(snd_una);
    expiries = 0;

    // RFC 6582 asks what SND.UNA has passed; kept near, the answer survives the number space.
    if (recovery == Recovery::None && snd_una.after(recovery_point)) recovery_point = snd_una.retreat(1);
    const bool recovered = snd_una.at_or_after(recovery_point);
    switch (recovery) {
        case Recovery::None:
        case Recovery::Full:
            duplicates = 0;
            congestion.acknowledged(now, acked, flight, rto.smoothed());
            break;
        case Recovery::Fast:
            if (sack) break;
            // RFC 6582 section 3.2: a partial ACK shows the next hole; what it covers has left the network.
            duplicates -= std::min(duplicates, acked / send_mss());
            if (recovered) break;
            scoreboard.mark_lost(snd_una.advance(std::min<std::uint32_t>(send_mss(), in_flight())), false);
            resend_now = true;
            break;
    }
    if (recovery != Recovery::None && recovered) {
        recovery = Recovery::None;
        duplicates = 0;
        resend_now = false;
    }
    // RFC 6298 (5.2), (5.3).
    retransmit_at = snd_una == snd_nxt ? kNever : now + rto.value();
    if (fin) our_fin_acknowledged(now);
}

// One sample an ACK: from the segment that is timed, exact because it was sent once; else from the echo,
// which also tells retransmissions apart (RFC 7323 section 4).
void Endpoint::Impl::measure(Instant now, const Segment& segment) {
    std::optional<Duration> rtt;
    if (timing && segment.ack.at_or_after(timed_end)) {
        timing = false;
        rtt = now - timed_at;
    } else if (timestamps && segment.options.timestamps && segment.options.timestamps->echo != 0) {
        const std::uint32_t clock = milliseconds32(now) + options.timestamp_offset;
        const std::uint32_t ticks = clock - segment.options.timestamps->echo;
        if (ticks < 1U << 31U) rtt = std::chrono::milliseconds(ticks);
    }
    if (!rtt) return;
    rto.sample(*rtt, std::max(1U, in_flight() / (2U * send_mss())));
    statistics.smoothed_rtt = rto.smoothed();
}

void Endpoint::Impl::find_loss() {
    if (recovery != Recovery::None || snd_una == snd_nxt) return;
    const std::uint16_t mss = send_mss();
    const bool reported = sack && scoreboard.loss_edge(mss).after(snd_una);
    const bool counted = duplicates >= SackScoreboard::kDuplicateLimit;
    if (!reported && !counted) return;
    // RFC 6582 section 3.2 step 2: without SACK, duplicates may stem from what a recovery sent twice.
    if (!sack && !snd_una.after(recovery_point)) return;
    recovery = Recovery::Fast;
    recovery_point = snd_nxt;
    resend_now = true;
    ++statistics.fast_recoveries;
    congestion.lost(in_flight());
    scoreboard.mark_lost(snd_una.advance(std::min<std::uint32_t>(mss, in_flight())), true);
    scoreboard.allow_rescue();
}

void Endpoint::Impl::our_fin_acknowledged(Instant now) {
    fin_acked = true;
    switch (state) {
        case State::FinWait1:
            state = State::FinWait2;
            linger_at = now + options.fin_wait_2;
            break;
        case State::Closing: enter_time_wait(now); break;
        case State::LastAck: close(Failure::None); break;
        case State::Closed:
        case State::Listen:
        case State::SynSent:
        case State::SynReceived:
        case State::Established:
        case State::FinWait2:
        case State::CloseWait:
        case State::TimeWait: break;  // a FIN is never unacknowledged here
    }
}

}  // namespace sluice::tcp
