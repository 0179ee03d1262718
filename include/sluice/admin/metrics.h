// Everything that is told to Prometheus, as plain values, and the families of metrics made of them. The
// daemon gathers the values; nothing here knows workers, ports or threads.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <prometheus/metric_family.h>

#include "sluice/admin/process.h"
#include "sluice/admin/view.h"
#include "sluice/backend/backend_stats.h"
#include "sluice/base/counters.h"

namespace sluice::admin {

// Answers to `reload` and SIGHUP, since the start.
struct Reloads {
    std::uint64_t applied = 0;
    std::uint64_t refused = 0;
    bool last_applied = true;  // the start counts as one
};

struct Metrics {
    std::string version;
    std::string dpdk;
    Duration uptime{0};
    bool draining = false;
    std::uint64_t max_connections = 0;
    std::uint64_t frames_used = 0;
    std::uint64_t frames_capacity = 0;
    std::uint64_t snapshot_generation = 0;
    std::uint64_t reserved_bytes = 0;
    std::uint64_t used_bytes = 0;
    std::uint64_t connect_bytes = 0;
    std::uint64_t connect_memory = 0;
    Reloads reloads;
    Duration last_reload_age{0};  // the start counts as one
    std::chrono::system_clock::time_point now{};
    Process process;
    // Clients that had to give way to others, of either server.
    std::uint64_t admin_clients_displaced = 0;
    std::uint64_t metrics_clients_displaced = 0;

    struct Worker {
        bool answers = true;
        std::uint64_t handshaking = 0;
        std::uint64_t relayed = 0;
        std::uint64_t resting = 0;
        std::uint64_t spliced = 0;
    };
    std::vector<Worker> workers;

    struct Listener {
        std::string name;
        SocketAddress address;
        std::uint64_t connections = 0;
        std::uint64_t half_open = 0;
        std::uint64_t max_connections = 0;  // 0: no limit
    };
    std::vector<Listener> listeners;

    struct Pool {
        std::string name;
        std::uint64_t backends = 0;
        std::uint64_t usable = 0;
    };
    std::vector<Pool> pools;

    struct SourcePorts {
        IpAddress address;
        std::uint64_t used = 0;  // leased
        std::uint64_t free = 0;  // could be leased now
    };
    struct Backend {
        BackendRow row;  // but its leases
        bool healthy = true;
        std::vector<SourcePorts> sources;
        backend::BackendTally tally;
        backend::Traffic traffic;
    };
    std::vector<Backend> backends;

    std::vector<PortRow> ports;
    std::array<std::uint64_t, kCounterCount> counters{};  // by Counter
    backend::ConnectTally connects;
};

class MetricsView {
  public:
    virtual Metrics metrics() = 0;

  protected:
    ~MetricsView() = default;
};

// The states that a backend may be in.
inline constexpr std::array kBackendStates{"up", "slow-start", "down", "drain", "maintenance", "removed"};

std::vector<prometheus::MetricFamily> families(const Metrics& metrics);

// Prometheus's text format, version 0.0.4.
std::string to_text(const std::vector<prometheus::MetricFamily>& families);
inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace sluice::admin
