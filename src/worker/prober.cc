#include "worker/prober.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "sluice/tcp/frame.h"
#include "sluice/tcp/isn.h"

namespace sluice::worker {
namespace {

// New targets are asked soon, yet not in one burst.
constexpr std::uint64_t kFirstWithinMs = 100;

// At most 22 letters and digits.
std::string client_id(std::uint64_t number) {
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16);
    return "sluice" + std::string(digits.data(), end.ptr);
}

}  // namespace

Prober::Prober(WorkerContext& context, host::FrameOutput& output, Instant now)
    : context_(context),
      topology_(context.topology),
      output_(output),
      counters_(context.counters),
      events_(context.events),
      isn_key_(context.options.isn_key),
      worker_(context.options.index),
      workers_(context.options.workers),
      random_(context.options.seed),
      name_(SplitMix64(~context.options.seed).next()) {
    by_port_.fill(kNoTarget);
    next_port_ = static_cast<std::uint16_t>(kFirstPort + random_.below(by_port_.size()));
    use(now, *context.snapshot);
}

void Prober::use(Instant now, const backend::Snapshot& snapshot) {
    std::vector<std::optional<Aim>> aims(targets_.size());
    for (const backend::Pool& pool : snapshot.pools) {
        for (const backend::Backend& backend : pool.backends) {
            if (backend.standing != backend::Standing::Active || backend.position % workers_ != worker_)
                continue;
            const std::size_t index = backend.position / workers_;
            if (index >= aims.size()) aims.resize(index + 1);
            aims[index] = aim_at(pool, backend);
        }
    }
    targets_.resize(aims.size());
    for (std::size_t i = 0; i < aims.size(); ++i) {
        retarget(now, static_cast<std::uint32_t>(i) * workers_ + worker_, std::move(aims[i]));
    }
}

void Prober::end_all(Instant now) {
    for (ProbedBackend& target : targets_) retarget(now, target.position, std::nullopt);
}

// nullopt: not to be probed, or there is no way.
std::optional<Prober::Aim> Prober::aim_at(const backend::Pool& pool, const backend::Backend& backend) const {
    const config::Health& health = pool.config.health;
    if (health.type == config::HealthType::None) return std::nullopt;
    SocketAddress remote = backend.config.address;
    if (health.type == config::HealthType::Http && health.port != 0) remote.port = health.port;
    const auto source = std::ranges::find_if(pool.config.source_addresses, [&](const IpAddress& a) {
        return a.family() == remote.address.family();
    });
    if (source == pool.config.source_addresses.end()) return std::nullopt;
    const auto hop = topology_.route(*source, remote.address);
    if (!hop) return std::nullopt;
    // The interface address; without one of that family, a source address does as well, because no lease is
    // ever given in the range of ports that probes use.
    const IpAddress from = topology_.interface_address(hop->port, remote.address).value_or(*source);
    return Aim{.local = {from, 0},
               .remote = remote,
               .hop = *hop,
               .mss = topology_.ports()[hop->port].mss(from.family()),
               .health = health};
}

void Prober::retarget(Instant now, std::uint32_t position, std::optional<Aim> aim) {
    ProbedBackend& target = targets_[position / workers_];
    target.position = position;
    if (target.aim == aim) return;
    if (target.probe) {
        drive(now, target, [&](health::Probe& probe, tcp::Output& out) { probe.abandon(now, out); });
    }
    target.aim = std::move(aim);
    target.next_start = target.aim ? now + 1ms * static_cast<int>(random_.below(kFirstWithinMs)) : kNever;
    next_deadline_ = std::min(next_deadline_, target.next_start);
}

FourTuple Prober::tuple_of(const ProbedBackend& target) const {
    return {.local = {target.aim->local.address, target.port}, .remote = target.aim->remote};
}

Prober::ProbedBackend* Prober::find(const FourTuple& tuple) {
    if (tuple.local.port < kFirstPort || tuple.local.port > kLastPort) return nullptr;
    const std::uint16_t index = by_port_[tuple.local.port - kFirstPort];
    if (index == kNoTarget || tuple_of(targets_[index]) != tuple) return nullptr;
    return &targets_[index];
}

bool Prober::on_segment(Instant now, const FourTuple& tuple, const tcp::Segment& segment) {
    ProbedBackend* const target = find(tuple);
    if (target == nullptr) return false;
    drive(now, *target, [&](health::Probe& probe, tcp::Output& out) { probe.on_segment(now, segment, out); });
    return true;
}

