// sluiced: from the command line to the running balancer, and back.
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <iostream>
#include <optional>
#include <thread>
#include <vector>

#include "control_loop.h"
#include "fault.h"
#include "hardware.h"
#include "log.h"
#include "random.h"
#include "service_manager.h"
#include "sluice/admin/commands.h"
#include "sluice/admin/http_server.h"
#include "sluice/admin/server.h"
#include "sluice/admin/telemetry.h"
#include "sluice/base/clock.h"
#include "sluice/config/reader.h"
#include "sluice/daemon/balancer_state.h"
#include "sluice/daemon/command_line.h"
#include "sluice/daemon/controller.h"
#include "sluice/daemon/telemetry_queries.h"
#include "sluice/port/dpdk_telemetry.h"
#include "workers.h"

namespace sluice::daemon {
namespace {

// Workers answer within microseconds; two seconds mean that one hangs.
constexpr Duration kPatience = 2s;
// Longer than control may itself wait for workers.
constexpr Duration kEnquiryPatience = 5s;

bool wait_for_worker(const std::function<bool()>& done) {
    const Instant start = monotonic_now();
    Duration nap = 20us;
    while (!done()) {
        if (monotonic_now() - start > kPatience) return false;
        std::this_thread::sleep_for(nap);
        nap = std::min<Duration>(nap * 2, 1ms);
    }
    return true;
}

// The workers' loops end before anything goes that they or their last commands refer to, whatever way out is
// taken.
class StopAtEnd {
  public:
    StopAtEnd(Controller& controller, Workers& workers) : controller_(controller), workers_(workers) {}
    ~StopAtEnd() {
        controller_.stop();
        workers_.join();
    }
    StopAtEnd(const StopAtEnd&) = delete;
    StopAtEnd& operator=(const StopAtEnd&) = delete;

  private:
    Controller& controller_;
    Workers& workers_;
};

// Whoever asks on DPDK's telemetry socket. At the end those who wait are sent away first, as nobody answers
// any more, and then nobody is left inside.
class Telemetry {
  public:
    explicit Telemetry(TelemetryQueries& telemetry_queries)
        : telemetry_queries_(telemetry_queries),
          socket_(admin::telemetry_commands(), [&](std::string_view command, std::string_view parameter) {
              return telemetry_queries.ask(command, parameter);
          }) {}
    ~Telemetry() { telemetry_queries_.close(); }
    Telemetry(const Telemetry&) = delete;
    Telemetry& operator=(const Telemetry&) = delete;

  private:
    TelemetryQueries& telemetry_queries_;
    port::DpdkTelemetry socket_;
};

// What Prometheus and people with a browser are shown.
std::optional<admin::HttpServer::Page> page(Controller& controller, const admin::Server& server,
                                            const admin::HttpServer& pages, std::string_view path) {
    if (path == "/") {
        return admin::HttpServer::Page{
            .type = "text/html; charset=utf-8",
            .text = "sluiced " SLUICE_VERSION ": <a href=\"/metrics\">metrics</a>\n"};
    }
    if (path != "/metrics") return std::nullopt;
    admin::Metrics metrics = controller.metrics();
    metrics.process = admin::read_process();
    metrics.admin_clients_displaced = server.displaced();
    metrics.metrics_clients_displaced = pages.displaced();
    return admin::HttpServer::Page{.type = admin::kMetricsType,
                                   .text = admin::to_text(admin::families(metrics))};
}

void balance(const config::Config& config, const std::string& path) {
    const Signals signals;
    const Instant started = monotonic_now();
    // Before the hardware: a second daemon ends here and has touched nothing.
    const admin::UnixListener admin_socket(config.admin.socket);
    std::optional<admin::TcpListener> metrics_socket;
    if (config.admin.metrics) metrics_socket.emplace(*config.admin.metrics);

    Hardware hardware(config);
    BalancerState state(config, worker::Topology(config, hardware.macs()), started);
    Workers workers(state, hardware);
    Controller controller(state,
                          {.workers = workers.all(),
                           .ports = hardware.ports(),
                           .frames = &hardware.environment().frames(),
                           .dpdk = SLUICE_DPDK_VERSION,
                           .hugepages = hardware.environment().uses_hugepages()},
                          {.seed = random_number(),
                           .wait = wait_for_worker,
                           .load_configuration = [&path] { return config::load(path); },
                           .return_memory = [] { ::malloc_trim(0); }},
                          started);

    admin::Server server(admin_socket,
                         [&](std::string_view line) { return admin::answer(controller, line); });
    TelemetryQueries telemetry_queries(
        [&](const std::string& command, const std::string& parameter) {
            return admin::answer_telemetry(controller, command, parameter);
        },
        kEnquiryPatience);
    std::vector<admin::Service*> services{&server, &telemetry_queries};
    std::optional<admin::HttpServer> metrics;
    if (metrics_socket) {
        metrics.emplace(*metrics_socket,
                        [&](std::string_view path) { return page(controller, server, *metrics, path); });
        services.push_back(&*metrics);
    }
    ControlLoop loop(controller, config.runtime.shutdown_timeout, services, signals);
    const Telemetry telemetry(telemetry_queries);

    const StopAtEnd stop(controller, workers);
    workers.launch();
    spdlog::info("sluiced {} is ready: {} listeners, {} pools, {} workers", SLUICE_VERSION,
                 config.listeners.size(), config.pools.size(), workers.all().size());
    service_manager::ready("balancing");
    loop.run();
}

int start(const Options& options) {
    config::LoadResult loaded = config::load(options.config);
    if (!loaded.config) {
        print_problems(loaded, std::cerr);
        return kExitConfiguration;
    }
    if (options.check_config) {
        std::cout << options.config << ": good\n";
        return kExitGood;
    }
    start_log(loaded.config->admin.log);
    try {
        balance(*loaded.config, options.config);
        spdlog::info("stopped");
        return kExitGood;
    } catch (const std::exception& fault) {
        spdlog::error("{}", fault.what());
        return kExitRuntime;
    }
}

}  // namespace
}  // namespace sluice::daemon

int main(int argc, char** argv) {
    const auto parsed = sluice::daemon::parse(argc, argv, std::cout, std::cerr);
    if (const int* code = std::get_if<int>(&parsed)) return *code;
    return sluice::daemon::start(std::get<sluice::daemon::Options>(parsed));
}
