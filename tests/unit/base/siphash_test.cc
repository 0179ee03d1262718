#include "sluice/base/siphash.h"

#include <gtest/gtest.h>

#include <array>

namespace sluice {
namespace {

// Appendix A of the SipHash paper: key 00..0f, message 00..0e.
TEST(SipHash, MatchesThePublishedVector) {
    std::array<std::byte, 15> message{};
    for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::byte>(i);
    const SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    EXPECT_EQ(siphash24(key, message), 0xa129ca6149be45e5ULL);
}

// First entry of the reference implementation's table: the same key, no message.
TEST(SipHash, MatchesThePublishedVectorForNoBytes) {
    const SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    EXPECT_EQ(siphash24(key, {}), 0x726fdb47dd0e0e31ULL);
}

TEST(SipHash, DependsOnKeyAndLength) {
    EXPECT_NE(siphash24({1, 2}, as_bytes("a")), siphash24({1, 3}, as_bytes("a")));
    EXPECT_NE(siphash24({}, as_bytes("a")), siphash24({}, as_bytes(std::string_view("a\0", 2))));
}

}  // namespace
}  // namespace sluice
