#include "sluice/admin/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <initializer_list>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace sluice::admin {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Label = ClientMetric::Label;
using Labels = std::vector<Label>;

double exact_seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

double number(std::uint64_t value) { return static_cast<double>(value); }

// Families, in the order in which they are begun; samples go to the last one.
class Book {
  public:
    void gauge(std::string name, std::string help) {
        begin(MetricType::Gauge, std::move(name), std::move(help));
    }
    void counter(std::string name, std::string help) {
        begin(MetricType::Counter, std::move(name) + "_total", std::move(help));
    }
    void histogram(std::string name, std::string help) {
        begin(MetricType::Histogram, std::move(name), std::move(help));
    }

    void add(double value, Labels labels = {}) {
        ClientMetric metric;
        metric.label = std::move(labels);
        // Only the one that the type names is written.
        metric.gauge.value = metric.counter.value = value;
        families_.back().metric.push_back(std::move(metric));
    }
    void add(std::uint64_t value, Labels labels = {}) { add(number(value), std::move(labels)); }
    void add(const backend::Latencies& latencies, Labels labels) {
        ClientMetric metric;
        metric.label = std::move(labels);
        auto& histogram = metric.histogram;
        for (std::size_t i = 0; i < latencies.counts.size(); ++i) {
            histogram.sample_count += latencies.counts[i];
            if (i == backend::kLatencyBounds.size()) continue;  // the last is written from sample_count
            histogram.bucket.push_back({.cumulative_count = histogram.sample_count,
                                        .upper_bound = backend::kLatencyBounds[i] / 1e6});
        }
        histogram.sample_sum = number(latencies.nanoseconds) / 1e9;
        families_.back().metric.push_back(std::move(metric));
    }

    std::vector<MetricFamily> take() { return std::move(families_); }

  private:
    void begin(MetricType type, std::string name, std::string help) {
        families_.push_back({.name = std::move(name), .help = std::move(help), .type = type, .metric = {}});
    }

    std::vector<MetricFamily> families_;
};

void process(Book& book, const Process& process) {
    book.counter("process_cpu_seconds", "User and system time of the process, in seconds");
    book.add(process.cpu_seconds);
    book.gauge("process_start_time_seconds", "When the process was started, in seconds since the epoch");
    book.add(process.start_time_seconds);
    book.gauge("process_resident_memory_bytes", "Resident memory of the process, in bytes");
    book.add(process.resident_bytes);
    book.gauge("process_virtual_memory_bytes", "Address space of the process, in bytes");
    book.add(process.virtual_bytes);
    book.gauge("process_open_fds", "Open file descriptors");
    book.add(process.open_files);
    book.gauge("process_max_fds", "File descriptors that the process may open");
    book.add(process.max_files);
}

void whole(Book& book, const Metrics& m) {
    book.gauge("sluice_build_info", "Always 1; the labels are the versions of Sluice and DPDK");
    book.add(1.0, {{"version", m.version}, {"dpdk", m.dpdk}});
    book.gauge("sluice_uptime_seconds", "How long the daemon has been running, in seconds");
    book.add(exact_seconds(m.uptime));
    book.gauge("sluice_draining", "1 while the daemon shuts down and takes no new connections, else 0");
    book.add(m.draining ? 1.0 : 0.0);
    book.gauge("sluice_max_connections",
               "Most connections that the daemon can hold (runtime.max_connections)");
    book.add(m.max_connections);
    book.gauge("sluice_packet_buffers_used", "Packet buffers in use, including those in the ports' queues");
    book.add(m.frames_used);
    book.gauge("sluice_packet_buffers_capacity", "Packet buffers in all");
    book.add(m.frames_capacity);
    book.gauge("sluice_memory_reserved_bytes",
               "Address space reserved at start for the tables of connections, in bytes");
    book.add(m.reserved_bytes);
    book.gauge("sluice_memory_used_bytes",
               "Memory of the tables of connections that present connections use, in bytes");
    book.add(m.used_bytes);
    book.gauge("sluice_connect_memory_held_bytes",
               "Memory held for clients that no broker has accepted yet, in bytes");
    book.add(m.connect_bytes);
    book.gauge("sluice_connect_memory_bytes",
               "Limit on the memory held for clients that no broker has accepted yet "
               "(runtime.connect_memory), in bytes");
    book.add(m.connect_memory);
    book.gauge(
        "sluice_snapshot_generation",
        "Number of the snapshot of configuration and health that workers use; grows with every change");
    book.add(m.snapshot_generation);
    book.counter("sluice_reloads", "Reloads of the configuration since the start, by result");
    book.add(m.reloads.applied, {{"result", "applied"}});
    book.add(m.reloads.refused, {{"result", "refused"}});
    book.gauge("sluice_last_reload_successful",
               "1 if the last reload was applied, or there was none; 0 if it was refused");
    book.add(m.reloads.last_applied ? 1.0 : 0.0);
    book.gauge("sluice_last_reload_timestamp_seconds",
               "When a reload was last tried, or the daemon started, in seconds since the epoch");
    book.add(exact_seconds(m.now.time_since_epoch() - m.last_reload_age));
    book.counter("sluice_socket_clients_displaced",
                 "Clients of the admin socket and of the metrics server that were disconnected for a new "
                 "one, because 64 were connected");
    book.add(m.admin_clients_displaced, {{"socket", "admin"}});
    book.add(m.metrics_clients_displaced, {{"socket", "metrics"}});
}

