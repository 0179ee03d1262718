#include "sluice/session/leg.h"

#include <algorithm>
#include <chrono>

#include "session/parts.h"

namespace sluice::session {
namespace {

std::uint16_t hour_of(Instant t) {
    return static_cast<std::uint16_t>(
        std::chrono::duration_cast<std::chrono::hours>(t.time_since_epoch()).count());
}

// The beginning of the last such hour that is not after `now`.
Instant last_hour(std::uint16_t hour, Instant now) {
    const auto whole = std::chrono::floor<std::chrono::hours>(now.time_since_epoch());
    return Instant(whole - std::chrono::hours(static_cast<std::uint16_t>(hour_of(now) - hour)));
}

// Without a receive_window: who rests stays relayed, and has buffers to promise.
tcp::EndpointOptions options_of(const RestingLeg& leg, std::uint32_t send_buffer) {
    tcp::EndpointOptions options;
    options.receive_mss = leg.receive_mss;
    options.receive_buffer = leg.receive_buffer;
    options.send_buffer = send_buffer;
    options.timestamp_offset = leg.timestamp_offset;
    options.time_wait = kLinger;
    options.fin_wait_2 = kHalfClosed;
    return options;
}

}  // namespace

ByteView Leg::peek(std::size_t offset) const {
    if (!codecs_) return endpoint_.peek(offset);
    const ByteView text = codecs_->text().bytes();
    return text.subspan(std::min(offset, text.size()));
}

ByteView Leg::contiguous(std::vector<std::byte>& scratch) const {
    return codecs_ ? codecs_->text().bytes() : tcp::contiguous(endpoint_, scratch);
}

void Leg::consume(Instant now, std::size_t bytes, tcp::Output& out) {
    if (!codecs_) return endpoint_.consume(now, bytes, out);
    codecs_->drop_text(bytes);
    pump(now, out);
}

std::size_t Leg::write(Instant now, ByteView text, tcp::Output& out) {
    if (!codecs_) return endpoint_.write(now, text, out);
    const ByteView taken = text.first(std::min(text.size(), writable()));
    if (taken.empty()) return 0;
    codecs_->encode(now, taken);
    flush(now, out);
    if (codecs_->failed()) shutdown(now, out);
    return taken.size();
}

// What encoding adds is held back here until TCP has room; until then no more is taken.
std::size_t Leg::writable() const {
    if (!codecs_) return endpoint_.writable();
    return shut_ || !codecs_->takes_text() || codecs_->unsent() != 0 ? 0 : endpoint_.writable();
}

void Leg::shutdown(Instant now, tcp::Output& out) {
    if (!codecs_) return endpoint_.shutdown(now, out);
    shut_ = true;
    flush(now, out);
}

// What has come counts before what is late.
void Leg::on_timer(Instant now, tcp::Output& out) {
    if (endpoint_.next_deadline() <= now) endpoint_.on_timer(now, out);
    if (!codecs_) return;
    pump(now, out);
    if (codec_deadline() > now) return;
    codecs_->on_timer(now);
    pump(now, out);
}

bool Leg::failed() const {
    return (closed() && endpoint_.failure() != tcp::Failure::None) || (codecs_ && codecs_->failed());
}

void Leg::count_statistics(CounterSet& counters) const {
    const tcp::Endpoint::Statistics& s = endpoint_.statistics();
    counters.add(Counter::TcpRetransmits, s.retransmits);
    counters.add(Counter::TcpTimeouts, s.timeouts);
    counters.add(Counter::TcpChallengeAcks, s.challenge_acks);
    counters.add(Counter::TcpPawsRejected, s.paws_rejected);
    counters.add(Counter::TcpOutOfWindow, s.out_of_window);
    counters.add(Counter::TcpMissingTimestamps, s.missing_timestamps);
}

RestingLeg Leg::rest() const {
    const tcp::Endpoint::Position at = endpoint_.position();
    const tcp::EndpointOptions& options = endpoint_.options();
    return {.position = tcp::RestingPosition(at),
            .timestamp_offset = options.timestamp_offset,
            .receive_buffer = options.receive_buffer,
            .receive_mss = at.receive_mss,
            .last_timestamp_hour = hour_of(at.last_timestamp_at)};
}

std::unique_ptr<CodecChain> Leg::take_codecs() {
    if (transparent()) return nullptr;
    codecs_->shrink();
    return std::move(codecs_);
}

Leg::Leg(const RestingLeg& resting, std::unique_ptr<CodecChain> codecs, std::uint32_t send_buffer,
         Instant now)
    : endpoint_(tcp::Endpoint::resume(
          options_of(resting, send_buffer),
          resting.position.position(resting.receive_mss, last_hour(resting.last_timestamp_hour, now)), now)),
      codecs_(std::move(codecs)),
      started_(true) {}

// Moves what can be moved between TCP and the codecs, in both directions.
void Leg::pump(Instant now, tcp::Output& out) {
    if (!started_ && established()) {
        started_ = true;
        codecs_->start(now);
    }
    flush(now, out);  // makes room for answers
    if (started_) decode(now, out);
    flush(now, out);
    // Who cannot be understood is told what the codec had to say, and that this was all.
    if (codecs_->failed()) shutdown(now, out);
}

void Leg::decode(Instant now, tcp::Output& out) {
    bool more = true;
    std::vector<std::byte> scratch;
    while (more && endpoint_.readable() != 0 && !codecs_->failed() && !held_back()) {
        const std::size_t unsent = codecs_->unsent();
        const std::size_t taken = decode_piece(now, scratch);
        answers_ += codecs_->unsent() - unsent;
        endpoint_.consume(now, taken, out);
        flush(now, out);
        more = taken != 0;
    }
    // It is for nobody, and its sender's end may be behind it.
    if (codecs_->failed()) return endpoint_.consume(now, endpoint_.readable(), out);
    if ((!more || endpoint_.readable() == 0) && endpoint_.peer_finished() && !ended_) {
        ended_ = true;
        codecs_->end_of_stream(now);
    }
}

// Returns the bytes taken; 0: what is there is not enough.
std::size_t Leg::decode_piece(Instant now, std::vector<std::byte>& scratch) {
    ByteView arrived = endpoint_.peek();
    arrived = arrived.first(std::min(arrived.size(), kDecodedAhead));
    const std::size_t taken = codecs_->decode(now, arrived);
    // A unit may be larger than that, or the endpoint's ring wraps within it.
    if (taken != 0 || arrived.size() == endpoint_.readable()) return taken;
    return codecs_->decode(now, tcp::contiguous(endpoint_, scratch));
}

void Leg::flush(Instant now, tcp::Output& out) {
    // An end that the peer's preface has to come before is waited for only as long as that can come.
    if (shut_ && !finished_ && (codecs_->takes_text() || codecs_->failed() || ended_)) {
        finished_ = true;
        codecs_->finish(now);
    }
    // What codecs still answer behind their own end is for nobody.
    if (endpoint_.shutdown_called()) codecs_->drop_unsent();
    while (codecs_->stream().size() != 0) {
        const std::size_t taken = endpoint_.write(now, codecs_->stream().bytes(), out);
        if (taken == 0) return;
        codecs_->drop_stream(taken);
    }
    answers_ = 0;
    if (finished_) endpoint_.shutdown(now, out);
}

}  // namespace sluice::session
