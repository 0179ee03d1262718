// Which worker owns a packet, from the packet alone. From the client's side: the Toeplitz hash over the
// four-tuple, with the key and the way of reading it that NICs use for RSS, so that where a NIC spreads by
// it, packets arrive at their owner. From the broker's side: the leased source port, of which every worker
// has its own residues.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "sluice/base/address.h"

namespace sluice::worker {

class Steering {
  public:
    explicit Steering(std::uint32_t workers);

    // tuple.local: the listener. The hash input is source address, destination address, source port,
    // destination port, as the packet has them (Microsoft RSS specification, "NdisHashFunctionToeplitz").
    std::uint32_t of_client(const FourTuple& tuple) const;
    std::uint32_t of_source_port(std::uint16_t port) const { return workers_ == 1 ? 0 : port % workers_; }

    // Who puts the fragments of a packet together: all of them have these in common. protocol: IPv4's; 0 for
    // IPv6, where fragments may differ in it.
    std::uint32_t of_fragment(const IpAddress& source, const IpAddress& destination,
                              std::uint32_t identification, std::uint8_t protocol) const;

    static std::uint32_t toeplitz(const FourTuple& tuple);

  private:
    std::uint32_t workers_;
};

}  // namespace sluice::worker
