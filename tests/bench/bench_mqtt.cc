// What reading the packet that opens a connection and the one that answers it costs.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/mqtt/connack.h"
#include "sluice/mqtt/connect.h"

namespace sluice::mqtt {
namespace {

constexpr std::size_t kLimit = 64 * 1024;

std::string number(std::size_t n) { return {static_cast<char>(n >> 8U), static_cast<char>(n & 0xffU)}; }
std::string field(std::string_view text) { return number(text.size()) + std::string(text); }

// body: below 128 bytes, so that its length is one byte.
std::string packet(char first, const std::string& body) {
    return std::string{first, static_cast<char>(body.size())} + body;
}

// A sensor's CONNECT: client ID, user name and password.
std::string connect(Version version) {
    constexpr char kFlags = static_cast<char>(0xc2);
    std::string body = field("MQTT") + std::string{static_cast<char>(version), kFlags} + number(60);
    // Session Expiry Interval, Receive Maximum, one User Property.
    const std::string properties = std::string("\x11\0\0\x0e\x10", 5) + std::string("\x21\0\x14", 3) +
                                   "\x26" + field("site") + field("north");
    if (version == Version::V5) body += static_cast<char>(properties.size()) + properties;
    body += field("device-0123456789") + field("sensor") + field("correct horse");
    return packet('\x10', body);
}

void parse_connect(benchmark::State& state, Version version) {
    const std::string bytes = connect(version);
    if (!std::holds_alternative<Connect>(read_connect(as_bytes(bytes), kLimit)))
        state.SkipWithError("refused");
    for (auto _ : state) benchmark::DoNotOptimize(read_connect(as_bytes(bytes), kLimit));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(parse_connect, v311, Version::V311);
BENCHMARK_CAPTURE(parse_connect, v5, Version::V5);

// A client that sends its CONNECT byte by byte: the reader is asked after every one.
void parse_connect_bytewise(benchmark::State& state) {
    const std::string bytes = connect(Version::V5);
    for (auto _ : state) {
        for (std::size_t n = 1; n <= bytes.size(); ++n)
            benchmark::DoNotOptimize(read_connect(as_bytes(bytes).first(n), kLimit));
    }
}
BENCHMARK(parse_connect_bytewise);

void parse_connack(benchmark::State& state, Version version) {
    // Accepted; in v5 with Server Keep Alive and an Assigned Client Identifier.
    std::string body(2, '\0');
    const std::string properties = "\x13" + number(120) + "\x12" + field("assigned-0123456789");
    if (version == Version::V5) body += static_cast<char>(properties.size()) + properties;
    const std::string bytes = packet('\x20', body);
    if (!std::holds_alternative<Connack>(read_connack(as_bytes(bytes), version, kLimit)))
        state.SkipWithError("refused");
    for (auto _ : state) benchmark::DoNotOptimize(read_connack(as_bytes(bytes), version, kLimit));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(parse_connack, v311, Version::V311);
BENCHMARK_CAPTURE(parse_connack, v5, Version::V5);

}  // namespace
}  // namespace sluice::mqtt

BENCHMARK_MAIN();
