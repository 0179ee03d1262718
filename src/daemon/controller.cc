#include "sluice/daemon/controller.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::daemon {
namespace {

// Events of one worker that one turn hears, so that a flood cannot keep the operator waiting.
constexpr std::size_t kEventsPerTurn = 4096;

// How often it is looked whether something that was removed is used no more.
constexpr Duration kLookInterval = 1s;

backend::Use use_of(const std::vector<worker::Worker::Usage>& parts) {
    backend::Use use;
    for (const worker::Worker::Usage& part : parts) {
        use.listeners.resize(std::max(use.listeners.size(), part.listeners.size()));
        for (std::size_t i = 0; i < part.listeners.size(); ++i) use.listeners[i] += part.listeners[i];
        use.backends.resize(part.backends.size());
        use.sources.resize(part.backends.size());
        for (std::size_t p = 0; p < part.backends.size(); ++p) {
            use.backends[p].resize(part.backends[p].size());
            for (std::size_t b = 0; b < part.backends[p].size(); ++b) {
                use.backends[p][b] += part.backends[p][b].leased;
            }
            use.sources[p].insert(use.sources[p].end(), part.used_sources[p].begin(),
                                  part.used_sources[p].end());
        }
    }
    return use;
}

std::vector<const backend::BackendStats*> stats_of(const std::vector<worker::Worker*>& workers) {
    std::vector<const backend::BackendStats*> stats;
    for (const worker::Worker* const worker : workers) stats.push_back(&worker->stats());
    return stats;
}

}  // namespace

Controller::Controller(BalancerState& state, Dataplane dataplane, ControllerOptions options, Instant now)
    : state_(state),
      dataplane_(std::move(dataplane)),
      options_(std::move(options)),
      started_(now),
      now_(now),
      channel_(state_.store(), dataplane_.workers, options_.wait),
      stats_poller_(channel_, now),
      totals_(stats_of(dataplane_.workers)),
      chooser_(state_.load(), options_.seed),
      last_reload_(now),
      speeds_(dataplane_.ports.size(), 0) {
    open_connection_log();
}

void Controller::turn(Instant now) {
    now_ = now;
    for (std::uint32_t w = 0; w < channel_.size(); ++w) {
        hear(w);
        hear_endings(w);
    }
    connection_log_.flush();
    watch_connection_log();
    state_.publish_changes();
    poll_stats();
    channel_.flush();
    if (now >= next_look_) {
        next_look_ = now + kLookInterval;
        tell_speeds();
        forget_the_gone();
    }
}

// A link has its speed some time after it came up, and may come up with another one.
void Controller::tell_speeds() {
    for (std::size_t i = 0; i < dataplane_.ports.size(); ++i) {
        const port::Link link = dataplane_.ports[i]->link();
        if (!link.up || link.speed == speeds_[i]) continue;
        speeds_[i] = link.speed;
        worker::Command command;
        command.kind = worker::Command::Kind::SetSpeed;
        command.port = static_cast<std::uint16_t>(i);
        command.speed = link.speed;
        tell_all(command);
    }
}

// What was removed keeps its place and addresses until nothing refers to it.
void Controller::forget_the_gone() {
    if (!backend::anything_removed(state_.registry())) return;
    backend::Use use;
    try {
        for (std::uint32_t w = 0; w < channel_.size(); ++w) {
            // Otherwise a connection could begin after it was counted.
            if (state_.store().due(w) != nullptr) return;
        }
        use = use_of(usage());
    } catch (const admin::Refused&) {
        return;  // a worker hangs, and the heartbeat will tell
    }
    state_.reclaim(use, now_);
    channel_.flush();
}

void Controller::hear(std::uint32_t worker) {
    std::array<worker::Event, 64> events;
    for (std::size_t heard = 0; heard < kEventsPerTurn;) {
        const std::size_t n = channel_.worker(worker).receive(events);
        for (std::size_t i = 0; i < n; ++i) on_event(worker, events[i]);
        heard += n;
        if (n < events.size()) return;
    }
}

void Controller::open_connection_log() {
    connection_log_.open(state_.config().admin.connection_log);
    log_watch_.tell_again();
    watch_connection_log();
}

void Controller::watch_connection_log() {
    const auto news = log_watch_.look(now_, state_.config().admin.connection_log, connection_log_.fault(),
                                      counter(Counter::ConnectionLogLost));
    if (news) spdlog::log(news->trouble ? spdlog::level::err : spdlog::level::info, "{}", news->text);
}

void Controller::hear_endings(std::uint32_t worker) {
    std::array<worker::EndedConnection, 64> endings;
    for (std::size_t heard = 0; heard < kEventsPerTurn;) {
        const std::size_t n = channel_.worker(worker).receive(endings);
        for (std::size_t i = 0; i < n; ++i) connection_log_.append(end_of(endings[i]));
        heard += n;
        if (n < endings.size()) return;
    }
}

void Controller::on_event(std::uint32_t worker, const worker::Event& event) {
    switch (event.kind) {
        case worker::Event::Kind::SnapshotRetired: state_.store().retired(worker, event.generation); return;
        case worker::Event::Kind::ProbeResult:
        case worker::Event::Kind::AttemptFailed:
        case worker::Event::Kind::AttemptSucceeded: state_.on_health(event, now_); return;
        case worker::Event::Kind::OffloadHint:
            if (hints_.due(now_, event.port, event.address)) {
                spdlog::warn("{}", OffloadHints::text(event.fault, dataplane_.ports[event.port]->info().name,
                                                      event.address));
            }
            return;
    }
}

void Controller::tell_all(const worker::Command& command) {
    for (std::uint32_t w = 0; w < channel_.size(); ++w) channel_.post(w, command);
}

void Controller::drain() {
    draining_ = true;
    worker::Command command;
    command.kind = worker::Command::Kind::Drain;
    tell_all(command);
}

void Controller::stop() {
    worker::Command command;
    command.kind = worker::Command::Kind::Stop;
    tell_all(command);
    if (!channel_.deliver()) spdlog::error("a worker hangs: it takes no commands");
    connection_log_.flush();
    if (const std::uint64_t kept = connection_log_.kept(); kept != 0) {
        spdlog::error(
            "the connection log {} {}; its last {} lines are lost", state_.config().admin.connection_log,
            connection_log_.fault().empty() ? "is written too slowly" : connection_log_.fault(), kept);
    }
}

}  // namespace sluice::daemon
