// Frames as a test sees and makes them, beside what the hosts of the lab say by themselves.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/tcp.h"
#include "worker/lab.h"

namespace sluice::test {

using Frame = std::vector<std::byte>;

struct SeenSegment {
    std::uint16_t port = 0;  // of Sluice
    wire::EthernetHeader ethernet;
    SocketAddress from;
    SocketAddress to;
    wire::TcpHeader tcp;
    std::string payload;
    bool checksum_valid = false;
    std::uint8_t ttl = 0;

    bool is_syn() const { return tcp.flags.syn && !tcp.flags.ack; }
    bool is_syn_ack() const { return tcp.flags.syn && tcp.flags.ack; }
};

// Remembers what Sluice sends from now on. One at a time, and it must not outlive the lab's last run.
class Tap {
  public:
    explicit Tap(Lab& lab);
    // For Setup::on_sent, to see a lab's first frames.
    Tap() = default;
    void see(std::uint16_t port, ByteView frame);

    std::vector<SeenSegment> tcp;
    std::vector<std::pair<std::uint16_t, Frame>> frames;  // all, TCP included

    // SYNs to brokers that are not probes.
    std::vector<SeenSegment> upstream_syns() const;
    std::size_t tcp_on(std::uint16_t port) const;
};

// A segment from any host to Sluice.
struct RawSegment {
    SocketAddress from;
    SocketAddress to;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgement = 0;
    wire::TcpFlags flags{};
    std::uint16_t window = 0xffff;
    wire::TcpOptions options{};
    std::string payload = {};
    MacAddress source_mac{{0x02, 0, 0, 0, 1, 98}};
    MacAddress destination_mac = Lab::kFrontMac;
};
Frame make_segment(const RawSegment& segment);

// An ICMP or ICMPv6 "destination unreachable" to Sluice's back port that quotes a segment it sent.
Frame make_unreachable(const SeenSegment& quoted, std::uint32_t sequence);
// "Fragmentation needed" or "packet too big" with that MTU, likewise.
Frame make_too_big(const SeenSegment& quoted, std::uint32_t sequence, std::uint32_t mtu);

// Gratuitous ARP, or an unsolicited neighbor advertisement to all: the address is at that MAC.
Frame make_announcement(const IpAddress& address, const MacAddress& mac);
// The same as an answer to Sluice's question from `asker`.
Frame make_neighbor_answer(const IpAddress& address, const MacAddress& mac, const IpAddress& asker,
                           const MacAddress& asker_mac);

// To a worker: what the first port carries is 1 Mbit/s from now on, the least that answers go by.
worker::Command slow_port();

// Counters that moved since, by name, with how far.
class Counts {
  public:
    explicit Counts(const Lab& lab);
    void restart();
    std::map<std::string_view, std::uint64_t> moved(std::string_view prefix) const;

  private:
    const Lab& lab_;
    std::vector<std::uint64_t> before_;
};
using Moved = std::map<std::string_view, std::uint64_t>;

}  // namespace sluice::test
