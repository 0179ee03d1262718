// A host on two ports with addresses of both families, and everybody else on its links: frames that they send
// it, and what it does about each.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sluice/host/stack.h"
#include "sluice/port/memory_port.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/ndp.h"

namespace sluice::host::test {

using Bytes = std::vector<std::byte>;

inline constexpr MacAddress kFrontMac{{0x02, 0, 0, 0, 1, 1}};
inline constexpr MacAddress kBackMac{{0x02, 0, 0, 0, 2, 1}};
inline constexpr MacAddress kNeighborMac{{0x02, 0, 0, 0, 9, 9}};

inline IpAddress ip(const char* text) { return *IpAddress::parse(text); }

// --- what others send ---
Bytes arp_request(const IpAddress& sender, const IpAddress& target);
Bytes arp_reply(const IpAddress& sender, const MacAddress& mac, const IpAddress& target);
Bytes solicitation(const IpAddress& sender, const IpAddress& target);
// destination: a host's address, or all_nodes_multicast() for an unsolicited one.
Bytes advertisement(const IpAddress& target, const MacAddress& mac, const IpAddress& destination);
Bytes icmp(const MacAddress& to, const IpAddress& sender, const IpAddress& target,
           const wire::IcmpMessage& message);
Bytes echo_request(const MacAddress& to, const IpAddress& sender, const IpAddress& target);
// An IP packet of that protocol with `size` bytes of payload.
Bytes packet(const MacAddress& to, const IpAddress& sender, const IpAddress& target, std::uint8_t protocol,
             std::size_t size);

// --- what the host sends ---
std::optional<wire::ArpPacket> arp_of(const Bytes& frame);
std::optional<wire::IpPacket> packet_of(const Bytes& frame);
std::optional<wire::NeighborAdvertisement> advertisement_of(const Bytes& frame);
MacAddress destination_of(const Bytes& frame);

class HostLab final : Addresses, CounterSink, UpperLayer, NeighborNews, FailedNeighbors {
  public:
    explicit HostLab(const FrameOutputOptions& options = {});
    ~HostLab();

    // What became of a frame that arrives on the port now. One that was Forwarded, the lab has.
    Disposition receive(std::uint16_t port, const Bytes& frame, Origin origin = Origin::Port);
    // What left by the port since the last call.
    std::vector<Bytes> sent(std::uint16_t port);
    // A frame to `neighbor` that lacks its MAC, recognized by its last byte.
    NextHopState send_to(const NextHop& hop, std::uint8_t mark);
    void pass(Duration time);
    std::uint64_t counted(Counter counter) const {
        const auto found = counts.find(counter);
        return found == counts.end() ? 0 : found->second;
    }
    MacAddress mac(std::uint16_t port) const { return port == 0 ? kFrontMac : kBackMac; }

    Instant now{1h};
    port::HeapFramePool pool{8192};
    port::MemoryPort front;
    port::MemoryPort back;
    std::map<IpAddress, std::uint16_t> own;  // its port
    std::map<Counter, std::uint64_t> counts;
    std::map<Counter, std::uint64_t> drops;
    // What was handed up.
    std::vector<wire::IpPacket> tcp;  // without payload
    std::vector<IcmpError> errors;    // without message
    std::vector<wire::IpError> wrapped;
    std::vector<Bytes> news;
    std::vector<std::pair<std::uint16_t, IpAddress>> over_mtu;
    std::vector<Sighting> sightings;
    std::vector<std::pair<NextHop, std::size_t>> failed;  // and how many frames waited
    bool echoes = true;
    bool is_elsewhere = false;  // whatever ICMP errors are about

    FrameOutput output;
    Stack stack;

  private:
    bool owns(std::uint16_t port, const IpAddress& address) const override;
    std::optional<IpAddress> asker(std::uint16_t port, const IpAddress& neighbor) const override;
    void count(Counter what, std::uint64_t n) override { counts[what] += n; }
    void dropped(Counter why, std::uint64_t frames) override { drops[why] += frames; }
    Disposition on_tcp(Instant now, const Received& in, const wire::IpPacket& packet) override;
    Disposition on_icmp_error(Instant now, const IcmpError& error) override;
    bool may_echo(Instant, std::uint16_t, const IpAddress&) override { return echoes; }
    std::optional<Disposition> steer_icmp_error(const Received& in, const wire::TcpQuote& quote) override;
    Disposition on_wrapped(Instant now, const Received& in, wire::IpError error) override;
    void on_neighbor_news(const Received& in) override;
    void on_over_mtu(Instant, std::uint16_t port, const IpAddress& peer) override {
        over_mtu.emplace_back(port, peer);
    }
    void neighbor_seen(const Sighting& sighting) override { sightings.push_back(sighting); }
    void neighbor_failed(Instant now, const NextHop& neighbor, std::span<const port::Frame> waited) override;
};

}  // namespace sluice::host::test
