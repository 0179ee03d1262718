#include "sluice/base/siphash.h"

#include <bit>

namespace sluice {
namespace {

struct SipState {
    std::uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }

    void absorb(std::uint64_t word) {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
};

}  // namespace

std::uint64_t siphash24(const SipKey& key, ByteView bytes) {
    static_assert(std::endian::native == std::endian::little, "words are read in little-endian order");
    SipState s{key.k0 ^ 0x736f6d6570736575ULL, key.k1 ^ 0x646f72616e646f6dULL, key.k0 ^ 0x6c7967656e657261ULL,
               key.k1 ^ 0x7465646279746573ULL};

    const std::size_t whole = bytes.size() / 8 * 8;
    for (std::size_t i = 0; i < whole; i += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + i, sizeof word);
        s.absorb(word);
    }
    // The last word holds the remaining bytes and, on top, the length modulo 256.
    std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56U;
    for (std::size_t i = whole; i < bytes.size(); ++i) {
        last |= static_cast<std::uint64_t>(load8(bytes.data() + i)) << (8 * (i - whole));
    }
    s.absorb(last);

    s.v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) s.round();
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace sluice
