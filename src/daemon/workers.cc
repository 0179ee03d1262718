#include "workers.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fault.h"
#include "random.h"
#include "sluice/base/clock.h"

namespace sluice::daemon {

Workers::Workers(BalancerState& state, Hardware& hardware)
    : environment_(hardware.environment()),
      ports_(hardware.ports()),
      handover_(state.config().runtime.workers, handover_capacity(state.config().runtime.workers)) {
    const config::Runtime& runtime = state.config().runtime;
    // One for all: a client that comes back to another worker still meets sequence numbers that go on
    // (RFC 6528).
    const SipKey isn_key = random_key();
    const SipKey session_key = random_key();  // what one learns of a session all look up
    for (std::uint32_t i = 0; i < runtime.workers; ++i) {
        const std::uint32_t share = runtime.max_connections / runtime.workers +
                                    (i < runtime.max_connections % runtime.workers ? 1 : 0);
        const worker::WorkerOptions options{.index = i,
                                            .workers = runtime.workers,
                                            .max_connections = share,
                                            .idle = runtime.idle,
                                            .isn_key = isn_key,
                                            .index_key = random_key(),
                                            .session_key = session_key,
                                            .seed = random_number()};
        const worker::WorkerResources resources{.topology = state.topology(),
                                                .ports = ports_,
                                                .frames = environment_.frames(),
                                                .handover = handover_,
                                                .load = state.load(),
                                                .connect_memory = connect_memory_,
                                                .snapshot = &state.snapshot()};
        const int doorbell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (doorbell < 0) throw StartFault(std::string("cannot create an eventfd: ") + std::strerror(errno));
        doorbells_.push_back(doorbell);
        workers_.push_back(std::make_unique<worker::Worker>(options, resources, monotonic_now()));
    }
}

Workers::~Workers() {
    for (const int doorbell : doorbells_) ::close(doorbell);
}

std::vector<worker::Worker*> Workers::all() const {
    std::vector<worker::Worker*> all;
    for (const auto& worker : workers_) all.push_back(worker.get());
    return all;
}

void Workers::launch() {
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
        environment_.launch(
            i, [worker = workers_[i].get(), doorbell = doorbells_[i]] { worker->run(doorbell); });
    }
}

void Workers::join() { environment_.join(); }

}  // namespace sluice::daemon
