// What an endpoint remembers, and the steps it is made of. The steps are grouped by role, one file each:
// endpoint_handshake.cc, endpoint_receive.cc, endpoint_ack.cc, endpoint_send.cc, endpoint_timer.cc,
// endpoint_resume.cc; endpoint.cc is the public face. Names follow RFC 9293 section 3.3.1.
#pragma once

#include <cstdint>
#include <optional>

#include "congestion.h"
#include "reassembly.h"
#include "rto.h"
#include "sack_scoreboard.h"
#include "send_buffer.h"
#include "sluice/tcp/endpoint.h"

namespace sluice::tcp {

// Least payload limit believed from a SYN or from ICMP: less would be mostly headers, an attack and not a
// path.
inline constexpr std::uint16_t kSmallestMss = 48;

// How far the sender is from undisturbed sending.
enum class Recovery : std::uint8_t {
    None,
    Fast,  // duplicate ACKs or SACK told of a loss (RFC 6675, RFC 6582)
    Full,  // everything in flight is taken for lost: the timer expired, or the path became narrower
};

struct Endpoint::Impl {
    explicit Impl(const EndpointOptions& chosen);

    // --- endpoint_handshake.cc
    void refuse(const Segment& segment, Output& out);
    void on_listen(Instant now, const Segment& segment, Output& out);
    void on_syn_sent(Instant now, const Segment& segment, Output& out);
    void repeat_challenged_syn(Instant now, Output& out);
    void on_repeated_syn(Instant now, const Segment& segment, Output& out);
    bool complete_handshake(const Segment& segment, Output& out);
    void accept_syn(Instant now, const Segment& segment);
    void establish(Instant now, const Segment& segment);
    void measure_handshake(Instant now, const Segment& segment);
    void send_syn(Instant now, Output& out);
    void resume_handshake(Instant now, Seq initial_send_sequence, const Segment& syn);

    // --- endpoint_receive.cc
    void on_synchronized(Instant now, const Segment& segment, Output& out);
    void on_reset(Instant now, const Segment& segment, Output& out);
    bool timestamp_fits(Instant now, const Segment& segment, Output& out);
    bool sequence_fits(const Segment& segment) const;
    void on_unacceptable(Instant now, const Segment& segment, Output& out);
    bool brings_late_ack(const Segment& segment) const;
    void note_timestamp(Instant now, const Segment& segment);
    bool is_old(Instant now, std::uint32_t timestamp) const;  // PAWS
    void process_payload(Instant now, const Segment& segment);
    void take_fin(Instant now, const Segment& segment);
    void reject_unacceptable(Instant now, const Segment& segment, Output& out);
    void challenge(Instant now, Output& out);
    bool receiving() const;

    // --- endpoint_ack.cc
    bool acknowledgement_fits(Instant now, const Segment& segment, Output& out);
    void take_acknowledgement(Instant now, const Segment& segment);
    void advance_unacked(Instant now, const Segment& segment);
    void measure(Instant now, const Segment& segment);
    void update_send_window(const Segment& segment, bool advances);
    void find_loss();
    void our_fin_acknowledged(Instant now);

    // --- endpoint_send.cc
    void transmit(Instant now, Output& out);
    bool send_lost(Instant now, Output& out);
    bool send_new(Instant now, Output& out);
    bool send_spare(Instant now, Output& out);
    void send_again(Instant now, SackScoreboard::Range range, Output& out);
    void send_range(Instant now, SackScoreboard::Range range, Output& out);
    void send_ack(Instant now, Output& out);
    void send_reset(Instant now, Output& out);
    void emit(Segment& segment, Output& out);
    Segment blank() const;
    void add_options(Instant now, Segment& segment) const;
    std::uint16_t window_to_announce();
    std::uint32_t promised() const;   // bytes beyond RCV.NXT that were announced
    std::uint32_t grantable() const;  // and that may be
    bool held_back() const;           // by allow(), not by the buffer
    bool update_due() const;          // a larger window is worth a segment of its own
    std::uint32_t pipe() const;
    std::uint32_t unsent() const;
    std::uint32_t send_room() const;  // bytes of the peer's window not used yet
    bool fin_due() const { return shut && !fin_sent; }
    bool may_send_text() const;
    std::uint32_t segment_size() const;  // payload, with the options a segment carries now
    std::uint16_t send_mss() const;      // SMSS: without SACK blocks, which come and go

