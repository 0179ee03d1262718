// What a spliced packet costs in translation alone: lookup, receive and transmit are not in here.
//
// hot: one record and one packet. cold: a million records (or ten thousand) touched in random order, in
// bursts whose records are prefetched first, as a worker does it; packets stay in the cache, as they do when
// a port has just written them.
#include <benchmark/benchmark.h>

#include <array>
#include <random>
#include <vector>

#include "cycles.h"
#include "sluice/splice/make_record.h"
#include "sluice/splice/translate.h"
#include "sluice/wire/frame.h"

namespace sluice::splice {
namespace {

constexpr std::size_t kBurst = 32;
constexpr MacAddress kOwnMac{{2, 0, 0, 0, 0, 9}};

SocketAddress address(IpFamily family, std::uint8_t host, std::uint16_t port) {
    if (family == IpFamily::V4) return {IpAddress::v4(10, 1, 0, host), port};
    std::array<std::byte, 16> bytes{};
    bytes[0] = std::byte{0xfd};
    bytes[15] = static_cast<std::byte>(host);
    return {IpAddress::v6(bytes), port};
}

Joint joint_of(IpFamily family, bool timestamps) {
    Joint joint;
    joint.client.tuple = {address(family, 1, 1883), address(family, 77, 40000)};
    joint.broker.tuple = {address(family, 10, 2000), address(family, 2, 1883)};
    tcp::Endpoint::Position position{};
    position.send_window = 64000;
    position.send_scale = position.receive_scale = 7;
    position.timestamps = timestamps;
    position.send_next = position.send_unacked = tcp::Seq(77777);
    position.receive_next = tcp::Seq(0xfffff000);
    joint.client.position = joint.broker.position = position;
    return joint;
}

std::vector<std::byte> frame_of(const Joint& joint, std::size_t sack_blocks) {
    wire::TcpHeader header{.source_port = joint.client.tuple.remote.port,
                           .destination_port = joint.client.tuple.local.port,
                           .sequence = 0xfffff000,
                           .acknowledgement = 77777,
                           .flags = {.psh = true, .ack = true},
                           .window = 502};
    if (joint.client.position.timestamps) header.options.timestamps = wire::TcpTimestamps{3, 4};
    header.options.sack_count = static_cast<std::uint8_t>(sack_blocks);
    const std::vector<std::byte> payload(64, std::byte{0x5a});
    std::vector<std::byte> frame(256);
    frame.resize(wire::write_tcp_frame({.source = joint.client.tuple.remote.address,
                                        .destination = joint.client.tuple.local.address,
                                        .ttl = 255},
                                       header, payload, {}, frame));
    return frame;
}

template <IpFamily kFamily, bool kTimestamps>
void hot(benchmark::State& state, std::size_t sack_blocks) {
    const Joint joint = joint_of(kFamily, kTimestamps);
    auto record = make_record<kFamily>(joint);
    auto frame = frame_of(joint, sack_blocks);
    const auto packet = *Packet<kFamily>::parse(frame);
    std::byte* const limit = packet.ip() + (kFamily == IpFamily::V4 ? 8 : 7);
    const std::uint64_t start = bench::cycles();
    for (auto _ : state) {
        store8(limit, 64);
        benchmark::DoNotOptimize(
            translate<kFamily, kTimestamps>(record, Direction::ToBroker, packet, kOwnMac, 1));
        benchmark::ClobberMemory();
    }
    state.counters["tsc"] =
        static_cast<double>(bench::cycles() - start) / static_cast<double>(state.iterations());
}
void ipv4_no_options(benchmark::State& state) { hot<IpFamily::V4, false>(state, 0); }
void ipv4_timestamps(benchmark::State& state) { hot<IpFamily::V4, true>(state, 0); }
void ipv4_timestamps_sack(benchmark::State& state) { hot<IpFamily::V4, true>(state, 3); }
void ipv6_timestamps(benchmark::State& state) { hot<IpFamily::V6, true>(state, 0); }
BENCHMARK(ipv4_no_options);
BENCHMARK(ipv4_timestamps);
BENCHMARK(ipv4_timestamps_sack);
BENCHMARK(ipv6_timestamps);

template <IpFamily kFamily>
void cold(benchmark::State& state) {
    const Joint joint = joint_of(kFamily, true);
    const auto count = static_cast<std::size_t>(state.range(0));
    std::vector<Record<kFamily>> records(count, make_record<kFamily>(joint));
    std::vector<std::vector<std::byte>> frames(kBurst, frame_of(joint, 0));
    std::vector<Packet<kFamily>> packets;
    for (auto& frame : frames) packets.push_back(*Packet<kFamily>::parse(frame));
    std::mt19937 random(1);
    std::vector<std::uint32_t> order(std::size_t{1} << 20U);
    for (auto& at : order) at = static_cast<std::uint32_t>(random() % count);

    std::size_t next = 0;
    const std::uint64_t start = bench::cycles();
    for (auto _ : state) {
        const std::uint32_t* const burst = order.data() + next;
        next = (next + kBurst) % order.size();
        for (std::size_t i = 0; i < kBurst; ++i) records[burst[i]].prefetch();
        for (std::size_t i = 0; i < kBurst; ++i) {
            store8(packets[i].ip() + (kFamily == IpFamily::V4 ? 8 : 7), 64);
            benchmark::DoNotOptimize(
                translate<kFamily, true>(records[burst[i]], Direction::ToBroker, packets[i], kOwnMac, 1));
        }
        benchmark::ClobberMemory();
    }
    const double done = static_cast<double>(state.iterations()) * kBurst;
    state.SetItemsProcessed(static_cast<std::int64_t>(done));
    state.counters["tsc"] = static_cast<double>(bench::cycles() - start) / done;  // a packet
}
void ipv4_random_records(benchmark::State& state) { cold<IpFamily::V4>(state); }
void ipv6_random_records(benchmark::State& state) { cold<IpFamily::V6>(state); }
BENCHMARK(ipv4_random_records)->Arg(10'000)->Arg(1'000'000);
BENCHMARK(ipv6_random_records)->Arg(1'000'000);

}  // namespace
}  // namespace sluice::splice

BENCHMARK_MAIN();
