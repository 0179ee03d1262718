#include "sluice/backend/backend_stats.h"

#include <chrono>
#include <cstdio>
#include <type_traits>

namespace sluice::backend {
namespace {

using detail::bump;
using detail::load;

// Adds what may be written meanwhile, or takes it away.
struct Plus {
    void operator()(std::uint64_t& sum, const std::uint64_t& cell) const { sum += load(cell); }
};
struct Minus {
    void operator()(std::uint64_t& rest, const std::uint64_t& cell) const { rest -= load(cell); }
};

template <typename Apply>
void each(std::uint64_t& to, const std::uint64_t& from, Apply apply) {
    apply(to, from);
}

template <typename Cell, std::size_t kSize, typename Apply>
void each(std::array<Cell, kSize>& to, const std::array<Cell, kSize>& from, Apply apply) {
    for (std::size_t i = 0; i < kSize; ++i) each(to[i], from[i], apply);
}

template <typename Apply>
void each(Latencies& to, const Latencies& from, Apply apply) {
    each(to.counts, from.counts, apply);
    each(to.nanoseconds, from.nanoseconds, apply);
}

template <typename Apply>
void each(DirectionTraffic& to, const DirectionTraffic& from, Apply apply) {
    each(to.packets, from.packets, apply);
    each(to.bytes, from.bytes, apply);
}

template <typename Apply>
void each(BackendTally& to, const BackendTally& from, Apply apply) {
    each(to.connects, from.connects, apply);
    each(to.failures, from.failures, apply);
    each(to.connacks, from.connacks, apply);
    each(to.endings, from.endings, apply);
    each(to.connect, from.connect, apply);
    each(to.connack, from.connack, apply);
}

template <typename Apply>
void each(Traffic& to, const Traffic& from, Apply apply) {
    each(to.to_broker, from.to_broker, apply);
    each(to.to_client, from.to_client, apply);
}

void note(Latencies& latencies, Duration latency) {
    const auto microseconds = std::chrono::ceil<std::chrono::microseconds>(latency).count();
    const auto bucket = std::ranges::lower_bound(kLatencyBounds, microseconds) - kLatencyBounds.begin();
    bump(latencies.counts[static_cast<std::size_t>(bucket)]);
    bump(latencies.nanoseconds, static_cast<std::uint64_t>(latency.count()));
}

template <typename Array, typename Value>
std::optional<std::size_t> index_in(const Array& array, Value value) {
    const auto found = std::ranges::find(array, value);
    if (found == array.end()) return std::nullopt;
    return static_cast<std::size_t>(found - array.begin());
}

}  // namespace

ConnackName connack_name(std::size_t cell) {
    const bool v5 = cell > kConnackCodes3;
    const std::size_t at = v5 ? cell - kConnackCodes3 - 1 : cell;
    ConnackName name{.version = v5 ? "5" : "3", .code = "other"};
    if (at == (v5 ? kConnackCodes5 : kConnackCodes3)) return name;
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "0x%02x",
                  static_cast<unsigned>(v5 && at != 0 ? at - 1 + 0x80 : at));
    name.code = text.data();
    return name;
}

void BackendTally::add(const BackendTally& other) { each(*this, other, Plus{}); }
void BackendTally::subtract(const BackendTally& other) { each(*this, other, Minus{}); }
void Traffic::add(const Traffic& other) { each(*this, other, Plus{}); }
void Traffic::subtract(const Traffic& other) { each(*this, other, Minus{}); }
void ConnectTally::add(const ConnectTally& other) { each(counts, other.counts, Plus{}); }

void BackendStats::connected(std::uint32_t backend, Duration latency) {
    bump(backends_[backend].connects);
    note(backends_[backend].connect, latency);
}

void BackendStats::attempt_failed(std::uint32_t backend, ProbeFailure failure) {
    if (const auto kind = index_in(kFailures, failure)) bump(backends_[backend].failures[*kind]);
}

void BackendStats::answered(std::uint32_t backend, mqtt::Version version, std::uint8_t code,
                            std::optional<Duration> latency) {
    bump(backends_[backend].connacks[connack_cell(version, code)]);
    if (latency) note(backends_[backend].connack, *latency);
}

void BackendStats::ended(std::uint32_t backend, Counter reason) {
    if (const auto ending = index_in(kEndings, reason)) bump(backends_[backend].endings[*ending]);
}

void BackendStats::asked(mqtt::Version version, bool clean_start, std::uint16_t keep_alive) {
    const auto bucket = std::ranges::lower_bound(kKeepAliveBounds, keep_alive) - kKeepAliveBounds.begin();
    bump(connects_
             .counts[*index_in(kVersions, version)][clean_start ? 1 : 0][static_cast<std::size_t>(bucket)]);
}

BackendTally BackendStats::backend(std::uint32_t backend) const {
    BackendTally tally;
    tally.add(backends_[backend]);
    return tally;
}

Traffic BackendStats::traffic(std::uint32_t backend) const {
    Traffic traffic;
    traffic.add(traffic_[backend]);
    return traffic;
}

ConnectTally BackendStats::connects() const {
    ConnectTally tally;
    tally.add(connects_);
    return tally;
}

}  // namespace sluice::backend
