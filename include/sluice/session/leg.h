// One of a connection's two legs as the session sees it: a stream of text in each direction, how it ends, and
// whether it holds anything. Below it are a TCP endpoint and, where the stream is not the text itself, a
// chain of codecs. Whatever else comes between TCP and MQTT is plugged in here.
//
// A leg is pure as its endpoint is: time and segments come in, segments go out through tcp::Output, and the
// owner asks next_deadline(). After every call he looks at what has changed; there are no callbacks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/base/bytes.h"
#include "sluice/base/counters.h"
#include "sluice/base/time.h"
#include "sluice/session/codec.h"
#include "sluice/tcp/endpoint.h"
#include "sluice/tcp/resting_position.h"
#include "sluice/tcp/syn_cookie.h"

namespace sluice::session {

// What a leg leaves behind when it rests: the position of its endpoint, and of the endpoint's options what an
// established one still uses. Codecs go on as they are, beside it.
struct RestingLeg {
    tcp::RestingPosition position;
    std::uint32_t timestamp_offset = 0;
    std::uint32_t receive_buffer = 0;       // bytes
    std::uint16_t receive_mss = 0;          // announced
    std::uint16_t last_timestamp_hour = 0;  // when the peer's last timestamp came, modulo 2^16 hours
};
static_assert(sizeof(RestingLeg) == 44 && std::is_trivially_copyable_v<RestingLeg>);

class Leg {
  public:
    // codecs: nullptr where the stream is the text.
    explicit Leg(const tcp::EndpointOptions& options, std::unique_ptr<CodecChain> codecs = nullptr)
        : endpoint_(options), codecs_(std::move(codecs)) {}
    // A leg that goes on where one came to rest. send_buffer: as the other's options had it. codecs: the
    // other's.
    Leg(const RestingLeg& resting, std::unique_ptr<CodecChain> codecs, std::uint32_t send_buffer,
        Instant now);

    // --- opening, one of them, once ---
    void listen(tcp::Seq initial) { endpoint_.listen(initial); }
    void connect(Instant now, tcp::Seq initial, tcp::Output& out) { endpoint_.connect(now, initial, out); }
    void resume_handshake(Instant now, const tcp::SynCookies::Opening& opening) {
        endpoint_.resume_handshake(now, opening.initial_sequence, opening.syn);
    }

    // --- input ---
    void on_segment(Instant now, const tcp::Segment& segment, tcp::Output& out) {
        endpoint_.on_segment(now, segment, out);
        if (codecs_) pump(now, out);
    }
    // As tcp::Endpoint has it.
    void anticipate(Instant now, const tcp::Segment& ack, tcp::Output& out) {
        endpoint_.anticipate(now, ack, out);
    }
    // ICMP: largest payload that the path takes.
    void on_path_mss(Instant now, std::uint16_t mss, tcp::Output& out) {
        endpoint_.on_path_mss(now, mss, out);
    }
    // Harmless before the deadline.
    void on_timer(Instant now, tcp::Output& out);
    // kNever when nothing is pending.
    Instant next_deadline() const { return std::min(endpoint_.next_deadline(), codec_deadline()); }

    // --- text ---
    // Bytes that can be read: in all, and the piece that starts `offset` bytes in (empty at the end). Valid
    // until the next non-const call.
    std::size_t readable() const { return codecs_ ? codecs_->text().size() : endpoint_.readable(); }
    ByteView peek(std::size_t offset = 0) const;
    // All of them in one piece: the leg's own memory, or `scratch` where they are in two.
    ByteView contiguous(std::vector<std::byte>& scratch) const;
    void consume(Instant now, std::size_t bytes, tcp::Output& out);
    // Takes up to writable() bytes and returns how many; 0 after shutdown().
    std::size_t write(Instant now, ByteView text, tcp::Output& out);
    std::size_t writable() const;
    // The peer has said that nothing follows; what came before may still be readable.
    bool peer_finished() const {
        if (!codecs_) return endpoint_.peer_finished();
        return codecs_->text_ended() || (ended_ && !codecs_->failed());
    }
    // Likewise, and everything was consumed.
    bool at_end() const { return codecs_ ? peer_finished() && readable() == 0 : endpoint_.at_end(); }
    // Half-close, behind everything that was written. Idempotent. Where codecs take no text yet it is told
    // when they do.
    void shutdown(Instant now, tcp::Output& out);
    bool shutdown_called() const { return codecs_ ? shut_ : endpoint_.shutdown_called(); }
    // Reset, when there is somebody to tell; then it is closed.
    void abort(Instant now, tcp::Output& out) { endpoint_.abort(now, out); }
    // Everything written has been acknowledged, and the end as well once it was called for.
    bool all_acknowledged() const {
        if (codecs_ && (codecs_->unsent() != 0 || shut_ != endpoint_.shutdown_called())) return false;
        return endpoint_.all_acknowledged();
    }
    // Text acknowledged to the peer and not read, and text that its peer never acknowledged before it was
    // closed. What is encoded counts as TCP carries it.
    std::uint64_t undelivered() const {
        const std::uint64_t bytes = readable() + endpoint_.statistics().bytes_abandoned;
        return codecs_ ? bytes + endpoint_.readable() + codecs_->unsent() : bytes;
    }

