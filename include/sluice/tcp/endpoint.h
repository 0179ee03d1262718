// One end of a TCP connection (RFC 9293), in both roles, pure: time and segments come in as arguments,
// segments go out through Output, and the owner asks next_deadline() when to call on_timer(). No clock, no
// I/O, no addresses.
//
// What it speaks: RFC 9293 states; RFC 7323 window scale, timestamps, PAWS; RFC 2018/6675 SACK; RFC 6298 RTO;
// RFC 5681 fast retransmit and IW10 (RFC 6928) with CUBIC (RFC 9438); RFC 1122 delayed ACK and zero-window
// probes; RFC 5961 challenge ACKs, rate-limited; bounded reassembly. Urgent data is delivered in line (RFC
// 6093).
//
// After every call the owner looks at state(), readable(), writable() and failure(): there are no callbacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/base/time.h"
#include "sluice/tcp/segment.h"
#include "sluice/tcp/seq.h"

namespace sluice::tcp {

enum class State : std::uint8_t {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
};
const char* to_string(State state);
// Established and the states after it (RFC 9293 section 3.3.2): the handshake is over, and the connection is
// not.
bool is_synchronized(State state);

// Why an endpoint is in Closed without both sides having finished.
enum class Failure : std::uint8_t {
    None,
    Refused,   // RST answered our SYN, or came in SYN-RECEIVED
    Reset,     // acceptable RST in a synchronized state
    TimedOut,  // a limit was reached: retransmissions, unanswered probes, patience in FIN-WAIT-2
    Aborted,   // abort() was called here
};
const char* to_string(Failure failure);

// The payload limit that stands for an MSS which the peer's SYN did not tell (RFC 9293 section 3.7.1).
constexpr std::uint16_t default_mss(IpFamily family) { return family == IpFamily::V4 ? 536 : 1220; }

struct EndpointOptions {
    // Largest payload we can receive in one segment, announced as MSS: port MTU minus IP and TCP header (RFC
    // 6691).
    std::uint16_t receive_mss = 1460;
    // Largest payload we may send, before options, whatever the peer announces: same origin.
    std::uint16_t send_mss_limit = 1460;
    std::uint16_t default_send_mss = default_mss(IpFamily::V4);  // when the peer's SYN has no MSS
    // Most bytes held for the application, out-of-order data included; the receive window never exceeds what
    // is left of it. Memory grows with what is actually held.
    std::uint32_t receive_buffer = 64 * 1024;
    // Most bytes that the peer is promised room for, its SYN answered or not, until allow() says otherwise;
    // nullopt: what the buffer has room for.
    std::optional<std::uint32_t> receive_window = std::nullopt;
    // Most bytes write() takes before the peer acknowledges; memory grows with use.
    std::uint32_t send_buffer = 64 * 1024;
    std::optional<std::uint8_t> window_scale = 7;  // offered shift 0..14; nullopt: not offered
    bool sack = true;                              // offered
    bool timestamps = true;                        // offered
    std::uint32_t timestamp_offset = 0;  // TSval = milliseconds32(now) + offset (RFC 7323 section 5.4)

    Duration min_rto = 200ms;         // as Linux; RFC 6298 (2.4) recommends 1 s for the first only
    Duration initial_rto = 1s;        // RFC 6298 (2.1)
    Duration max_rto = 60s;           // RFC 6298 (2.5)
    std::uint8_t syn_retries = 5;     // retransmissions of SYN or SYN-ACK before TimedOut
    std::uint8_t data_retries = 10;   // likewise of data or FIN (RFC 1122 section 4.2.3.5 R2)
    std::uint8_t probe_retries = 20;  // unanswered zero-window probes before TimedOut
    Duration delayed_ack =
        40ms;                  // at most 500 ms (RFC 1122 section 4.2.3.2); every second full segment at once
    Duration time_wait = 60s;  // 2 MSL
    // After our FIN is acknowledged, how long the peer may send nothing new before it is taken for gone.
    // A half-close that may last longer needs more.
    Duration fin_wait_2 = 60s;
    Duration challenge_ack_interval = 500ms;  // at most one challenge ACK each (RFC 5961 section 10)
};

// The window that a SYN or SYN-ACK of such an endpoint announces, in bytes: never scaled (RFC 7323 section
// 2.2), and the same in every copy, because nobody knows which one the peer took.
std::uint16_t first_window(const EndpointOptions& options);

class Endpoint {
  public:
    explicit Endpoint(const EndpointOptions& options);
    ~Endpoint();
    Endpoint(Endpoint&&) noexcept;
    Endpoint& operator=(Endpoint&&) noexcept;

