// ICMPv6 (RFC 4443): echo and the errors that matter to TCP. Neighbor discovery is in ndp.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"
#include "sluice/wire/icmp.h"

namespace sluice::wire {

inline constexpr std::uint8_t kIcmpv6Unreachable = 1;
inline constexpr std::uint8_t kIcmpv6PacketTooBig = 2;
inline constexpr std::uint8_t kIcmpv6TimeExceeded = 3;
inline constexpr std::uint8_t kIcmpv6ParameterProblem = 4;
inline constexpr std::uint8_t kIcmpv6EchoRequest = 128;
inline constexpr std::uint8_t kIcmpv6EchoReply = 129;
inline constexpr std::uint8_t kIcmpv6NeighborSolicitation = 135;
inline constexpr std::uint8_t kIcmpv6NeighborAdvertisement = 136;

inline constexpr std::uint8_t kIcmpv6CodeProhibited = 1;
inline constexpr std::uint8_t kIcmpv6CodePortUnreachable = 4;

class Icmpv6View : public IcmpMessageView {
  public:
    // message: the IPv6 payload. nullopt when shorter than eight bytes: RFC 4443 asks for four, but every
    // type in use has the parameter.
    static std::optional<Icmpv6View> parse(ByteView message);

    bool checksum_valid(const IpAddress& source, const IpAddress& destination) const;
    // Of "packet too big".
    std::uint32_t mtu() const { return parameter(); }

  private:
    using IcmpMessageView::IcmpMessageView;
};

// The answer to an echo request (RFC 4443 section 4.2). Borrows request's body.
IcmpMessage echo_reply(const Icmpv6View& request);

// Writes an ICMPv6 message with its checksum; returns its size, or 0 when out is too small.
std::size_t write_icmpv6(const IcmpMessage& message, const IpAddress& source, const IpAddress& destination,
                         ByteSpan out);

std::string to_string(const Icmpv6View& message);

}  // namespace sluice::wire
