// Endpoint, going on from a quiet point: what a position holds is taken over, the rest starts as after a
// handshake.
#include "endpoint_impl.h"

namespace sluice::tcp {

void Endpoint::Impl::resume(const Position& at, Instant now) {
    state = State::Established;
    scaling = at.window_scale;
    timestamps = at.timestamps;
    sack = at.sack;
    send_scale = at.send_scale;
    receive_scale = at.receive_scale;
    peer_mss = at.peer_mss;

    iss = at.send_next.retreat(1);
    snd_una = at.send_next;
    snd_nxt = at.send_next;
    snd_wnd = at.send_window;
    max_snd_wnd = at.send_window;
    // The window is as new as anything that was received: an older segment must not replace it.
    snd_wl1 = at.receive_next;
    snd_wl2 = at.send_next;
    scoreboard.start(snd_una);
    recovery_point = iss;
    congestion.start(send_mss(), false);
    rto.restore(at.smoothed_rtt, at.rtt_variation);
    last_text_sent = now;

    irs = at.receive_next.retreat(1);
    rcv_nxt = at.receive_next;
    receive_edge = at.receive_edge;
    if (allowed_edge) allowed_edge = receive_edge;  // more is for allow() to say
    reassembly.start(rcv_nxt);
    last_ack_sent = rcv_nxt;
    ts_recent = at.last_timestamp_received;
    ts_recent_at = at.last_timestamp_at;
    last_tsval = at.last_timestamp_sent;
}

Endpoint Endpoint::resume(const EndpointOptions& options, const Position& at, Instant now) {
    Endpoint endpoint(options);
    endpoint.impl_->resume(at, now);
    return endpoint;
}

}  // namespace sluice::tcp
