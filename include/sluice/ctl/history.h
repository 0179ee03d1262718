// What the daemon said of itself at some moments, and what came to be between two of them: the figures of
// `sluicectl top`.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace sluice::ctl {

// Values above `above` and up to `up_to`, in seconds.
struct Bucket {
    double above = 0;
    double up_to = std::numeric_limits<double>::infinity();

    friend auto operator<=>(const Bucket&, const Bucket&) = default;
};
using Histogram = std::map<Bucket, std::uint64_t>;

// A broker at one moment. Its tally counts since the daemon's start.
struct BrokerLook {
    std::string pool;
    std::string name;
    std::string state;
    std::uint64_t weight = 0;
    std::uint64_t connections = 0;
    std::uint64_t leases_used = 0;  // leased, or not to be leased again yet
    std::uint64_t leases = 0;       // in all
    std::string last_failure;       // empty: none
    std::uint64_t connects = 0;
    std::uint64_t to_broker_bytes = 0;
    std::uint64_t to_client_bytes = 0;
    std::map<std::string, std::uint64_t> connacks;  // by code, "0x00"
    Histogram connack_latency;
};

struct Look {
    std::string version;
    double uptime = 0;  // seconds
    bool draining = false;
    std::uint64_t connections = 0;
    std::uint64_t spliced = 0;
    std::uint64_t connects = 0;  // CONNECTs accepted since the start
    std::uint64_t drops = 0;     // frames dropped since the start, for whatever reason
    std::vector<BrokerLook> brokers;
};

// Of the replies to `show info`, `show counters` and `show backends`. What a daemon of another version does
// not tell is 0 or empty; throws nlohmann::json::exception where a reply is of another shape.
Look look(const nlohmann::ordered_json& info, const nlohmann::ordered_json& counters,
          const nlohmann::ordered_json& backends);

struct BrokerFigures {
    // In one second; nullopt: not known yet.
    std::optional<double> connects;
    std::optional<double> bytes_in;   // to the broker
    std::optional<double> bytes_out;  // from it
    // Over `span`.
    std::map<std::string, std::uint64_t> connacks;
    Histogram connack_latency;
};

struct Figures {
    std::optional<double> connects;  // in one second
    std::optional<double> drops;
    std::optional<double> span;  // seconds that CONNACKs are told of; nullopt: since the daemon's start
    std::vector<BrokerFigures> brokers;  // as the newest look has them
};

class History {
  public:
    static constexpr double kSpan = 60;  // seconds

    // Forgets what was before where the daemon has been started anew.
    void add(Look look);
    bool empty() const { return looks_.empty(); }
    const Look& newest() const { return looks_.back(); }
    // Rates: between the last two looks. CONNACKs: of the last kSpan seconds or what is known of them; with
    // `whole`, or a single look, since the daemon's start.
    Figures figures(bool whole) const;

  private:
    std::deque<Look> looks_;  // the oldest is the newest that is kSpan old
};

// The bucket in which the value lies that this share of the values does not exceed, 0 < share <= 1; nullopt:
// no values.
std::optional<Bucket> quantile(const Histogram& histogram, double share);

}  // namespace sluice::ctl
