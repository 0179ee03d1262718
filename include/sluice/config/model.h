// What the configuration file says, as plain values with their defaults. Only the reader makes a Config that
// has been checked; one that is built by hand (in tests) must keep the ranges noted here.
// doc/configuration.md explains every key to operators; the two must tell the same story.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/mqtt/connect.h"

namespace sluice::config {

enum class Idle : std::uint8_t {
    Adaptive,  // a worker sleeps when the wire is quiet
    Poll,      // a worker never sleeps
};

// What the smallest share of connect_memory must hold in CONNECTs: one that grows, in a buffer of up to twice
// its size, and its copies for a broker; and as much again, because half of connect_memory is in no worker's
// share.
inline constexpr std::uint64_t kConnectsHeld = 8;

enum class Memory : std::uint8_t {
    Auto,       // hugepages when the system has reserved some, else ordinary pages
    Hugepages,  // hugepages or no start
    Ordinary,   // "pages"
};

// [runtime]
struct Runtime {
    unsigned workers = 1;         // 1..16
    std::vector<unsigned> cores;  // CPU numbers, one a worker; empty: not pinned
    Idle idle = Idle::Adaptive;
    std::uint32_t max_connections = 1'000'000;  // 1..50'000'000, over all workers
    // Bytes held for clients that no broker has accepted yet, over all workers: 1 MiB..1 TiB, and at least
    // kConnectsHeld of the largest max_connect_size for each worker.
    std::uint64_t connect_memory = std::uint64_t{256} << 20U;
    Memory memory = Memory::Auto;
    std::vector<std::string> eal;                          // extra EAL arguments, in order
    Duration shutdown_timeout = std::chrono::seconds(30);  // 0s..1d

    friend bool operator==(const Runtime&, const Runtime&) = default;
};

// How Sluice has a kernel interface.
enum class InterfaceDriver : std::uint8_t { AfPacket, AfXdp };

// [[port]]. Exactly one of device and interface is set.
struct Port {
    std::string name;
    std::string device;                                  // PCI address or vdev, as DPDK takes it
    std::string interface;                               // kernel interface
    InterfaceDriver driver = InterfaceDriver::AfPacket;  // of `interface` only
    std::vector<IpPrefix> addresses;  // interface addresses with their network's length; never empty
    std::vector<IpAddress> gateways;  // at most one a family, each within a network of `addresses`
    std::uint16_t mtu = 1500;         // bytes of the IP packet, 576..9000; at least 1280 with an IPv6 address

    friend bool operator==(const Port&, const Port&) = default;
};

enum class LogLevel : std::uint8_t { Debug, Info, Warning, Error };

// [admin]
struct Admin {
    std::string socket = "/run/sluice/admin.sock";  // absolute, at most 107 bytes
    LogLevel log = LogLevel::Info;
    std::optional<SocketAddress> metrics;  // where Prometheus finds the metrics, on the kernel's network
    std::string connection_log;            // absolute path of a file; empty: none

    friend bool operator==(const Admin&, const Admin&) = default;
};

// [[listener]]
struct Listener {
    std::string name;
    SocketAddress address;                                // on a network of a port
    std::string pool;                                     // its name
    std::uint32_t pool_index = 0;                         // in Config::pools
    Duration connect_timeout = std::chrono::seconds(10);  // from SYN to whole CONNECT; 100ms..10m
    std::size_t max_connect_size = 64 * 1024;             // bytes, 64 B..16 MiB; at most connect_window
    std::uint32_t connect_window =
        256 * 1024;                     // bytes a client may send before its broker answers; 1 KiB..16 MiB
    std::vector<IpPrefix> allow;        // empty: everybody
    std::vector<IpPrefix> deny;         // wins over allow
    std::uint32_t max_connections = 0;  // 0: no limit but the runtime's
    std::uint32_t half_open = 16384;    // handshakes under way, 1..16'777'216
    Duration idle_timeout = std::chrono::hours(1);  // for clients whose Keep Alive is 0; 0: never

    friend bool operator==(const Listener&, const Listener&) = default;
};

// What a client is told that a route refuses.
enum class RouteRefusal : std::uint8_t {
    NotAuthorized,  // CONNACK 0x05; MQTT 5: 0x87
    Unavailable,    // CONNACK 0x03; MQTT 5: 0x88
};

// [[route]]. All conditions that are given must hold; the first route that fits decides, and the listener's
// pool where none does.
struct Route {
    std::string listener;                 // name; empty: any
    std::string client_id_prefix;         // empty: any
    std::string client_id_pattern;        // RE2 syntax, found anywhere in the client ID; empty: any
    std::optional<std::string> username;  // exactly this; the empty string: a client without one
    std::vector<mqtt::Version> versions;  // any of these; empty: any
    std::vector<IpPrefix> networks;       // the client's address is in one of these; empty: any
    std::string pool;                     // name; empty where `refuse` is set
    std::uint32_t pool_index = 0;         // in Config::pools
    std::optional<RouteRefusal> refuse;

