// One TCP packet as several smaller ones, for a path that does not take it whole: what its sender would have
// sent had it known. Each piece has all of the packet's headers, options included, and its part of the
// payload.
//
//   IPv4          total length; identification, one more for each piece; header checksum
//   IPv6          payload length
//   TCP           sequence; FIN and PSH on the last piece only, CWR on the first only (RFC 3168
//   section 6.1.2);
//                 the urgent pointer from each piece's own beginning; checksum, anew
//
// The checksum of a piece is right whatever the packet's was: who cuts has to know that the packet was sound.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/bytes.h"
#include "sluice/splice/packet.h"

namespace sluice::splice {

template <IpFamily kFamily>
class Cut {
  public:
    // packet: not changed before keep_first(). limit: bytes that an IP packet may have at most.
    Cut(const Packet<kFamily>& packet, std::size_t limit);

    // 0: it cannot be cut, because it is a SYN or RST or because its headers leave no room for payload.
    std::size_t pieces() const { return pieces_; }
    // Writes the frame of a piece other than the first; returns its bytes. out must hold what limit allows
    // and an Ethernet header.
    std::uint32_t write(std::size_t piece, ByteSpan out) const;
    // Makes the packet itself the first piece, when all others have been written. Returns its frame's bytes.
    std::uint32_t keep_first();

  private:
    void finish(std::byte* frame, std::size_t piece, std::size_t payload) const;
    std::size_t payload_of(std::size_t piece) const;

    Packet<kFamily> packet_;
    std::size_t headers_ = 0;  // Ethernet, IP and TCP
    std::size_t room_ = 0;     // for payload in each piece
    std::size_t pieces_ = 0;
};

extern template class Cut<IpFamily::V4>;
extern template class Cut<IpFamily::V6>;

// Clears "don't fragment", for a path that has links too narrow to cut for: routers fragment then.
void allow_fragments(const Packet<IpFamily::V4>& packet);

}  // namespace sluice::splice
