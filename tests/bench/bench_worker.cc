// What a whole worker costs, with a swarm of clients and brokers on its ports instead of a network:
//
//   connects    whole connections: both handshakes, CONNECT, CONNACK, both closes
//   spliced     frames of connections that stand, in random order, half from clients and half from brokers
//   keepalive   memory of connections that stand, each pinging once a Keep Alive in virtual time, and that
//   none is lost
//   resting     the same of connections that can never be spliced, between IPv6 clients and IPv4 brokers: at
//   rest, and after a ping that has woken each
//
// Time and cycles are the worker's own: what the swarm takes within the ports' functions is subtracted. The
// time between two bursts in which a port of a network card would write frames to memory is not in it, nor is
// the card's driver.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>
#include <vector>

#include "cycles.h"
#include "rig.h"

namespace sluice::bench {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;
// Room for handshakes to the last connection: no more than half of what is left is held for them.
constexpr std::uint32_t kOpening = 4096;
constexpr std::uint64_t kReserve = std::uint64_t{2} << 30U;  // bytes that are left to the rest of the machine

struct Options {
    std::string scenario;
    std::vector<std::uint32_t> connections;  // empty: the scenario's own
    std::uint32_t repetitions = 5;
    double seconds = 1;  // of one repetition
    std::uint32_t periods = 3;
    std::optional<double> bytes;  // memory a connection may take; nullopt: the scenario's own
};

template <typename... Args>
std::string text(const char* format, Args... args) {
    std::array<char, 256> buffer{};
    std::snprintf(buffer.data(), buffer.size(), format, args...);
    return buffer.data();
}

// As table.py writes the other lines.
std::string time_text(double nanoseconds) {
    return nanoseconds < 1000 ? text("%.3g ns", nanoseconds) : text("%.3g us", nanoseconds / 1e3);
}
std::string rate_text(double nanoseconds) {
    return nanoseconds < 1000 ? text("%.3g M/s", 1e3 / nanoseconds) : text("%.3g k/s", 1e6 / nanoseconds);
}

// One line of the table that tools/bench prints.
struct Line {
    std::string name;
    std::vector<double> nanoseconds;  // of one operation, by repetition
    std::string remark;