void workers(Book& book, const std::vector<Metrics::Worker>& workers) {
    book.gauge("sluice_worker_up",
               "1 if the worker has answered within the last five seconds, 0 if it hangs");
    for (std::size_t i = 0; i < workers.size(); ++i) {
        book.add(workers[i].answers ? 1.0 : 0.0, {{"worker", std::to_string(i)}});
    }
    book.gauge("sluice_connections",
               "Present connections, by worker and phase: handshaking, relayed (from the end of the "
               "handshake on), resting, spliced");
    for (std::size_t i = 0; i < workers.size(); ++i) {
        const auto of = [&](const char* phase) {
            return Labels{{"worker", std::to_string(i)}, {"phase", phase}};
        };
        book.add(workers[i].handshaking, of("handshaking"));
        book.add(workers[i].relayed, of("relayed"));
        book.add(workers[i].resting, of("resting"));
        book.add(workers[i].spliced, of("spliced"));
    }
}

void listeners(Book& book, const std::vector<Metrics::Listener>& listeners) {
    const auto each = [&](auto value) {
        for (const Metrics::Listener& l : listeners) {
            book.add(value(l), {{"listener", l.name}, {"address", l.address.to_string()}});
        }
    };
    book.gauge("sluice_listener_connections", "Connections of the listener");
    each([](const auto& l) { return l.connections; });
    book.gauge("sluice_listener_half_open", "Connections of the listener whose handshake is not complete");
    each([](const auto& l) { return l.half_open; });
    book.gauge("sluice_listener_max_connections", "The listener's max_connections; 0: no limit of its own");
    each([](const auto& l) { return l.max_connections; });
}

void pools(Book& book, const std::vector<Metrics::Pool>& pools) {
    book.gauge("sluice_pool_backends", "Brokers of the pool");
    for (const Metrics::Pool& p : pools) book.add(p.backends, {{"pool", p.name}});
    book.gauge("sluice_pool_backends_usable", "Brokers of the pool that take new clients");
    for (const Metrics::Pool& p : pools) book.add(p.usable, {{"pool", p.name}});
}

constexpr std::string_view kKeepAlives[] = {"0", "1-30", "31-60", "61-300", "301-1200", "1201-65535"};
static_assert(std::size(kKeepAlives) == backend::kKeepAliveBounds.size() + 1 &&
                  backend::kKeepAliveBounds == std::array<std::uint16_t, 5>{0, 30, 60, 300, 1200},
              "the texts above are theirs");

void connects(Book& book, const backend::ConnectTally& tally) {
    book.counter("sluice_mqtt_connects",
                 "CONNECTs that were accepted, by protocol version, clean start (clean session in 3.x) and "
                 "Keep Alive in seconds");
    for (std::size_t v = 0; v < tally.counts.size(); ++v) {
        for (std::size_t clean = 0; clean < 2; ++clean) {
            for (std::size_t k = 0; k < tally.counts[v][clean].size(); ++k) {
                book.add(tally.counts[v][clean][k], {{"version", mqtt::to_string(backend::kVersions[v])},
                                                     {"clean_start", clean == 1 ? "true" : "false"},
                                                     {"keep_alive", std::string(kKeepAlives[k])}});
            }
        }
    }
}

