// What one packet costs on floor 1: reading headers, checksums in full and incrementally, writing a frame.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "sluice/wire/checksum.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/ip_packet.h"
#include "sluice/wire/tcp.h"

namespace sluice::wire {
namespace {

FrameAddresses addresses_of(IpFamily family) {
    if (family == IpFamily::V4) {
        return {.source = IpAddress::v4(10, 1, 0, 1), .destination = IpAddress::v4(10, 1, 0, 2)};
    }
    return {.source = *IpAddress::parse("fd00:1::1"), .destination = *IpAddress::parse("fd00:1::2")};
}

TcpHeader data_header() {
    return {.source_port = 40000,
            .destination_port = 1883,
            .sequence = 1,
            .acknowledgement = 2,
            .flags = {.psh = true, .ack = true},
            .window = 502,
            .options = {.timestamps = TcpTimestamps{3, 4}}};
}

std::vector<std::byte> data_frame(IpFamily family, std::size_t payload_size) {
    std::vector<std::byte> frame(payload_size + 200);
    const std::vector<std::byte> payload(payload_size, std::byte{0x5a});
    frame.resize(write_tcp_frame(addresses_of(family), data_header(), payload, {}, frame));
    return frame;
}

// From the first byte of the frame to the TCP header, without options or the TCP checksum.
void parse_headers(benchmark::State& state, IpFamily family) {
    const auto frame = data_frame(family, 64);
    for (auto _ : state) {
        const auto ethernet = EthernetView::parse(frame);
        IpError error{};
        const auto packet = parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
        const auto tcp = TcpView::parse(packet->payload);
        benchmark::DoNotOptimize(tcp->sequence());
    }
}
BENCHMARK_CAPTURE(parse_headers, ipv4, IpFamily::V4);
BENCHMARK_CAPTURE(parse_headers, ipv6, IpFamily::V6);

void parse_options(benchmark::State& state) {
    std::array<std::byte, 40> bytes;
    const TcpOptions options{
        .mss = 1460, .window_scale = 7, .sack_permitted = true, .timestamps = TcpTimestamps{1, 2}};
    const std::size_t size = write_tcp_options(options, bytes);
    for (auto _ : state) {
        benchmark::DoNotOptimize(bytes);
        benchmark::DoNotOptimize(parse_tcp_options(ByteView(bytes).first(size)));
    }
}
BENCHMARK(parse_options);

void checksum_full(benchmark::State& state) {
    const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
    for (auto _ : state) benchmark::DoNotOptimize(checksum_sum(bytes));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum_full)->Arg(20)->Arg(40)->Arg(1500);

// Sequence, acknowledgement, both timestamps, both addresses and ports: what a spliced packet needs.
void checksum_incremental(benchmark::State& state) {
    std::uint16_t checksum = 0x1234;
    std::uint32_t field = 0;
    for (auto _ : state) {
        for (int i = 0; i < 7; ++i, ++field)
            checksum = checksum_update32(checksum, field, field + 0x9e3779b9U);
        benchmark::DoNotOptimize(checksum);
    }
}
BENCHMARK(checksum_incremental);

void write_frame(benchmark::State& state, IpFamily family) {
    const std::vector<std::byte> payload(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
    const FrameAddresses addresses = addresses_of(family);
    const TcpHeader header = data_header();
    std::array<std::byte, 2048> out;
    for (auto _ : state) {
        benchmark::DoNotOptimize(write_tcp_frame(addresses, header, payload, {}, out));
        benchmark::ClobberMemory();
    }
}
BENCHMARK_CAPTURE(write_frame, ipv4, IpFamily::V4)->Arg(0)->Arg(1400);
BENCHMARK_CAPTURE(write_frame, ipv6, IpFamily::V6)->Arg(0)->Arg(1400);

}  // namespace
}  // namespace sluice::wire

BENCHMARK_MAIN();
