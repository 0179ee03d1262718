// What the workers say of themselves, asked once a second and without waiting for the answer: for whoever
// must have figures at once, even while a worker hangs. A round asks for little at a time, so that no worker
// is held up.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "sluice/base/time.h"
#include "sluice/daemon/worker_channel.h"
#include "sluice/worker/worker.h"

namespace sluice::daemon {

class StatsPoller {
  public:
    static constexpr Duration kInterval = 1s;
    // A worker that has answered nothing for so long hangs.
    static constexpr Duration kSilence = 5s;

    struct Answer {
        worker::Worker::Totals totals;
        std::vector<worker::LeaseRow> leases;
    };

    // channel is borrowed.
    StatsPoller(WorkerChannel& channel, Instant now);

    // Takes what was answered and asks for more. True when a worker's round has come to its end.
    bool turn(Instant now);
    std::uint32_t workers() const { return static_cast<std::uint32_t>(lanes_.size()); }
    // The worker's last whole one; empty before the first.
    const Answer& answer(std::uint32_t worker) const { return lanes_[worker].whole; }
    // By position of the backend: its leases by address, over all workers.
    std::unordered_map<std::uint32_t, std::vector<worker::LeaseRow>> leases() const;
    bool answers(std::uint32_t worker, Instant now) const { return now - lanes_[worker].heard <= kSilence; }

  private:
    class Question;
    struct PolledWorker {
        std::shared_ptr<Question> question;
        bool asked = false;
        Answer whole;
        Instant due;    // of the next round
        Instant heard;  // the last answer
    };
    void ask(std::uint32_t worker);

    WorkerChannel& channel_;
    std::vector<PolledWorker> lanes_;
};

}  // namespace sluice::daemon
