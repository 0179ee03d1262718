#include "sluice/health/tcp_probe.h"

#include <algorithm>

#include "sluice/tcp/endpoint.h"
#include "sluice/wire/tcp_options.h"

namespace sluice::health {
namespace {

// SYNs within one timeout, evenly spaced, so that a single lost packet fails no broker.
constexpr int kAttempts = 3;

// Default when a SYN-ACK carries no MSS: the smaller of RFC 9293 section 3.7.1, which is safe for both
// families.
constexpr std::uint16_t kDefaultMss = 536;

}  // namespace

void TcpProbe::start(Instant now, tcp::Output& out) {
    started_ = now;
    send_syn(now, out);
}

void TcpProbe::send_syn(Instant now, tcp::Output& out) {
    tcp::Segment syn;
    syn.seq = options_.initial_sequence;
    syn.flags.syn = true;
    syn.window = 0xffff;
    // Everything is offered, because what the broker leaves out of its answer is what is to be learned.
    syn.options.mss = options_.mss;
    syn.options.window_scale = 7;
    syn.options.sack_permitted = true;
    syn.options.timestamps = wire::TcpTimestamps{.value = milliseconds32(now), .echo = 0};
    sent_ = now;
    deadline_ = std::min(now + options_.timeout / kAttempts, started_ + options_.timeout);
    out.send(syn);
}

TcpProbe::Status TcpProbe::on_segment(Instant now, const tcp::Segment& segment, tcp::Output& out) {
    // RFC 9293 section 3.10.7.3: only a segment that acknowledges our SYN says anything about it.
    const bool acknowledges = segment.flags.ack && segment.ack == options_.initial_sequence.advance(1);
    if (status_ != Status::Pending || !acknowledges) return status_;
    if (segment.flags.rst) {
        failure_ = backend::ProbeFailure::Refused;
        return status_ = Status::Failed;
    }
    if (!segment.flags.syn) return status_;

    offer_.mss = segment.options.mss.value_or(kDefaultMss);
    offer_.sack = segment.options.sack_permitted;
    offer_.timestamps = segment.options.timestamps.has_value();
    offer_.window_scale = segment.options.window_scale;
    if (offer_.window_scale) *offer_.window_scale = std::min(*offer_.window_scale, wire::kMaxWindowScale);
    latency_ = now - sent_;
    status_ = Status::Succeeded;
    if (const auto reset = tcp::reset_for(segment)) out.send(*reset);
    return status_;
}

TcpProbe::Status TcpProbe::on_unreachable() {
    if (status_ == Status::Pending) {
        failure_ = backend::ProbeFailure::Unreachable;
        status_ = Status::Failed;
    }
    return status_;
}

TcpProbe::Status TcpProbe::on_timer(Instant now, tcp::Output& out) {
    if (status_ != Status::Pending || now < deadline_) return status_;
    if (now >= started_ + options_.timeout) {
        failure_ = backend::ProbeFailure::Silent;
        return status_ = Status::Failed;
    }
    send_syn(now, out);
    return status_;
}

}  // namespace sluice::health
