// Decides when the operator is told again that a peer sends packets which only offloading hardware could
// complete: once a minute per port and address, for a bounded number of addresses.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "sluice/base/address.h"
#include "sluice/base/time.h"
#include "sluice/worker/messages.h"

namespace sluice::daemon {

class OffloadHints {
  public:
    static constexpr Duration kInterval = 60s;
    static constexpr std::size_t kMaxPeers = 1024;

    // True when a hint about this peer is due now.
    bool due(Instant now, std::uint16_t port, const IpAddress& peer);

    // One line: what the peer does and the command that ends it.
    static std::string text(worker::Event::Fault fault, const std::string& port, const IpAddress& peer);

  private:
    std::map<std::pair<std::uint16_t, IpAddress>, Instant> last_;
};

}  // namespace sluice::daemon
