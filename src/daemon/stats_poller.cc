#include "sluice/daemon/stats_poller.h"

#include <algorithm>
#include <utility>

#include "sluice/flow/slab.h"

namespace sluice::daemon {

// One worker's; it is asked again and again until the round is complete.
class StatsPoller::Question final : public worker::Inspection {
  public:
    void run(worker::Worker& worker) override {
        if (next_ == 0) answer_ = {.totals = worker.totals(), .leases = {}};
        next_ = worker.list_leases(next_, answer_.leases);
    }
    bool complete() const { return next_ == flow::kNoEntry; }
    Answer take() {
        next_ = 0;
        return std::move(answer_);
    }

  private:
    std::uint32_t next_ = 0;
    Answer answer_;
};

StatsPoller::StatsPoller(WorkerChannel& channel, Instant now) : channel_(channel) {
    for (std::uint32_t i = 0; i < channel_.size(); ++i) {
        lanes_.push_back({.question = std::make_shared<Question>(), .whole = {}, .due = now, .heard = now});
    }
}

void StatsPoller::ask(std::uint32_t worker) {
    PolledWorker& lane = lanes_[worker];
    lane.asked = true;
    lane.question->reuse();
    worker::Command command;
    command.kind = worker::Command::Kind::Inspect;
    command.inspection = lane.question.get();
    channel_.post(worker, command);
}

std::unordered_map<std::uint32_t, std::vector<worker::LeaseRow>> StatsPoller::leases() const {
    std::unordered_map<std::uint32_t, std::vector<worker::LeaseRow>> all;
    for (const PolledWorker& lane : lanes_) {
        for (const worker::LeaseRow& row : lane.whole.leases) {
            std::vector<worker::LeaseRow>& rows = all[row.backend];
            const auto known = std::ranges::find(rows, row.address, &worker::LeaseRow::address);
            if (known == rows.end()) {
                rows.push_back(row);
                continue;
            }
            known->capacity += row.capacity;
            known->leased += row.leased;
            known->quarantined += row.quarantined;
        }
    }
    return all;
}

bool StatsPoller::turn(Instant now) {
    bool complete = false;
    for (std::uint32_t i = 0; i < workers(); ++i) {
        PolledWorker& lane = lanes_[i];
        Question& question = *lane.question;
        if (!lane.asked) {
            if (now >= lane.due) ask(i);
            continue;
        }
        if (!question.done()) continue;
        lane.asked = false;
        lane.heard = now;
        if (question.complete()) {
            lane.whole = question.take();
            lane.due = now + kInterval;
            complete = true;
        } else {
            ask(i);
        }
    }
    return complete;
}

}  // namespace sluice::daemon