    // --- opening: call one, once, on a fresh endpoint (state Closed) ---
    void listen(Seq initial_send_sequence);  // iss is used when a SYN arrives
    void connect(Instant now, Seq initial_send_sequence, Output& out);
    // In place of listen() and the SYN, for an owner that has kept neither (syn_cookie.h): in SYN-RECEIVED,
    // with a SYN-ACK of that number sent at a time that nobody knows. The segment that completes the
    // handshake is to be given next. syn: what the peer's SYN is known to have said.
    void resume_handshake(Instant now, Seq initial_send_sequence, const Segment& syn);

    // --- input ---
    // In Closed, answers as reset_for() does. Text beside a SYN is not taken; its sender repeats it.
    void on_segment(Instant now, const Segment& segment, Output& out);
    // The ACK alone of a segment that on_segment() is given afterwards, or that goes elsewhere: it is counted
    // there. ack: without text and FIN.
    void anticipate(Instant now, const Segment& ack, Output& out);
    // Harmless before the deadline.
    void on_timer(Instant now, Output& out);
    // When on_timer() must be called; kNever when nothing is pending.
    Instant next_deadline() const;
    // ICMP "fragmentation needed" / "packet too big": payload limit for what is sent from now on, unsent and
    // unacknowledged data is cut anew. Never below 48 bytes; larger values than the current one are ignored.
    void on_path_mss(Instant now, std::uint16_t mss, Output& out);

    // --- application side ---
    // Takes up to writable() bytes, sends what windows allow, returns the bytes taken. Allowed from Listen
    // and SynSent on (queued until established); 0 after shutdown() or in a state that cannot send.
    std::size_t write(Instant now, ByteView bytes, Output& out);
    std::size_t writable() const;
    // In-order bytes not consumed yet: total, and the contiguous piece that starts `offset` bytes in (empty
    // at the end). Valid until the next non-const call. consume() frees them, and may announce a larger
    // window.
    std::size_t readable() const;
    ByteView peek(std::size_t offset = 0) const;
    void consume(Instant now, std::size_t bytes, Output& out);
    // The peer is promised no room beyond the next `bytes` after RCV.NXT: what arrives uses them up, what was
    // promised before stays promised (RFC 9293 section 3.8.6), and the window's scale rounds down. nullopt:
    // as much as the buffer has room for. For an owner who passes the bytes on and knows how many the end
    // beyond him takes. Whatever is sent next tells it; in SynSent it holds from the peer's SYN on.
    void allow(std::optional<std::uint32_t> bytes);
    // Announces a window that has grown enough to be worth a segment of its own (RFC 9293 section
    // 3.8.6.2.2), when nothing else told it.
    void update_window(Instant now, Output& out);
    // True when the peer's FIN has been reached and every byte before it was consumed.
    bool at_end() const;
    // The peer's FIN has been received in order (bytes may still be readable).
    bool peer_finished() const;
    // Half-close: FIN after all bytes written, at the earliest when established; in Listen it ends the
    // endpoint. Reading goes on. Idempotent.
    void shutdown(Instant now, Output& out);
    // RST, when there is somebody to tell (RFC 9293 section 3.10.5: nobody in SynSent, nor once both FINs
    // are sent); state becomes Closed, failure() Aborted.
    void abort(Instant now, Output& out);

    // --- what the owner may know ---
    State state() const;
    Failure failure() const;
    bool shutdown_called() const;
    // Everything written, FIN included when shutdown, has been acknowledged.
    bool all_acknowledged() const;
    std::size_t send_queue() const;  // bytes written and not yet acknowledged
    // Bytes that the peer's window takes beyond everything written; 0 also where more was written.
    std::uint32_t spare_window() const;

