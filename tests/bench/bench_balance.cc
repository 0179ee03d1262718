// What building a Maglev table and choosing from it cost.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/balance/choosers.h"
#include "sluice/balance/maglev.h"

namespace sluice::balance {
namespace {

struct Fleet {
    explicit Fleet(std::size_t n) : names(n), targets(n) {
        for (std::size_t i = 0; i < n; ++i) {
            names[i] = "broker-" + std::to_string(i);
            targets[i] = {static_cast<std::uint32_t>(i), names[i], 100};
        }
    }
    std::vector<std::string> names;
    std::vector<MaglevBackend> targets;
};

void maglev_build(benchmark::State& state) {
    const Fleet fleet(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(Maglev(fleet.targets));
}
BENCHMARK(maglev_build)->Arg(3)->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond);

void maglev_lookup(benchmark::State& state) {
    const Fleet fleet(static_cast<std::size_t>(state.range(0)));
    const Maglev maglev(fleet.targets);
    std::string key = "device-0000000000";
    for (auto _ : state) {
        ++key.back();
        benchmark::DoNotOptimize(maglev.lookup(key_hash(key)));
    }
}
BENCHMARK(maglev_lookup)->Arg(3)->Arg(1000);

void choose_least_connections(benchmark::State& state) {
    std::vector<Candidate> pool(static_cast<std::size_t>(state.range(0)), Candidate{100, 5, true});
    std::uint32_t rotor = 0;
    for (auto _ : state) {
        rotor = least_connections(pool, rotor);
        benchmark::DoNotOptimize(rotor);
    }
}
BENCHMARK(choose_least_connections)->Arg(6)->Arg(1000);

}  // namespace
}  // namespace sluice::balance

BENCHMARK_MAIN();
