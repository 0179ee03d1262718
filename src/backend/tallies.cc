#include "sluice/backend/tallies.h"

#include <chrono>
#include <cstdio>
#include <type_traits>

namespace sluice::backend {
namespace {

using detail::bump;
using detail::load;

// Adds what may be written meanwhile.
void gather(std::uint64_t& sum, const std::uint64_t& cell) { sum += load(cell); }

template <typename Cell, std::size_t kSize>
void gather(std::array<Cell, kSize>& sums, const std::array<Cell, kSize>& cells) {
    for (std::size_t i = 0; i < kSize; ++i) gather(sums[i], cells[i]);
}

void gather(Latencies& sum, const Latencies& cells) {
    gather(sum.counts, cells.counts);
    gather(sum.nanoseconds, cells.nanoseconds);
}

void gather(Passage& sum, const Passage& cells) {
    gather(sum.packets, cells.packets);
    gather(sum.bytes, cells.bytes);
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

void BackendTally::add(const BackendTally& other) {
    gather(connects, other.connects);
    gather(failures, other.failures);
    gather(connacks, other.connacks);
    gather(endings, other.endings);
    gather(connect, other.connect);
    gather(connack, other.connack);
}

void Traffic::add(const Traffic& other) {
    gather(to_broker, other.to_broker);
    gather(to_client, other.to_client);
}

void ConnectTally::add(const ConnectTally& other) { gather(counts, other.counts); }

void Tallies::connected(std::uint32_t backend, Duration latency) {
    bump(backends_[backend].connects);
    note(backends_[backend].connect, latency);
}

void Tallies::attempt_failed(std::uint32_t backend, ProbeFailure failure) {
    if (const auto kind = index_in(kFailures, failure)) bump(backends_[backend].failures[*kind]);
}

void Tallies::answered(std::uint32_t backend, mqtt::Version version, std::uint8_t code,
                       std::optional<Duration> latency) {
    bump(backends_[backend].connacks[connack_cell(version, code)]);
    if (latency) note(backends_[backend].connack, *latency);
}

void Tallies::ended(std::uint32_t backend, Counter reason) {
    if (const auto ending = index_in(kEndings, reason)) bump(backends_[backend].endings[*ending]);
}

void Tallies::asked(mqtt::Version version, bool clean_start, std::uint16_t keep_alive) {
    const auto bucket = std::ranges::lower_bound(kKeepAliveBounds, keep_alive) - kKeepAliveBounds.begin();
    bump(connects_
             .counts[*index_in(kVersions, version)][clean_start ? 1 : 0][static_cast<std::size_t>(bucket)]);
}

BackendTally Tallies::backend(std::uint32_t backend) const {
    BackendTally tally;
    tally.add(backends_[backend]);
    return tally;
}

Traffic Tallies::traffic(std::uint32_t backend) const {
    Traffic traffic;
    traffic.add(traffic_[backend]);
    return traffic;
}

ConnectTally Tallies::connects() const {
    ConnectTally tally;
    tally.add(connects_);
    return tally;
}

}  // namespace sluice::backend
