#include "sluice/daemon/offload_hints.h"

#include <fmt/format.h>

namespace sluice::daemon {
namespace {

const char* fault_text(worker::Event::Fault fault) {
    switch (fault) {
        case worker::Event::Fault::PartialChecksum: return "packets with unfinished checksums";
        case worker::Event::Fault::OverMtu: return "packets larger than the MTU";
    }
    return "?";
}

}  // namespace

bool OffloadHints::due(Instant now, std::uint16_t port, const IpAddress& peer) {
    const auto key = std::pair(port, peer);
    const auto known = last_.find(key);
    if (known != last_.end()) {
        if (now - known->second < kInterval) return false;
        known->second = now;
        return true;
    }
    if (last_.size() >= kMaxPeers) {
        std::erase_if(last_, [&](const auto& entry) { return now - entry.second >= kInterval; });
        if (last_.size() >= kMaxPeers) return false;
    }
    last_.emplace(key, now);
    return true;
}

std::string OffloadHints::text(worker::Event::Fault fault, const std::string& port, const IpAddress& peer) {
    return fmt::format(
        "port {}: {} sends {}, which are dropped; on that host run `ethtool -K DEV tx off tso off gso off "
        "gro "
        "off`, DEV being its interface towards Sluice",
        port, peer.to_string(), fault_text(fault));
}

}  // namespace sluice::daemon
