#include "sluice/wire/checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "frames.h"

namespace sluice::wire {
namespace {

// RFC 1071 word by word, as slow and as plain as the text.
std::uint16_t plain_sum(ByteView bytes) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += std::uint64_t{load8(bytes.data() + i)} << (i % 2 == 0 ? 8U : 0U);
    }
    while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
    return static_cast<std::uint16_t>(sum);
}

Bytes random_bytes(std::mt19937& random, std::size_t size) {
    Bytes bytes(size);
    for (auto& b : bytes) b = static_cast<std::byte>(random());
    return bytes;
}

TEST(ChecksumSum, ExampleOfRfc1071) {
    const Bytes bytes = hex("0001f203f4f5f6f7");
    EXPECT_EQ(checksum_sum(bytes), 0xddf2);
    EXPECT_EQ(checksum_finish(0xddf2), 0x220d);
}

TEST(ChecksumSum, EveryLengthAtEveryAlignment) {
    std::mt19937 random(2);
    for (std::size_t size = 0; size <= 200; ++size) {
        for (std::size_t offset = 0; offset < 8; ++offset) {
            const ExactBytes buffer(random_bytes(random, offset + size));
            const ByteView bytes = buffer.view().subspan(offset);
            ASSERT_EQ(checksum_sum(bytes), plain_sum(bytes)) << size << " at " << offset;
        }
    }
}

TEST(ChecksumSum, ZeroesAndOnes) {
    EXPECT_EQ(checksum_sum({}), 0);
    for (const std::size_t size : {1U, 2U, 3U, 31U, 32U, 33U, 1500U, 65535U}) {
        EXPECT_EQ(checksum_sum(Bytes(size, std::byte{0})), 0) << size;
        EXPECT_EQ(checksum_sum(Bytes(size, std::byte{0xff})), size % 2 == 0 ? 0xffff : 0xff00) << size;
    }
    EXPECT_EQ(checksum_sum(hex("ffff0000")), 0xffff);
    EXPECT_EQ(checksum_sum(hex("80007fff")), 0xffff);
    EXPECT_EQ(checksum_sum(hex("ffff0001")), 0x0001);
}

TEST(ChecksumAdd, JoinsPiecesOfEvenLength) {
    std::mt19937 random(3);
    for (int i = 0; i < 2000; ++i) {
        const Bytes bytes = random_bytes(random, random() % 300);
        const std::size_t cut = random() % (bytes.size() / 2 + 1) * 2;
        const ByteView view(bytes);
        EXPECT_EQ(checksum_add(checksum_sum(view.first(cut)), checksum_sum(view.subspan(cut))),
                  checksum_sum(view));
    }
}

TEST(ChecksumAdd, CarriesAround) {
    EXPECT_EQ(checksum_add(0xffff, 0xffff), 0xffff);
    EXPECT_EQ(checksum_add(0xffff, 1), 1);
    EXPECT_EQ(checksum_add(0x8000, 0x8000), 1);
    EXPECT_EQ(checksum_add(0, 0), 0);
}

TEST(PseudoHeader, SumsWhatTheRfcsLayOut) {
    std::mt19937 random(4);
    for (int i = 0; i < 2000; ++i) {
        const auto protocol = static_cast<std::uint8_t>(random());
        const std::size_t length = random() % 65536;
        const Bytes raw = random_bytes(random, 32);
        const auto v4_source = IpAddress::v4(std::span(raw).first<4>());
        const auto v4_destination = IpAddress::v4(std::span(raw).subspan<4, 4>());
        Bytes v4 = to_bytes(ByteView(raw).first(8));
        v4.resize(12);
        store8(v4.data() + 9, protocol);
        store16(v4.data() + 10, static_cast<std::uint16_t>(length));
        EXPECT_EQ(pseudo_header_sum(v4_source, v4_destination, protocol, length), plain_sum(v4));

        const auto v6_source = IpAddress::v6(std::span(raw).first<16>());
        const auto v6_destination = IpAddress::v6(std::span(raw).subspan<16, 16>());
        Bytes v6 = raw;
        v6.resize(40);
        store32(v6.data() + 32, static_cast<std::uint32_t>(length + 65536));  // IPv6 has 32 bits for it
        store8(v6.data() + 39, protocol);
        EXPECT_EQ(pseudo_header_sum(v6_source, v6_destination, protocol, length + 65536), plain_sum(v6));
    }
}

