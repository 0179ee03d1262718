// The controller's line to the workers: commands that are never lost, because what a full mailbox does not
// take is kept and tried again; and questions (inspections) whose answer is waited for.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "sluice/daemon/snapshot_store.h"
#include "sluice/worker/worker.h"

namespace sluice::daemon {

// Calls `done` again and again until it is true; false when patience ended before that. Who drives the
// workers decides what to do between two calls.
using Wait = std::function<bool(const std::function<bool()>& done)>;

class WorkerChannel {
  public:
    // store and workers are borrowed and outlive the channel.
    WorkerChannel(SnapshotStore& store, const std::vector<worker::Worker*>& workers, Wait wait);

    std::uint32_t size() const { return static_cast<std::uint32_t>(lanes_.size()); }
    worker::Worker& worker(std::uint32_t index) const { return *lanes_[index].worker; }

    // Sends it as soon as the worker's mailbox takes it.
    void post(std::uint32_t worker, const worker::Command& command);
    // Sends what is due: snapshots and commands that had to wait. To be called from time to time.
    void flush();
    // Flushes until the workers have been sent all there is; false when one takes nothing.
    bool deliver();

    // Has the worker run the inspection and waits for it. Throws admin::Refused when it does not answer; the
    // inspection is then kept until it does, as the worker may still run it.
    void inspect(std::uint32_t worker, std::shared_ptr<worker::Inspection> inspection);

    // Whether every worker has answered the heartbeat sent by the call before; sends the next one to those
    // that have. The first call returns true.
    bool heartbeat();

  private:
    class Heartbeat final : public worker::Inspection {
      public:
        Heartbeat() { finish(); }
        void run(worker::Worker&) override {}
    };
    struct Lane {
        worker::Worker* worker;
        std::deque<worker::Command> waiting;
        std::unique_ptr<Heartbeat> heartbeat;
    };
    void flush(std::uint32_t worker);

    SnapshotStore& store_;
    std::vector<Lane> lanes_;
    Wait wait_;
    std::vector<std::shared_ptr<worker::Inspection>> unanswered_;
};

}  // namespace sluice::daemon
