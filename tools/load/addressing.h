// Which addresses and ports a swarm of clients uses: a four-tuple for each client by arithmetic, so that no
// table is needed in either direction.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "sluice/base/address.h"

namespace sluice::load {

// Consecutive clients take the source addresses in turn; a round later the next target; after all targets the
// next source port. So the same source port serves towards every target.
class Addressing {
  public:
    // Neither is empty, no address occurs twice. first_port <= last_port.
    Addressing(std::vector<IpAddress> sources, std::vector<SocketAddress> targets, std::uint16_t first_port,
               std::uint16_t last_port);

    std::uint64_t capacity() const;
    FourTuple tuple(std::uint32_t client) const;  // client < capacity(); local is the client's end
    const IpAddress& source(std::uint32_t client) const { return sources_[client % sources_.size()]; }
    const SocketAddress& target(std::uint32_t client) const {
        return targets_[client / sources_.size() % targets_.size()];
    }
    std::optional<std::uint32_t> client(const FourTuple& tuple) const;
    const std::vector<IpAddress>& sources() const { return sources_; }
    const std::vector<SocketAddress>& targets() const { return targets_; }

  private:
    std::vector<IpAddress> sources_;
    std::vector<SocketAddress> targets_;
    std::uint16_t first_port_;
    std::uint16_t last_port_;
    absl::flat_hash_map<IpAddress, std::uint32_t> source_index_;
    absl::flat_hash_map<SocketAddress, std::uint32_t> target_index_;
};

}  // namespace sluice::load
