#include "sluice/daemon/worker_channel.h"

#include <algorithm>
#include <string>
#include <utility>

#include "sluice/admin/view.h"

namespace sluice::daemon {

WorkerChannel::WorkerChannel(SnapshotStore& store, const std::vector<worker::Worker*>& workers, Wait wait)
    : store_(store), wait_(std::move(wait)) {
    for (worker::Worker* const worker : workers) {
        lanes_.push_back({.worker = worker, .waiting = {}, .heartbeat = std::make_unique<Heartbeat>()});
    }
}

void WorkerChannel::post(std::uint32_t worker, const worker::Command& command) {
    lanes_[worker].waiting.push_back(command);
    flush(worker);
}

void WorkerChannel::flush() {
    for (std::uint32_t i = 0; i < size(); ++i) flush(i);
    std::erase_if(unanswered_, [](const auto& inspection) { return inspection->done(); });
}

void WorkerChannel::flush(std::uint32_t worker) {
    Lane& lane = lanes_[worker];
    if (const SnapshotStore::Publication* due = store_.due(worker)) {
        worker::Command command;
        command.kind = worker::Command::Kind::SetSnapshot;
        command.snapshot = due->snapshot.get();
        command.topology = due->topology.get();
        if (lane.worker->send(command)) store_.sent(worker);
    }
    while (!lane.waiting.empty() && lane.worker->send(lane.waiting.front())) lane.waiting.pop_front();
}

bool WorkerChannel::deliver() {
    return wait_([this] {
        flush();
        return std::ranges::all_of(lanes_, [](const Lane& lane) { return lane.waiting.empty(); });
    });
}

void WorkerChannel::inspect(std::uint32_t worker, std::shared_ptr<worker::Inspection> inspection) {
    worker::Command command;
    command.kind = worker::Command::Kind::Inspect;
    command.inspection = inspection.get();
    inspection->reuse();
    post(worker, command);
    const bool answered = wait_([&] {
        if (!lanes_[worker].waiting.empty()) flush(worker);
        return inspection->done();
    });
    if (answered) return;
    unanswered_.push_back(std::move(inspection));
    throw admin::Refused("worker " + std::to_string(worker) + " does not answer; see the log");
}

bool WorkerChannel::heartbeat() {
    bool all = true;
    for (std::uint32_t i = 0; i < size(); ++i) {
        Heartbeat& heartbeat = *lanes_[i].heartbeat;
        if (!heartbeat.done()) {
            all = false;
            continue;
        }
        heartbeat.reuse();
        worker::Command command;
        command.kind = worker::Command::Kind::Inspect;
        command.inspection = &heartbeat;
        post(i, command);
    }
    return all;
}

}  // namespace sluice::daemon
