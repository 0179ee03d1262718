// ARP for IPv4 over Ethernet (RFC 826), the only kind that Sluice speaks: 28 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/wire/ethernet.h"

namespace sluice::wire {

inline constexpr std::size_t kArpPacketSize = 28;

enum class ArpOperation : std::uint16_t { Request = 1, Reply = 2 };

struct ArpPacket {
    ArpOperation operation = ArpOperation::Request;
    MacAddress sender_mac{};
    IpAddress sender_ip{};  // IPv4
    MacAddress target_mac{};
    IpAddress target_ip{};  // IPv4

    friend bool operator==(const ArpPacket&, const ArpPacket&) = default;
};

// Does not own the bytes.
class ArpView {
  public:
    // payload: the Ethernet payload; bytes after the packet are padding. nullopt when it is short, of another
    // hardware or protocol type, or neither a request nor a reply.
    static std::optional<ArpView> parse(ByteView payload);

    ArpOperation operation() const { return static_cast<ArpOperation>(load16(bytes_.data() + 6)); }
    MacAddress sender_mac() const { return load_mac(bytes_.data() + 8); }
    IpAddress sender_ip() const { return IpAddress::v4(bytes_.subspan<14, 4>()); }
    MacAddress target_mac() const { return load_mac(bytes_.data() + 18); }
    IpAddress target_ip() const { return IpAddress::v4(bytes_.subspan<24, 4>()); }
    ArpPacket packet() const { return {operation(), sender_mac(), sender_ip(), target_mac(), target_ip()}; }

  private:
    explicit ArpView(ByteView bytes) : bytes_(bytes) {}
    ByteView bytes_;
};

// Writes 28 bytes, which out must hold; returns 28. Both addresses must be IPv4.
std::size_t write_arp(const ArpPacket& packet, ByteSpan out);

std::string to_string(const ArpPacket& packet);

}  // namespace sluice::wire
