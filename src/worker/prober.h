// The health probes of one worker: it looks after every backend whose position is congruent to its index.
// Probes leave from the interface address of the port that leads to the broker, from ports below those that
// clients' leases may use.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/counters.h"
#include "sluice/base/random.h"
#include "sluice/health/tcp_probe.h"
#include "sluice/worker/worker.h"
#include "worker/frame_output.h"
#include "worker/mail.h"

namespace sluice::worker {

class Prober {
  public:
    static constexpr std::uint16_t kFirstPort = 512;
    static constexpr std::uint16_t kLastPort = 1023;  // inclusive

    Prober(const WorkerOptions& options, const WorkerResources& resources, FrameOutput& output,
           CounterSet& counters, Mail& mail, Instant now);

    // False when the segment belongs to no probe.
    bool on_segment(Instant now, const FourTuple& tuple, const tcp::Segment& segment);
    // An ICMP unreachable that quotes a segment of ours. False when it belongs to no probe.
    bool on_unreachable(Instant now, const FourTuple& tuple, tcp::Seq quoted);
    void on_timer(Instant now);
    Instant next_deadline() const { return next_deadline_; }

  private:
    struct Target {
        std::uint32_t position = 0;  // over all pools
        FourTuple tuple;             // local.port changes with each probe
        NextHop hop;
        std::uint16_t mss = 0;
        Duration interval{0};
        Duration timeout{0};
        Instant next_start;
        std::optional<health::TcpProbe> probe;  // while one is under way
    };
    // Writes what a probe sends.
    struct Out final : tcp::Output {
        Out(Prober& prober_, Target& target_, Instant now_) : prober(prober_), target(target_), now(now_) {}
        void send(const tcp::Segment& segment) override;
        Prober& prober;
        Target& target;
        Instant now;
        bool unreachable = false;  // the neighbor is known not to answer
    };

    static constexpr std::uint16_t kNoTarget = 0xffff;

    Target* find(const FourTuple& tuple);
    std::uint16_t take_port(std::uint16_t target, const IpAddress& source);
    void start(Instant now, std::uint16_t index);
    void settle(Instant now, Target& target);
    void schedule(Instant now);

    const config::Config& config_;
    const Topology& topology_;
    FrameOutput& output_;
    CounterSet& counters_;
    Mail& mail_;
    SipKey isn_key_;
    std::uint32_t worker_;
    std::uint32_t workers_;
    SplitMix64 random_;
    std::vector<Target> targets_;
    std::array<std::uint16_t, kLastPort - kFirstPort + 1> by_port_{};  // target of each port
    std::uint16_t next_port_ = kFirstPort;
    Instant next_deadline_ = kNever;
};

}  // namespace sluice::worker
