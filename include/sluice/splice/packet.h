// A TCP packet in its frame, to be rewritten in place. Parsed once; what is in a Packet lies inside the
// frame. All of it is inline, because all of it is done for every packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/splice/record.h"
#include "sluice/wire/ethernet.h"
#include "sluice/wire/ip.h"
#include "sluice/wire/ipv4.h"
#include "sluice/wire/ipv6.h"
#include "sluice/wire/tcp.h"

namespace sluice::splice {

// Borrows the frame's bytes and writes them.
template <IpFamily kFamily>
class Packet {
  public:
    // frame: from the Ethernet header on, padding allowed. nullopt unless it is a whole IP packet of kFamily
    // (no fragment, no IPv6 extension header, an IPv4 header of any size) that carries TCP whose header lies
    // inside it. The Ethernet addresses, the IPv4 header checksum and the TCP checksum are not looked at: a
    // wrong checksum is still wrong after translation, so checking is the caller's choice.
    static std::optional<Packet> parse(ByteSpan frame) {
        Packet packet;
        return packet.read(frame) ? std::optional(packet) : std::nullopt;
    }
    // Empty, to be read into: nothing else may be asked of it.
    Packet() = default;
    // parse() in place. False: the packet is as it was.
    bool read(ByteSpan frame) {
        constexpr std::size_t kLeast = wire::kEthernetHeaderSize + kIpHeaderSize + wire::kTcpHeaderSize;
        if (frame.size() < kLeast || load16(frame.data() + wire::kEtherTypeAt) != kEtherType) return false;
        const std::byte* const ip = frame.data() + wire::kEthernetHeaderSize;
        std::size_t header = kIpHeaderSize;
        std::size_t total = 0;
        if constexpr (kV4) {
            header = wire::ipv4_header_size(ip);
            total = load16(ip + wire::kIpv4LengthAt);
            const bool fragment = wire::is_ipv4_fragment(ip);
            if (wire::ip_version(ip) != 4 || header < kIpHeaderSize || fragment) return false;
            if (load8(ip + wire::kIpv4ProtocolAt) != wire::kProtocolTcp) return false;
        } else {
            total = kIpHeaderSize + load16(ip + wire::kIpv6LengthAt);
            if (wire::ip_version(ip) != 6) return false;
            if (load8(ip + wire::kIpv6NextHeaderAt) != wire::kProtocolTcp) return false;
        }
        if (total > frame.size() - wire::kEthernetHeaderSize || total < header + wire::kTcpHeaderSize) {
            return false;
        }
        const std::size_t tcp_header = wire::tcp_header_size(ip + header);
        if (tcp_header < wire::kTcpHeaderSize || tcp_header > total - header) return false;
        frame_ = frame.data();
        ip_header_size_ = static_cast<std::uint32_t>(header);
        segment_size_ = static_cast<std::uint32_t>(total - header);
        return true;
    }

    std::byte* ethernet() const { return frame_; }
    std::byte* ip() const { return frame_ + wire::kEthernetHeaderSize; }
    std::byte* tcp() const { return ip() + ip_header_size_; }
    std::size_t size() const { return ip_header_size_ + segment_size_; }  // of the IP packet
    std::size_t segment_size() const { return segment_size_; }            // TCP header and payload
    std::size_t tcp_header_size() const { return wire::tcp_header_size(tcp()); }
    std::uint32_t payload_size() const {
        return static_cast<std::uint32_t>(segment_size_ - tcp_header_size());
    }

    // As Sluice sees it: local is the destination.
    Ends<kFamily> ends() const {
        Ends<kFamily> leg;
        const std::byte* const addresses = ip() + kAddressesAt;
        std::memcpy(leg.remote.data(), addresses, leg.remote.size());
        std::memcpy(leg.local.data(), addresses + leg.remote.size(), leg.local.size());
        std::memcpy(leg.remote_port.data(), tcp(), 2);
        std::memcpy(leg.local_port.data(), tcp() + wire::kTcpDestinationPortAt, 2);
        return leg;
    }
    FourTuple tuple() const { return ends().tuple(); }
    wire::TcpFlags flags() const { return wire::TcpFlags::from_byte(load8(tcp() + wire::kTcpFlagsAt)); }
    tcp::Seq sequence() const { return tcp::Seq(load32(tcp() + wire::kTcpSequenceAt)); }
    ByteView segment() const { return {tcp(), segment_size_}; }
    // True when addresses and ports are those of a packet that arrives by this leg.
    bool arrives_by(const Ends<kFamily>& leg) const {
        const std::byte* const addresses = ip() + kAddressesAt;
        return std::memcmp(addresses, leg.remote.data(), leg.remote.size()) == 0 &&
               std::memcmp(addresses + leg.remote.size(), leg.local.data(), leg.local.size()) == 0 &&
               std::memcmp(tcp(), leg.remote_port.data(), 2) == 0 &&
               std::memcmp(tcp() + wire::kTcpDestinationPortAt, leg.local_port.data(), 2) == 0;
    }

  private:
    static constexpr bool kV4 = kFamily == IpFamily::V4;
    static constexpr std::uint16_t kEtherType = kV4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6;
    static constexpr std::size_t kIpHeaderSize = kV4 ? wire::kIpv4HeaderSize : wire::kIpv6HeaderSize;
    // Where the source address stands; the destination follows it.
    static constexpr std::size_t kAddressesAt = kV4 ? wire::kIpv4SourceAt : wire::kIpv6SourceAt;

    std::byte* frame_ = nullptr;
    std::uint32_t ip_header_size_ = 0;
    std::uint32_t segment_size_ = 0;
};

}  // namespace sluice::splice
