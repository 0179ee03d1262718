#include "sluice/daemon/telemetry_queries.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::daemon {

TelemetryQueries::TelemetryQueries(Answer answer, Duration patience)
    : answer_(std::move(answer)), patience_(patience), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (event_ < 0) {
        throw admin::SocketError(std::string("cannot create an eventfd for the telemetry socket: ") +
                                 std::strerror(errno));
    }
}

TelemetryQueries::~TelemetryQueries() { ::close(event_); }

port::TelemetryDict TelemetryQueries::ask(std::string_view command, std::string_view parameter) {
    const auto question = std::make_shared<Question>(
        Question{.command = std::string(command), .parameter = std::string(parameter), .answer = {}});
    std::unique_lock lock(mutex_);
    if (!closed_) {
        waiting_.push_back(question);
        ::eventfd_write(event_, 1);
        news_.wait_for(lock, patience_, [&] { return question->answered || closed_; });
    }
    if (question->answered) return std::move(question->answer);
    std::erase(waiting_, question);
    return port::telemetry_error(closed_ ? "sluiced is stopping" : "the control thread is busy; ask again");
}

void TelemetryQueries::close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    news_.notify_all();
}

void TelemetryQueries::serve(Instant /*now*/) {
    ::eventfd_t ignored = 0;
    ::eventfd_read(event_, &ignored);
    std::deque<std::shared_ptr<Question>> asked;
    {
        const std::scoped_lock lock(mutex_);
        asked.swap(waiting_);
    }
    // Without the lock: an answer may take a while, and nobody else changes these two texts.
    for (const auto& question : asked) {
        port::TelemetryDict answer = answer_(question->command, question->parameter);
        const std::scoped_lock lock(mutex_);
        question->answer = std::move(answer);
        question->answered = true;
        news_.notify_all();
    }
}

}  // namespace sluice::daemon
