// The load generator's packet transport: a client's and an accepting one over two ports in memory, on one
// core. What a handshake costs, and what a question and its answer cost between connections that sleep
// before and after. Time is virtual, frames are handed over without a copy.
#include <benchmark/benchmark.h>

#include <deque>
#include <memory>
#include <vector>

#include "packet_transport.h"
#include "sluice/base/random.h"

namespace sluice::load {
namespace {

// All buffers at once, in one piece of memory.
class FlatPool final : public port::FramePool {
  public:
    explicit FlatPool(std::size_t count) : memory_(count * kSize), count_(count) {
        for (std::size_t i = 0; i < count; ++i) free_.push_back(memory_.data() + i * kSize);
    }
    std::size_t allocate(std::span<port::Frame> out) override {
        std::size_t n = 0;
        for (; n < out.size() && !free_.empty(); ++n) {
            std::byte* const buffer = free_.back();
            free_.pop_back();
            out[n] = {
                .data = buffer + port::kHeadroom, .capacity = kSize - port::kHeadroom, .handle = buffer};
        }
        return n;
    }
    void release(std::span<const port::Frame> frames) override {
        for (const port::Frame& frame : frames) free_.push_back(static_cast<std::byte*>(frame.handle));
    }
    std::size_t available() const override { return free_.size(); }
    std::size_t capacity() const override { return count_; }

  private:
    static constexpr std::uint32_t kSize = 2048;
    std::vector<std::byte> memory_;
    std::vector<std::byte*> free_;
    std::size_t count_;
};

// One end of a wire: what it sends lies at the other end at once.
class WireEnd final : public port::Port {
  public:
    explicit WireEnd(std::uint8_t number) { info_.mac.bytes = {2, 0, 0, 0, 0, number}; }
    void join(WireEnd& other) { other_ = &other; }
    std::size_t receive(std::uint16_t, std::span<port::Frame> out) override {
        const std::size_t n = std::min(out.size(), arrived_.size());
        std::copy_n(arrived_.begin(), n, out.begin());
        arrived_.erase(arrived_.begin(), arrived_.begin() + static_cast<std::ptrdiff_t>(n));
        return n;
    }
    std::size_t transmit(std::uint16_t, std::span<const port::Frame> frames) override {
        other_->arrived_.insert(other_->arrived_.end(), frames.begin(), frames.end());
        return frames.size();
    }
    const port::PortInfo& info() const override { return info_; }
    std::vector<int> wait_handles(std::uint16_t) const override { return {}; }
    port::Link link() const override { return {.up = true}; }
    port::PortStatistics statistics() const override { return {}; }

  private:
    port::PortInfo info_;
    std::deque<port::Frame> arrived_;
    WireEnd* other_ = nullptr;
};

// Counts; the accepting side's answers every question by as many bytes.
struct Counter final : Events {
    void on_open(Instant, Id) override { ++opened; }
    std::size_t on_bytes(Instant now, Id id, ByteView bytes) override {
        ++messages;
        if (answers != nullptr && !answers->send(now, id, bytes)) ++refused;
        return bytes.size();
    }
    void on_end(Instant, Id, End) override { ++ended; }
    Transport* answers = nullptr;
    std::uint64_t opened = 0;
    std::uint64_t ended = 0;
    std::uint64_t messages = 0;
    std::uint64_t refused = 0;
};

class Pair {
  public:
    explicit Pair(std::uint32_t connections)
        : addressing_(sources(), {{IpAddress::v4(10, 2, 0, 1), 1883}}, 1024, 65535) {
        client_port_.join(server_port_);
        server_port_.join(client_port_);
        PacketTransportOptions options;
        options.key = {1, 2};
        options.capacity = connections;
        clients =
            std::make_unique<PacketTransport>(now, options, addressing_, client_port_, pool_, of_clients);
        servers = std::make_unique<PacketTransport>(
            now, options, std::vector<SocketAddress>{addressing_.target(0)}, server_port_, pool_, of_servers);
        of_servers.answers = servers.get();
    }
    // 20 us pass, as in a busy loop.
    void turn() {
        now += 20us;
        clients->turn(now);
        servers->turn(now);
    }
    void open(Id first, Id end) {
        for (Id id = first; id < end; ++id) {
            if (clients->open(now, id) && id % 32 == 31) turn();
        }
        for (int i = 0; i < 10; ++i) turn();
    }

  private:
    static std::vector<IpAddress> sources() {
        std::vector<IpAddress> all;
        for (std::uint32_t i = 0; i < 250; ++i) all.push_back(IpAddress::v4(0x0a010001U + i));
        return all;
    }
    FlatPool pool_{1U << 15U};
    WireEnd client_port_{1};
    WireEnd server_port_{2};
    Addressing addressing_;

  public:
    Instant now = Instant{} + std::chrono::hours(1);
    Counter of_clients;
    Counter of_servers;
    // They give frames back when they go.
    std::unique_ptr<PacketTransport> clients;
    std::unique_ptr<PacketTransport> servers;
};

// Every iteration is a connection.
void connect(benchmark::State& state) {
    std::unique_ptr<Pair> pair;
    constexpr Id kMany = 1'000'000;
    Id next = kMany;
    for (auto _ : state) {
        if (next == kMany) {
            state.PauseTiming();
            pair.reset();
            pair = std::make_unique<Pair>(kMany);
            next = 0;
            state.ResumeTiming();
        }
        pair->open(next, next + 32);
        next += 32;
    }
    if (pair->of_clients.opened != next) state.SkipWithError("connections are missing");
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 32);
}
BENCHMARK(connect);

// Every iteration is 32 questions, on connections chosen at random, and their answers: 64 messages. Both ends
// slept before, and sleep again when the ACK of the answer has left, 40 ms later.
void exchange(benchmark::State& state) {
    const auto connections = static_cast<Id>(state.range(0));
    Pair pair(connections);
    pair.open(0, connections);
    SplitMix64 random(1);
    const std::vector<std::byte> text(64);
    for (auto _ : state) {
        for (int i = 0; i < 32; ++i) {
            if (!pair.clients->send(pair.now, static_cast<Id>(random.below(connections)), text))
                state.SkipWithError("not sent");
        }
        pair.turn();
    }
    for (int i = 0; i < 5000; ++i) pair.turn();
    if (pair.clients->awake() + pair.servers->awake() != 0) state.SkipWithError("some do not sleep");
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 64);
    state.counters["memory"] = benchmark::Counter(
        static_cast<double>(pair.clients->totals().memory_bytes + pair.servers->totals().memory_bytes) /
        connections);
}
BENCHMARK(exchange)->Arg(10'000)->Arg(1'000'000);

}  // namespace
}  // namespace sluice::load

BENCHMARK_MAIN();
