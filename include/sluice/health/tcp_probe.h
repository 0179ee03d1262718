// A TCP probe: does the broker's port answer a SYN, and what does its SYN-ACK offer? It is answered with a
// reset before the handshake is complete, so that the broker's process never sees a connection and logs none.
#pragma once

#include "sluice/health/probe.h"

namespace sluice::health {

class TcpProbe final : public Probe {
  public:
    using Probe::Probe;

    // SYNs are repeated within the timeout.
    void start(Instant now, tcp::Output& out) override;
    void on_segment(Instant now, const tcp::Segment& segment, tcp::Output& out) override;
    void on_timer(Instant now, tcp::Output& out) override;
    Instant next_deadline() const override { return over() ? kNever : deadline_; }
    // The broker forgets a handshake that nobody completes, so there is nobody to tell.
    void abandon(Instant /*now*/, tcp::Output& /*out*/) override { abandoned_ = true; }
    bool over() const override { return abandoned_ || status() != Status::Pending; }
    void on_unreachable() override;

  private:
    bool connecting() const override { return !over(); }
    void send_syn(Instant now, tcp::Output& out);

    Instant started_;
    Instant sent_;
    Instant deadline_ = kNever;
    bool abandoned_ = false;
};

}  // namespace sluice::health
