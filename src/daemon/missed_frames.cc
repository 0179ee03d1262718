#include "sluice/daemon/missed_frames.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "sluice/port/packet_ring.h"

namespace sluice::daemon {
namespace {

struct Cause {
    std::uint64_t frames;
    std::string_view what;
    std::string_view counter;
    std::string_view remedy;
};

constexpr std::string_view kRingFull =
    "larger rings (`framecnt` in `device`), more workers, or CPUs that nothing else uses";
constexpr std::string_view kNoFill =
    "more workers with queues of their own, CPUs that nothing else uses, or `driver = \"af_packet\"`, whose "
    "rings "
    "are larger";
constexpr std::string_view kInterface =
    "a larger net.core.netdev_max_backlog, a longer ring of the card (`ethtool -G`), or packets no longer "
    "than the "
    "port's mtu";
constexpr std::string_view kDevice = "more workers, or CPUs that nothing else uses";

}  // namespace

std::vector<std::string> MissedFrames::look(Instant now, const port::PortInfo& port,
                                            const port::PortStatistics& counts) {
    const std::uint64_t in_rings = counts.rx_ring_full + counts.rx_no_fill;
    // Drivers that run the program of AF_XDP count as the interface's, too, what its rings missed.
    const std::uint64_t twice =
        port.driver == port::kXdpDriver ? std::min(in_rings, counts.rx_interface_dropped) : 0;
    const std::array<Cause, kCauses> causes{
        {{counts.rx_ring_full, "found the ring that it shares with the kernel full", "rx_ring_full",
          kRingFull},
         {counts.rx_no_fill, "found no buffer in AF_XDP's fill ring", "rx_no_fill", kNoFill},
         {counts.rx_missed - in_rings, "found the device's queue full", "rx_missed", kDevice},
         {counts.rx_interface_dropped - twice, "were dropped by the kernel's interface before any ring",
          "rx_interface_dropped", kInterface}}};
    std::array<Told, kCauses>& told = told_[port.name];
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < kCauses; ++i) {
        const Cause& cause = causes[i];
        if (cause.frames <= told[i].frames) continue;
        if (told[i].frames != 0 && now - told[i].at < kInterval) continue;
        lines.push_back(
            fmt::format("port {}: {} frames {}; their senders repeat them after about a second. `show ports` "
                        "counts them as {}. What helps: {}",
                        port.name, cause.frames - told[i].frames, cause.what, cause.counter, cause.remedy));
        told[i] = {.frames = cause.frames, .at = now};
    }
    return lines;
}

}  // namespace sluice::daemon
