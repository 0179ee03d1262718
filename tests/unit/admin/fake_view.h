// A balancer that answers every question of the operator with made-up values, and remembers what it was
// asked.
#pragma once

#include <string>
#include <vector>

#include "sluice/admin/view.h"

namespace sluice::admin {

class FakeView : public View {
  public:
    Info info() override {
        return {.version = "1.2.3",
                .uptime = 90s,
                .workers = 2,
                .idle = "adaptive",
                .draining = false,
                .connections = 7,
                .max_connections = 1000,
                .half_open = 1,
                .timers = 6,
                .frames_used = 100,
                .frames_capacity = 4096,
                .spliced = 5,
                .reserved_bytes = 4096,
                .used_bytes = 1400,
                .connect_bytes = 4096,
                .connect_memory = 1048576,
                .dpdk = "22.11.4",
                .memory = "pages",
                .snapshot_generation = 3};
    }
    std::vector<ListenerRow> listeners() override {
        return {{.name = "mqtt",
                 .address = *SocketAddress::parse("10.1.0.1:1883"),
                 .pool = "brokers",
                 .state = "listening",
                 .connect_timeout = 10s,
                 .max_connect_size = 65536,
                 .allow = {*IpPrefix::parse("10.0.0.0/8")},
                 .deny = {}}};
    }
    std::vector<PoolRow> pools() override {
        return {{.name = "brokers",
                 .balance = "maglev",
                 .hash_key = "client_id",
                 .backends = 2,
                 .usable = 1,
                 .connections = 7,
                 .health = "tcp",
                 .offer = {.mss = 1460, .window = 4096, .window_scale = std::uint8_t{7}, .sack = true}}};
    }
    std::vector<BackendRow> backends() override {
        BackendRow up;
        up.pool = "brokers";
        up.name = "b1";
        up.address = *SocketAddress::parse("10.2.0.2:1883");
        up.state = "up";
        up.health = {.probed = true, .successes = 9, .last_failure = "none", .latency = 1500us, .since = {}};
        up.leases = {.capacity = 100, .leased = 7, .quarantined = 2};
        BackendRow down = up;
        up.tally.connects = 9;
        up.tally.failures[0] = 2;
        up.tally.connacks[backend::connack_cell(mqtt::Version::V311, 0)] = 8;
        up.tally.connacks[backend::connack_cell(mqtt::Version::V5, 0x87)] = 1;
        up.tally.endings[0] = 3;
        up.tally.connack.counts.front() = 7;
        up.tally.connack.counts.back() = 1;
        up.tally.connack.nanoseconds = 12'000'000'000;
        up.traffic.to_broker = {.packets = 20, .bytes = 700};
        down.address = *SocketAddress::parse("[fd00::2]:1883");
        down.state = "down";
        down.health = {.probed = true, .failures = 4, .last_failure = "refused", .since = 12s};
        return {up, down};
    }
    ConnectionList connections(const ConnectionFilter& filter) override {
        asked = filter;
        if (filter.backend == "nobody") throw Refused("no backend is named 'nobody'");
        ConnectionRow row;
        row.id = 5;
        row.worker = 1;
        row.phase = "relayed";
        row.listener = "mqtt";
        row.pool = "brokers";
        row.backend = "b1";
        row.client = *SocketAddress::parse("10.1.0.9:40000");
        row.source = SocketAddress::parse("10.2.0.10:1024");
        row.client_id = "caf\xe9";
        row.version = "3.1.1";
        row.keep_alive = 60;
        row.bytes_from_client = 1;
        row.bytes_from_broker = 2;
        row.age = 3s;
        row.idle = 250ms;
        return {.rows = {row}, .truncated = true};
    }
    std::vector<PortRow> ports() override {
        return {{.name = "front",
                 .driver = "net_af_packet",
                 .mac = {{2, 0, 0, 0, 0, 1}},
                 .mtu = 1500,
                 .queues = 2,
                 .link_up = true,
                 .link_mbps = 10000,
                 .addresses = {*IpAddress::parse("10.1.0.1")},
                 .statistics = {{"rx_frames", 11}}}};
    }
    std::vector<NeighborRow> neighbors() override {
        return {{.worker = 0,
                 .port = "front",
                 .address = *IpAddress::parse("10.1.0.9"),
                 .mac = {},
                 .state = "incomplete",
                 .age = 1s}};
    }
    std::string config_json() override { return R"({"runtime": {"workers": 2, "cores": null}})"; }
    std::uint64_t counter(Counter id) override { return id == Counter::DropTcpChecksum ? 42 : 0; }
    Explanation explain(const Question& question) override {
        questioned = question;
        Explanation e;
        e.client_id = question.client_id;
        e.listener = question.listener;
        e.route_text = "no route matches: the listener's pool";
        e.pool = question.pool.empty() ? "of " + question.listener : question.pool;
        e.hash = 0xfedcba9876543210U;
        e.slot = 17;
        e.backend = "b1";
        e.address = SocketAddress::parse("10.2.0.2:1883");
        e.state = "up";
        e.by_key = true;
        e.why = "its hash";
        return e;
    }
    void set_log_level(const std::string& level) override {
        if (level != "debug") throw Refused("no such level");
        log_level = level;
    }

    ReloadReport reload(bool dry_run) override {
        if (broken)
            throw ReloadRefused("the configuration has 1 problem; nothing has changed", {"f:3: x: bad"});
        return {.applied = !dry_run,
                .changes = {{"backend brokers/b3", "added", "", "", ""},
                            {"pool brokers", "changed", "drain_rate", "1000", "200"}},
                .moves = {{"brokers", 0.25}}};
    }
    void set_state(const std::string& backend, Wish wish) override {
        done = std::string(to_string(wish)) + " " + backend;
    }
    void set_weight(const std::string& backend, std::uint32_t weight) override {
        done = "weight " + backend + " " + std::to_string(weight);
    }
    void add_backend(const std::string& pool, const std::string& name, const SocketAddress& address,
                     std::uint32_t weight) override {
        done = "add " + pool + " " + name + " " + address.to_string() + " " + std::to_string(weight);
    }
    void remove_backend(const std::string& backend) override { done = "remove " + backend; }
    std::uint64_t kill_connections(const ConnectionFilter& filter) override {
        asked = filter;
        return 3;
    }

    Question questioned;
    std::string done;
    bool broken = false;
    ConnectionFilter asked;
    std::string log_level;
};

}  // namespace sluice::admin
