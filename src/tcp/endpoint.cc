// Endpoint, the public face: what the application and the owner ask. See include/sluice/tcp/endpoint.h.
#include "sluice/tcp/endpoint.h"

#include <algorithm>

#include "endpoint_impl.h"

namespace sluice::tcp {

namespace {
constexpr std::uint16_t kAssumedFullSegment = 536;  // until a larger one is seen: RFC 5681's full-sized
constexpr std::uint32_t kLargestBuffer = 1U << 30;  // what a window can express (RFC 7323 section 2.3)

// Options whose values are within what the parts can do.
EndpointOptions bounded(EndpointOptions options) {
    options.send_mss_limit = std::max(options.send_mss_limit, kSmallestMss);
    options.receive_buffer = std::min(options.receive_buffer, kLargestBuffer);
    options.send_buffer = std::min(options.send_buffer, kLargestBuffer);
    if (options.receive_window) options.receive_window = std::min(*options.receive_window, kLargestBuffer);
    if (options.window_scale) options.window_scale = std::min(*options.window_scale, wire::kMaxWindowScale);
    return options;
}
}  // namespace

bool is_synchronized(State state) {
    switch (state) {
        case State::Closed:
        case State::Listen:
        case State::SynSent:
        case State::SynReceived: return false;
        case State::Established:
        case State::FinWait1:
        case State::FinWait2:
        case State::CloseWait:
        case State::Closing:
        case State::LastAck:
        case State::TimeWait: return true;
    }
    return false;
}

const char* to_string(State state) {
    switch (state) {
        case State::Closed: return "CLOSED";
        case State::Listen: return "LISTEN";
        case State::SynSent: return "SYN-SENT";
        case State::SynReceived: return "SYN-RECEIVED";
        case State::Established: return "ESTABLISHED";
        case State::FinWait1: return "FIN-WAIT-1";
        case State::FinWait2: return "FIN-WAIT-2";
        case State::CloseWait: return "CLOSE-WAIT";
        case State::Closing: return "CLOSING";
        case State::LastAck: return "LAST-ACK";
        case State::TimeWait: return "TIME-WAIT";
    }
    return "?";
}

const char* to_string(Failure failure) {
    switch (failure) {
        case Failure::None: return "none";
        case Failure::Refused: return "refused";
        case Failure::Reset: return "reset";
        case Failure::TimedOut: return "timed out";
        case Failure::Aborted: return "aborted";
    }
    return "?";
}

// RFC 9293 section 3.10.7.1.
std::optional<Segment> reset_for(const Segment& segment) {
    if (segment.flags.rst) return std::nullopt;
    Segment reset;
    reset.flags.rst = true;
    if (segment.flags.ack) {
        reset.seq = segment.ack;
    } else {
        reset.ack = segment.end();
        reset.flags.ack = true;
    }
    return reset;
}

Endpoint::Impl::Impl(const EndpointOptions& chosen)
    : options(bounded(chosen)),
      peer_mss(options.send_mss_limit),
      send_buffer(options.send_buffer),
      rto(options.initial_rto, options.min_rto, options.max_rto),
      reassembly(options.receive_buffer),
      full_segment(std::min(options.receive_mss, kAssumedFullSegment)) {
    if (options.receive_window) allowed_edge = rcv_nxt.advance(*options.receive_window);
}

bool Endpoint::Impl::can_write() const {
    switch (state) {
        case State::Listen:
        case State::SynSent:
        case State::SynReceived:
        case State::Established:
        case State::CloseWait: return !shut;
        case State::Closed:
        case State::FinWait1:
        case State::FinWait2:
        case State::Closing:
        case State::LastAck:
        case State::TimeWait: return false;
    }
    return false;
}

std::size_t Endpoint::Impl::write(Instant now, ByteView bytes, Output& out) {
    if (!can_write()) return 0;
    const std::uint32_t taken = send_buffer.append(bytes);
    if (taken != 0) transmit(now, out);
    return taken;
}

void Endpoint::Impl::consume(Instant now, std::size_t bytes, Output& out) {
    reassembly.consume(static_cast<std::uint32_t>(std::min<std::size_t>(bytes, reassembly.readable())));
    update_window(now, out);
}

void Endpoint::Impl::allow(std::optional<std::uint32_t> bytes) {
    allowed_edge.reset();
    if (bytes) allowed_edge = rcv_nxt.advance(std::min(*bytes, kLargestBuffer));
}

void Endpoint::Impl::update_window(Instant now, Output& out) {
    if (update_due()) send_ack(now, out);
}

void Endpoint::Impl::shutdown(Instant now, Output& out) {
    if (shut || state == State::Closed) return;
    shut = true;
    if (state == State::Listen) return close(Failure::None);
    begin_closing();
    transmit(now, out);
}

// RFC 9293 section 3.10.4: the state changes at once, even while text or the window holds the FIN back.
// Before ESTABLISHED nothing changes: the FIN follows the handshake.
void Endpoint::Impl::begin_closing() {
    if (state == State::Established) state = State::FinWait1;
    if (state == State::CloseWait) state = State::LastAck;
}

// RFC 9293 section 3.10.5.
void Endpoint::Impl::abort(Instant now, Output& out) {
    switch (state) {
        case State::Closed: return;
        case State::SynReceived:
        case State::Established:
        case State::FinWait1:
        case State::FinWait2:
        case State::CloseWait: send_reset(now, out); break;
        case State::Closing:
        case State::LastAck:
            if (!fin_sent) send_reset(now, out);  // the peer still waits for text
            break;
        case State::Listen:
        case State::SynSent:
        case State::TimeWait: break;
    }
    close(Failure::Aborted);
}

// RFC 1191 section 6.4: what was too large is sent again at once, and nobody is congested.
void Endpoint::Impl::on_path_mss(Instant now, std::uint16_t mss, Output& out) {
    const std::uint16_t narrowed = std::max(mss, kSmallestMss);
    if (narrowed >= peer_mss) return;
    peer_mss = narrowed;
    if (!may_send_text()) return;
    congestion.change_mss(send_mss());
    if (in_flight() > send_mss()) {
        scoreboard.mark_lost(snd_nxt, true);
        recovery = Recovery::Full;
        recovery_point = snd_nxt;
        duplicates = 0;
    }
    transmit(now, out);
}

bool Endpoint::Impl::all_acknowledged() const {
    return !abandoned && send_buffer.size() == 0 && (!shut || fin_acked);
}

bool Endpoint::Impl::quiet() const {
    return state == State::Established && !shut && snd_una == snd_nxt && send_buffer.size() == 0 &&
           reassembly.readable() == 0 && !reassembly.has_gap() && !fin_announced;
}

void Endpoint::Impl::enter_time_wait(Instant now) {
    state = State::TimeWait;
    retransmit_at = kNever;
    persist_at = kNever;
    linger_at = now + options.time_wait;
}

// What was received stays readable; what was to be sent has nobody to go to, and no gap will be filled.
void Endpoint::Impl::close(Failure why) {
    abandoned = !all_acknowledged();
    state = State::Closed;
    failure = why;
    ack_now = false;
    statistics.bytes_abandoned += send_buffer.size();
    send_buffer.drop(send_buffer.size());
    reassembly.drop_early();
    retransmit_at = kNever;
    persist_at = kNever;
    delayed_ack_at = kNever;
    linger_at = kNever;
}

void Endpoint::Impl::give_up(Instant now, Output& out) {
    send_reset(now, out);
    close(Failure::TimedOut);
}

Endpoint::Position Endpoint::Impl::position() const {
    return {.send_next = snd_nxt,
            .send_unacked = snd_una,
            .receive_next = rcv_nxt,
            .receive_edge = receive_edge,
            .send_window = snd_wnd,
            .last_timestamp_sent = last_tsval,
            .last_timestamp_received = ts_recent,
            .last_timestamp_at = ts_recent_at,
            .send_mss = send_mss(),
            .peer_mss = peer_mss,
            .receive_mss = options.receive_mss,
            .send_scale = send_scale,
            .receive_scale = receive_scale,
            .window_scale = scaling,
            .timestamps = timestamps,
            .sack = sack,
            .smoothed_rtt = rto.smoothed(),
            .rtt_variation = rto.variation()};
}

Endpoint::Endpoint(const EndpointOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Endpoint::~Endpoint() = default;
Endpoint::Endpoint(Endpoint&&) noexcept = default;
Endpoint& Endpoint::operator=(Endpoint&&) noexcept = default;

void Endpoint::listen(Seq initial_send_sequence) {
    impl_->iss = impl_->snd_una = impl_->snd_nxt = initial_send_sequence;
    impl_->state = State::Listen;
}

void Endpoint::connect(Instant now, Seq initial_send_sequence, Output& out) {
    impl_->iss = impl_->snd_una = impl_->snd_nxt = initial_send_sequence;
    impl_->state = State::SynSent;
    impl_->send_syn(now, out);
}

void Endpoint::resume_handshake(Instant now, Seq initial_send_sequence, const Segment& syn) {
    impl_->resume_handshake(now, initial_send_sequence, syn);
}

void Endpoint::on_segment(Instant now, const Segment& segment, Output& out) {
    ++impl_->statistics.segments_in;
    impl_->on_segment(now, segment, out);
}

void Endpoint::anticipate(Instant now, const Segment& ack, Output& out) { impl_->on_segment(now, ack, out); }

void Endpoint::Impl::on_segment(Instant now, const Segment& segment, Output& out) {
    switch (state) {
        case State::Closed: return refuse(segment, out);
        case State::Listen: return on_listen(now, segment, out);
        case State::SynSent: return on_syn_sent(now, segment, out);
        case State::SynReceived:
        case State::Established:
        case State::FinWait1:
        case State::FinWait2:
        case State::CloseWait:
        case State::Closing:
        case State::LastAck:
        case State::TimeWait: return on_synchronized(now, segment, out);
    }
}

void Endpoint::on_timer(Instant now, Output& out) { impl_->on_timer(now, out); }
Instant Endpoint::next_deadline() const { return impl_->next_deadline(); }
void Endpoint::on_path_mss(Instant now, std::uint16_t mss, Output& out) { impl_->on_path_mss(now, mss, out); }

std::size_t Endpoint::write(Instant now, ByteView bytes, Output& out) {
    return impl_->write(now, bytes, out);
}
std::size_t Endpoint::writable() const { return impl_->can_write() ? impl_->send_buffer.room() : 0; }
std::size_t Endpoint::readable() const { return impl_->reassembly.readable(); }
ByteView Endpoint::peek(std::size_t offset) const {
    if (offset >= impl_->reassembly.readable()) return {};
    return impl_->reassembly.peek(static_cast<std::uint32_t>(offset));
}

ByteView contiguous(const Endpoint& endpoint, std::vector<std::byte>& scratch) {
    const ByteView first = endpoint.peek();
    if (first.size() == endpoint.readable()) return first;
    const ByteView rest = endpoint.peek(first.size());
    scratch.assign(first.begin(), first.end());
    scratch.insert(scratch.end(), rest.begin(), rest.end());
    return scratch;
}

void Endpoint::consume(Instant now, std::size_t bytes, Output& out) { impl_->consume(now, bytes, out); }
void Endpoint::allow(std::optional<std::uint32_t> bytes) { impl_->allow(bytes); }
void Endpoint::update_window(Instant now, Output& out) { impl_->update_window(now, out); }
bool Endpoint::at_end() const { return impl_->fin_received && impl_->reassembly.readable() == 0; }
bool Endpoint::peer_finished() const { return impl_->fin_received; }
void Endpoint::shutdown(Instant now, Output& out) { impl_->shutdown(now, out); }
void Endpoint::abort(Instant now, Output& out) { impl_->abort(now, out); }

State Endpoint::state() const { return impl_->state; }
Failure Endpoint::failure() const { return impl_->failure; }
bool Endpoint::shutdown_called() const { return impl_->shut; }
bool Endpoint::all_acknowledged() const { return impl_->all_acknowledged(); }
std::size_t Endpoint::send_queue() const { return impl_->send_buffer.size(); }
std::uint32_t Endpoint::spare_window() const {
    return impl_->snd_wnd - std::min(impl_->snd_wnd, impl_->send_buffer.size());
}
Endpoint::Position Endpoint::position() const { return impl_->position(); }
bool Endpoint::quiet() const { return impl_->quiet(); }
void Endpoint::acknowledge(Instant now, Output& out) {
    if (impl_->owes_ack() || impl_->update_due()) impl_->send_ack(now, out);
}
void Endpoint::prefetch() const {
    constexpr std::size_t kLine = 64;
    const auto* const at = reinterpret_cast<const std::byte*>(impl_.get());
    for (std::size_t i = 0; i < sizeof(Impl); i += kLine) __builtin_prefetch(at + i, 1);
}
std::size_t Endpoint::memory_bytes() const { return sizeof(Impl) + buffer_bytes(); }
std::size_t Endpoint::buffer_bytes() const {
    return impl_->send_buffer.capacity() + impl_->reassembly.memory_bytes();
}
const EndpointOptions& Endpoint::options() const { return impl_->options; }
const Endpoint::Statistics& Endpoint::statistics() const { return impl_->statistics; }

}  // namespace sluice::tcp