// Backends with the labels that name them. One that was removed may have the name of another that took its
// place: then it is told with its address.
class Backends {
  public:
    Backends(Book& book, const std::vector<Metrics::Backend>& backends) : book_(book) {
        std::set<std::pair<std::string, std::string>> names;
        for (const bool removed : {false, true}) {
            for (const Metrics::Backend& b : backends) {
                if ((b.row.state == "removed") != removed) continue;
                std::string name = b.row.name;
                if (!names.insert({b.row.pool, name}).second) name += "@" + b.row.address.to_string();
                rows_.push_back({&b, {{"pool", b.row.pool}, {"backend", std::move(name)}}});
            }
        }
    }

    template <typename Value>
    void each(Value&& value) const {
        for (const auto& [backend, labels] : rows_) book_.add(value(*backend), labels);
    }
    // fill(backend, add): add(value, label, text) adds a sample with one more label.
    template <typename Fill>
    void each_with(Fill&& fill) const {
        for (const auto& row : rows_) {
            fill(*row.first, [&](const auto& sample, std::initializer_list<Label> more) {
                Labels all = row.second;
                all.insert(all.end(), more);
                book_.add(sample, std::move(all));
            });
        }
    }

  private:
    Book& book_;
    std::vector<std::pair<const Metrics::Backend*, Labels>> rows_;
};

void conditions(Book& book, const Backends& backends) {
    book.gauge("sluice_backend_up",
               "1 if the broker is up by its probes and connection attempts, else 0, whatever state an "
               "operator has set");
    backends.each([](const auto& b) { return b.healthy ? 1.0 : 0.0; });
    book.gauge("sluice_backend_state", "1 for the state that the broker is in, 0 for the others");
    backends.each_with([](const auto& b, auto add) {
        for (const char* const state : kBackendStates)
            add(b.row.state == state ? 1.0 : 0.0, {{"state", state}});
    });
    book.gauge("sluice_backend_weight", "The broker's weight");
    backends.each([](const auto& b) { return number(b.row.weight); });
    book.gauge("sluice_backend_connections", "Connections to the broker, including those being established");
    backends.each([](const auto& b) { return b.row.connections; });
    book.gauge("sluice_backend_max_connections", "The broker's max_connections; 0: no limit");
    backends.each([](const auto& b) { return number(b.row.max_connections); });
    book.gauge("sluice_backend_probe_seconds", "How long the last good health probe took, in seconds");
    backends.each([](const auto& b) { return exact_seconds(b.row.health.latency); });
    book.gauge("sluice_source_ports_used", "Source ports of an address in use for connections to the broker");
    backends.each_with([](const auto& b, auto add) {
        for (const auto& s : b.sources) add(s.used, {{"address", s.address.to_string()}});
    });
    book.gauge("sluice_source_ports_free",
               "Source ports of an address that are free for new connections to the broker");
    backends.each_with([](const auto& b, auto add) {
        for (const auto& s : b.sources) add(s.free, {{"address", s.address.to_string()}});
    });
}

