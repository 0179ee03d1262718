#include "sluice/health/stream_probe.h"

#include <algorithm>
#include <utility>

namespace sluice::health {
namespace {

using backend::ProbeFailure;

// What is held of an answer at once. Larger than any single thing that is waited for.
constexpr std::uint32_t kReceiveBuffer = 32 * 1024;
// A CONNECT with the longest user name and password.
constexpr std::uint32_t kSendBuffer = 160 * 1024;
// With the verdict given, an answer that goes on for longer than this is cut off.
constexpr std::size_t kMostAfter = 64 * 1024;

tcp::EndpointOptions endpoint_options(const Probe::Options& options) {
    tcp::EndpointOptions o;
    o.receive_mss = options.mss;
    o.send_mss_limit = options.mss;
    o.receive_buffer = kReceiveBuffer;
    o.send_buffer = kSendBuffer;
    // What is lost is repeated three times within the timeout, evenly spaced.
    o.initial_rto = options.timeout / 4;
    o.max_rto = options.timeout / 4;
    o.min_rto = std::min<Duration>(200ms, options.timeout / 4);
    o.delayed_ack = std::min<Duration>(o.delayed_ack, options.timeout / 10);
    // The deadline is the probe's own.
    o.syn_retries = 255;
    o.data_retries = 255;
    return o;
}

}  // namespace

StreamProbe::StreamProbe(const Options& options, std::vector<std::byte> request)
    : Probe(options), endpoint_(endpoint_options(options)), request_(std::move(request)) {}

void StreamProbe::start(Instant now, tcp::Output& out) {
    started_ = now;
    deadline_ = now + options().timeout;
    endpoint_.connect(now, options().initial_sequence, out);
    endpoint_.write(now, request_, out);  // leaves with the ACK of the handshake
    request_ = {};
}

void StreamProbe::on_segment(Instant now, const tcp::Segment& segment, tcp::Output& out) {
    if (over_) return;
    const bool answers_syn =
        segment.flags.syn && segment.flags.ack && segment.ack == options().initial_sequence.advance(1);
    if (connecting() && answers_syn && !segment.flags.rst) learn_offer(segment);
    endpoint_.on_segment(now, segment, out);
    advance(now, out);
}

void StreamProbe::on_timer(Instant now, tcp::Output& out) {
    if (over_) return;
    if (now >= deadline_) {
        if (status() == Status::Pending) {
            decide(connecting() ? ProbeFailure::Silent : ProbeFailure::NoAnswer, now);
        }
        return end(now, out);
    }
    endpoint_.on_timer(now, out);
    advance(now, out);
}

Instant StreamProbe::next_deadline() const {
    return over_ ? kNever : std::min(deadline_, endpoint_.next_deadline());
}

void StreamProbe::on_unreachable() {
    if (over_) return;
    if (status() == Status::Pending) conclude(ProbeFailure::Unreachable, {});
    over_ = true;  // there is no way to tell the broker anything
}

void StreamProbe::abandon(Instant now, tcp::Output& out) {
    if (!over_) end(now, out);
}

void StreamProbe::advance(Instant now, tcp::Output& out) {
    read(now, out);
    if (over_) return;
    if (status() == Status::Pending) look_for_an_end(now);
    if (status() != Status::Pending) finish(now, out);
}

void StreamProbe::read(Instant now, tcp::Output& out) {
    while (endpoint_.readable() != 0 && !over_) {
        const bool decided = status() != Status::Pending;
        const Step step = on_bytes(tcp::contiguous(endpoint_, scratch_));
        if (step.verdict && !decided) decide(*step.verdict, now);
        // A peer that breaks the protocol would not understand a proper end.
        if (outcome().failure == ProbeFailure::Protocol) return end(now, out);
        if (step.taken == 0) return;
        endpoint_.consume(now, step.taken, out);
        if (!step.reply.empty()) endpoint_.write(now, step.reply, out);
        if (decided) read_after_ += step.taken;
        if (read_after_ > kMostAfter) return end(now, out);
    }
}

// The connection may be over before the answer is.
void StreamProbe::look_for_an_end(Instant now) {
    if (endpoint_.state() != tcp::State::Closed) {
        if (endpoint_.peer_finished()) decide(on_end(), now);
        return;
    }
    switch (endpoint_.failure()) {
        case tcp::Failure::Refused: return decide(ProbeFailure::Refused, now);
        case tcp::Failure::None:
        case tcp::Failure::Reset:
        case tcp::Failure::TimedOut:
        case tcp::Failure::Aborted: return decide(ProbeFailure::Closed, now);
    }
}

void StreamProbe::finish(Instant now, tcp::Output& out) {
    if (closes_first() || endpoint_.peer_finished()) endpoint_.shutdown(now, out);
    // In TIME-WAIT the broker has everything; if it has not, it repeats its FIN, and a reset ends its
    // waiting.
    const tcp::State state = endpoint_.state();
    over_ = state == tcp::State::Closed || state == tcp::State::TimeWait;
}

void StreamProbe::decide(const backend::Outcome& outcome, Instant now) {
    conclude(outcome, now - started_);
    deadline_ = now + options().timeout;
}

void StreamProbe::end(Instant now, tcp::Output& out) {
    endpoint_.abort(now, out);
    over_ = true;
}

}  // namespace sluice::health
