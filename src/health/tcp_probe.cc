#include "sluice/health/tcp_probe.h"

#include <algorithm>

#include "sluice/tcp/endpoint.h"

namespace sluice::health {
namespace {

// SYNs within one timeout, evenly spaced, so that a single lost packet fails no broker.
constexpr int kAttempts = 3;

}  // namespace

void TcpProbe::start(Instant now, tcp::Output& out) {
    started_ = now;
    send_syn(now, out);
}

void TcpProbe::send_syn(Instant now, tcp::Output& out) {
    tcp::Segment syn;
    syn.seq = options().initial_sequence;
    syn.flags.syn = true;
    syn.window = 0xffff;
    // Everything is offered, because what the broker leaves out of its answer is what is to be learned.
    syn.options.mss = options().mss;
    syn.options.window_scale = 7;
    syn.options.sack_permitted = true;
    syn.options.timestamps = wire::TcpTimestamps{.value = milliseconds32(now), .echo = 0};
    sent_ = now;
    deadline_ = std::min(now + options().timeout / kAttempts, started_ + options().timeout);
    out.send(syn);
}

void TcpProbe::on_segment(Instant now, const tcp::Segment& segment, tcp::Output& out) {
    // RFC 9293 section 3.10.7.3: only a segment that acknowledges our SYN says anything about it.
    const bool acknowledges = segment.flags.ack && segment.ack == options().initial_sequence.advance(1);
    if (over() || !acknowledges) return;
    if (segment.flags.rst) return conclude(backend::ProbeFailure::Refused, now - sent_);
    if (!segment.flags.syn) return;
    learn_offer(segment);
    conclude(backend::ProbeFailure::None, now - sent_);
    if (const auto reset = tcp::reset_for(segment)) out.send(*reset);
}

void TcpProbe::on_unreachable() {
    if (!over()) conclude(backend::ProbeFailure::Unreachable, {});
}

void TcpProbe::on_timer(Instant now, tcp::Output& out) {
    if (over() || now < deadline_) return;
    if (now >= started_ + options().timeout) return conclude(backend::ProbeFailure::Silent, {});
    send_syn(now, out);
}

}  // namespace sluice::health
