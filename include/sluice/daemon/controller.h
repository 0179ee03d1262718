// The controller of a running balancer. It owns what goes between the balancer's state, its workers and its
// operator: the channel to the workers and what was gathered from them, the connection log, and what has been
// told already. The state is BalancerState's; workers and ports are there before it. No threads, clocks or
// sockets of its own: whoever runs it calls turn() often and gives it the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sluice/admin/connection_log.h"
#include "sluice/admin/metrics.h"
#include "sluice/admin/view.h"
#include "sluice/backend/chooser.h"
#include "sluice/backend/routing.h"
#include "sluice/config/reader.h"
#include "sluice/daemon/backend_totals.h"
#include "sluice/daemon/balancer_state.h"
#include "sluice/daemon/log_watch.h"
#include "sluice/daemon/memory_return.h"
#include "sluice/daemon/missed_frames.h"
#include "sluice/daemon/offload_hints.h"
#include "sluice/daemon/shortages.h"
#include "sluice/daemon/stats_poller.h"
#include "sluice/daemon/worker_channel.h"
#include "sluice/port/port.h"

namespace sluice::daemon {

// What carries the packets. All borrowed.
struct Dataplane {
    std::vector<worker::Worker*> workers;  // as many as runtime.workers
    std::vector<port::Port*> ports;        // those of the configuration, in its order
    const port::FramePool* frames = nullptr;
    std::string dpdk;  // version
    bool hugepages = false;
};

struct ControllerOptions {
    std::uint64_t seed = 0;  // of the random choices that `explain` shows
    Wait wait;               // how to wait for a worker's answer, and how long
    std::function<config::LoadResult()> load_configuration;  // reads the file again
    // Of the times in the connection log and the metrics.
    std::function<std::chrono::system_clock::time_point()> wall_clock = std::chrono::system_clock::now;
    // Gives memory that the process has freed back to the system.
    std::function<void()> return_memory = [] {};
};

class Controller final : public admin::View, public admin::MetricsView {
  public:
    // state: borrowed; the workers were built with its snapshot and topology. The controller outlives their
    // loops, which may still have an inspection of its own to run: stop(), then join, then destroy.
    Controller(BalancerState& state, Dataplane dataplane, ControllerOptions options, Instant now);
    Controller(const Controller&) = delete;
    Controller& operator=(const Controller&) = delete;

    // Hears the workers' events, publishes a snapshot when a broker's condition changed, sends what is due.
    void turn(Instant now);
    // No new connections from now on.
    void drain();
    // Ends the workers' loops. Returns when each has been told, or does not listen.
    void stop();
    // Connections of all workers, or nullopt when one does not answer.
    std::optional<std::uint64_t> live_connections();
    // reload(false) on behalf of a signal: what comes of it is logged, and nothing is thrown.
    void reload_on_signal();
    // Whether all workers answered since the call before (see WorkerChannel::heartbeat).
    bool heartbeat() { return channel_.heartbeat(); }

    // --- admin::View; as of the last turn() ---
    admin::Info info() override;
    std::vector<admin::ListenerRow> listeners() override;
    std::vector<admin::PoolRow> pools() override;
    std::vector<admin::BackendRow> backends() override;
    admin::ConnectionList connections(const admin::ConnectionFilter& filter) override;
    std::vector<admin::PortRow> ports() override;
    std::vector<admin::NeighborRow> neighbors() override;
    std::string config_json() override;
    std::uint64_t counter(Counter id) override;
    admin::Explanation explain(const admin::Question& question) override;
    void set_log_level(const std::string& level) override;
    admin::ReloadReport reload(bool dry_run) override;
    void set_state(const std::string& backend, admin::Wish wish) override;
    void set_weight(const std::string& backend, std::uint32_t weight) override;
    void add_backend(const std::string& pool, const std::string& name, const SocketAddress& address,
                     std::uint32_t weight) override;
    void remove_backend(const std::string& backend) override;
    std::uint64_t kill_connections(const admin::ConnectionFilter& filter) override;

    // --- admin::MetricsView; what workers say of themselves is up to a second old ---
    admin::Metrics metrics() override;

  private:
    // controller.cc
    void hear(std::uint32_t worker);
    void hear_endings(std::uint32_t worker);
    void open_connection_log();
    void watch_connection_log();
    void on_event(std::uint32_t worker, const worker::Event& event);
    void forget_the_gone();
    void tell_speeds();
    void tell_all(const worker::Command& command);
    // reload.cc
    admin::ReloadReport go_over_to_file(bool dry_run);
    config::Config load_changed();
    // views.cc
    std::vector<worker::Worker::Usage> usage();
    admin::BackendRow describe(const backend::Pool& pool, const backend::Backend& broker) const;
    // metrics.cc
    void poll_stats();
    void look_for_shortages();
    void return_memory();
    void tell_listeners(admin::Metrics& metrics) const;
    void tell_backends(admin::Metrics& metrics) const;
    // connections.cc
    void each_connection(
        const admin::ConnectionFilter& filter,
        const std::function<bool(const worker::ListedConnection& row, std::uint32_t worker)>& visit);
    admin::ConnectionDescription describe(const session::ConnectionSummary& connection,
                                          std::size_t client_id_bytes) const;
    admin::ConnectionRow row_of(const worker::ListedConnection& listed, std::uint32_t worker) const;
    admin::ConnectionEnd end_of(const worker::EndedConnection& ended) const;
    // explain.cc
    backend::Routed route_of(const admin::Question& question, const backend::ClientFacts& client) const;
    std::optional<std::string> why_refused(const admin::Question& question,
                                           const backend::ClientFacts& client) const;
    std::string explain_choice(const backend::Choice& choice, const backend::Pool& pool,
                               const std::string& client_id, std::optional<std::uint64_t> key) const;
    void explain_placement(admin::Explanation& explanation, const admin::Question& question,
                           const backend::ClientFacts& client, std::uint32_t pool);
    std::optional<session::Stay> session_of(const session::SessionName& name);
    std::string why_not_there(const backend::Pool& pool, std::optional<std::uint32_t> remembered) const;

    BalancerState& state_;
    const Dataplane dataplane_;
    const ControllerOptions options_;
    const Instant started_;
    Instant now_;
    WorkerChannel channel_;
    StatsPoller stats_poller_;
    BackendTotals totals_;
    std::uint64_t totalled_registry_ = 0;  // the snapshot's that totals_ goes by
    backend::Chooser chooser_;
    admin::ConnectionLog connection_log_;
    LogWatch log_watch_;
    OffloadHints hints_;
    Shortages shortages_;
    MemoryReturn memory_return_;
    MissedFrames missed_frames_;
    admin::Reloads reloads_;
    Instant last_reload_;
    std::vector<std::uint32_t> speeds_;  // by port, as the workers know them, Mbit/s
    Instant next_look_;                  // when to look again for what is gone
    bool draining_ = false;
};

}  // namespace sluice::daemon