void stats(Book& book, const Backends& backends) {
    book.counter("sluice_backend_connects", "Connections to the broker that were established");
    backends.each([](const auto& b) { return b.tally.connects; });
    book.counter("sluice_backend_connect_failures",
                 "Failed attempts to connect a client to the broker, by reason");
    backends.each_with([](const auto& b, auto add) {
        for (std::size_t i = 0; i < backend::kFailures.size(); ++i) {
            add(b.tally.failures[i], {{"reason", backend::to_string(backend::kFailures[i])}});
        }
    });
    book.counter(
        "sluice_backend_connack",
        "CONNACKs from the broker, by version (3 or 5) and code as sent; a code is listed once it has "
        "occurred");
    backends.each_with([](const auto& b, auto add) {
        for (std::size_t cell = 0; cell < backend::kConnackCells; ++cell) {
            const backend::ConnackName name = backend::connack_name(cell);
            if (b.tally.connacks[cell] == 0 && name.code != "0x00") continue;
            add(b.tally.connacks[cell], {{"version", name.version}, {"code", name.code}});
        }
    });
    book.histogram("sluice_backend_connect_seconds",
                   "How long it took to connect to the broker, from SYN to established, in seconds");
    backends.each([](const auto& b) -> const backend::Latencies& { return b.tally.connect; });
    book.histogram("sluice_backend_connack_seconds",
                   "How long the broker took to answer a whole CONNECT with its CONNACK, in seconds; answers "
                   "after an AUTH exchange are not counted");
    backends.each([](const auto& b) -> const backend::Latencies& { return b.tally.connack; });
    const auto both_ways = [&](auto value) {
        backends.each_with([&](const auto& b, auto add) {
            add(value(b.traffic.to_broker), {{"direction", "to_broker"}});
            add(value(b.traffic.to_client), {{"direction", "to_client"}});
        });
    };
    book.counter("sluice_backend_bytes",
                 "Payload between the broker and its clients, in bytes; retransmissions included once a "
                 "connection is spliced");
    both_ways([](const backend::DirectionTraffic& p) { return p.bytes; });
    book.counter("sluice_backend_packets", "TCP segments between the broker and its clients");
    both_ways([](const backend::DirectionTraffic& p) { return p.packets; });
    book.counter("sluice_backend_closed", "Connections of the broker that ended, by reason");
    backends.each_with([](const auto& b, auto add) {
        for (std::size_t i = 0; i < backend::kEndings.size(); ++i) {
            const auto& info = kCounterTable[static_cast<std::size_t>(backend::kEndings[i])];
            add(b.tally.endings[i],
                {{"reason", std::string(info.name.substr(backend::kEndingPrefix.size()))}});
        }
    });
}

constexpr std::pair<std::string_view, const char*> kPortCounts[] = {
    {"rx_frames", "Frames that the port's device received"},
    {"rx_bytes", "Bytes that the port's device received"},
    {"rx_missed", "Frames that the port's device dropped because they were not fetched in time"},
    {"rx_ring_full", "Missed frames for which the ring shared with the kernel was full"},
    {"rx_no_fill", "Missed frames for which AF_XDP's fill ring had no buffer"},
    {"rx_interface_dropped", "Frames that the kernel's interface dropped before they reached a ring"},
    {"rx_errors", "Frames that the port's device received with errors"},
    {"rx_no_buffer", "Frames that the port's device dropped because there was no packet buffer"},
    {"tx_frames", "Frames that the port's device sent"},
    {"tx_bytes", "Bytes that the port's device sent"},
    {"tx_errors", "Frames that the port's device could not send"},
};

void ports(Book& book, const std::vector<PortRow>& ports) {
    book.gauge("sluice_port_up", "1 if the port's link is up, else 0");
    for (const PortRow& port : ports) {
        book.add(port.link_up ? 1.0 : 0.0, {{"port", port.name}, {"driver", port.driver}});
    }
    book.gauge("sluice_port_speed_bytes", "The link's speed in bytes a second, where it is known");
    for (const PortRow& port : ports) {
        if (port.link_mbps != 0) book.add(number(port.link_mbps) * 1e6 / 8, {{"port", port.name}});
    }
    for (const auto& [name, help] : kPortCounts) {
        book.counter("sluice_port_" + std::string(name), help);
        for (const PortRow& port : ports) {
            const auto found = std::ranges::find(port.statistics, name,
                                                 [](const auto& s) { return std::string_view(s.first); });
            if (found != port.statistics.end()) book.add(found->second, {{"port", port.name}});
        }
    }
}

void counters(Book& book, const std::array<std::uint64_t, kCounterCount>& values) {
    for (const CounterInfo& info : kCounterTable) {
        book.counter("sluice_" + std::string(info.name), std::string(info.meaning));
        book.add(values[static_cast<std::size_t>(info.id)]);
    }
}

}  // namespace

std::vector<MetricFamily> families(const Metrics& metrics) {
    Book book;
    whole(book, metrics);
    workers(book, metrics.workers);
    listeners(book, metrics.listeners);
    pools(book, metrics.pools);
    connects(book, metrics.connects);
    const Backends backends(book, metrics.backends);
    conditions(book, backends);
    stats(book, backends);
    ports(book, metrics.ports);
    counters(book, metrics.counters);
    process(book, metrics.process);
    return book.take();
}

std::string to_text(const std::vector<MetricFamily>& families) {
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, families);
    return std::move(text).str();
}

}  // namespace sluice::admin
