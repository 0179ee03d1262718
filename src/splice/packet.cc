#include "sluice/splice/packet.h"

#include <cstring>

#include "sluice/wire/ip.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/tcp.h"

namespace sluice::splice {
namespace {

// IP header and whole packet, in bytes; nullopt when it is not a whole packet that carries TCP.
struct Extent {
    std::size_t header = 0;
    std::size_t total = 0;
};

std::optional<Extent> ipv4_extent(ByteView bytes) {
    wire::IpError error{};
    const auto view = wire::Ipv4View::parse(bytes, error);
    if (!view || view->is_fragment() || view->protocol() != wire::kProtocolTcp) return std::nullopt;
    return Extent{view->header_size(), view->bytes().size()};
}

std::optional<Extent> ipv6_extent(ByteView bytes) {
    wire::IpError error{};
    const auto view = wire::Ipv6View::parse(bytes, error);
    if (!view || view->next_header() != wire::kProtocolTcp) return std::nullopt;
    return Extent{wire::kIpv6HeaderSize, view->bytes().size()};
}

}  // namespace

template <IpFamily kFamily>
std::optional<Packet<kFamily>> Packet<kFamily>::parse(ByteSpan frame) {
    constexpr bool kV4 = kFamily == IpFamily::V4;
    const auto ethernet = wire::EthernetView::parse(frame);
    if (!ethernet || ethernet->ether_type() != (kV4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6)) {
        return std::nullopt;
    }
    const auto extent = kV4 ? ipv4_extent(ethernet->payload()) : ipv6_extent(ethernet->payload());
    if (!extent) return std::nullopt;
    const auto segment = ethernet->payload().subspan(extent->header, extent->total - extent->header);
    if (!wire::TcpView::parse(segment)) return std::nullopt;
    return Packet(frame.data(), extent->header, segment.size());
}

template <IpFamily kFamily>
bool Packet<kFamily>::arrives_by(const Ends<kFamily>& leg) const {
    const std::byte* const addresses = ip() + kAddressesAt;
    return std::memcmp(addresses, leg.remote.data(), leg.remote.size()) == 0 &&
           std::memcmp(addresses + leg.remote.size(), leg.local.data(), leg.local.size()) == 0 &&
           std::memcmp(tcp(), leg.remote_port.data(), 2) == 0 &&
           std::memcmp(tcp() + 2, leg.local_port.data(), 2) == 0;
}

template class Packet<IpFamily::V4>;
template class Packet<IpFamily::V6>;

}  // namespace sluice::splice
