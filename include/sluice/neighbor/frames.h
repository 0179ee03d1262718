// What a port says about neighbors: its questions, answers and announcements as whole frames, in ARP for
// IPv4 and in Neighbor Discovery for IPv6.
#pragma once

#include <cstddef>
#include <optional>

#include "sluice/base/address.h"
#include "sluice/base/bytes.h"

namespace sluice::neighbor {

// All return the frame's size. `own` and `source` are the asking port's; to: unicast re-check, nullopt for
// all neighbors.
std::size_t write_question(const MacAddress& own, const IpAddress& source, const IpAddress& target,
                           const std::optional<MacAddress>& to, ByteSpan out);
// The answer to a question for `target`, which is own's. asker_mac, asker: who asked; an asker without an
// address looks for duplicates (RFC 4862 section 5.4), and everybody is told (RFC 4861 section 7.2.4).
std::size_t write_answer(const MacAddress& own, const IpAddress& target, const MacAddress& asker_mac,
                         const IpAddress& asker, ByteSpan out);
// Gratuitous ARP (RFC 5227 section 3) or unsolicited neighbor advertisement (RFC 4861 section 7.2.6).
std::size_t write_announcement(const MacAddress& own, const IpAddress& address, ByteSpan out);

}  // namespace sluice::neighbor
