// A whole balancer without threads, NIC or clock: real workers over memory ports, stepped by the test.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/config/reader.h"
#include "sluice/daemon/controller.h"
#include "sluice/port/memory_port.h"
#include "sluice/worker/handover.h"

namespace sluice::daemon {

// The log's lines while this lives, "level: text".
class CapturedLog {
  public:
    CapturedLog() : before_(spdlog::default_logger()) {
        auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(text_);
        auto logger = std::make_shared<spdlog::logger>("test", std::move(sink));
        logger->set_pattern("%l: %v");
        spdlog::set_default_logger(std::move(logger));
        spdlog::set_level(spdlog::level::info);
    }
    ~CapturedLog() { spdlog::set_default_logger(before_); }
    CapturedLog(const CapturedLog&) = delete;
    CapturedLog& operator=(const CapturedLog&) = delete;

    std::string text() const { return text_.str(); }
    std::size_t count(std::string_view part) const {
        const std::string all = text();
        std::size_t n = 0;
        for (std::size_t at = all.find(part); at != std::string::npos; at = all.find(part, at + 1)) ++n;
        return n;
    }

  private:
    std::ostringstream text_;
    std::shared_ptr<spdlog::logger> before_;
};

// One port, the listener and two brokers in its network; the brokers do not exist unless a test plays them.
inline constexpr std::string_view kOnePool = R"(
[[port]]
name = "front"
interface = "veth0"
addresses = ["10.1.0.2/24"]
[[listener]]
name = "mqtt"
address = "10.1.0.2:1883"
pool = "brokers"
[[pool]]
name = "brokers"
source_addresses = ["10.1.0.10-10.1.0.11"]
[[pool.backend]]
name = "b1"
address = "10.1.0.21:1883"
[[pool.backend]]
name = "b2"
address = "10.1.0.22:1883"
max_connections = 5
)";

// runtime: lines for [runtime].
inline std::string file_of(std::string_view text, std::string_view runtime = "") {
    return "[runtime]\nmax_connections = 1000\n" + std::string(runtime) + std::string(text);
}
inline config::Config config_of(std::string_view text, std::string_view runtime = "") {
    config::LoadResult loaded = config::read(file_of(text, runtime), "test.toml");
    for (const auto& problem : loaded.problems) ADD_FAILURE() << config::to_string(problem);
    return std::move(loaded.config).value();
}

struct Bench {
    static constexpr MacAddress kMac{{2, 0, 0, 0, 0, 2}};

    explicit Bench(const config::Config& config)
        : state(config, worker::Topology(config, std::vector<MacAddress>(config.ports.size(), kMac)), now),
          handover(config.runtime.workers, 64),
          controller(state, built(), options(), now) {}

    // Waits by stepping the workers, `patience` times at most.
    Wait stepping() {
        return [this](const std::function<bool()>& done) {
            for (int i = 0; i < patience && !done(); ++i) step();
            return done();
        };
    }
    void step() {
        for (const auto& worker : workers) worker->step(now);
    }
    // Time passes, in steps of 10 ms.
    void pass(Duration time) {
        for (const Instant end = now + time; now < end; now += 10ms) {
            step();
            controller.turn(now);
        }
    }

    Instant now{1h};
    std::string file;  // what a reload reads
    int patience = 100;
    BalancerState state;
    port::HeapFramePool frames{1024};
    worker::HandoverRings handover;
    session::CommonMemory connect_memory;
    std::vector<std::unique_ptr<port::MemoryPort>> memory_ports;
    std::vector<port::Port*> ports;
    std::vector<std::unique_ptr<worker::Worker>> workers;
    Controller controller;

  private:
    // Ports and workers, for the controller.
    Dataplane built() {
        const std::uint32_t count = state.config().runtime.workers;
        std::vector<worker::Worker*> all;
        for (std::size_t p = 0; p < state.config().ports.size(); ++p) {
            port::MemoryPortOptions options;
            options.name = state.config().ports[p].name;
            options.index = static_cast<std::uint16_t>(p);
            options.mac = kMac;
            options.queues = static_cast<std::uint16_t>(count);
            memory_ports.push_back(std::make_unique<port::MemoryPort>(options, frames));
            ports.push_back(memory_ports.back().get());
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            worker::WorkerOptions options;
            options.index = i;
            options.workers = count;
            options.max_connections = 1000 / count;
            options.seed = i;
            const worker::WorkerResources resources{.topology = state.topology(),
                                                    .ports = ports,
                                                    .frames = frames,
                                                    .handover = handover,
                                                    .load = state.load(),
                                                    .connect_memory = connect_memory,
                                                    .snapshot = &state.snapshot()};
            workers.push_back(std::make_unique<worker::Worker>(options, resources, now));
            all.push_back(workers.back().get());
        }
        return {.workers = all, .ports = ports, .frames = &frames, .dpdk = "22.11"};
    }
    ControllerOptions options() {
        return {.seed = 1, .wait = stepping(), .load_configuration = [this] {
                    return config::read(file, "test.toml");
                }};
    }
};

inline std::vector<std::byte> from_hex(std::string_view text) {
    const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
    }
    return bytes;
}

// As a Linux kernel sent them: a SYN from 10.1.0.1:36254 to 10.1.0.2:1883, and one whose checksum was left to
// hardware.
inline constexpr std::string_view kSyn =
    "02000000000202000000000108004500003c1718400040060fa00a0100010a0100028d9e075bfd4beb6d00000000a002faf03ca7"
    "0000020405b40402080ad0d0addc000000000103030a";
inline constexpr std::string_view kPartialSyn =
    "02000000000202000000000108004500003c81e540004006a4d20a0100010a0100029266075bdeeb78b000000000a002faf01433"
    "0000020405b40402080a3429c581000000000103030a";

}  // namespace sluice::daemon
