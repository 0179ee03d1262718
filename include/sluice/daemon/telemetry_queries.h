// Questions of threads that may not touch control's state: they are put down here, control's loop answers
// them in its own time, and who asked waits for it, but not for ever.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "sluice/admin/service.h"
#include "sluice/base/time.h"
#include "sluice/port/telemetry.h"

namespace sluice::daemon {

class TelemetryQueries final : public admin::Service {
  public:
    // Called by serve().
    using Answer =
        std::function<port::TelemetryDict(const std::string& command, const std::string& parameter)>;

    // patience: how long ask() waits. Throws admin::SocketError.
    TelemetryQueries(Answer answer, Duration patience);
    // Nobody may be in ask().
    ~TelemetryQueries() override;

    // From any thread. An error is returned when the answer does not come in time, or after close().
    port::TelemetryDict ask(std::string_view command, std::string_view parameter);
    // Refuses all questions, those that wait and those that come later.
    void close();

    // Of control's thread.
    int fd() const override { return event_; }
    void serve(Instant now) override;

  private:
    struct Question {
        std::string command;
        std::string parameter;
        port::TelemetryDict answer;
        bool answered = false;
    };

    const Answer answer_;
    const Duration patience_;
    int event_ = -1;  // an eventfd, readable while questions wait
    std::mutex mutex_;
    std::condition_variable news_;  // an answer, or the end
    // Who asks and who answers may each give a question up, so both own it.
    std::deque<std::shared_ptr<Question>> waiting_;
    bool closed_ = false;
};

}  // namespace sluice::daemon
