// What finding a connection and moving its timer cost, at sizes that fit the cache and sizes that do not.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "sluice/flow/client_index.h"
#include "sluice/flow/slab.h"
#include "sluice/flow/timer_wheel.h"

namespace sluice::flow {
namespace {

// As large as the record of a spliced connection.
struct alignas(64) Record {
    FourTuple tuple;
    std::array<std::byte, 92> rest{};
};

FourTuple tuple(std::uint32_t n) {
    return {{IpAddress::v4(10, 1, 0, 1), 1883},
            {IpAddress::v4(0x0a000000U + n / 60'000), static_cast<std::uint16_t>(1024 + n % 60'000)}};
}

struct Table {
    explicit Table(std::uint32_t n) : records(n), index(n, SipKey{1, 2}) {
        for (std::uint32_t i = 0; i < n; ++i)
            index.insert(index.hash(tuple(i)), records.insert(Record{tuple(i), {}}));
        std::mt19937 random(1);
        for (FourTuple& t : wanted) t = tuple(static_cast<std::uint32_t>(random() % n));
    }
    Slab<Record> records;
    ClientIndex index;
    std::vector<FourTuple> wanted = std::vector<FourTuple>(1 << 16);
};

// Filling the largest takes seconds, so a table is kept until another size is asked for.
const Table& table_of(std::int64_t size) {
    static std::unique_ptr<Table> table;
    if (!table || table->records.capacity() != size) {
        table.reset();
        table = std::make_unique<Table>(static_cast<std::uint32_t>(size));
    }
    return *table;
}

void hash(benchmark::State& state) {
    const TupleHash hash(SipKey{1, 2});
    FourTuple t = tuple(1);
    for (auto _ : state) {
        t.remote.port = static_cast<std::uint16_t>(hash(t));
        benchmark::DoNotOptimize(t);
    }
}
BENCHMARK(hash);

void lookup_single(benchmark::State& state) {
    const Table& table = table_of(state.range(0));
    std::size_t n = 0;
    for (auto _ : state) {
        const FourTuple& t = table.wanted[n++ % table.wanted.size()];
        benchmark::DoNotOptimize(table.index.find(
            table.index.hash(t), [&](std::uint32_t r) { return table.records[r].tuple == t; }));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(lookup_single)->Arg(10'000)->Arg(1'000'000)->Arg(10'000'000);

// As a worker does it: the whole burst is hashed and its lines fetched, then the records, then all are found.
void lookup_burst(benchmark::State& state) {
    constexpr std::size_t kBurst = 32;
    const Table& table = table_of(state.range(0));
    std::array<std::uint64_t, kBurst> hashes;
    std::size_t n = 0;
    for (auto _ : state) {
        const FourTuple* burst = &table.wanted[n];
        n = (n + kBurst) % table.wanted.size();
        for (std::size_t i = 0; i < kBurst; ++i) {
            hashes[i] = table.index.hash(burst[i]);
            table.index.prefetch(hashes[i]);
        }
        for (const std::uint64_t h : hashes) {
            const std::uint32_t guess = table.index.candidate(h);
            if (guess != kNoEntry) table.records.prefetch(guess);
        }
        for (std::size_t i = 0; i < kBurst; ++i) {
            benchmark::DoNotOptimize(table.index.find(
                hashes[i], [&](std::uint32_t r) { return table.records[r].tuple == burst[i]; }));
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBurst));
}
BENCHMARK(lookup_burst)->Arg(10'000)->Arg(1'000'000)->Arg(10'000'000);

void insert_and_erase(benchmark::State& state) {
    const auto n = static_cast<std::uint32_t>(state.range(0));
    Table table(n);
    std::uint32_t i = 0;
    for (auto _ : state) {
        const std::uint64_t h = table.index.hash(tuple(i));
        table.index.erase(h, i);
        table.index.insert(h, i);
        i = (i + 7919) % n;
    }
}
BENCHMARK(insert_and_erase)->Arg(10'000)->Arg(1'000'000);

// Every packet of a connection may push its idle deadline.
void timer_rearm(benchmark::State& state) {
    const auto n = static_cast<std::uint32_t>(state.range(0));
    TimerWheel wheel(n, Instant{});
    for (std::uint32_t id = 0; id < n; ++id) wheel.arm(id, Instant(Duration(90s) + Duration(id)));
    Instant now{};
    std::uint32_t id = 0;
    for (auto _ : state) {
        now += 1us;
        wheel.arm(id, now + 90s);
        id = (id + 7919) % n;
    }
}
BENCHMARK(timer_rearm)->Arg(10'000)->Arg(1'000'000)->Arg(10'000'000);

}  // namespace
}  // namespace sluice::flow

BENCHMARK_MAIN();