    // --- windows, as tcp::Endpoint has them; in bytes of the stream ---
    void allow(std::optional<std::uint32_t> bytes) { endpoint_.allow(bytes); }
    void update_window(Instant now, tcp::Output& out) { endpoint_.update_window(now, out); }
    void acknowledge(Instant now, tcp::Output& out) { endpoint_.acknowledge(now, out); }
    std::uint32_t spare_window() const { return endpoint_.spare_window(); }

    // --- state ---
    tcp::State state() const { return endpoint_.state(); }
    // Over, and answers nobody any more.
    bool closed() const { return state() == tcp::State::Closed; }
    // Over; it may still answer stragglers (TIME-WAIT).
    bool over() const { return closed() || state() == tcp::State::TimeWait; }
    bool established() const { return tcp::is_synchronized(state()); }
    // It is over, or as good as that, without both ends having finished. Of these:
    bool failed() const;
    bool refused() const { return endpoint_.failure() == tcp::Failure::Refused; }
    bool timed_out() const { return endpoint_.failure() == tcp::Failure::TimedOut; }
    // The text is the stream from here on, both ways.
    bool transparent() const { return !codecs_ || codecs_->transparent(); }
    // Nothing is held or on its way in either direction, but for an ACK that may be owed.
    bool quiet() const { return endpoint_.quiet() && (!codecs_ || codecs_->quiet()); }
    // Who the client is, where codecs know better than its address.
    std::optional<SocketAddress> identity() const { return codecs_ ? codecs_->identity() : std::nullopt; }
    tcp::Endpoint::Position position() const { return endpoint_.position(); }
    std::uint64_t segments_in() const { return endpoint_.statistics().segments_in; }
    // Adds what the endpoint has counted; once, at its end.
    void count_statistics(CounterSet& counters) const;

    // --- rest ---
    // It is quiet and nothing is owed or awaited, so that everything about it is in rest() and its codecs.
    bool may_rest() const { return quiet() && next_deadline() == kNever; }
    // Requires may_rest(). This leg is not used any more.
    RestingLeg rest() const;
    // What rest() does not hold; nullptr where the stream is the text from here on.
    std::unique_ptr<CodecChain> take_codecs();

    // In bytes, without the object itself.
    std::size_t memory_bytes() const {
        return endpoint_.memory_bytes() + (codecs_ ? codecs_->memory_bytes() : 0);
    }
    // Of these, what grows and shrinks with the bytes that are held.
    std::size_t buffer_bytes() const {
        return endpoint_.buffer_bytes() + (codecs_ ? codecs_->buffer_bytes() : 0);
    }

  private:
    // When so much text waits for its reader, or so much of what codecs have answered for TCP, no more is
    // decoded: it stays in the endpoint, whose window then closes. It is also the most that is decoded at
    // once, so that each can be twice that much.
    static constexpr std::size_t kDecodedAhead = 64 * 1024;

    bool held_back() const { return codecs_->text().size() >= kDecodedAhead || answers_ >= kDecodedAhead; }
    // A codec is not impatient with a peer who is kept waiting himself, or gone.
    Instant codec_deadline() const {
        return codecs_ && !closed() && !held_back() ? codecs_->next_deadline() : kNever;
    }
    void pump(Instant now, tcp::Output& out);
    void decode(Instant now, tcp::Output& out);
    std::size_t decode_piece(Instant now, std::vector<std::byte>& scratch);
    void flush(Instant now, tcp::Output& out);

    tcp::Endpoint endpoint_;
    std::unique_ptr<CodecChain> codecs_;
    // With codecs:
    bool started_ = false;
    bool ended_ = false;       // they were told of the stream's end
    bool shut_ = false;        // shutdown() was called
    bool finished_ = false;    // they were told so; TCP is when everything before it was taken
    std::size_t answers_ = 0;  // bytes that decoding gave them to send and TCP has not taken, at most
};

}  // namespace sluice::session
