#include "control_loop.h"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "fault.h"
#include "service_manager.h"
#include "sluice/base/clock.h"

namespace sluice::daemon {
namespace {

// How late control may hear of an event. 50 wake-ups a second cost well below one percent of a core.
constexpr long kTickNanoseconds = 20'000'000;
constexpr Duration kCountInterval = 250ms;

int watched(int epoll, int fd) {
    ::epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Signals::Signals() {
    // A reader of the log that goes away must not take the daemon with it.
    std::signal(SIGPIPE, SIG_IGN);
    // Neither must a file that may grow no further.
    std::signal(SIGXFSZ, SIG_IGN);
    ::sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0) {
        fd_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    }
    if (fd_ < 0) throw StartFault(std::string("signals cannot be received: ") + std::strerror(errno));
}

Signals::~Signals() { ::close(fd_); }

int Signals::next() const {
    ::signalfd_siginfo info{};
    if (::read(fd_, &info, sizeof info) != static_cast<::ssize_t>(sizeof info)) return 0;
    return static_cast<int>(info.ssi_signo);
}

ControlLoop::ControlLoop(Controller& controller, Duration shutdown_timeout,
                         std::vector<admin::Service*> services, const Signals& signals)
    : controller_(controller),
      shutdown_timeout_(shutdown_timeout),
      services_(std::move(services)),
      signals_(signals),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      watchdog_(service_manager::watchdog_interval()) {
    const ::itimerspec tick{.it_interval = {.tv_sec = 0, .tv_nsec = kTickNanoseconds},
                            .it_value = {.tv_sec = 0, .tv_nsec = kTickNanoseconds}};
    if (epoll_ < 0 || timer_ < 0 || ::timerfd_settime(timer_, 0, &tick, nullptr) != 0 ||
        watched(epoll_, timer_) != 0 || watched(epoll_, signals_.fd()) != 0 ||
        !std::ranges::all_of(services_, [&](const auto* s) { return watched(epoll_, s->fd()) == 0; })) {
        const StartFault fault(std::string("the control loop cannot be set up: ") + std::strerror(errno));
        if (timer_ >= 0) ::close(timer_);
        if (epoll_ >= 0) ::close(epoll_);
        throw fault;
    }
}

ControlLoop::~ControlLoop() {
    ::close(timer_);
    ::close(epoll_);
}

void ControlLoop::run() {
    while (!finished_) {
        std::array<::epoll_event, 4> events{};
        const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
        const Instant now = monotonic_now();
        controller_.turn(now);
        for (int i = 0; i < n; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == signals_.fd()) on_signals(now);
            for (admin::Service* const service : services_) {
                if (fd == service->fd()) service->serve(now);
            }
            if (fd == timer_) on_tick(now);
        }
    }
}

void ControlLoop::on_signals(Instant now) {
    while (const int signal = signals_.next()) {
        if (signal == SIGHUP) {
            controller_.reload_on_signal();
        } else if (shutdown_deadline_) {
            spdlog::warn("second signal ({}): stopping at once", ::strsignal(signal));
            finished_ = true;
        } else {
            begin_shutdown(now, signal);
        }
    }
}

void ControlLoop::begin_shutdown(Instant now, int signal) {
    spdlog::info("{}: shutting down: no new connections, and {} for the present ones to end by themselves",
                 ::strsignal(signal),
                 std::chrono::duration_cast<std::chrono::milliseconds>(shutdown_timeout_));
    service_manager::stopping(shutdown_timeout_);
    controller_.drain();
    shutdown_deadline_ = now + shutdown_timeout_;
}

void ControlLoop::on_tick(Instant now) {
    std::uint64_t expirations = 0;
    [[maybe_unused]] const auto n = ::read(timer_, &expirations, sizeof expirations);
    for (admin::Service* const service : services_) service->serve(now);  // cuts off who does not read
    if (watchdog_ && now >= next_heartbeat_) {
        // A third of the interval, so that one late answer is no reason to be restarted.
        next_heartbeat_ = now + *watchdog_ / 3;
        if (controller_.heartbeat()) service_manager::alive();
    }
    if (!shutdown_deadline_) return;
    if (now >= *shutdown_deadline_) finished_ = true;
    if (finished_ || now < next_count_) return;
    next_count_ = now + kCountInterval;
    if (controller_.live_connections() == 0) finished_ = true;
}

}  // namespace sluice::daemon
