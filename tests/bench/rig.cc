#include "rig.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "cycles.h"
#include "sluice/backend/health_tracker.h"
#include "sluice/config/reader.h"

namespace sluice::bench {
namespace {

constexpr std::uint64_t kStretch = 200'000;  // connections between two looks at the memory

std::uint64_t resident_memory() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    statm >> pages >> pages;  // the second number
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t cpu_time() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(t.tv_nsec);
}

config::Config configuration(const RigOptions& o) {
    std::ostringstream t;
    t << "[runtime]\nmax_connections = " << o.max_connections
      << "\n[[port]]\nname = \"front\"\ndevice = \"swarm0\"\naddresses = [\""
      << o.plan.listener().address.to_string() << (o.plan.ipv6_clients ? "/64" : "/24")
      << "\"]\n[[port]]\nname = \"back\"\ndevice = \"swarm1\"\naddresses = [\"10.2.0.1/16\"]\n"
      << "[[listener]]\nname = \"mqtt\"\npool = \"brokers\"\naddress = \"" << o.plan.listener().to_string()
      << "\"\n[[pool]]\nname = \"brokers\"\nsource_addresses = [\"" << Plan::source(0).to_string() << "-"
      << Plan::source(o.plan.sources - 1).to_string() << "\"]\n[pool.health]\ntype = \"none\"\n";
    for (std::uint32_t b = 0; b < o.plan.brokers; ++b) {
        t << "[[pool.backend]]\nname = \"broker-" << b << "\"\naddress = \"" << Plan::broker(b).to_string()
          << "\"\n";
    }
    const config::LoadResult result = config::read(t.str(), "rig.toml");
    if (result.config) return *result.config;
    std::string all;
    for (const config::Problem& p : result.problems) all += to_string(p) + "\n";
    throw std::runtime_error(all);
}

}  // namespace

std::uint64_t available_memory() {
    std::ifstream meminfo("/proc/meminfo");
    for (std::string name; meminfo >> name;) {
        std::uint64_t kibibytes = 0;
        if (name == "MemAvailable:" && meminfo >> kibibytes) return kibibytes * 1024;
    }
    return 0;
}

Rig::Rig(const RigOptions& options)
    : pool_(std::size_t{16} * options.window),
      swarm_(std::make_unique<Swarm>(options.plan, options.window, pool_)),
      config_(configuration(options)),
      ports_{&swarm_->front(), &swarm_->back()},
      load_(1, options.plan.brokers) {
    const std::array macs{Swarm::kFrontMac, Swarm::kBackMac};
    topology_ = std::make_unique<worker::Topology>(config_, macs);
    snapshot_ = backend::build_snapshot(config_, backend::HealthTracker(config_).conditions(), 1, nullptr);
    worker_ =
        std::make_unique<worker::Worker>(worker::WorkerOptions{.max_connections = options.max_connections,
                                                               .idle = config::Idle::Poll,
                                                               .isn_key = {1, 2},
                                                               .index_key = {3, 4},
                                                               .seed = 5},
                                         worker::WorkerResources{*topology_, ports_, pool_, handover_, load_,
                                                                 connect_memory_, snapshot_.get()},
                                         now_);
    settle();
    last_cycles_ = cycles();
    base_memory_ = resident_memory();
}

void Rig::step() {
    swarm_->set_now(now_);
    const std::uint64_t began = cycles();
    worker_->step(now_);
    step_cycles_ += cycles() - began;
}

void Rig::turn(Duration passes) {
    now_ += passes;
    step();
}

void Rig::turn_in_real_time() {
    const std::uint64_t at = cycles();
    now_ += Duration(
        static_cast<Duration::rep>(static_cast<double>(at - last_cycles_) / cycles_per_nanosecond()));
    last_cycles_ = at;
    step();
}

void Rig::settle(Duration passes, std::uint32_t turns) {
    for (std::uint32_t i = 0; i < turns; ++i) {
        const std::uint64_t before = swarm_->frames_sent();
        turn(passes);
        if (swarm_->frames_sent() == before && swarm_->quiet()) return;
    }
}

bool Rig::establish(std::uint32_t count, std::uint64_t memory_limit) {
    swarm_->open(count, false);
    const std::uint64_t target = swarm_->tally().connected + count;
    std::uint64_t look_at = kStretch;
    std::uint64_t before = 0;
    // The clock is slow, so that nobody's Keep Alive runs out before all are there.
    constexpr Duration kTurn = std::chrono::microseconds(2);
    const std::uint64_t turns = 1000 + std::uint64_t{count} * 4;
    for (std::uint64_t i = 0; i < turns && swarm_->tally().connected < target; ++i) {
        turn(kTurn);
        if (swarm_->tally().connected < look_at) continue;
        const std::uint64_t now = memory();
        const std::uint64_t more = (target - std::min(target, swarm_->tally().connected)) / kStretch;
        // The first connections touch whole tables, and pages are huge: the first stretch foretells nothing,
        // and the others do not to the last byte.
        const std::uint64_t foretold =
            look_at == kStretch ? now : now + (now - std::min(now, before)) * more / 5 * 4;
        if (foretold > memory_limit) {
            swarm_->open_no_more();
            return false;
        }
        before = now;
        look_at += kStretch;
    }
    settle();
    return true;
}

Cost Rig::cost() const {
    return {.worker = step_cycles_ - swarm_->cycles_spent(),
            .ports = swarm_->cycles_spent(),
            .all = cycles(),
            .cpu = cpu_time(),
            .received = swarm_->frames_received(),
            .sent = swarm_->frames_sent()};
}

std::uint64_t Rig::memory() const {
    const std::uint64_t now = resident_memory();
    return now > base_memory_ ? now - base_memory_ : 0;
}

bool Rig::sound() const {
    return swarm_->tally().faults() == 0 && std::ranges::all_of(kCounterTable, [&](const CounterInfo& info) {
               return info.severity == Severity::Info || worker_->counters().get(info.id) == 0;
           });
}

std::string Rig::report() const {
    std::ostringstream t;
    t << "  swarm: " << swarm_->tally().to_string() << "\n";
    for (const CounterInfo& info : kCounterTable) {
        const std::uint64_t value = worker_->counters().get(info.id);
        if (info.severity != Severity::Info && value != 0)
            t << "  worker: " << info.name << " " << value << "\n";
    }
    return t.str();
}

}  // namespace sluice::bench
