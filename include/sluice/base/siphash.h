// SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash for what an outsider can choose. Used for initial
// sequence numbers (RFC 6528), timestamp offsets and the client index with a secret key, and with the fixed
// zero key for the choice of a broker, which every node must compute alike.
#pragma once

#include <cstdint>

#include "sluice/base/bytes.h"

namespace sluice {

struct SipKey {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
};

std::uint64_t siphash24(const SipKey& key, ByteView bytes);

}  // namespace sluice
