// What a host is made of: interfaces, addresses on them, and neighbors beyond; and whom its counts are told.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/base/address.h"
#include "sluice/base/counters.h"
#include "sluice/port/port.h"

namespace sluice::host {

// A port as the host stands on it. Its place among the host's interfaces is the index of port::Frame::port.
struct Interface {
    port::Port* port = nullptr;  // borrowed; outlives the host
    MacAddress mac;
    std::uint16_t mtu = 1500;          // bytes of the IP packet
    std::vector<IpPrefix> networks{};  // whose broadcast addresses are no host's source
};

// Where a packet for an address is to be handed: out of this port, to this neighbor.
struct NextHop {
    std::uint16_t port = 0;
    IpAddress neighbor;
    friend bool operator==(const NextHop&, const NextHop&) = default;
    template <typename Hash>
    friend Hash AbslHashValue(Hash state, const NextHop& hop) {
        return Hash::combine(std::move(state), hop.port, hop.neighbor);
    }
};

// The way a packet came, which is the way back to its sender.
struct Arrival {
    std::uint16_t port = 0;
    MacAddress source_mac;
};

// Which addresses are the host's. They may change between two calls.
class Addresses {
  public:
    // Whether `address` is an own one, and on that port.
    virtual bool owns(std::uint16_t port, const IpAddress& address) const = 0;
    // The own address that asks for `neighbor` on that port; nullopt: none of the family.
    virtual std::optional<IpAddress> asker(std::uint16_t port, const IpAddress& neighbor) const = 0;

  protected:
    ~Addresses() = default;
};

// Told what happens, by its name in the list of counters.
class CounterSink {
  public:
    virtual void count(Counter what, std::uint64_t n) = 0;
    // Frames that went no further: received ones with a Disposition are not among them.
    virtual void dropped(Counter why, std::uint64_t frames) = 0;

  protected:
    ~CounterSink() = default;
};

}  // namespace sluice::host
