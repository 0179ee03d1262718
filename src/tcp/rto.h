// Retransmission time-out (RFC 6298). Karn's algorithm is shared with the caller: it must not give samples of
// segments sent twice unless a timestamp tells them apart, and the backed-off value stays until a sample
// comes; that of a handshake no longer than the handshake.
#pragma once

#include <cstdint>

#include "sluice/base/time.h"

namespace sluice::tcp {

class RetransmissionTimer {
  public:
    RetransmissionTimer(Duration initial, Duration minimum, Duration maximum);

    // rtt: a valid measurement, not negative. per_round_trip: how many samples one round trip yields, at
    // least 1; more of them weigh less each (RFC 7323 appendix G), except where they raise the variation.
    void sample(Duration rtt, std::uint32_t per_round_trip = 1);
    // Goes on with what another timer measured, when it measured anything: smoothed is not zero.
    void restore(Duration smoothed, Duration variation);
    // The timer expired (RFC 6298 (5.5)).
    void back_off();
    // RFC 6298 (5.7): the handshake is over, needed a retransmission, and perhaps gave no sample.
    void distrust_handshake();

    Duration value() const { return value_; }
    Duration maximum() const { return maximum_; }
    bool measured() const { return measured_; }
    Duration smoothed() const { return smoothed_; }  // zero until measured
    Duration variation() const { return variation_; }

  private:
    void compute();

    Duration smoothed_{0};
    Duration variation_{0};
    Duration initial_;
    Duration value_;
    Duration minimum_;
    Duration maximum_;
    bool measured_ = false;
};

}  // namespace sluice::tcp
