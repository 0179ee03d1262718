// The health probes of one worker: it looks after every backend whose position is congruent to its index.
// Probes leave from the interface address of the port that leads to the broker, from ports below those that
// clients' leases may use.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/counters.h"
#include "sluice/base/random.h"
#include "sluice/health/probe.h"
#include "sluice/host/frame_output.h"
#include "worker/context.h"
#include "worker/event_queue.h"

namespace sluice::worker {

class Prober {
  public:
    static constexpr std::uint16_t kFirstPort = 512;
    static constexpr std::uint16_t kLastPort = 1023;  // inclusive

    Prober(WorkerContext& context, host::FrameOutput& output, Instant now);

    // The backends are these from now on. Those that are new, or whose address or health settings changed,
    // are asked soon; a probe of one that is gone or changed ends by a reset; all others keep their rhythm.
    void use(Instant now, const backend::Snapshot& snapshot);
    // Ends every probe, and starts none any more.
    void end_all(Instant now);

    // False when the segment belongs to no probe.
    bool on_segment(Instant now, const FourTuple& tuple, const tcp::Segment& segment);
    // An ICMP unreachable that quotes a segment of ours. False when it belongs to no probe.
    bool on_unreachable(Instant now, const FourTuple& tuple, tcp::Seq quoted);
    void on_timer(Instant now);
    Instant next_deadline() const { return next_deadline_; }

  private:
    // How a backend is probed.
    struct Aim {
        SocketAddress local;  // port 0
        SocketAddress remote;
        NextHop hop;
        std::uint16_t mss = 0;  // announced
        config::Health health;
        friend bool operator==(const Aim&, const Aim&) = default;
    };
    struct ProbedBackend {
        std::uint32_t position = 0;  // over all pools
        std::optional<Aim> aim;      // nullopt: there is nobody to be asked
        Instant next_start = kNever;
        std::uint16_t port = 0;                // of the probe
        std::unique_ptr<health::Probe> probe;  // while one is under way
        bool told = false;                     // control knows its result

        Instant due() const { return probe ? probe->next_deadline() : next_start; }
    };
    // Writes what a probe sends.
    struct Out final : tcp::Output {
        Out(Prober& prober_, ProbedBackend& target_, Instant now_)
            : prober(prober_), target(target_), now(now_) {}
        void send(const tcp::Segment& segment) override;
        Prober& prober;
        ProbedBackend& target;
        Instant now;
        bool unreachable = false;  // the neighbor is known not to answer
    };

    static constexpr std::uint16_t kNoTarget = 0xffff;

    std::optional<Aim> aim_at(const backend::Pool& pool, const backend::Backend& backend) const;
    void retarget(Instant now, std::uint32_t position, std::optional<Aim> aim);
    ProbedBackend* find(const FourTuple& tuple);
    FourTuple tuple_of(const ProbedBackend& target) const;
    std::uint16_t take_port(std::uint16_t target, const IpAddress& source);
    void start(Instant now, std::uint16_t index);
    template <typename Step>
    void drive(Instant now, ProbedBackend& target, Step&& step);
    void settle(Instant now, ProbedBackend& target);

    const WorkerContext& context_;
    const Topology& topology_;
    host::FrameOutput& output_;
    CounterSet& counters_;
    EventQueue& events_;
    SipKey isn_key_;
    std::uint32_t worker_;
    std::uint32_t workers_;
    SplitMix64 random_;
    std::uint64_t name_;                                               // of this process, for client IDs
    std::vector<ProbedBackend> targets_;                               // of position p at p / workers_
    std::array<std::uint16_t, kLastPort - kFirstPort + 1> by_port_{};  // target of each port
    std::uint16_t next_port_ = kFirstPort;
    Instant next_deadline_ = kNever;  // at the latest when it is due
};

}  // namespace sluice::worker
