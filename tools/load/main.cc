// sluice-load: from the command line to the results.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>

#include "dpdk_hardware.h"
#include "load.h"
#include "options.h"
#include "report.h"
#include "sluice/base/clock.h"
#include "socket_transport.h"

namespace sluice::load {
namespace {

std::atomic<unsigned> stops{0};

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = [](int) { stops.fetch_add(1); };
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

std::uint64_t resident_bytes() {
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

DriveHooks surroundings(const Options& options) {
    DriveHooks world{.clock = monotonic_now, .stops = [] { return stops.load(); }, .tell = {}};
    if (options.quiet) return world;
    // One line that is written over where somebody looks at it, else a line each.
    const char* const end = ::isatty(STDERR_FILENO) != 0 ? "\x1b[K\r" : "\n";
    world.tell = [end](const std::string& line) { std::cerr << line << end << std::flush; };
    return world;
}

// Runs the load over the transport that the options name; what came of it.
Json run(const Options& options) {
    const Instant start = monotonic_now();
    const std::unique_ptr<Load> load = make_load(options, start);
    Json report;
    const auto over = [&](Transport& transport) {
        load->use(transport);
        drive(*load, transport, surroundings(options));
        report = load->report(transport.totals(), monotonic_now() - start);
        report["resident_bytes"] = resident_bytes();
    };
    if (options.network.sockets()) {
        std::string error;
        const SocketOptions sockets{
            .targets = options.broker ? std::vector<SocketAddress>{} : options.addresses,
            .sources = options.broker ? std::vector<IpAddress>{} : options.network.sources,
            .listen = options.broker ? options.addresses : std::vector<SocketAddress>{},
            .capacity = options.capacity};
        const auto transport = SocketTransport::make(sockets, load->events(), start, error);
        if (!transport) throw std::runtime_error(error);
        over(*transport);
    } else {
        DpdkHardware hardware(options);
        hardware.run([&] {
            const auto transport = hardware.transport(options, load->events(), start);
            over(*transport);
        });
    }
    report["cpu_seconds"] = cpu_seconds();
    return report;
}

// False, with a word on stderr, when the file cannot be written.
bool write(const std::string& path, const Json& report) {
    if (path.empty()) return true;
    const std::string text = report.dump(2) + "\n";
    if (path == "-") {
        std::cout << text << std::flush;
        return true;
    }
    std::ofstream file(path);
    file << text << std::flush;
    if (!file) std::cerr << "sluice-load: cannot write " << path << "\n";
    return static_cast<bool>(file);
}

int start(const Options& options) {
    std::vector<Expectation> expectations;
    for (const std::string& text : options.expectations) {
        const auto expectation = parse_expectation(text);
        if (!expectation) {
            std::cerr << "sluice-load: --expect: \"" << text << "\" is not of the form connects.failed==0\n";
            return kExitUsage;
        }
        expectations.push_back(*expectation);
    }
    catch_signals();
    try {
        const Json report = run(options);
        if (options.json != "-") std::cout << summary(report) << std::flush;
        const bool written = write(options.json, report);
        const std::vector<std::string> faults = unmet(report, expectations);
        for (const std::string& fault : faults) std::cerr << "sluice-load: " << fault << "\n";
        return written && faults.empty() ? kExitGood : kExitRuntime;
    } catch (const std::exception& fault) {
        std::cerr << "sluice-load: " << fault.what() << "\n";
        return kExitRuntime;
    }
}

}  // namespace
}  // namespace sluice::load

int main(int argc, char** argv) {
    const auto parsed = sluice::load::parse(argc, argv, std::cout, std::cerr);
    if (const int* const code = std::get_if<int>(&parsed)) return *code;
    return sluice::load::start(std::get<sluice::load::Options>(parsed));
}
