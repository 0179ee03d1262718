#include "sluice/worker/worker.h"

#include <algorithm>
#include <bit>
#include <deque>

#include "sluice/base/clock.h"
#include "worker/context.h"
#include "worker/evictor.h"
#include "worker/forwarder.h"
#include "worker/idle_policy.h"
#include "worker/input.h"
#include "worker/intake.h"
#include "worker/session_news.h"

namespace sluice::worker {
namespace {

constexpr std::size_t kCommands = 256;
constexpr std::size_t kAnnouncementsPerTurn = 16;
constexpr std::size_t kLeaseRowsAtOnce = 512;

std::vector<host::Interface> interfaces_of(const WorkerContext& context) {
    std::vector<host::Interface> interfaces;
    for (std::size_t i = 0; i < context.ports.size(); ++i) {
        const PortFacts& facts = context.topology.ports()[i];
        interfaces.push_back(
            {.port = context.ports[i], .mac = facts.mac, .mtu = facts.mtu, .networks = facts.networks});
    }
    return interfaces;
}

}  // namespace

struct Worker::Impl {
    Impl(Worker& self, const WorkerOptions& options, const WorkerResources& resources, Instant now);

    bool step(Instant now);
    bool receive();
    bool receive_handed_over();
    void on_burst(std::span<const port::Frame> burst, host::Origin origin);
    bool on_timers();
    bool on_commands();
    void on_command(const Command& command);
    void use(const Command& command);
    void use(const Topology& newer);
    bool tell_retired();
    bool announce();
    Instant next_deadline() const;
    Totals totals() const;
    Usage usage() const;
    std::uint32_t list_leases(std::uint32_t from, std::vector<LeaseRow>& out) const;

