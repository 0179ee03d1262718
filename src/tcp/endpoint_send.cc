// Endpoint, leaving segments: what may be sent now (peer's window, congestion window, silly-window rule),
// what is sent again and in which order (RFC 6675 section 4), and how a segment is made up.
#include <algorithm>

#include "endpoint_impl.h"

namespace sluice::tcp {

bool Endpoint::Impl::may_send_text() const {
    switch (state) {
        case State::Established:
        case State::CloseWait:
        case State::FinWait1:
        case State::Closing:
        case State::LastAck: return true;
        case State::Closed:
        case State::Listen:
        case State::SynSent:
        case State::SynReceived:
        case State::FinWait2:
        case State::TimeWait: return false;
    }
    return false;
}

// Payload of a full segment: the peer's MSS does not count options, so they come off it (RFC 6691).
std::uint16_t Endpoint::Impl::send_mss() const {
    return static_cast<std::uint16_t>(peer_mss - (timestamps ? 12 : 0));
}

std::uint32_t Endpoint::Impl::segment_size() const {
    if (!sack || !reassembly.has_gap()) return send_mss();
    const std::size_t blocks =
        std::min<std::size_t>(reassembly.pieces(), timestamps ? 3 : wire::kMaxSackBlocks);
    return static_cast<std::uint32_t>(send_mss() - (4 + 8 * blocks));
}

std::uint32_t Endpoint::Impl::unsent() const {
    const std::uint32_t sent = in_flight() - (fin_sent && !fin_acked ? 1U : 0U);
    return send_buffer.size() - sent;
}

std::uint32_t Endpoint::Impl::send_room() const { return snd_wnd > in_flight() ? snd_wnd - in_flight() : 0; }

// Bytes in the network. Without SACK each duplicate ACK stands for a segment that arrived, which also lets
// the first two send new data (limited transmit, RFC 3042).
std::uint32_t Endpoint::Impl::pipe() const {
    const std::uint32_t bytes = scoreboard.pipe(snd_nxt, send_mss());
    return sack ? bytes : bytes - std::min(bytes, duplicates * send_mss());
}

// Sends everything that may be sent now.
void Endpoint::Impl::transmit(Instant now, Output& out) {
    if (!may_send_text()) return;
    if (snd_una == snd_nxt && (unsent() != 0 || fin_due()) && now - last_text_sent > rto.value())
        congestion.restart_after_idle();
    while (send_lost(now, out) || send_new(now, out) || send_spare(now, out)) {
    }
    arm_send_timers(now);
}

// NextSeg rule 1. One segment; false when there is nothing, or no room.
bool Endpoint::Impl::send_lost(Instant now, Output& out) {
    if (recovery == Recovery::None) return false;
    const auto range = scoreboard.next_lost(snd_nxt, send_mss(), segment_size());
    if (!range) return false;
    const std::uint32_t network = pipe();
    if (!resend_now && network != 0 && network + range->size() > congestion.window()) return false;
    resend_now = false;
    scoreboard.sent_again(*range);
    send_again(now, *range, out);
    return true;
}

// NextSeg rule 2, and the ordinary case. Nagle's algorithm is not used: devices wait for small messages.
bool Endpoint::Impl::send_new(Instant now, Output& out) {
    const std::uint32_t waiting = unsent();
    const std::uint32_t room = send_room();
    if (room == 0 || (waiting == 0 && !fin_due())) return false;
    const std::uint32_t full = segment_size();
    const std::uint32_t size = std::min({waiting, full, room});
    // RFC 9293 section 3.8.6.2.1: no slivers of a small window, unless it is half of the largest one.
    if (size < full && size < waiting && size < max_snd_wnd / 2) return false;
    const std::uint32_t network = pipe();
    if (network != 0 && network + size > congestion.window()) return false;

    const Seq left = snd_nxt;
    snd_nxt = snd_nxt.advance(size);
    if (fin_due() && size == waiting && size < room) {
        fin_sent = true;
        snd_nxt = snd_nxt.advance(1);
    }
    if (!timing) {
        timing = true;
        timed_end = snd_nxt;
        timed_at = now;
    }
    statistics.bytes_out += size;
    send_range(now, {left, snd_nxt}, out);
    return true;
}

// NextSeg rules 3 and 4: when nothing is surely lost and nothing new may leave, fast recovery spends what
// room it has on holes, and once on the last segment, whose loss nobody could report.
bool Endpoint::Impl::send_spare(Instant now, Output& out) {
    if (recovery != Recovery::Fast || !sack) return false;
    if (pipe() + send_mss() > congestion.window()) return false;
    if (const auto hole = scoreboard.next_hole(snd_nxt, segment_size())) {
        scoreboard.sent_again(*hole);
        send_again(now, *hole, out);
        return true;
    }
    if (const auto last = scoreboard.rescue(snd_nxt, segment_size())) {
        scoreboard.sent_rescue();
        send_again(now, *last, out);
    }
    return false;
}

// What has been sent already: it can no longer be timed (Karn).
void Endpoint::Impl::send_again(Instant now, SackScoreboard::Range range, Output& out) {
    timing = false;
    ++statistics.retransmits;
    send_range(now, range, out);
}

// Text between SND.UNA and SND.NXT, the FIN included when the range reaches it.
void Endpoint::Impl::send_range(Instant now, SackScoreboard::Range range, Output& out) {
    const bool fin = fin_sent && range.right == snd_nxt;
    const std::uint32_t size = range.size() - (fin ? 1U : 0U);
    const std::uint32_t offset = range.left.since(snd_una);
    const auto text = send_buffer.peek(offset, size);
    Segment segment = blank();
    segment.seq = range.left;
    segment.payload = text.first;
    segment.payload_tail = text.second;
    segment.flags.fin = fin;
    segment.flags.psh = size != 0 && offset + size == send_buffer.size();
    add_options(now, segment);
    last_text_sent = now;
    emit(segment, out);
}

void Endpoint::Impl::send_ack(Instant now, Output& out) {
    Segment segment = blank();
    add_options(now, segment);
    emit(segment, out);
}

// The number the peer expects next if everything arrived; RFC 5961 accepts no other.
void Endpoint::Impl::send_reset(Instant now, Output& out) {
    Segment segment = blank();
    segment.flags.rst = true;
    if (timestamps) add_options(now, segment);
    segment.options.sack_count = 0;
    segment.window = 0;
    emit(segment, out);
}

// An ACK from SND.NXT; a segment of any other kind starts as one.
Segment Endpoint::Impl::blank() const {
    Segment segment;
    segment.seq = snd_nxt;
    segment.ack = rcv_nxt;
    segment.flags.ack = true;
    return segment;
}

void Endpoint::Impl::add_options(Instant now, Segment& segment) const {
    if (timestamps) {
        segment.options.timestamps =
            wire::TcpTimestamps{.value = milliseconds32(now) + options.timestamp_offset, .echo = ts_recent};
    }
    if (sack && reassembly.has_gap()) {
        const std::size_t most = timestamps ? 3 : wire::kMaxSackBlocks;
        segment.options.sack_count = reassembly.sack_blocks(std::span(segment.options.sack).first(most));
    }
}

// The last touch on every segment: everything that carries an ACK settles what was owed.
void Endpoint::Impl::emit(Segment& segment, Output& out) {
    if (segment.flags.ack && !segment.flags.rst) {
        if (!segment.flags.syn) segment.window = window_to_announce();
        last_ack_sent = segment.ack;
        unacked_in = 0;
        ack_now = false;
        delayed_ack_at = kNever;
    }
    if (segment.options.timestamps) last_tsval = segment.options.timestamps->value;
    ++statistics.segments_out;
    out.send(segment);
}

std::uint32_t Endpoint::Impl::promised() const {
    return receive_edge.after(rcv_nxt) ? receive_edge.since(rcv_nxt) : 0;
}

std::uint32_t Endpoint::Impl::grantable() const {
    const std::uint32_t most = std::min(reassembly.room(), 0xffffU << receive_scale);
    if (!allowed_edge) return most;
    const std::uint32_t allowed = allowed_edge->after(rcv_nxt) ? allowed_edge->since(rcv_nxt) : 0;
    return std::min(most, std::max(allowed, promised()));
}

bool Endpoint::Impl::held_back() const {
    return allowed_edge && grantable() < std::min(reassembly.room(), 0xffffU << receive_scale);
}

// RFC 9293 section 3.8.6.2.2: a window update is worth a segment of its own when it is worth two of the
// peer's, or half of the buffer; and when the window was closed, at the latest when everything is read. What
// was held back by allow() is worth one when it doubles what the peer may send: the end that opens its window
// beyond the owner took care that the step is no sliver, and nothing else may come of it for long.
bool Endpoint::Impl::update_due() const {
    if (!receiving()) return false;
    if (announced_zero && reassembly.room() == options.receive_buffer && !held_back()) return true;
    const std::uint32_t possible = (grantable() >> receive_scale) << receive_scale;
    const std::uint32_t gained = possible - std::min(possible, promised());
    const std::uint32_t worth = std::min(2U * options.receive_mss, options.receive_buffer / 2);
    return gained != 0 && (gained >= worth || (held_back() && (announced_zero || gained >= promised())));
}

// The window field. The right edge moves on only by steps worth a segment (RFC 9293 section 3.8.6.2.2) and
// not back; where the scale cannot express the edge, it may fall short by less than one unit (RFC 7323
// section 2.4), and receive_edge remembers the furthest one. What is held back by allow() grows in the steps
// of whoever it is held back for.
std::uint16_t Endpoint::Impl::window_to_announce() {
    const std::uint32_t unit = 1U << receive_scale;
    const std::uint32_t most = grantable();
    const std::uint32_t step = std::min<std::uint32_t>(options.receive_buffer / 2, options.receive_mss);
    const std::uint32_t kept = (promised() + unit - 1) / unit;
    std::uint32_t field = most / unit;
    if (!held_back()) {
        if (most < promised() + step && kept * unit <= most) field = kept;
        // A scale coarser than the whole buffer must not close it for ever.
        if (field == 0 && reassembly.room() == options.receive_buffer && most != 0) field = 1;
    }
    announced_zero = field == 0;
    receive_edge = later(receive_edge, rcv_nxt.advance(field * unit));
    return static_cast<std::uint16_t>(field);
}

}  // namespace sluice::tcp