TEST(PseudoHeader, AddressesOfOnesAndZeroes) {
    const auto ones = IpAddress::v4(0xffffffffU);
    const auto zero = IpAddress::v4(0U);
    EXPECT_EQ(pseudo_header_sum(ones, ones, 6, 20), 26);
    EXPECT_EQ(pseudo_header_sum(zero, zero, 6, 20), 26);
}

const IpAddress kOne = IpAddress::v4(10, 1, 0, 1);
const IpAddress kTwo = IpAddress::v4(10, 1, 0, 2);
const IpAddress kOne6 = *IpAddress::parse("fd00:1::1");
const IpAddress kTwo6 = *IpAddress::parse("fd00:1::2");

TEST(TcpChecksum, AcceptsWhatAKernelSent) {
    const Bytes syn4 = hex(frames::kSyn4);
    EXPECT_TRUE(tcp_checksum_valid(kOne, kTwo, ByteView(syn4).subspan(34)));
    EXPECT_TRUE(tcp_checksum_valid(kTwo, kOne, ByteView(syn4).subspan(34)));  // addition commutes
    EXPECT_FALSE(tcp_checksum_valid(kOne, kOne, ByteView(syn4).subspan(34)));
    const Bytes odd4 = hex(frames::kData4);
    EXPECT_TRUE(tcp_checksum_valid(kOne, kTwo, ByteView(odd4).subspan(34)));
    EXPECT_FALSE(tcp_checksum_valid(kOne, kTwo, ByteView(odd4).subspan(34, 46)));
    const Bytes odd6 = hex(frames::kData6);
    EXPECT_TRUE(tcp_checksum_valid(kOne6, kTwo6, ByteView(odd6).subspan(54)));
}

TEST(TcpChecksum, NoticesEveryFlippedBit) {
    const Bytes frame = hex(frames::kData4);
    Bytes segment = to_bytes(ByteView(frame).subspan(34));
    for (std::size_t bit = 0; bit < segment.size() * 8; ++bit) {
        const auto mask = static_cast<std::byte>(1U << (bit % 8));
        segment[bit / 8] ^= mask;
        EXPECT_FALSE(tcp_checksum_valid(kOne, kTwo, segment)) << bit;
        segment[bit / 8] ^= mask;
    }
}

TEST(PartialChecksum, IsRecognisedAsAKernelLeavesIt) {
    const Bytes frame = hex(frames::kPartialSyn4);
    const ByteView segment = ByteView(frame).subspan(34);
    EXPECT_FALSE(tcp_checksum_valid(kOne, kTwo, segment));
    EXPECT_TRUE(is_partial_checksum(kOne, kTwo, segment));
}

TEST(PartialChecksum, IsNotSeenInAGoodOrMerelyWrongChecksum) {
    Bytes frame = hex(frames::kSyn4);
    EXPECT_FALSE(is_partial_checksum(kOne, kTwo, ByteView(frame).subspan(34)));
    store16(frame.data() + 34 + 16, 0xbeef);
    EXPECT_FALSE(is_partial_checksum(kOne, kTwo, ByteView(frame).subspan(34)));
}

TEST(PartialChecksum, IsRecognisedOverIpv6) {
    Bytes frame = hex(frames::kSyn6);
    const ByteView segment = ByteView(frame).subspan(54);
    store16(frame.data() + 54 + 16, pseudo_header_sum(kOne6, kTwo6, 6, segment.size()));
    EXPECT_FALSE(tcp_checksum_valid(kOne6, kTwo6, segment));
    EXPECT_TRUE(is_partial_checksum(kOne6, kTwo6, segment));
}

// A message with a checksum in its first two bytes, and never all zero.
void put_full_checksum(Bytes& message) {
    store16(message.data(), 0);
    store16(message.data(), checksum_finish(checksum_sum(message)));
}