    // What a splice must know: meaningful from Established on.
    struct Position {
        Seq send_next;                          // SND.NXT
        Seq send_unacked;                       // SND.UNA
        Seq receive_next;                       // RCV.NXT
        Seq receive_edge;                       // furthest right edge of a window announced
        std::uint32_t send_window;              // SND.WND in bytes, scaled
        std::uint32_t last_timestamp_sent;      // last TSval that left
        std::uint32_t last_timestamp_received;  // TS.Recent
        Instant last_timestamp_at{};            // when it was received
        std::uint16_t send_mss;                 // effective, options deducted
        std::uint16_t peer_mss;     // the same before options: what the peer, our limit and the path allow
        std::uint16_t receive_mss;  // announced to the peer: the largest payload, before options, it may send
        std::uint8_t send_scale;    // shift of the windows the peer announces; 0 when not agreed
        std::uint8_t receive_scale;  // shift of the windows we announce; 0 when not agreed
        bool window_scale;
        bool timestamps;
        bool sack;
        Duration smoothed_rtt{0};   // SRTT of RFC 6298; zero until measured
        Duration rtt_variation{0};  // RTTVAR
    };
    Position position() const;
    // Established, and nothing is held or on its way in either direction, except that an ACK of ours may be
    // owed: acknowledge() sends it.
    bool quiet() const;
    // Sends the ACK that is being delayed, if there is one, or the larger window that was not worth a segment
    // yet where the peer knows of hardly any.
    void acknowledge(Instant now, Output& out);
    // An endpoint that goes on where another one was. `at` is the other's position() while it was quiet() and
    // had acknowledge()d, and the other is not used any more. options: those that it had, its
    // timestamp_offset above all. In between nothing needs to be kept but the position (resting_position.h),
    // for as long as one likes.
    //
    // The congestion window starts as after a handshake (RFC 5681 section 4.1 wants it no larger after a
    // pause). Statistics start at zero, and so do the limits on challenge ACKs: of an owner that resumes for
    // every segment they would be no limits, so he keeps an endpoint that has answered what it did not accept
    // (Statistics::challenge_acks, paws_rejected, out_of_window) for challenge_ack_interval.
    static Endpoint resume(const EndpointOptions& options, const Position& at, Instant now);
    // Brings into the cache what a segment or the timer will touch. For a burst: of all, then use all.
    void prefetch() const;
    // Memory behind this endpoint, in bytes: state and buffers as they are now.
    std::size_t memory_bytes() const;
    // Of these, what grows and shrinks with the bytes that are held.
    std::size_t buffer_bytes() const;
    // Those it was made with, within what it can do.
    const EndpointOptions& options() const;

    struct Statistics {
        std::uint64_t segments_in = 0;
        std::uint64_t segments_out = 0;
        std::uint64_t bytes_in = 0;         // payload accepted in order
        std::uint64_t bytes_out = 0;        // payload, first transmissions
        std::uint64_t bytes_abandoned = 0;  // payload written and not acknowledged when it was Closed
        std::uint32_t retransmits = 0;      // segments
        std::uint32_t fast_recoveries = 0;
        std::uint32_t timeouts = 0;  // RTO expiries
        std::uint32_t challenge_acks = 0;
        std::uint32_t paws_rejected = 0;
        std::uint32_t out_of_window = 0;
        std::uint32_t missing_timestamps = 0;  // segments without those that were agreed on; taken
        Duration smoothed_rtt{0};              // zero until measured
    };
    const Statistics& statistics() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Everything readable as one piece: the endpoint's own memory, or `scratch` where its ring wraps. Valid as
// long as what peek() returns, and until `scratch` changes.
ByteView contiguous(const Endpoint& endpoint, std::vector<std::byte>& scratch);

// The segment that RFC 9293 section 3.10.7.1 sends for one that reaches no connection: RST, or nullopt for an
// RST.
std::optional<Segment> reset_for(const Segment& segment);

}  // namespace sluice::tcp