    Worker& self;
    WorkerContext context;
    Intake intake;
    Mailbox<Command> commands;
    host::FrameOutput output;
    Answers answers;
    Ways ways;
    FlowTable flow_table;
    SessionNews news;
    Spliced spliced;
    Forwarder forwarder;
    ConnectionTable connections;
    Evictor evictor;
    Prober prober;
    Input input;
    Instant now;
    std::array<port::Frame, Forwarder::kBurst> frames;  // the burst in hand
    std::array<port::Frame, Forwarder::kBurst> done;    // of it, those to be released
    bool stopped = false;
    std::deque<std::uint64_t> retired;  // generations that control has not been told of yet
    // Own addresses that the network has not been told of yet, by port.
    std::vector<std::pair<std::uint16_t, IpAddress>> unannounced;
};

Worker::Impl::Impl(Worker& self_, const WorkerOptions& options, const WorkerResources& resources,
                   Instant now_)
    : self(self_),
      context(options, resources),
      intake(context.ports, context.queue(), context.frames),
      commands(kCommands),
      output(interfaces_of(context), context.frames, context, context, {.queue = context.queue()}),
      answers(context, output),
      ways(context, output),
      flow_table(context),
      news(context.options, context.handover, context.counters),
      spliced(context, flow_table, output, ways, news, now_),
      forwarder(context, flow_table, spliced, output),
      connections(context, flow_table, spliced, output, answers, ways, news, now_),
      evictor(context, flow_table, connections, spliced, now_),
      prober(context, output, now_),
      input(context, flow_table, forwarder, output, answers, connections, spliced, prober),
      now(now_) {
    if (options.index != 0) return;
    for (std::size_t i = 0; i < context.ports.size(); ++i) {
        const auto port = static_cast<std::uint16_t>(i);
        for (const IpAddress& a : context.topology.addresses(port)) unannounced.emplace_back(port, a);
    }
}

// The order matters in two places: what packets and timers want sent leaves in the same turn, and what others
// have learned of a client's session is known before the client comes.
bool Worker::Impl::step(Instant at) {
    now = at;
    bool busy = news.hear(now);
    busy = receive() || busy;
    busy = receive_handed_over() || busy;
    busy = on_timers() || busy;
    busy = on_commands() || busy;
    busy = tell_retired() || busy;
    busy = announce() || busy;
    input.ring_doorbells();
    busy = output.flush() || busy;
    return busy;
}

bool Worker::Impl::receive() {
    bool any = false;
    intake.empty_queues();
    for (std::size_t port = 0; port < context.ports.size(); ++port) {
        const std::size_t n = intake.next(port, frames);
        if (n == 0) continue;
        const auto burst = std::span(frames).first(n);
        std::uint64_t bytes = 0;
        for (const port::Frame& frame : burst) bytes += frame.length;
        context.counters.add(Counter::RxFrames, n);
        context.counters.add(Counter::RxBytes, bytes);
        on_burst(burst, host::Origin::Port);
        any = true;
    }
    return any;
}

bool Worker::Impl::receive_handed_over() {
    bool any = false;
    for (std::uint32_t from = 0; from < context.options.workers; ++from) {
        if (from == context.options.index) continue;
        const std::size_t n = context.handover.ring(from, context.options.index).receive(frames);
        if (n == 0) continue;
        on_burst(std::span(frames).first(n), host::Origin::Handover);
        any = true;
    }
    return any;
}

// Spliced connections' packets take the short way; whatever is not certainly one of them is judged in full.
void Worker::Impl::on_burst(std::span<const port::Frame> burst, host::Origin origin) {
    std::size_t n = 0;
    forwarder.begin_burst(now, burst);
    for (std::size_t i = 0; i < burst.size(); ++i) {
        host::Disposition verdict = forwarder.forward(i);
        if (verdict.is_punt()) verdict = input.on_frame(now, burst[i], origin);
        if (verdict.is_forwarded()) continue;
        context.settle(verdict);
        done[n++] = burst[i];
    }
    forwarder.count();
    if (n != 0) context.frames.release(std::span(done).first(n));
}

bool Worker::Impl::on_timers() {
    bool any = connections.on_timer(now);
    any = spliced.on_timer(now) || any;
    any = ways.on_timer(now, connections, spliced) || any;
    if (output.next_deadline() <= now) {
        output.on_timer(now, connections);
        any = true;
    }
    if (evictor.next_deadline() <= now) any = evictor.on_timer(now) || any;
    if (input.next_deadline() <= now) {
        input.on_timer(now);
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
        case Command::Kind::SetSnapshot: use(command); return;
        case Command::Kind::SetSpeed: answers.set_speed(command.port, command.speed); return;
        case Command::Kind::Inspect:
            command.inspection->run(self);
            command.inspection->finish();
            return;
        case Command::Kind::Drain: connections.accept_no_more(); return;
        case Command::Kind::Stop:
            connections.accept_no_more();
            connections.end_all(now);
            spliced.end_all(now);
            prober.end_all(now);
            output.flush_all();
            stopped = true;
            return;
    }
}

void Worker::Impl::use(const Command& command) {
    const backend::Snapshot& before = *context.snapshot;
    const backend::Snapshot& next = *command.snapshot;
    context.snapshot = &next;
    if (next.registry != before.registry) {
        if (command.topology != nullptr) use(*command.topology);
        flow_table.use(next, context.topology);
        forwarder.use(next);
        context.listeners.resize(std::max(context.listeners.size(), next.listeners.size()));
    }
    retired.push_back(before.generation);
    connections.use(&next);
    evictor.use(now, next);
    prober.use(now, next);
}

void Worker::Impl::use(const Topology& newer) {
    for (std::size_t i = 0; i < context.ports.size() && context.options.index == 0; ++i) {
        const auto port = static_cast<std::uint16_t>(i);
        for (const IpAddress& a : newer.addresses(port)) {
            if (context.topology.owned(a) == nullptr) unannounced.emplace_back(port, a);
        }
    }
    context.topology = newer;
}

// Control frees a snapshot on this word, so unlike other events it is kept until it is taken.
bool Worker::Impl::tell_retired() {
    bool any = false;
    while (!retired.empty() &&
           context.events.try_post({.kind = Event::Kind::SnapshotRetired, .generation = retired.front()})) {
        retired.pop_front();
        any = true;
    }
    return any;
}

bool Worker::Impl::announce() {
    const std::size_t n = std::min(unannounced.size(), kAnnouncementsPerTurn);
    for (std::size_t i = 0; i < n; ++i) {
        const auto& [port, address] = unannounced.back();
        if (context.topology.owned(address) != nullptr)
            output.announce(port, address);  // it may have gone since
        unannounced.pop_back();
    }
    return n != 0;
}

Instant Worker::Impl::next_deadline() const {
    return std::min({connections.next_deadline(), spliced.next_deadline(), ways.next_deadline(),
                     output.next_deadline(), evictor.next_deadline(), prober.next_deadline(),
                     input.next_deadline()});
}

Worker::Totals Worker::Impl::totals() const {
    Totals totals{.connections = connections.size() + spliced.size(),
                  .spliced = spliced.size(),
                  .resting = connections.resting(),
                  .capacity = context.options.max_connections,
                  .half_open = 0,
                  .timers = connections.timers() + spliced.timers(),
                  .reserved_bytes = connections.reserved_bytes() + spliced.reserved_bytes() +
                                    flow_table.memory_bytes() + news.table().reserved_bytes(),
                  .used_bytes = connections.used_bytes() + spliced.used_bytes() + flow_table.used_bytes(),
                  .remembered = news.table().size(),
                  .remembered_bytes = news.table().used_bytes(),
                  .connect_bytes = connections.connect_bytes(),
                  .listeners = {},
                  .handshakes = {}};
    for (const ListenerLoad& l : context.listeners) {
        totals.half_open += l.half_open;
        totals.listeners.push_back(l.connections);
        totals.handshakes.push_back(l.half_open);
    }
    return totals;
}

Worker::Usage Worker::Impl::usage() const {
    Usage usage{totals(), {}, {}};
    const backend::Snapshot& snapshot = *context.snapshot;
    for (std::uint32_t p = 0; p < snapshot.pools.size(); ++p) {
        const backend::Pool& pool = snapshot.pools[p];
        const nat::SourcePool& sources = flow_table.pools()[p];
        auto& backends = usage.backends.emplace_back();
        auto& used = usage.used_sources.emplace_back();
        for (std::uint32_t b = 0; b < pool.backends.size(); ++b) {
            const nat::SourcePool::Usage leases =
                sources.usage(b, pool.backends[b].config.address.address.family(), now);
            backends.push_back(
                {.leases = leases.capacity, .leased = leases.leased, .quarantined = leases.quarantined});
            for (const nat::SourcePool::AddressUsage& source : sources.usage_by_address(b, now)) {
                if (!source.active && source.leased != 0) used.push_back(source.address);
            }
        }
    }
    return usage;
}

// A number is a pool's with a backend's place in it, so that it means the same after a reload.
std::uint32_t Worker::Impl::list_leases(std::uint32_t from, std::vector<LeaseRow>& out) const {
    constexpr std::uint32_t kPerPool = std::bit_ceil(backend::kMaxBackends);
    const backend::Snapshot& snapshot = *context.snapshot;
    const std::size_t enough = out.size() + kLeaseRowsAtOnce;
    std::uint32_t b = from % kPerPool;
    for (std::uint32_t p = from / kPerPool; p < snapshot.pools.size(); ++p, b = 0) {
        for (const backend::Pool& pool = snapshot.pools[p]; b < pool.backends.size(); ++b) {
            const backend::Backend& backend = pool.backends[b];
            if (backend.standing == backend::Standing::Vacant) continue;
            if (out.size() >= enough) return p * kPerPool + b;
            for (const auto& a : flow_table.pools()[p].usage_by_address(b, now)) {
                if (a.address.family() != backend.config.address.address.family()) continue;
                out.push_back({.backend = backend.position,
                               .address = a.address,
                               .capacity = a.capacity,
                               .leased = a.leased,
                               .quarantined = a.quarantined});
            }
        }
    }
    return flow::kNoEntry;
}

Worker::Worker(const WorkerOptions& options, const WorkerResources& resources, Instant now)
    : impl_(std::make_unique<Impl>(*this, options, resources, now)) {}
Worker::~Worker() = default;

bool Worker::step(Instant now) { return impl_->step(now); }
Instant Worker::next_deadline() const { return impl_->next_deadline(); }

void Worker::run(int wake_fd) {
    HandoverRings& handover = impl_->context.handover;
    const std::uint32_t index = impl_->context.options.index;
    handover.set_doorbell(index, wake_fd);
    IdlePolicy rest(impl_->context.ports, static_cast<std::uint16_t>(index), wake_fd);
    const bool may_rest = impl_->context.options.idle == config::Idle::Adaptive;
    while (!impl_->stopped) {
        const Instant now = monotonic_now();
        if (step(now)) {
            if (may_rest) rest.was_busy(now, impl_->context.counters.get(Counter::RxFrames));
        } else if (may_rest && rest.is_due(now)) {
            // Between this and the look at the mailboxes nothing can slip in unseen (handover.h).
            handover.about_to_rest(index);
            bool letters = !impl_->commands.empty();
            for (std::uint32_t from = 0; from < impl_->context.options.workers; ++from) {
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
    impl_->context.handover.wake_if_resting(impl_->context.options.index);
    return true;
}

std::size_t Worker::receive(std::span<Event> out) { return impl_->context.events.receive(out); }
std::size_t Worker::receive(std::span<EndedConnection> out) { return impl_->context.events.receive(out); }
const CounterSet& Worker::counters() const { return impl_->context.counters; }
const backend::BackendStats& Worker::stats() const { return impl_->context.stats; }
std::uint32_t Worker::index() const { return impl_->context.options.index; }

std::uint32_t Worker::list_connections(std::uint32_t from, std::span<ListedConnection> out,
                                       std::size_t& written) const {
    written = 0;
    const Reference first = *Reference::from(from);
    std::uint32_t more = flow::kNoEntry;
    if (first.kind() == Reference::Kind::Relayed) {
        more = impl_->connections.list(impl_->now, from, out, written);
        if (more != flow::kNoEntry) return more;
    }
    if (first.kind() == Reference::Kind::Resting) {
        return impl_->connections.list_resting(impl_->now, first.number(), out, written);
    }
    more = impl_->spliced.list(impl_->now, from, out, written);
    return more != flow::kNoEntry ? more : impl_->connections.list_resting(impl_->now, 0, out, written);
}

bool Worker::kill_connection(std::uint32_t id, const FourTuple& client) {
    const auto reference = Reference::from(id);
    if (!reference) return false;
    if (reference->is_spliced()) return impl_->spliced.kill(impl_->now, *reference, client);
    if (impl_->connections.kill(impl_->now, *reference, client)) return true;
    // It may have another form since it was listed.
    const FlowTable& flow_table = impl_->flow_table;
    const auto now_called = flow_table.find_client(flow_table.hash(client), [&](Reference candidate) {
        return candidate.is_spliced() ? impl_->spliced.is_client(candidate, client)
                                      : impl_->connections.is_client(candidate, client);
    });
    if (!now_called) return false;
    return now_called->is_spliced() ? impl_->spliced.kill(impl_->now, *now_called, client)
                                    : impl_->connections.kill(impl_->now, *now_called, client);
}

std::vector<neighbor::Table::Entry> Worker::neighbors(std::uint16_t port) const {
    return impl_->output.neighbors(port).entries();
}

std::optional<session::Stay> Worker::session_of(const session::SessionName& name) const {
    const session::Stay* const stay =
        impl_->news.table().find(impl_->now, impl_->context.options.session_key, name);
    return stay == nullptr ? std::nullopt : std::optional(*stay);
}

Worker::Totals Worker::totals() const { return impl_->totals(); }
Worker::Usage Worker::usage() const { return impl_->usage(); }
std::uint32_t Worker::list_leases(std::uint32_t from, std::vector<LeaseRow>& out) const {
    return impl_->list_leases(from, out);
}

}  // namespace sluice::worker
