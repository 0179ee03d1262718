// What brokers did with their clients and how fast, and what clients asked for, as one worker saw it: the
// part of the metrics that a plain counter (base/counters.h) cannot say. One per worker: written by its
// worker alone, read by anybody, who sees each value whole but no consistent cut across values.
//
// Brokers are named by their position over all pools, below kMaxBackends.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/backend/health_tracker.h"
#include "sluice/backend/registry.h"
#include "sluice/base/counters.h"
#include "sluice/base/lazy_array.h"
#include "sluice/base/time.h"
#include "sluice/mqtt/connect.h"

namespace sluice::backend {

// --- what is told apart ---

// Upper bounds of the latencies' buckets, inclusive, in microseconds; one more bucket has no bound.
inline constexpr std::array<std::uint32_t, 16> kLatencyBounds{
    100,    250,     500,     1'000,   2'500,     5'000,     10'000,    25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};

inline constexpr std::array kFailures{ProbeFailure::Refused, ProbeFailure::Silent, ProbeFailure::Unreachable,
                                      ProbeFailure::Closed};

// The answers of a CONNACK that the standards define: return codes 0 to 5 in 3.x; in 5 reason codes 0 and
// 0x80 to 0x9F. One more cell for each dialect has whatever else a broker may send.
inline constexpr std::size_t kConnackCodes3 = 6;
inline constexpr std::size_t kConnackCodes5 = 33;
inline constexpr std::size_t kConnackCells = kConnackCodes3 + 1 + kConnackCodes5 + 1;
constexpr std::size_t connack_cell(mqtt::Version version, std::uint8_t code) {
    if (version != mqtt::Version::V5) return std::min<std::size_t>(code, kConnackCodes3);
    constexpr std::size_t kFirst5 = kConnackCodes3 + 1;
    if (code == 0) return kFirst5;
    return code >= 0x80 && code <= 0x9f ? kFirst5 + 1 + (code - 0x80U) : kFirst5 + kConnackCodes5;
}
struct ConnackName {
    std::string version;  // "3" or "5"
    std::string code;     // "0x87", or "other"
};
ConnackName connack_name(std::size_t cell);

// Why connections that had a broker ended: the counters whose names begin so, in their order.
inline constexpr std::string_view kEndingPrefix = "closed_";
inline constexpr std::size_t kEndingCount = [] {
    return static_cast<std::size_t>(std::ranges::count_if(
        kCounterTable, [](const CounterInfo& info) { return info.name.starts_with(kEndingPrefix); }));
}();
inline constexpr std::array<Counter, kEndingCount> kEndings = [] {
    std::array<Counter, kEndingCount> endings{};
    std::size_t n = 0;
    for (const CounterInfo& info : kCounterTable) {
        if (info.name.starts_with(kEndingPrefix)) endings[n++] = info.id;
    }
    return endings;
}();

inline constexpr std::array kVersions{mqtt::Version::V31, mqtt::Version::V311, mqtt::Version::V5};

// Upper bounds of the Keep Alives that are told apart, in seconds; one more has no bound.
inline constexpr std::array<std::uint16_t, 5> kKeepAliveBounds{0, 30, 60, 300, 1200};

// --- values ---

// How long something took, by bucket.
struct Latencies {
    std::array<std::uint64_t, kLatencyBounds.size() + 1> counts{};
    std::uint64_t nanoseconds = 0;  // the sum
};

// One broker's.
struct BackendTally {
    std::uint64_t connects = 0;                              // connections established
    std::array<std::uint64_t, kFailures.size()> failures{};  // attempts that failed
    std::array<std::uint64_t, kConnackCells> connacks{};     // its answers
    std::array<std::uint64_t, kEndings.size()> endings{};    // connections that ended
    Latencies connect;                                       // from SYN to established
    Latencies connack;                                       // from the whole CONNECT to the CONNACK

    void add(const BackendTally& other);
    // Requires that `other` is an earlier one of the same broker.
    void subtract(const BackendTally& other);
};

// What went one way: TCP segments of connections that have this broker, and their payload as it was passed
// on, in bytes. Of spliced connections retransmissions count as well.
struct DirectionTraffic {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;

    // By the worker.
    void count(std::uint64_t more_packets, std::uint64_t more_bytes);
};
struct Traffic {
    DirectionTraffic to_broker;
    DirectionTraffic to_client;

    void add(const Traffic& other);
    void subtract(const Traffic& other);
};

// CONNECTs that were accepted, by version, clean start (0 or 1) and bucket of the Keep Alive.
struct ConnectTally {
    std::array<std::array<std::array<std::uint64_t, kKeepAliveBounds.size() + 1>, 2>, kVersions.size()>
        counts{};

    void add(const ConnectTally& other);
};

// --- the table ---

class BackendStats {
  public:
    // Memory is taken as brokers are first met.
    BackendStats() : backends_(kMaxBackends), traffic_(kMaxBackends) {}

    // By the worker.
    void connected(std::uint32_t backend, Duration latency);
    void attempt_failed(std::uint32_t backend, ProbeFailure failure);
    // latency: nullopt where others had a part in it.
    void answered(std::uint32_t backend, mqtt::Version version, std::uint8_t code,
                  std::optional<Duration> latency);
    // Only reasons of kEndings count.
    void ended(std::uint32_t backend, Counter reason);
    void asked(mqtt::Version version, bool clean_start, std::uint16_t keep_alive);
    Traffic& traffic(std::uint32_t backend) { return traffic_[backend]; }

    // By anybody.
    BackendTally backend(std::uint32_t backend) const;
    Traffic traffic(std::uint32_t backend) const;
    ConnectTally connects() const;

  private:
    LazyArray<BackendTally> backends_;
    LazyArray<Traffic> traffic_;  // by itself, because it is written for every packet
    ConnectTally connects_;
};

// --- one writer, any readers ---

namespace detail {
inline std::uint64_t load(const std::uint64_t& cell) {
    return std::atomic_ref(const_cast<std::uint64_t&>(cell)).load(std::memory_order_relaxed);
}
inline void bump(std::uint64_t& cell, std::uint64_t n = 1) {
    const std::atomic_ref value(cell);
    value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}
}  // namespace detail

inline void DirectionTraffic::count(std::uint64_t more_packets, std::uint64_t more_bytes) {
    detail::bump(packets, more_packets);
    detail::bump(bytes, more_bytes);
}

}  // namespace sluice::backend