    // --- endpoint_timer.cc
    void on_timer(Instant now, Output& out);
    void on_retransmission_timer(Instant now, Output& out);
    void on_handshake_timer(Instant now, Output& out);
    void on_persist_timer(Instant now, Output& out);
    void arm_send_timers(Instant now);
    Instant next_deadline() const;

    // --- endpoint_resume.cc
    void resume(const Position& at, Instant now);

    // --- endpoint.cc
    void on_segment(Instant now, const Segment& segment, Output& out);
    std::size_t write(Instant now, ByteView bytes, Output& out);
    void consume(Instant now, std::size_t bytes, Output& out);
    void allow(std::optional<std::uint32_t> bytes);
    void update_window(Instant now, Output& out);
    void shutdown(Instant now, Output& out);
    void abort(Instant now, Output& out);
    void on_path_mss(Instant now, std::uint16_t mss, Output& out);
    bool can_write() const;
    bool all_acknowledged() const;
    bool quiet() const;
    bool owes_ack() const { return ack_now || unacked_in != 0 || delayed_ack_at != kNever; }
    void begin_closing();
    Position position() const;
    void enter_time_wait(Instant now);
    void close(Failure why);
    void give_up(Instant now, Output& out);  // TimedOut, and the peer is told

    std::uint32_t in_flight() const { return snd_nxt.since(snd_una); }

    const EndpointOptions options;
    State state = State::Closed;
    Failure failure = Failure::None;
    Recovery recovery = Recovery::None;

    // What both SYNs agreed on.
    bool scaling = false;
    bool timestamps = false;
    bool sack = false;
    std::uint8_t send_scale = 0;
    std::uint8_t receive_scale = 0;
    std::uint16_t peer_mss;  // largest payload before options: peer's MSS, our limit, path

    // Our FIN and theirs.
    bool shut = false;      // shutdown() was called
    bool fin_sent = false;  // it occupies SND.NXT - 1
    bool fin_acked = false;
    bool abandoned = false;            // closed before all was acknowledged
    bool fin_received = false;         // it occupies RCV.NXT - 1
    std::optional<Seq> fin_announced;  // where the peer's FIN lies, while a gap is before it

    // Send sequence space. SND.NXT never goes back: what is sent again is the scoreboard's matter.
    Seq iss;
    Seq snd_una;
    Seq snd_nxt;
    Seq snd_wl1;
    Seq snd_wl2;
    std::uint32_t snd_wnd = 0;
    std::uint32_t max_snd_wnd = 0;  // MAX.SND.WND of RFC 5961 section 5.2
    SendBuffer send_buffer;
    SackScoreboard scoreboard;
    CongestionControl congestion;
    RetransmissionTimer rto;
    Seq recovery_point;              // RecoveryPoint of RFC 6675, recover of RFC 6582
    std::uint32_t duplicates = 0;    // duplicate ACKs in a row
    bool resend_now = false;         // the next retransmission does not wait for the congestion window
    std::uint8_t expiries = 0;       // of the retransmission timer, in a row
    std::uint8_t probes = 0;         // zero-window probes sent since the window closed: the back-off
    std::uint8_t probes_silent = 0;  // of these, unanswered in a row
    bool timing = false;             // one segment's round trip is being measured (Karn)
    Seq timed_end;
    Instant timed_at{};
    std::uint32_t syn_timestamp = 0;  // TSval of our SYN, the last copy of it
    bool syn_challenged = false;      // it was sent again because of that
    Instant last_text_sent{};

    // Receive sequence space.
    Seq irs;
    Seq rcv_nxt;
    Seq receive_edge;                 // furthest right edge announced
    std::optional<Seq> allowed_edge;  // furthest one that may be; before the peer's SYN, RCV.NXT is 0
    bool announced_zero = false;      // the last window announced was zero
    Reassembly reassembly;
    std::uint32_t ts_recent = 0;
    Instant ts_recent_at{};
    Seq last_ack_sent;
    std::uint32_t last_tsval = 0;
    std::uint16_t full_segment;    // largest payload seen: what the peer's full segments are
    std::uint32_t unacked_in = 0;  // bytes received since the last ACK left
    bool ack_now = false;

    // Timers; kNever when off.
    Instant retransmit_at = kNever;
    Instant persist_at = kNever;
    Instant delayed_ack_at = kNever;
    Instant linger_at = kNever;  // end of TIME-WAIT, or of patience in FIN-WAIT-2
    Instant next_challenge{};    // before it, no challenge ACK
    Instant next_refusal{};      // before it, no ACK for an empty segment outside the window

    Statistics statistics;
};

}  // namespace sluice::tcp
