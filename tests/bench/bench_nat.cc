// What taking, giving back and finding a lease cost in a full-size pool.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "sluice/nat/source_pool.h"

namespace sluice::nat {
namespace {

SourcePool::Options options() {
    SourcePool::Options o;
    IpAddress address = IpAddress::v4(10, 2, 0, 10);
    for (int i = 0; i < 24; ++i, address = address.next()) o.addresses.push_back(address);
    o.workers = 3;
    o.backends = 6;
    return o;
}

void acquire_and_release(benchmark::State& state) {
    SourcePool pool(options());
    Instant now{};
    for (auto _ : state) {
        now += 10us;
        const auto lease = pool.acquire(0, IpFamily::V4, 1, now);
        pool.release(*lease, now, {});
    }
}
BENCHMARK(acquire_and_release);

// A broker's packet finds its connection, at random among state.range(0) leases.
void find(benchmark::State& state) {
    SourcePool pool(options());
    std::vector<SocketAddress> sources;
    for (std::uint32_t i = 0; i < state.range(0); ++i) {
        sources.push_back(pool.source(*pool.acquire(0, IpFamily::V4, i, Instant{})));
    }
    std::shuffle(sources.begin(), sources.end(), std::mt19937(1));
    std::size_t n = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(pool.find(0, sources[n]));
        if (++n == sources.size()) n = 0;
    }
}
BENCHMARK(find)->Arg(1000)->Arg(500'000);

// A reload lists 24 more addresses while 500,000 leases are in use towards six backends.
void list_more_addresses(benchmark::State& state) {
    const SourcePool::Options few = options();
    std::vector<IpAddress> more = few.addresses;
    for (int i = 0; i < 24; ++i) more.push_back(more.back().next());
    for (auto _ : state) {
        state.PauseTiming();
        {
            SourcePool pool(few);
            for (std::uint32_t i = 0; i < 500'000; ++i) {
                static_cast<void>(pool.acquire(i % 6, IpFamily::V4, i, Instant{}));
            }
            state.ResumeTiming();
            pool.set_addresses(more);
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
}
BENCHMARK(list_more_addresses)->Unit(benchmark::kMicrosecond)->Iterations(10);

}  // namespace
}  // namespace sluice::nat

BENCHMARK_MAIN();