bool Prober::on_unreachable(Instant now, const FourTuple& tuple, tcp::Seq quoted) {
    ProbedBackend* const target = find(tuple);
    if (target == nullptr) return false;
    drive(now, *target, [&](health::Probe& probe, tcp::Output&) { probe.on_icmp_unreachable(quoted); });
    return true;
}

void Prober::on_timer(Instant now) {
    next_deadline_ = kNever;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        ProbedBackend& target = targets_[i];
        if (target.due() > now) {
            next_deadline_ = std::min(next_deadline_, target.due());
        } else if (target.probe) {
            drive(now, target, [&](health::Probe& probe, tcp::Output& out) { probe.on_timer(now, out); });
        } else {
            start(now, static_cast<std::uint16_t>(i));
        }
    }
}

// The next port of this worker's residue that no probe and no listener uses.
std::uint16_t Prober::take_port(std::uint16_t target, const IpAddress& source) {
    for (std::size_t i = 0; i < by_port_.size(); ++i) {
        const std::uint16_t port = next_port_;
        next_port_ = port == kLastPort ? kFirstPort : static_cast<std::uint16_t>(port + 1);
        const bool listens =
            std::ranges::any_of(context_.snapshot->listeners, [&](const backend::Listener& l) {
                return l.config.address == SocketAddress{source, port};
            });
        if (port % workers_ != worker_ || by_port_[port - kFirstPort] != kNoTarget || listens) continue;
        by_port_[port - kFirstPort] = target;
        return port;
    }
    return 0;
}

void Prober::start(Instant now, std::uint16_t index) {
    ProbedBackend& target = targets_[index];
    const Aim& aim = *target.aim;
    // A tenth up or down, so that many nodes and many backends do not fall into step.
    const std::int64_t tenth = aim.health.interval.count() / 10;
    target.next_start =
        now + aim.health.interval +
        Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(2 * tenth + 1))) - tenth);
    next_deadline_ = std::min(next_deadline_, target.next_start);
    target.port = take_port(index, aim.local.address);
    if (target.port == 0) return;  // more probes under way than ports: this one is late, not failed
    target.told = false;
    target.probe =
        health::make_probe(aim.health,
                           {.initial_sequence = tcp::initial_sequence(isn_key_, tuple_of(target), now),
                            .mss = aim.mss,
                            .timeout = aim.health.timeout},
                           aim.remote, client_id(name_ + target.position));
    counters_.add(Counter::ProbesSent);
    drive(now, target, [&](health::Probe& probe, tcp::Output& out) { probe.start(now, out); });
}

// step: what happens to the probe.
template <typename Step>
void Prober::drive(Instant now, ProbedBackend& target, Step&& step) {
    Out out(*this, target, now);
    step(*target.probe, out);
    if (out.unreachable) target.probe->on_unreachable();
    settle(now, target);
}

// Tells the result as soon as it is known, and lets go of the probe when it is over.
void Prober::settle(Instant now, ProbedBackend& target) {
    const health::Probe& probe = *target.probe;
    if (!target.told && probe.status() != health::Probe::Status::Pending) {
        target.told = true;
        const bool good = probe.status() == health::Probe::Status::Succeeded;
        counters_.add(good ? Counter::ProbesSucceeded : Counter::ProbesFailed);
        events_.post({.kind = Event::Kind::ProbeResult,
                      .backend = target.position,
                      .failure = probe.outcome().failure,
                      .code = probe.outcome().code,
                      .offer = probe.offer(),
                      .latency = probe.latency(),
                      .address = target.aim->remote.address});
    }
    if (probe.over()) {
        by_port_[target.port - kFirstPort] = kNoTarget;
        target.probe.reset();
        target.next_start = std::max(target.next_start, now);
    }
    next_deadline_ = std::min(next_deadline_, target.due());
}

void Prober::Out::send(const tcp::Segment& segment) {
    auto frame = prober.output_.allocate();
    if (!frame) return;
    const NextHop& hop = target.aim->hop;
    frame->length = tcp::write_segment(prober.tuple_of(target), prober.topology_.ports()[hop.port].mac,
                                       MacAddress{}, segment, frame->writable());
    unreachable = prober.output_.send_via(now, hop, *frame) == host::NextHopState::Failed;
}

}  // namespace sluice::worker
