// What the configuration file says, as plain values with their defaults. Only the reader makes a Config that
// has been checked; whoever builds one by hand (tests) keeps the ranges noted here himself.
// doc/configuration.md explains every key to operators; the two must tell the same story.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/time.h"

namespace sluice::config {

enum class Idle : std::uint8_t {
    Adaptive,  // a worker sleeps when the wire is quiet
    Poll,      // a worker never sleeps
};

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
    Memory memory = Memory::Auto;
    std::vector<std::string> eal;                          // extra EAL arguments, in order
    Duration shutdown_timeout = std::chrono::seconds(30);  // 0s..1d
};

// [[port]]. Exactly one of device and interface is set.
struct Port {
    std::string name;
    std::string device;               // PCI address or vdev, as DPDK takes it
    std::string interface;            // kernel interface
    std::vector<IpPrefix> addresses;  // interface addresses with their network's length; never empty
    std::vector<IpAddress> gateways;  // at most one a family, each within a network of `addresses`
    std::uint16_t mtu = 1500;         // bytes of the IP packet, 576..9000; at least 1280 with an IPv6 address
};

enum class LogLevel : std::uint8_t { Debug, Info, Warning, Error };

// [admin]
struct Admin {
    std::string socket = "/run/sluice/admin.sock";  // absolute, at most 107 bytes
    LogLevel log = LogLevel::Info;
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
        64 * 1024;                      // bytes a client may send before its broker answers; 1 KiB..16 MiB
    std::vector<IpPrefix> allow;        // empty: everybody
    std::vector<IpPrefix> deny;         // wins over allow
    std::uint32_t max_connections = 0;  // 0: no limit but the runtime's
    std::uint32_t half_open = 16384;    // handshakes under way, 1..16'777'216
    Duration idle_timeout = std::chrono::hours(1);  // for clients whose Keep Alive is 0; 0: never
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
};

// [pool.health]
struct Health {
    HealthType type = HealthType::Tcp;
    Duration interval = std::chrono::seconds(2);  // 100ms..1h
    Duration timeout = std::chrono::seconds(1);   // 10ms..10m; may exceed the interval
    std::uint32_t rise = 2;                       // good probes in a row, 1..1000
    std::uint32_t fall = 3;                       // failures in a row, 1..1000
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
};

// [[pool]]
struct Pool {
    std::string name;
    Balance balance = Balance::Maglev;
    HashKey hash_key = HashKey::ClientId;
    // Ranges expanded, in the file's order, no address twice; 1..4096. Every backend has one of its family,
    // and each of that family can reach it.
    std::vector<IpAddress> source_addresses;
    PortRange source_ports;                              // at least one port a worker
    std::uint32_t retries = 3;                           // further choices after the first, 0..10
    Duration attempt_timeout = std::chrono::seconds(3);  // how long one broker may stay silent; 10ms..10m
    double bounded_load = 0;                             // 0: off; else 1..1000 times the mean load
    Health health;
    std::vector<Backend> backends;  // never empty
};

struct Config {
    Runtime runtime;
    std::vector<Port> ports;  // at least one, as of listeners and pools
    Admin admin;
    std::vector<Listener> listeners;
    std::vector<Pool> pools;
};

}  // namespace sluice::config