TEST(ChecksumUpdate, ExampleOfRfc1624) {
    // Section 4: a header whose checksum is 0xdd2f and whose field goes from 0x5555 to 0x3285.
    EXPECT_EQ(checksum_update16(0xdd2f, 0x5555, 0x3285), 0x0000);
}

// Values at which one's-complement arithmetic goes wrong when it does, and random ones.
std::uint32_t any_value(std::mt19937& random) {
    constexpr std::array<std::uint32_t, 8> kEdges{0,          0xffffffff, 0xffff,     0xffff0000,
                                                  0x00010000, 0x80008000, 0xfffffffe, 1};
    return random() % 3 == 0 ? kEdges[random() % kEdges.size()] : static_cast<std::uint32_t>(random());
}

// A checksum, room for a field, and a last byte that is not zero.
Bytes any_message(std::mt19937& random) {
    const std::size_t size = 8 + random() % 40;
    Bytes message = random() % 2 == 0 ? random_bytes(random, size) : Bytes(size);
    message.back() |= std::byte{1};
    return message;
}

TEST(ChecksumUpdate, EqualsTheFullSumForAny16BitField) {
    std::mt19937 random(5);
    for (int i = 0; i < 50000; ++i) {
        Bytes message = any_message(random);
        std::byte* const field = message.data() + 2 + random() % ((message.size() - 3) / 2) * 2;
        const auto before = static_cast<std::uint16_t>(any_value(random));
        const auto after = static_cast<std::uint16_t>(any_value(random));
        store16(field, before);
        put_full_checksum(message);
        const std::uint16_t updated = checksum_update16(load16(message.data()), before, after);
        store16(field, after);
        put_full_checksum(message);
        ASSERT_EQ(updated, load16(message.data())) << before << " -> " << after;
    }
}

TEST(ChecksumUpdate, EqualsTheFullSumForAny32BitField) {
    std::mt19937 random(6);
    for (int i = 0; i < 50000; ++i) {
        Bytes message = any_message(random);
        std::byte* const field = message.data() + 2 + random() % ((message.size() - 5) / 2) * 2;
        const std::uint32_t before = any_value(random);
        const std::uint32_t after = any_value(random);
        store32(field, before);
        put_full_checksum(message);
        const std::uint16_t updated = checksum_update32(load16(message.data()), before, after);
        store32(field, after);
        put_full_checksum(message);
        ASSERT_EQ(updated, load16(message.data())) << before << " -> " << after;
    }
}

TEST(ChecksumUpdate, SequenceThatWrapsCarriesIntoTheChecksum) {
    Bytes frame = hex(frames::kData4);
    std::byte* const tcp = frame.data() + 34;
    const std::uint32_t before = load32(tcp + 4);
    const std::uint32_t after = before + 0x10000000;  // 0xfd4beb6e wraps
    ASSERT_LT(after, before);
    store16(tcp + 16, checksum_update32(load16(tcp + 16), before, after));
    store32(tcp + 4, after);
    EXPECT_TRUE(tcp_checksum_valid(kOne, kTwo, ByteView(frame).subspan(34)));
}

TEST(ChecksumUpdate, ManyUpdatesDoNotDrift) {
    std::mt19937 random(7);
    Bytes frame = hex(frames::kData6);
    std::byte* const tcp = frame.data() + 54;
    for (int i = 0; i < 10000; ++i) {
        const std::size_t at = random() % 3 * 4;
        const std::uint32_t after = any_value(random);
        store16(tcp + 16, checksum_update32(load16(tcp + 16), load32(tcp + at), after));
        store32(tcp + at, after);
        const auto window = static_cast<std::uint16_t>(random());
        store16(tcp + 16, checksum_update16(load16(tcp + 16), load16(tcp + 14), window));
        store16(tcp + 14, window);
        ASSERT_TRUE(tcp_checksum_valid(kOne6, kTwo6, ByteView(frame).subspan(54)));
    }
}

}  // namespace
}  // namespace sluice::wire
