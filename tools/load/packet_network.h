// One port as a host with many addresses: takes frames in and hands on the TCP segments in them, answers ARP,
// neighbor discovery and echo, finds next hops, and sends segments in batches.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/base/token_bucket.h"
#include "sluice/neighbor/table.h"
#include "sluice/port/port.h"
#include "sluice/tcp/segment.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/icmp.h"
#include "sluice/wire/ip_packet.h"

namespace sluice::load {

struct PacketNetworkOptions {
    std::vector<IpPrefix> networks{};       // what is on the link; the rest goes to the gateway
    std::optional<IpAddress> gateway_v4{};  // without one, the rest is tried on the link too
    std::optional<IpAddress> gateway_v6{};
    neighbor::Options neighbors{.capacity = 1U << 16U};
};

class PacketNetwork {
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
    ~PacketNetwork();
    PacketNetwork(const PacketNetwork&) = delete;
    PacketNetwork& operator=(const PacketNetwork&) = delete;

    // Up to four bursts of frames. Returns how many there were.
    std::size_t receive(Instant now);
    void on_timer(Instant now);
    Instant next_deadline() const { return neighbors_.next_deadline(); }
    // Gives the port what waits for it; true when something is left, because its queue is full.
    bool flush();

    enum class Fate : std::uint8_t { Sent, Unreachable };
    // Sent: it leaves with the next flush(), or when its next hop is known. Dropped for want of a buffer, it
    // counts as sent and lost.
    Fate send(Instant now, const FourTuple& tuple, const tcp::Segment& segment);
    std::uint16_t mtu() const { return port_.info().mtu; }

    struct Totals {
        std::uint64_t frames_in = 0;
        std::uint64_t frames_out = 0;
        std::uint64_t dropped = 0;
    };
    const Totals& totals() const { return totals_; }
    void count_dropped() { ++totals_.dropped; }
    std::size_t backlog() const { return batch_.size(); }

  private:
    static constexpr std::size_t kBurst = 64;
    static constexpr std::size_t kBacklog = 4096;  // frames that wait for the port
    static constexpr std::size_t kWaitPerNeighbor = 1024;
    static constexpr std::size_t kWaitInAll = 8192;

    // The way from a neighbor's table to the wire.
    struct Link final : neighbor::Actions {
        explicit Link(PacketNetwork& owner) : network(owner) {}
        void solicit(const neighbor::Solicitation& solicitation) override;
        void resolved(const neighbor::Resolution& resolution) override;
        void moved(const IpAddress& address, const MacAddress& before, const MacAddress& mac) override;
        PacketNetwork& network;
    };
    // A next hop's MAC, for a while: the table is asked often enough to notice when it is gone.
    struct Known {
        IpAddress address;
        MacAddress mac;
        std::uint32_t epoch = 0;
    };

    void announce(std::span<const port::Frame> frames);
    // True when the frame holds what is right and for us.
    bool on_frame(Instant now, const port::Frame& frame);
    bool on_arp(Instant now, ByteView payload);
    bool on_ip(Instant now, const port::Frame& frame, const wire::EthernetView& ethernet);
    bool on_tcp(Instant now, const wire::IpPacket& packet);
    bool on_icmp(Instant now, const MacAddress& from, const wire::IpPacket& packet);
    bool on_icmpv6(Instant now, const MacAddress& from, const wire::IpPacket& packet);
    bool on_solicitation(Instant now, const MacAddress& from, const wire::IpPacket& packet);
    bool on_advertisement(Instant now, const MacAddress& from, const wire::IpPacket& packet);
    bool on_error(Instant now, IpFamily family, const wire::IcmpMessage& message,
                  std::optional<std::uint32_t> mtu);
    bool echo(Instant now, const MacAddress& from, const wire::IpPacket& packet,
              const wire::IcmpMessage& reply);
    void give_up(Instant now, const port::Frame& frame);

    bool owns(const IpAddress& address) const { return own_.contains(address); }
    const IpAddress& next_hop(const IpAddress& destination) const;
    std::optional<MacAddress> mac_of(Instant now, const IpAddress& neighbor);
    std::optional<IpAddress> speaker_to(const IpAddress& neighbor) const;
    std::optional<port::Frame> allocate();
    void enqueue(const port::Frame& frame);
    Fate hold(const IpAddress& neighbor, const port::Frame& frame);

    const PacketNetworkOptions options_;
    absl::flat_hash_set<IpAddress> own_;
    std::vector<std::pair<IpPrefix, IpAddress>> speakers_;  // on-link network, an own address in it
    std::optional<IpAddress> speaker_v4_;
    std::optional<IpAddress> speaker_v6_;
    port::Port& port_;
    port::FramePool& pool_;
    Upward& upward_;
    Link link_;
    neighbor::Table neighbors_;
    std::array<Known, 256> known_{};
    std::uint32_t epoch_ = 1;
    Instant next_epoch_{};
    absl::flat_hash_map<IpAddress, std::vector<port::Frame>> waiting_;
    std::size_t waiting_frames_ = 0;
    std::vector<port::Frame> lost_;  // their next hop did not answer; told at on_timer()
    std::vector<port::Frame> batch_;
    std::vector<port::Frame> spare_;
    TokenBucket echoes_{1000, 1000};
    Totals totals_;
};

}  // namespace sluice::load
