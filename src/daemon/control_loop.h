// The control thread's loop: signals, the admin socket and a timer, until the daemon has come to its end.
#pragma once

#include <csignal>
#include <optional>
#include <vector>

#include "sluice/admin/service.h"
#include "sluice/base/time.h"
#include "sluice/daemon/controller.h"

namespace sluice::daemon {

// Blocks the signals that the loop reads; to be made before any other thread, which then inherits that.
class Signals {
  public:
    Signals();  // throws StartFault
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    int fd() const { return fd_; }
    // The next one that has arrived, or 0.
    int next() const;

  private:
    int fd_ = -1;
};

class ControlLoop {
  public:
    // All borrowed.
    ControlLoop(Controller& controller, Duration shutdown_timeout, std::vector<admin::Service*> services,
                const Signals& signals);
    ~ControlLoop();
    ControlLoop(const ControlLoop&) = delete;
    ControlLoop& operator=(const ControlLoop&) = delete;

    // Until SIGTERM or SIGINT, and then until the connections have ended, shutdown_timeout is over, or a
    // second such signal comes.
    void run();

  private:
    void on_signals(Instant now);
    void on_tick(Instant now);
    void begin_shutdown(Instant now, int signal);

    Controller& controller_;
    const Duration shutdown_timeout_;
    const std::vector<admin::Service*> services_;
    const Signals& signals_;
    int epoll_ = -1;
    int timer_ = -1;
    const std::optional<Duration> watchdog_;
    Instant next_heartbeat_;
    std::optional<Instant> shutdown_deadline_;  // set once shutdown has begun
    Instant next_count_;                        // when to look again whether connections are left
    bool finished_ = false;
};

}  // namespace sluice::daemon
