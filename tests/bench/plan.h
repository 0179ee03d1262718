// Who is where in the swarm: numbers of clients and of broker connections, and the addresses that follow from
// them by arithmetic alone.
//
//   clients   16.0.0.0 and up, 50,000 ports each      (they need no route: answers go back the way they came)
//             or over IPv6 2001:db8::1000:0 and up, that is the same number behind 2001:db8::/96
//   listener  10.1.0.1:1883 or [fd00:1::1]:1883
//   brokers   10.2.0.2 and up, port 1883
//   sources   10.2.1.0 and up
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"

namespace sluice::bench {

struct Plan {
    std::uint32_t clients = 1;      // numbers 0 to clients - 1
    std::uint32_t brokers = 1;      // at most 200
    std::uint32_t sources = 1;      // source addresses, at most 4096
    bool ipv6_clients = false;      // brokers speak IPv4 always
    std::uint16_t keep_alive = 60;  // seconds

    static constexpr std::uint32_t kPortsEach = 50'000;
    static constexpr std::uint32_t kFirstClientPort = 10'000;
    static constexpr std::uint32_t kFirstClient = 0x10000000;
    static constexpr std::uint32_t kFirstBroker = 0x0a020002;
    static constexpr std::uint32_t kFirstSource = 0x0a020100;
    static constexpr std::uint16_t kMqtt = 1883;

    SocketAddress listener() const {
        return {ipv6_clients ? *IpAddress::parse("fd00:1::1") : IpAddress::v4(10, 1, 0, 1), kMqtt};
    }
    SocketAddress client(std::uint32_t n) const {
        const std::uint32_t host = kFirstClient + n / kPortsEach;
        return {ipv6_clients ? over_ipv6(host) : IpAddress::v4(host),
                static_cast<std::uint16_t>(kFirstClientPort + n % kPortsEach)};
    }
    static SocketAddress broker(std::uint32_t b) { return {IpAddress::v4(kFirstBroker + b), kMqtt}; }
    static IpAddress source(std::uint32_t i) { return IpAddress::v4(kFirstSource + i); }

    std::optional<std::uint32_t> client_at(const SocketAddress& address) const {
        if (address.address.is_v6() != ipv6_clients) return std::nullopt;
        const std::uint32_t host = load32(std::as_bytes(address.address.bytes()).subspan<12>().data());
        const std::uint32_t n = (host - kFirstClient) * kPortsEach + address.port - kFirstClientPort;
        if (address.port < kFirstClientPort || n >= clients) return std::nullopt;
        return n;
    }

    // A broker's connections are numbered by broker, source address and source port.
    std::uint32_t broker_ends() const { return brokers * sources << 16U; }
    std::optional<std::uint32_t> broker_end_at(const SocketAddress& broker,
                                               const SocketAddress& source) const {
        const std::uint32_t b = broker.address.v4_value() - kFirstBroker;
        const std::uint32_t i = source.address.v4_value() - kFirstSource;
        if (b >= brokers || i >= sources || broker.port != kMqtt) return std::nullopt;
        return (b * sources + i) << 16U | source.port;
    }
    SocketAddress broker_of(std::uint32_t end) const { return broker((end >> 16U) / sources); }
    SocketAddress source_of(std::uint32_t end) const {
        return {source((end >> 16U) % sources), static_cast<std::uint16_t>(end & 0xffffU)};
    }

  private:
    static IpAddress over_ipv6(std::uint32_t host) {
        std::array<std::byte, 16> bytes{std::byte{0x20}, std::byte{0x01}, std::byte{0x0d}, std::byte{0xb8}};
        store32(bytes.data() + 12, host);
        return IpAddress::v6(bytes);
    }
};

}  // namespace sluice::bench
