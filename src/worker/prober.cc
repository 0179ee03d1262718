#include "worker/prober.h"

#include <algorithm>

#include "sluice/tcp/isn.h"
#include "worker/segment_frame.h"

namespace sluice::worker {

Prober::Prober(const WorkerOptions& options, const WorkerResources& resources, FrameOutput& output,
               CounterSet& counters, Mail& mail, Instant now)
    : config_(resources.config),
      topology_(resources.topology),
      output_(output),
      counters_(counters),
      mail_(mail),
      isn_key_(options.isn_key),
      worker_(options.index),
      workers_(options.workers),
      random_(options.seed) {
    by_port_.fill(kNoTarget);
    std::uint32_t position = 0;
    for (const config::Pool& pool : config_.pools) {
        for (const config::Backend& backend : pool.backends) {
            const std::uint32_t here = position++;
            if (pool.health.type == config::HealthType::None || here % workers_ != worker_) continue;
            const auto source = std::ranges::find_if(pool.source_addresses, [&](const IpAddress& a) {
                return a.family() == backend.address.address.family();
            });
            if (source == pool.source_addresses.end()) continue;
            const auto hop = topology_.route(*source, backend.address.address);
            if (!hop) continue;
            // The interface address; without one of that family, a source address does as well, because no
            // lease is ever given in the range of ports that probes use.
            const IpAddress from =
                topology_.interface_address(hop->port, backend.address.address).value_or(*source);
            targets_.push_back({.position = here,
                                .tuple = {.local = {from, 0}, .remote = backend.address},
                                .hop = *hop,
                                .mss = topology_.ports()[hop->port].mss(from.family()),
                                .interval = pool.health.interval,
                                .timeout = pool.health.timeout,
                                // At start all are asked soon, yet not in one burst.
                                .next_start = now + 1ms * static_cast<int>(random_.below(100)),
                                .probe = std::nullopt});
        }
    }
    schedule(now);
}

Prober::Target* Prober::find(const FourTuple& tuple) {
    if (tuple.local.port < kFirstPort || tuple.local.port > kLastPort) return nullptr;
    const std::uint16_t index = by_port_[tuple.local.port - kFirstPort];
    if (index == kNoTarget || targets_[index].tuple != tuple) return nullptr;
    return &targets_[index];
}

bool Prober::on_segment(Instant now, const FourTuple& tuple, const tcp::Segment& segment) {
    Target* const target = find(tuple);
    if (target == nullptr) return false;
    Out out(*this, *target, now);
    target->probe->on_segment(now, segment, out);
    settle(now, *target);
    schedule(now);
    return true;
}

bool Prober::on_unreachable(Instant now, const FourTuple& tuple, tcp::Seq quoted) {
    Target* const target = find(tuple);
    if (target == nullptr) return false;
    if (quoted != target->probe->initial_sequence())
        return true;  // forged, or of an earlier probe (RFC 5927)
    target->probe->on_unreachable();
    settle(now, *target);
    schedule(now);
    return true;
}

void Prober::on_timer(Instant now) {
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        Target& target = targets_[i];
        if (target.probe) {
            Out out(*this, target, now);
            target.probe->on_timer(now, out);
            if (out.unreachable) target.probe->on_unreachable();
            settle(now, target);
        } else if (target.next_start <= now) {
            start(now, static_cast<std::uint16_t>(i));
        }
    }
    schedule(now);
}

// The next port of this worker's residue that no probe and no listener uses.
std::uint16_t Prober::take_port(std::uint16_t target, const IpAddress& source) {
    for (std::size_t i = 0; i < by_port_.size(); ++i) {
        const std::uint16_t port = next_port_;
        next_port_ = port == kLastPort ? kFirstPort : static_cast<std::uint16_t>(port + 1);
        const bool listens = std::ranges::any_of(config_.listeners, [&](const config::Listener& l) {
            return l.address == SocketAddress{source, port};
        });
        if (port % workers_ != worker_ || by_port_[port - kFirstPort] != kNoTarget || listens) continue;
        by_port_[port - kFirstPort] = target;
        return port;
    }
    return 0;
}

void Prober::start(Instant now, std::uint16_t index) {
    Target& target = targets_[index];
    // A tenth up or down, so that many nodes and many backends do not fall into step.
    const std::int64_t tenth = target.interval.count() / 10;
    target.next_start =
        now + target.interval +
        Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(2 * tenth + 1))) - tenth);
    const std::uint16_t port = take_port(index, target.tuple.local.address);
    if (port == 0) return;  // more probes under way than ports: this one is late, not failed
    target.tuple.local.port = port;
    target.probe.emplace(
        health::TcpProbe::Options{.initial_sequence = tcp::initial_sequence(isn_key_, target.tuple, now),
                                  .mss = target.mss,
                                  .timeout = target.timeout});
    counters_.add(Counter::ProbesSent);
    Out out(*this, target, now);
    target.probe->start(now, out);
    if (out.unreachable) target.probe->on_unreachable();
    settle(now, target);
}

void Prober::settle(Instant now, Target& target) {
    if (target.probe->status() == health::TcpProbe::Status::Pending) return;
    const bool good = target.probe->status() == health::TcpProbe::Status::Succeeded;
    counters_.add(good ? Counter::ProbesSucceeded : Counter::ProbesFailed);
    mail_.post({.kind = Event::Kind::ProbeResult,
                .backend = target.position,
                .failure = target.probe->failure(),
                .offer = target.probe->offer(),
                .latency = target.probe->latency(),
                .address = target.tuple.remote.address});
    by_port_[target.tuple.local.port - kFirstPort] = kNoTarget;
    target.probe.reset();
    target.next_start = std::max(target.next_start, now);
}

void Prober::schedule(Instant now) {
    next_deadline_ = kNever;
    for (const Target& target : targets_) {
        const Instant due = target.probe ? target.probe->next_deadline() : target.next_start;
        next_deadline_ = std::min(next_deadline_, std::max(due, now));
    }
}

void Prober::Out::send(const tcp::Segment& segment) {
    auto frame = prober.output_.allocate();
    if (!frame) return;
    write_segment(*frame, target.tuple, prober.topology_.ports()[target.hop.port].mac, MacAddress{}, segment);
    unreachable = prober.output_.send_via(now, target.hop, *frame) == FrameOutput::Fate::Failed;
}

}  // namespace sluice::worker