    friend bool operator==(const Route&, const Route&) = default;
};

enum class Balance : std::uint8_t { Maglev, LeastConnections, TwoChoices, RoundRobin };
enum class HashKey : std::uint8_t { ClientId, Username, ClientIp };

struct PortRange {
    std::uint16_t first = 1024;  // at least 1024: health probes leave from lower ports
    std::uint16_t last = 65535;  // inclusive

    bool overlaps(const PortRange& other) const { return first <= other.last && other.first <= last; }
    bool contains(std::uint16_t port) const { return first <= port && port <= last; }
    unsigned size() const { return 1U + last - first; }
    friend bool operator==(const PortRange&, const PortRange&) = default;
};

enum class HealthType : std::uint8_t {
    None,  // no probes: brokers count as up
    Tcp,   // a TCP handshake
    Mqtt,  // CONNECT, CONNACK, PINGREQ, PINGRESP, DISCONNECT
    Http,  // GET and the status of the answer
};

// [pool.health]
struct Health {
    HealthType type = HealthType::Tcp;
    Duration interval = std::chrono::seconds(2);  // 100ms..1h
    Duration timeout = std::chrono::seconds(1);   // 10ms..10m; may exceed the interval
    std::uint32_t rise = 2;                       // good probes in a row, 1..1000
    std::uint32_t fall = 3;                       // failures in a row, 1..1000
    // "mqtt"
    std::string username;  // empty: none
    std::string password;  // the content of password_file, without a final newline; empty: none
    std::string password_file;
    mqtt::Version version = mqtt::Version::V311;
    // "http"
    std::string path = "/";
    std::uint16_t port = 0;  // where the HTTP server listens at the broker's address; 0: the broker's port
    std::uint16_t expect_from = 200;  // accepted status codes, 100..599
    std::uint16_t expect_to = 299;    // inclusive
    std::string expect_body;          // must occur in the first 16 KiB of the body; empty: not looked at

    friend bool operator==(const Health&, const Health&) = default;
};

enum class BackendState : std::uint8_t {
    Up,           // takes clients
    Drain,        // keeps its connections, takes no new ones
    Maintenance,  // takes none, keeps none
};

// [[pool.backend]]
struct Backend {
    std::string name;  // unique in its pool
    SocketAddress address;
    std::uint32_t weight = 100;         // 0..1000; 0 takes no clients
    std::uint32_t max_connections = 0;  // 0: no limit
    BackendState state = BackendState::Up;

    friend bool operator==(const Backend&, const Backend&) = default;
};

// What becomes of a broker's connections when it goes down.
enum class OnDown : std::uint8_t {
    Reset,  // they are ended, at drain_rate
    Keep,   // they are left to themselves
};

// [[pool]]
struct Pool {
    std::string name;
    Balance balance = Balance::Maglev;
    HashKey hash_key = HashKey::ClientId;
    // RE2 syntax with at least one group: what the first one captures of the client ID is hashed instead of
    // all of it. Only with HashKey::ClientId; empty: none.
    std::string hash_pattern;
    // Ranges expanded, in the file's order, no address twice; 1..4096. Every backend has one of its family,
    // and each of that family can reach it.
    std::vector<IpAddress> source_addresses;
    PortRange source_ports;                              // at least one port a worker
    std::uint32_t retries = 3;                           // further choices after the first, 0..10
    Duration attempt_timeout = std::chrono::seconds(3);  // how long one broker may stay silent; 10ms..10m
    double bounded_load = 0;                             // 0: off; else 1..1000 times the mean load
    // Connections of a broker that are ended in a second when it is down, in maintenance or removed;
    // 1..1'000'000.
    std::uint32_t drain_rate = 1000;
    // A broker that returns gets its share of the connections spread over this time; 0: at once. 0s..1d
    Duration slow_start = std::chrono::seconds(30);
    OnDown on_down = OnDown::Reset;
    Health health;
    std::vector<Backend> backends;  // never empty

    friend bool operator==(const Pool&, const Pool&) = default;
};

struct Config {
    Runtime runtime;
    std::vector<Port> ports;  // at least one, as of listeners and pools
    Admin admin;
    std::vector<Listener> listeners;
    std::vector<Route> routes;  // in the file's order
    std::vector<Pool> pools;

    friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace sluice::config
