#include "sluice/wire/path_mtu.h"

#include <algorithm>
#include <array>

namespace sluice::wire {
namespace {

// RFC 1191 section 7.1, largest first.
constexpr std::array<std::uint16_t, 11> kPlateaus{65535, 32000, 17914,           8166, 4352, 2002, 1492, 1006,
                                                  508,   296,   kIpv4SmallestMtu};

}  // namespace

std::optional<std::uint16_t> path_mtu(IpFamily family, std::uint32_t told, std::uint16_t quoted) {
    if (told > 0xffff) return std::nullopt;
    const auto mtu = static_cast<std::uint16_t>(told);
    if (family == IpFamily::V6) return mtu < kIpv6SmallestMtu ? std::nullopt : std::optional(mtu);
    if (mtu == 0) {
        const auto below = std::ranges::find_if(kPlateaus, [&](std::uint16_t p) { return p < quoted; });
        return below == kPlateaus.end() ? std::nullopt : std::optional(*below);
    }
    return mtu < kIpv4SmallestMtu ? std::nullopt : std::optional(mtu);
}

}  // namespace sluice::wire
