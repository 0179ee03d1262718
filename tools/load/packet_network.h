// One port as a host with many addresses: takes frames in and hands on the TCP segments in them, finds next
// hops, and sends segments in batches. What a host does beside that, the room `host` does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/base/token_bucket.h"
#include "sluice/host/frame_output.h"
#include "sluice/host/stack.h"
#include "sluice/port/port.h"
#include "sluice/tcp/segment.h"
#include "sluice/wire/ip_packet.h"

namespace sluice::load {

struct PacketNetworkOptions {
    std::vector<IpPrefix> networks{};       // what is on the link; the rest goes to the gateway
    std::optional<IpAddress> gateway_v4{};  // without one, the rest is tried on the link too
    std::optional<IpAddress> gateway_v6{};
    neighbor::Options neighbors{.capacity = 1U << 16U};
};

class PacketNetwork final : host::Addresses,
                            host::CounterSink,
                            host::UpperLayer,
                            host::NeighborNews,
                            host::FailedNeighbors {
  public:
    // Told of what concerns connections, from within receive() and on_timer().
    class Upward {
      public:
        // Segments of these tuples may follow at once: time to bring what they need into the cache.
        virtual void on_burst(std::span<const FourTuple> tuples) = 0;
        // The segment is whole, its checksum right, tuple.local an own address.
        virtual void on_segment(Instant now, const FourTuple& tuple, const tcp::Segment& segment) = 0;
        // A segment that began at `sequence` cannot get there. The message may be forged.
        virtual void on_unreachable(Instant now, const FourTuple& tuple, tcp::Seq sequence) = 0;
        // It is larger than mtu, the size of an IP packet.
        virtual void on_too_big(Instant now, const FourTuple& tuple, tcp::Seq sequence,
                                std::uint32_t mtu) = 0;

      protected:
        ~Upward() = default;
    };

    // own: the addresses that are answered for, each once. port and pool outlive this; queue 0 of the port
    // is used.
    PacketNetwork(const PacketNetworkOptions& options, const std::vector<IpAddress>& own, port::Port& port,
                  port::FramePool& pool, Upward& upward);

    // Up to four bursts of frames. Returns how many there were.
    std::size_t receive(Instant now);
    void on_timer(Instant now);
    Instant next_deadline() const { return output_.next_deadline(); }
    // Gives the port what waits for it; true when something is left, because its queue is full.
    bool flush() { return output_.flush(); }

    // It leaves with the next flush(), or when its next hop is known; false when that does not answer.
    // Dropped for want of a buffer, it counts as sent and lost.
    bool send(Instant now, const FourTuple& tuple, const tcp::Segment& segment);
    std::uint16_t mtu() const { return port_.info().mtu; }

    struct Totals {
        std::uint64_t frames_in = 0;
        std::uint64_t frames_out = 0;
        std::uint64_t dropped = 0;
    };
    const Totals& totals() const { return totals_; }
    void count_dropped() { ++totals_.dropped; }
    std::size_t backlog() const { return output_.batched(0); }

  private:
    static constexpr std::size_t kBurst = 64;

    // A next hop's MAC, for a while: the table is asked often enough to notice when it is gone.
    struct Known {
        IpAddress address;
        MacAddress mac;
        std::uint32_t epoch = 0;
    };

    // --- what the host asks and tells ---
    bool owns(std::uint16_t port, const IpAddress& address) const override;
    std::optional<IpAddress> asker(std::uint16_t port, const IpAddress& neighbor) const override;
    void count(Counter what, std::uint64_t n) override;
    void dropped(Counter why, std::uint64_t frames) override;
    host::Disposition on_tcp(Instant now, const host::Received& in, const wire::IpPacket& packet) override;
    host::Disposition on_icmp_error(Instant now, const host::IcmpError& error) override;
    bool may_echo(Instant now, std::uint16_t port, const IpAddress& to) override;
    void neighbor_seen(const host::Sighting& sighting) override;
    void neighbor_failed(Instant now, const host::NextHop& neighbor,
                         std::span<const port::Frame> waited) override;

    void announce(std::span<const port::Frame> frames);
    void give_up(Instant now, const port::Frame& frame);
    const IpAddress& next_hop(const IpAddress& destination) const;
    std::optional<MacAddress> mac_of(Instant now, const IpAddress& neighbor);

    const PacketNetworkOptions options_;
    absl::flat_hash_set<IpAddress> own_;
    std::vector<std::pair<IpPrefix, IpAddress>> speakers_;  // on-link network, an own address in it
    std::optional<IpAddress> speaker_v4_;
    std::optional<IpAddress> speaker_v6_;
    port::Port& port_;
    port::FramePool& pool_;
    Upward& upward_;
    host::FrameOutput output_;
    host::Stack stack_;
    std::array<Known, 256> known_{};
    std::uint32_t epoch_ = 1;
    Instant next_epoch_{};
    TokenBucket echoes_{1000, 1000};
    Totals totals_;
};

}  // namespace sluice::load
