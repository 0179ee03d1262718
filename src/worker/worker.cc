#include "sluice/worker/worker.h"

#include <algorithm>
#include <deque>

#include "worker/input.h"
#include "worker/rest.h"

namespace sluice::worker {
namespace {

constexpr std::size_t kBurst = 32;
constexpr std::size_t kCommands = 256;
constexpr std::size_t kAnnouncementsPerTurn = 16;

}  // namespace

struct Worker::Impl {
    Impl(Worker& self, const WorkerOptions& options, const WorkerResources& resources, Instant now);

    bool step(Instant now);
    bool receive();
    bool receive_handed_over();
    bool on_timers();
    bool on_commands();
    void on_command(const Command& command);
    bool tell_retired();
    bool announce();
    Instant next_deadline() const;

    Worker& self;
    const WorkerOptions options;
    const WorkerResources resources;
    CounterSet counters;
    Mail mail;
    Mailbox<Command> commands;
    FrameOutput output;
    Flows flows;
    Prober prober;
    LocalProtocols local;
    Input input;
    Instant now;
    bool stopped = false;
    std::deque<std::uint64_t> retired;  // generations that control has not been told of yet
    // Own addresses that the network has not been told of yet, by port.
    std::vector<std::pair<std::uint16_t, IpAddress>> unannounced;
};

Worker::Impl::Impl(Worker& self_, const WorkerOptions& options_, const WorkerResources& resources_,
                   Instant now_)
    : self(self_),
      options(options_),
      resources(resources_),
      mail(counters),
      commands(kCommands),
      output(resources.topology, resources.ports, resources.frames, counters,
             static_cast<std::uint16_t>(options.index)),
      flows(options, resources, output, counters, mail, now_),
      prober(options, resources, output, counters, mail, now_),
      local(resources.topology, output, flows, prober, counters),
      input(options, resources, output, flows, prober, local, counters, mail),
      now(now_) {
    if (options.index != 0) return;
    for (std::size_t i = 0; i < resources.ports.size(); ++i) {
        const auto port = static_cast<std::uint16_t>(i);
        for (const IpAddress& a : resources.topology.addresses(port)) unannounced.emplace_back(port, a);
    }
}

// The order matters in one place: what packets and timers want sent leaves in the same turn.
bool Worker::Impl::step(Instant at) {
    now = at;
    bool busy = receive();
    busy = receive_handed_over() || busy;
    busy = on_timers() || busy;
    busy = on_commands() || busy;
    busy = tell_retired() || busy;
    busy = announce() || busy;
    input.ring_bells();
    busy = output.flush() || busy;
    return busy;
}

bool Worker::Impl::receive() {
    bool any = false;
    std::array<port::Frame, kBurst> burst;
    for (port::Port* const port : resources.ports) {
        const std::size_t n = port->receive(static_cast<std::uint16_t>(options.index), burst);
        std::size_t keep = 0;
        for (std::size_t i = 0; i < n; ++i) {
            if (!input.on_frame(now, burst[i], false)) burst[keep++] = burst[i];
        }
        if (keep != 0) resources.frames.release(std::span(burst).first(keep));
        any = any || n != 0;
    }
    return any;
}

bool Worker::Impl::receive_handed_over() {
    bool any = false;
    std::array<port::Frame, kBurst> burst;
    for (std::uint32_t from = 0; from < options.workers; ++from) {
        if (from == options.index) continue;
        const std::size_t n = resources.handover.ring(from, options.index).receive(burst);
        for (std::size_t i = 0; i < n; ++i) input.on_frame(now, burst[i], true);
        if (n != 0) resources.frames.release(std::span(burst).first(n));
        any = any || n != 0;
    }
    return any;
}

bool Worker::Impl::on_timers() {
    bool any = flows.on_timer(now);
    if (output.next_deadline() <= now) {
        output.on_timer(now, flows);
        any = true;
    }
    if (prober.next_deadline() <= now) {
        prober.on_timer(now);
        any = true;
    }
    return any;
}

bool Worker::Impl::on_commands() {
    std::array<Command, 8> batch;
    const std::size_t n = commands.receive(batch);
    for (std::size_t i = 0; i < n; ++i) on_command(batch[i]);
    return n != 0;
}

void Worker::Impl::on_command(const Command& command) {
    switch (command.kind) {
        case Command::Kind::SetSnapshot:
            retired.push_back(flows.snapshot()->generation);
            flows.use(command.snapshot);
            return;
        case Command::Kind::Inspect:
            command.inspection->run(self);
            command.inspection->finish();
            return;
        case Command::Kind::Drain: flows.accept_no_more(); return;
        case Command::Kind::Stop:
            flows.accept_no_more();
            flows.end_all(now);
            stopped = true;
            return;
    }
}

// Control frees a snapshot on this word, so unlike other events it is kept until it is taken.
bool Worker::Impl::tell_retired() {
    bool any = false;
    while (!retired.empty() &&
           mail.try_post({.kind = Event::Kind::SnapshotRetired, .generation = retired.front()})) {
        retired.pop_front();
        any = true;
    }
    return any;
}

bool Worker::Impl::announce() {
    const std::size_t n = std::min(unannounced.size(), kAnnouncementsPerTurn);
    for (std::size_t i = 0; i < n; ++i) {
        output.announce(unannounced.back().first, unannounced.back().second);
        unannounced.pop_back();
    }
    return n != 0;
}

Instant Worker::Impl::next_deadline() const {
    return std::min({flows.next_deadline(), output.next_deadline(), prober.next_deadline()});
}

Worker::Worker(const WorkerOptions& options, const WorkerResources& resources, Instant now)
    : impl_(std::make_unique<Impl>(*this, options, resources, now)) {}
Worker::~Worker() = default;

bool Worker::step(Instant now) { return impl_->step(now); }
Instant Worker::next_deadline() const { return impl_->next_deadline(); }

void Worker::run(int wake_fd) {
    HandoverRings& handover = impl_->resources.handover;
    const std::uint32_t index = impl_->options.index;
    handover.set_bell(index, wake_fd);
    Rest rest(impl_->resources.ports, static_cast<std::uint16_t>(index), wake_fd);
    const bool may_rest = impl_->options.idle == config::Idle::Adaptive;
    while (!impl_->stopped) {
        const Instant now = monotonic_now();
        if (step(now)) {
            rest.was_busy(now);
        } else if (may_rest && rest.is_due(now)) {
            // Between this and the look at the mailboxes nothing can slip in unseen (handover.h).
            handover.about_to_rest(index);
            bool letters = !impl_->commands.empty();
            for (std::uint32_t from = 0; from < impl_->options.workers; ++from) {
                letters = letters || (from != index && !handover.ring(from, index).empty());
            }
            if (!letters) rest.until(now, next_deadline());
            handover.awake(index);
        }
    }
    // The resets of the last connections are still in the batches.
    impl_->output.flush();
}

bool Worker::send(const Command& command) {
    if (!impl_->commands.send(command)) return false;
    impl_->resources.handover.wake_if_resting(impl_->options.index);
    return true;
}

std::size_t Worker::receive(std::span<Event> out) { return impl_->mail.receive(out); }
const CounterSet& Worker::counters() const { return impl_->counters; }
std::uint32_t Worker::index() const { return impl_->options.index; }

std::uint32_t Worker::list_connections(std::uint32_t from, std::span<ConnectionRow> out,
                                       std::size_t& written) const {
    return impl_->flows.list(impl_->now, from, out, written);
}

std::vector<neighbor::Table::Entry> Worker::neighbors(std::uint16_t port) const {
    return impl_->output.neighbors(port).entries();
}

Worker::Usage Worker::usage() const { return impl_->flows.usage(impl_->now); }

}  // namespace sluice::worker
