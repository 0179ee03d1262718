// Congestion window in bytes: CUBIC (RFC 9438) over slow start (RFC 5681), ten segments to begin with
// (RFC 6928). It is told what happened and answers how much may be in flight; which bytes are lost is the
// scoreboard's matter.
#pragma once

#include <cstdint>
#include <limits>

#include "sluice/base/time.h"

namespace sluice::tcp {

class CongestionControl {
  public:
    // mss: SMSS, the effective payload of a full segment. one_segment: the handshake lost a segment, so the
    // first flight is one segment (RFC 5681 section 3.1).
    void start(std::uint32_t mss, bool one_segment);
    void change_mss(std::uint32_t mss);

    std::uint32_t window() const { return window_; }
    std::uint32_t threshold() const { return threshold_; }
    bool slow_start() const { return window_ < threshold_; }

    // New data acknowledged outside fast recovery. in_flight: before this acknowledgement. rtt: smoothed.
    void acknowledged(Instant now, std::uint32_t bytes, std::uint32_t in_flight, Duration rtt);
    // Fast recovery begins.
    void lost(std::uint32_t in_flight);
    // The retransmission timer expired; again: for the same data (RFC 5681 section 3.1 holds the threshold).
    void timed_out(std::uint32_t in_flight, bool again);
    // Nothing was sent for longer than the time-out (RFC 5681 section 4.1).
    void restart_after_idle();

  private:
    std::uint32_t initial_window() const;
    void reduce(std::uint32_t in_flight);
    void begin_epoch(Instant now);
    void avoid(Instant now, std::uint32_t bytes, Duration rtt);

    std::uint32_t mss_ = 536;
    std::uint32_t window_ = 536;
    std::uint32_t threshold_ = std::numeric_limits<std::uint32_t>::max();
    bool epoch_ = false;     // the four below are valid
    Instant epoch_start_{};  // shifted past times in which the application sent too little
    Instant last_ack_{};
    float origin_ = 0;        // segments: W_max of RFC 9438 for this epoch
    float plateau_in_ = 0;    // seconds: K
    float estimate_ = 0;      // segments: W_est, what Reno would have
    float last_maximum_ = 0;  // segments: W_max
    float prior_ = 0;         // segments: cwnd_prior, the window before the last reduction
};

}  // namespace sluice::tcp
