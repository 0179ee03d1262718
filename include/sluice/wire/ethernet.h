// Ethernet II header, 14 bytes. VLAN tags are not interpreted: a tagged frame shows EtherType 0x8100.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"

namespace sluice::wire {

inline constexpr std::size_t kEthernetHeaderSize = 14;

// Where its fields begin, in bytes; the destination is the first.
inline constexpr std::size_t kEthernetSourceAt = 6;
inline constexpr std::size_t kEtherTypeAt = 12;

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;

// Six bytes in transmission order, as every MAC field on the wire has them. from and to must hold six bytes.
inline MacAddress load_mac(const std::byte* from) {
    MacAddress mac;
    std::memcpy(mac.bytes.data(), from, 6);
    return mac;
}
inline void store_mac(std::byte* to, const MacAddress& mac) { std::memcpy(to, mac.bytes.data(), 6); }

struct EthernetHeader {
    MacAddress destination{};
    MacAddress source{};
    std::uint16_t ether_type = 0;

    friend bool operator==(const EthernetHeader&, const EthernetHeader&) = default;
};

// A frame without its checksum trailer. Does not own the bytes.
class EthernetView {
  public:
    // nullopt when shorter than the header.
    static std::optional<EthernetView> parse(ByteView frame);

    MacAddress destination() const { return load_mac(bytes_.data()); }
    MacAddress source() const { return load_mac(bytes_.data() + kEthernetSourceAt); }
    std::uint16_t ether_type() const { return load16(bytes_.data() + kEtherTypeAt); }
    // Everything after the header, padding of short frames included: the IP length tells them apart.
    ByteView payload() const { return bytes_.subspan(kEthernetHeaderSize); }
    EthernetHeader header() const { return {destination(), source(), ether_type()}; }

  private:
    explicit EthernetView(ByteView bytes) : bytes_(bytes) {}
    ByteView bytes_;
};

// Writes 14 bytes, which out must hold; returns 14.
std::size_t write_ethernet_header(const EthernetHeader& header, ByteSpan out);

std::string to_string(const EthernetHeader& header);

}  // namespace sluice::wire