    void print() const {
        std::vector<double> sorted = nanoseconds;
        std::ranges::sort(sorted);
        const auto n = static_cast<double>(sorted.size());
        const double median = sorted[sorted.size() / 2];
        const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
        double squares = 0;
        for (const double t : sorted) squares += (t - mean) * (t - mean);
        const std::string spread =
            sorted.size() == 1 ? "" : text("+-%4.1f %%", 100 * std::sqrt(squares / n) / mean);
        std::printf("%-42s %9s  %8s  %10s  %6.0f cycles  %s\n", name.c_str(), time_text(median).c_str(),
                    spread.c_str(), rate_text(median).c_str(), median * cycles_per_nanosecond(),
                    remark.c_str());
        std::fflush(stdout);
    }
};

bool fail(const std::string& what) {
    std::fprintf(stderr, "FAILED %s\n", what.c_str());
    return false;
}

std::uint64_t spare_memory() { return std::max(available_memory(), kReserve) - kReserve; }

// Enough brokers and source addresses for so many connections at once, a tenth of the leases to spare: a hash
// does not spread clients quite evenly.
Plan plan_for(std::uint32_t connections) {
    constexpr std::uint32_t kPorts = 64'512;
    Plan plan{.clients = connections, .brokers = connections > 1'000'000 ? 8U : 2U, .sources = 1};
    plan.sources = static_cast<std::uint32_t>(1.1 * connections / plan.brokers / kPorts) + 1;
    return plan;
}

// --- connects ---

bool connects(const Options& options) {
    // Numbers enough that none comes again while the worker still remembers it (linger, quarantine).
    constexpr std::uint32_t kClients = 4'000'000;
    Rig rig({.plan = {.clients = kClients, .brokers = 4, .sources = 16}, .max_connections = 2'000'000});
    Swarm& swarm = rig.swarm();
    swarm.open(~std::uint64_t{0} >> 1U, true);
    const auto run = [&](double seconds) {
        const auto cycles_wanted = static_cast<std::uint64_t>(seconds * 1e9 * cycles_per_nanosecond());
        for (const std::uint64_t began = cycles(); cycles() - began < cycles_wanted;) rig.turn_in_real_time();
    };
    run(2.5);  // until as many connections end their linger as begin it
    Line line{.name = "worker/connects", .nanoseconds = {}, .remark = {}};
    const Cost first = rig.cost();
    const std::uint64_t first_closed = swarm.tally().closed;
    double loop = 0;
    for (std::uint32_t i = 0; i < options.repetitions; ++i) {
        const Cost before = rig.cost();
        const std::uint64_t closed = swarm.tally().closed;
        run(options.seconds);
        const Cost cost = rig.cost() - before;
        const auto done = static_cast<double>(swarm.tally().closed - closed);
        line.nanoseconds.push_back(cost.nanoseconds() / done);
        loop += cost.nanoseconds_with_ports() / done / options.repetitions;
    }
    const Cost all = rig.cost() - first;
    const auto done = static_cast<double>(swarm.tally().closed - first_closed);
    line.remark = text("a connection; %.1f frames in, %.1f out; with the swarm's own work %.0f ns",
                       static_cast<double>(all.received) / done, static_cast<double>(all.sent) / done, loop);
    swarm.open_no_more();
    rig.settle(std::chrono::milliseconds(1), 10'000);
    for (int i = 0; i < 5000; ++i) rig.turn(std::chrono::milliseconds(1));  // linger and quarantine
    line.print();
    const Tally& t = swarm.tally();
    if (t.closed != t.opened || t.connected != t.opened || t.broker_closed != t.opened ||
        rig.worker().usage().connections != 0 || !rig.sound()) {
        return fail("connects:\n" + rig.report());
    }
    return true;
}

// --- spliced ---

bool spliced_of(Rig& rig, std::uint32_t connections, std::uint32_t payload, const Options& options) {
    Swarm& swarm = rig.swarm();
    const std::string name = text("worker/spliced/%u/%u", connections, payload + 66);
    const auto run = [&](std::uint64_t frames) {
        const std::uint64_t target = swarm.frames_received() + frames;
        swarm.bulk(frames, payload, connections);
        while (swarm.frames_received() < target) rig.turn(std::chrono::microseconds(1));
    };
    // Every connection at least once, so that first uses are not counted.
    constexpr std::uint64_t kStretch = 200'000;
    for (std::uint64_t done = 0; done < 2ULL * connections; done += kStretch) {
        run(kStretch);
        if (available_memory() > kReserve) continue;
        std::printf("%s: left out, for its connections take more memory than there is\n", name.c_str());
        return true;
    }
    const std::uint64_t frames =
        std::max<std::uint64_t>(static_cast<std::uint64_t>(2e6 * options.seconds), 1000);
    Line line{
        .name = text("worker/spliced/%u/%u", connections, payload + 66), .nanoseconds = {}, .remark = {}};
    double loop = 0;
    double sent = 0;
    for (std::uint32_t i = 0; i < options.repetitions; ++i) {
        const Cost before = rig.cost();
        run(frames);
        const Cost cost = rig.cost() - before;
        const auto received = static_cast<double>(cost.received);
        line.nanoseconds.push_back(cost.nanoseconds() / received);
        loop += cost.nanoseconds_with_ports() / received / options.repetitions;
        sent += static_cast<double>(cost.sent) / received / options.repetitions;
    }
    line.remark = text("a frame received; %.2f sent for it; with the swarm's own work %.0f ns", sent, loop);
    line.print();
    rig.settle(std::chrono::milliseconds(1));
    const Tally& t = swarm.tally();
    if (t.at_brokers != t.to_brokers || t.at_clients != t.to_clients || !rig.sound() ||
        rig.worker().usage().connections != connections) {
        return fail(name + ":\n" + rig.report());
    }
    return true;
}

bool spliced(const Options& options) {
    constexpr std::uint32_t kSmall = 2;
    constexpr std::uint32_t kLarge = 1400;
    bool good = true;
    const std::vector<std::uint32_t> usual{10'000, 1'000'000, 10'000'000};
    for (const std::uint32_t n : options.connections.empty() ? usual : options.connections) {
        Rig rig({.plan = plan_for(n), .max_connections = n + kOpening});
        if (!rig.establish(n, spare_memory())) {
            std::printf(
                "worker/spliced/%u: left out, for its connections would take more memory than there is: %.0f "
                "bytes each\n",
                n, static_cast<double>(rig.memory()) / static_cast<double>(rig.swarm().tally().connected));
            continue;
        }
        if (rig.swarm().tally().connected != n) return fail("spliced:\n" + rig.report());
        for (const std::uint32_t payload : {kSmall, kLarge})
            good = spliced_of(rig, n, payload, options) && good;
    }
    return good;
}

// --- keepalive ---

// Every client pings once a period, spread evenly over it. Returns the most memory seen.
std::uint64_t ping_all(Rig& rig, std::uint32_t connections, std::uint32_t periods) {
    Swarm& swarm = rig.swarm();
    const Duration period = std::chrono::seconds(swarm.plan().keep_alive);
    // Few at a time where there are few, so that a ping and its answer take milliseconds of virtual time.
    const std::uint32_t batch = std::clamp(connections / 12'500, 1U, 16U);
    const Duration turn = period * batch / connections;
    const std::uint64_t pings = std::uint64_t{periods} * connections;
    std::uint64_t most = rig.memory();
    for (std::uint64_t sent = 0, looked = 0; sent < pings; sent += batch) {
        swarm.ping(static_cast<std::uint32_t>(std::min<std::uint64_t>(batch, pings - sent)), connections);
        rig.turn(turn);
        if (sent - looked < connections / 4) continue;
        looked = sent;
        most = std::max(most, rig.memory());
    }
    rig.settle(std::chrono::milliseconds(1));
    return std::max(most, rig.memory());
}

bool keepalive(const Options& options) {
    const std::uint32_t n = options.connections.empty() ? 10'000'000 : options.connections.front();
    const double bytes = options.bytes.value_or(268.4);
    const auto bound = static_cast<std::uint64_t>(bytes * n);
    Rig rig({.plan = plan_for(n), .max_connections = n + kOpening});
    const std::string name = text("worker/keepalive/%u", n);
    const bool fits = rig.establish(n, std::min(bound, spare_memory()));
    const Tally& t = rig.swarm().tally();
    const auto each = [&](std::uint64_t memory) {
        return static_cast<double>(memory) / static_cast<double>(t.connected);
    };
    if (!fits) {
        return fail(text("%s: after %llu connections %.0f bytes each, more than %.1f", name.c_str(),
                         static_cast<unsigned long long>(t.connected), each(rig.memory()), bytes));
    }
    if (t.connected != n) return fail(name + ":\n" + rig.report());
    const Cost before = rig.cost();
    const std::uint64_t memory = ping_all(rig, n, options.periods);
    const Cost cost = rig.cost() - before;
    const Line line{
        .name = name,
        .nanoseconds = {cost.nanoseconds() / static_cast<double>(cost.received)},
        .remark = text("a frame received; memory %.0f MiB, %.1f bytes a connection (at most %.1f)",
                       static_cast<double>(memory) / kMebibyte, each(memory), bytes)};
    line.print();
    const std::uint64_t pings = std::uint64_t{options.periods} * n;
    if (t.connected != n || t.pings != pings || t.pongs != pings || rig.worker().usage().connections != n ||
        !rig.sound()) {
        return fail(name + ":\n" + rig.report());
    }
    return memory <= bound || fail(name + ": too much memory");
}

// --- resting ---

// A four-hundredth of them a second, evenly: one that is awake takes as much memory as ten at rest.
template <typename Begin>
void at_leisure(Rig& rig, std::uint32_t count, Begin&& begin) {
    constexpr std::uint32_t kBatch = 16;
    const Duration turn = Duration(std::chrono::seconds(400)) * kBatch / count;
    for (std::uint32_t done = 0; done < count; done += kBatch) {
        begin(std::min(kBatch, count - done));
        rig.settle(std::chrono::microseconds(10));
        rig.turn(turn);
    }
    for (int i = 0; i < 30; ++i) rig.turn(std::chrono::milliseconds(100));
}

bool resting(const Options& options) {
    const std::uint32_t n = options.connections.empty() ? 200'000 : options.connections.front();
    const double bytes = options.bytes.value_or(320);
    Plan plan = plan_for(n);
    plan.ipv6_clients = true;
    plan.keep_alive = 0xffff;  // nobody has to ping meanwhile
    Rig rig({.plan = plan, .max_connections = n + kOpening});
    Swarm& swarm = rig.swarm();
    const std::string name = text("worker/resting/%u", n);
    const auto all_rest = [&] {
        const worker::Worker::Totals totals = rig.worker().totals();
        return (totals.connections == n && totals.resting == n) ||
               fail(text("%s: of %u connections %u rest", name.c_str(), totals.connections, totals.resting));
    };
    at_leisure(rig, n, [&](std::uint32_t some) { swarm.open(some, false); });
    if (swarm.tally().connected != n || !all_rest()) return fail(name + ":\n" + rig.report());
    const auto each = [&] { return static_cast<double>(rig.memory()) / n; };
    const double at_first = each();
    const Cost before = rig.cost();
    at_leisure(rig, n, [&](std::uint32_t some) { swarm.ping(some, n); });
    const Cost cost = rig.cost() - before;
    const double afterwards = each();
    const Line line{.name = name,
                    .nanoseconds = {cost.nanoseconds() / n},
                    .remark = text("a ping and its answer, from rest to rest; %.1f bytes a connection, %.1f "
                                   "afterwards (at most %.1f)",
                                   at_first, afterwards, bytes)};
    line.print();
    const Tally& t = swarm.tally();
    if (t.connected != n || t.pings != n || t.pongs != n || !all_rest() || !rig.sound()) {
        return fail(name + ":\n" + rig.report());
    }
    return std::max(at_first, afterwards) <= bytes || fail(name + ": too much memory");
}

bool measure(const Options& options) {
    if (options.scenario == "connects") return connects(options);
    if (options.scenario == "spliced") return spliced(options);
    if (options.scenario == "keepalive") return keepalive(options);
    return resting(options);
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app("What a whole worker costs, over a swarm of clients and brokers");
    app.add_option("scenario", options.scenario)
        ->required()
        ->check(CLI::IsMember({"connects", "spliced", "keepalive", "resting"}));
    app.add_option("--connections", options.connections,
                   "spliced: sizes to measure; keepalive, resting: how many");
    app.add_option("--repetitions", options.repetitions)->check(CLI::Range(1, 1000));
    app.add_option("--seconds", options.seconds, "of one repetition; spliced: times two million frames")
        ->check(CLI::Range(0.001, 1000.0));
    app.add_option("--periods", options.periods, "keepalive: how many Keep Alives")
        ->check(CLI::Range(1, 1000));
    app.add_option("--bytes", options.bytes, "keepalive, resting: memory a connection may take at most")
        ->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    return measure(options) ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) try {
    return sluice::bench::run(argc, argv);
} catch (const std::exception& e) {
    std::fprintf(stderr, "bench_worker: %s\n", e.what());
    return 1;
}
