// What an endpoint costs: a segment of text in and read, a message written and acknowledged, two segments in
// the wrong order, and a whole short connection between two endpoints.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "sluice/tcp/endpoint.h"

namespace sluice::tcp {
namespace {

class Nowhere : public Output {
  public:
    void send(const Segment& segment) override {
        last = segment;
        ++count;
    }
    Segment last;
    std::uint64_t count = 0;
};

constexpr std::uint32_t kClientStart = 1000;
constexpr std::uint32_t kServerStart = 5000;

// An established passive endpoint and the segment its peer would send next.
struct Established {
    Established() : endpoint(EndpointOptions{}) {
        endpoint.listen(Seq(kServerStart));
        peer.seq = Seq(kClientStart);
        peer.flags.syn = true;
        peer.window = 0xffff;
        peer.options = {.mss = 1460, .window_scale = 7, .sack_permitted = true, .timestamps = {{1, 0}}};
        endpoint.on_segment(now, peer, out);
        peer = {};
        peer.seq = Seq(kClientStart + 1);
        peer.ack = Seq(kServerStart + 1);
        peer.flags.ack = true;
        peer.window = 0xffff;
        peer.options.timestamps = wire::TcpTimestamps{1, 0};
        endpoint.on_segment(now, peer, out);
    }
    Instant now{1h};
    Nowhere out;
    Endpoint endpoint;
    Segment peer;
};

void receive_and_consume(benchmark::State& state) {
    Established c;
    const std::vector<std::byte> text(static_cast<std::size_t>(state.range(0)));
    c.peer.payload = text;
    for (auto _ : state) {
        c.now += 10us;
        c.endpoint.on_segment(c.now, c.peer, c.out);
        benchmark::DoNotOptimize(c.endpoint.peek().data());
        c.endpoint.consume(c.now, text.size(), c.out);
        c.peer.seq = c.peer.end();
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(receive_and_consume)->Arg(64)->Arg(1448);

void write_and_acknowledged(benchmark::State& state) {
    Established c;
    const std::vector<std::byte> text(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        c.now += 10us;
        c.endpoint.write(c.now, text, c.out);
        c.peer.ack = c.out.last.end();
        c.endpoint.on_segment(c.now, c.peer, c.out);
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(write_and_acknowledged)->Arg(64)->Arg(1448)->Arg(8192);

void out_of_order_pair(benchmark::State& state) {
    Established c;
    const std::vector<std::byte> text(1448);
    c.peer.payload = text;
    for (auto _ : state) {
        c.now += 10us;
        const Seq first = c.peer.seq;
        c.peer.seq = c.peer.end();
        c.endpoint.on_segment(c.now, c.peer, c.out);
        const Seq next = c.peer.end();
        c.peer.seq = first;
        c.endpoint.on_segment(c.now, c.peer, c.out);
        c.endpoint.consume(c.now, c.endpoint.readable(), c.out);
        c.peer.seq = next;
    }
    state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(out_of_order_pair);

// Holds copies of what one endpoint sent until the other takes it.
class Queue : public Output {
  public:
    void send(const Segment& segment) override {
        std::vector<std::byte> bytes(segment.payload.begin(), segment.payload.end());
        bytes.insert(bytes.end(), segment.payload_tail.begin(), segment.payload_tail.end());
        held.emplace_back(segment, std::move(bytes));
    }
    bool deliver(Instant now, Endpoint& to, Output& answers) {
        if (held.empty()) return false;
        auto [segment, bytes] = std::move(held.front());
        held.pop_front();
        segment.payload = bytes;
        segment.payload_tail = {};
        to.on_segment(now, segment, answers);
        return true;
    }
    std::deque<std::pair<Segment, std::vector<std::byte>>> held;
};

void open_exchange_close(benchmark::State& state) {
    const std::vector<std::byte> connect(100);
    Instant now{1h};
    for (auto _ : state) {
        Endpoint client{EndpointOptions{}};
        Endpoint server{EndpointOptions{}};
        Queue from_client;
        Queue from_server;
        const auto run = [&] {
            while (from_client.deliver(now, server, from_server) ||
                   from_server.deliver(now, client, from_client)) {
            }
        };
        server.listen(Seq(1));
        client.connect(now, Seq(2), from_client);
        client.write(now, connect, from_client);
        run();
        server.consume(now, server.readable(), from_server);
        server.write(now, std::span(connect).first(4), from_server);
        client.shutdown(now, from_client);
        server.shutdown(now, from_server);
        run();
        // Both close at once, so both end in TIME-WAIT.
        if (client.state() != State::TimeWait || server.state() != State::TimeWait) {
            state.SkipWithError("the connection did not close");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(open_exchange_close);

}  // namespace
}  // namespace sluice::tcp

BENCHMARK_MAIN();
