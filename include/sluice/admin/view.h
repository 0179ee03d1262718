// What the operator's commands may ask of the running balancer, as plain values. The daemon implements it;
// the commands turn the values into JSON and know nothing of workers, ports or threads.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/backend/backend_stats.h"
#include "sluice/base/address.h"
#include "sluice/base/counters.h"
#include "sluice/base/time.h"

namespace sluice::admin {

// A question that has no answer: a name that does not exist, a worker that does not reply. what() is one line
// for the operator.
class Refused : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Info {
    std::string version;
    Duration uptime{0};
    std::uint32_t workers = 0;
    std::string idle;  // runtime.idle
    bool draining = false;
    std::uint64_t connections = 0;
    std::uint64_t max_connections = 0;
    std::uint64_t half_open = 0;
    std::uint64_t timers = 0;  // armed for connections
    std::uint64_t frames_used =
        0;  // packet buffers out of the pool, those that wait in ports' queues included
    std::uint64_t frames_capacity = 0;
    std::uint64_t spliced = 0;              // of the connections
    std::uint64_t resting = 0;              // likewise
    std::uint64_t reserved_bytes = 0;       // address space for max_connections, over all workers
    std::uint64_t used_bytes = 0;           // for the connections that there are
    std::uint64_t remembered_sessions = 0;  // with the broker that they are at
    std::uint64_t remembered_bytes = 0;     // for these, over all workers
    std::uint64_t connect_bytes = 0;        // held for clients that no broker has accepted yet
    std::uint64_t connect_memory = 0;       // and the bound on them, runtime.connect_memory
    std::string dpdk;                       // version
    std::string memory;                     // "hugepages" or "pages"
    std::uint64_t snapshot_generation = 0;
};

struct ListenerRow {
    std::string name;
    SocketAddress address;
    std::string pool;
    std::string state;  // "listening"; "removed": only its old connections are left
    std::uint64_t connections = 0;
    std::uint32_t max_connections = 0;  // 0: no limit
    std::uint32_t half_open = 0;
    Duration connect_timeout{0};
    std::uint64_t max_connect_size = 0;  // bytes
    std::uint64_t connect_window = 0;    // bytes
    Duration idle_timeout{0};
    std::vector<IpPrefix> allow;
    std::vector<IpPrefix> deny;
};

// TCP options as learned from brokers' SYN-ACKs.
struct Offer {
    std::uint16_t mss = 0;     // bytes; 0: not learned
    std::uint16_t window = 0;  // bytes
    std::optional<std::uint8_t> window_scale;
    bool sack = false;
    bool timestamps = false;
};

struct PoolRow {
    std::string name;
    std::string balance;
    std::string hash_key;
    double bounded_load = 0;  // 0: no bound
    std::uint32_t retries = 0;
    std::uint32_t backends = 0;
    std::uint32_t usable = 0;  // backends that take new clients
    std::uint64_t connections = 0;
    std::string health;  // type of probe
    Offer offer;         // what clients of this pool are offered
};

struct BackendRow {
    std::string pool;
    std::string name;
    SocketAddress address;
    std::string state;  // up, down, slow-start, drain, maintenance, removed
    struct Health {
        bool probed = false;
        std::uint32_t successes = 0;    // in a row
        std::uint32_t failures = 0;     // in a row
        std::string last_failure;       // "none" when there was none
        Duration latency{0};            // of the last successful probe
        std::optional<Duration> since;  // how long it has been up or down; nullopt: since the start
    } health;
    std::uint32_t weight = 0;
    std::uint64_t connections = 0;
    std::uint32_t max_connections = 0;  // 0: no limit
    struct Leases {
        std::uint64_t capacity = 0;
        std::uint64_t leased = 0;
        std::uint64_t quarantined = 0;
    } leases;
    std::optional<Offer> offer;   // nullopt: not learned
    backend::BackendTally tally;  // since the start, or since it is there
    backend::Traffic traffic;     // likewise
};

// Which connections to show; every condition that is present must hold.
struct ConnectionFilter {
    std::optional<std::string> backend;  // name
    std::optional<std::string> client_id;
    std::optional<std::string> client_id_prefix;
    // The client's address or the source address leased for it; port 0: any.
    std::optional<SocketAddress> address;
    std::optional<std::string> phase;  // name
    std::size_t limit = 1000;
};

// What is told of a connection, be it listed or logged at its end.
struct ConnectionDescription {
    std::string listener;
    std::string pool;
    std::string backend;  // empty until chosen
    SocketAddress client;
    std::optional<SocketAddress> source;  // leased; nullopt until it was taken
    std::string client_id;                // as sent, perhaps cut
    bool client_id_cut = false;
    std::string version;           // "3.1", "3.1.1", "5"; empty until the CONNECT was read
    std::uint16_t keep_alive = 0;  // seconds
    bool persistent = false;       // its session outlives it
    std::uint64_t bytes_from_client = 0;
    std::uint64_t bytes_from_broker = 0;
    Duration age{0};  // of one that has ended, how long it lasted
};

struct ConnectionRow : ConnectionDescription {
    std::uint32_t id = 0;  // unique in its worker
    std::uint32_t worker = 0;
    std::string phase;
    std::uint64_t packets_from_client = 0;
    std::uint64_t packets_from_broker = 0;
    Duration idle{0};
};

struct ConnectionList {
    std::vector<ConnectionRow> rows;
    bool truncated = false;  // more rows would have matched
};

struct PortRow {
    std::string name;
    std::string driver;
    MacAddress mac;
    std::uint16_t mtu = 0;
    std::uint16_t queues = 0;
    std::uint32_t queue_frames = 0;  // that a queue holds before the device drops more; 0: unknown
    std::uint64_t ring_bytes = 0;    // memory of the kernel's that the queues take; 0: none
    bool link_up = false;
    std::uint32_t link_mbps = 0;  // 0: unknown
    std::vector<IpAddress> addresses;
    std::vector<std::pair<std::string, std::uint64_t>> statistics;  // the device's own
};

struct NeighborRow {
    std::uint32_t worker = 0;
    std::string port;
    IpAddress address;
    MacAddress mac;
    std::string state;
    Duration age{0};  // since it took this state
};

// The client that `explain` is asked about: what it says of itself.
struct Question {
    std::string client_id;
    std::optional<std::string> username;
    std::string version = "3.1.1";     // "3.1", "3.1.1", "5"
    std::optional<IpAddress> address;  // the client's
    std::string listener;              // name; empty: the first
    std::string pool;                  // name; not empty: whatever listener and routes say
};

struct Explanation {
    std::string client_id;
    std::string listener;
    std::optional<std::uint32_t> route;  // number of the [[route]] that decided, from 1; nullopt: none fits
    std::string route_text;              // its conditions, or why there was none to ask
    bool refused = false;                // before a broker is chosen; of what is below, `why` says by whom
    std::string pool;
    std::optional<std::uint64_t> hash;   // of the balancing key; nullopt when the key is empty
    std::optional<std::uint32_t> slot;   // of the pool's hash table; nullopt where none was asked
    std::optional<std::string> backend;  // nullopt: nobody can take the client
    std::optional<SocketAddress> address;
    std::string state;                      // of that broker, as BackendRow has it
    bool by_key = false;                    // by hash of the key; otherwise by load or turn
    bool displaced = false;                 // the key's first choice was passed over
    std::optional<std::string> session_at;  // name of the broker that its session is remembered with
    bool remembered = false;                // and the choice is for that reason
    std::string why;                        // one sentence
};

// A difference between the running configuration and the file.
struct Change {
    std::string what;  // such as "pool brokers", "backend brokers/broker-1"
    std::string kind;  // "added", "removed" or "changed"
    std::string key;   // that changed; empty otherwise
    std::string from;
    std::string to;
};

struct ReloadReport {
    bool applied = false;  // false: a dry run
    std::vector<Change> changes;
    struct Move {
        std::string pool;
        double share = 0;  // of its client IDs that have another broker afterwards, 0..1
    };
    std::vector<Move> moves;  // of the pools that choose by hash, before or afterwards
};

// The file was not taken, and nothing has changed.
class ReloadRefused : public Refused {
  public:
    ReloadRefused(const std::string& what, std::vector<std::string> problems_)
        : Refused(what), problems(std::move(problems_)) {}
    std::vector<std::string> problems;  // a line each
};

enum class Wish : std::uint8_t { Ready, Drain, Maintenance };
const char* to_string(Wish wish);

// Every function may throw Refused.
class View {
  public:
    virtual Info info() = 0;
    virtual std::vector<ListenerRow> listeners() = 0;
    virtual std::vector<PoolRow> pools() = 0;
    virtual std::vector<BackendRow> backends() = 0;
    virtual ConnectionList connections(const ConnectionFilter& filter) = 0;
    virtual std::vector<PortRow> ports() = 0;
    virtual std::vector<NeighborRow> neighbors() = 0;
    // The configuration in force, as the JSON object of config/json.h.
    virtual std::string config_json() = 0;
    // Sum over all workers.
    virtual std::uint64_t counter(Counter id) = 0;
    // Where this client would go now.
    virtual Explanation explain(const Question& question) = 0;
    virtual void set_log_level(const std::string& level) = 0;

    // --- steering; backends are named NAME, or POOL/NAME where several pools have one of that name ---
    // Reads the configuration file again and, unless it is a dry run, goes over to it. Throws ReloadRefused.
    virtual ReloadReport reload(bool dry_run) = 0;
    // Holds until the file says something else about this backend.
    virtual void set_state(const std::string& backend, Wish wish) = 0;
    // These hold until the next reload.
    virtual void set_weight(const std::string& backend, std::uint32_t weight) = 0;
    virtual void add_backend(const std::string& pool, const std::string& name, const SocketAddress& address,
                             std::uint32_t weight) = 0;
    virtual void remove_backend(const std::string& backend) = 0;
    // Resets both ends of every connection that fits; at most filter.limit. Returns how many.
    virtual std::uint64_t kill_connections(const ConnectionFilter& filter) = 0;

  protected:
    ~View() = default;
};

}  // namespace sluice::admin
