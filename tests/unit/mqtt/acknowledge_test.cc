#include "sluice/mqtt/acknowledge.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "packets.h"

namespace sluice::mqtt::acknowledge_test {
namespace {

using namespace test;

constexpr PacketType kTypes[] = {PacketType::Puback, PacketType::Pubrec, PacketType::Pubrel,
                                 PacketType::Pubcomp};

auto read(std::string_view bytes, Version version) {
    return read_whole(
        bytes, [&](const PacketHeader& header, ByteView body) { return read_ack(header, body, version); });
}

auto read_farewell(std::string_view bytes, Version version) {
    return read_whole(bytes, [&](const PacketHeader& header, ByteView body) {
        return read_disconnect(header, body, version);
    });
}

unsigned first_byte(PacketType type) {
    return static_cast<unsigned>(type) << 4U | (type == PacketType::Pubrel ? 2U : 0U);
}

TEST(Acknowledge, RoundTrip) {
    for (const Version version : kVersions) {
        for (const PacketType type : kTypes) {
            std::vector<std::byte> bytes;
            append_ack(bytes, type, {.packet_id = 0x1234}, version);
            EXPECT_EQ(as_text(bytes), raw({first_byte(type), 2, 0x12, 0x34}));
            const auto result = read(as_text(bytes), version);
            ASSERT_FALSE(error_of(result));
            EXPECT_EQ(std::get<Ack>(result).packet_id, 0x1234);
            EXPECT_FALSE(std::get<Ack>(result).failed());
        }
    }
    std::vector<std::byte> bytes;
    append_ack(bytes, PacketType::Pubcomp, {.packet_id = 1, .reason = 0x92}, Version::V5);
    EXPECT_EQ(as_text(bytes), raw({0x70, 3, 0, 1, 0x92}));
    EXPECT_TRUE(std::get<Ack>(read(as_text(bytes), Version::V5)).failed());
}

// In v5 the reason, and the properties behind it, may be left out; before, there are none.
TEST(Acknowledge, LengthsAreExact) {
    const std::string properties = block(property(0x1f, field("why")));
    EXPECT_FALSE(error_of(read(raw({0x40, 3, 0, 1, 0x10}), Version::V5)));
    EXPECT_FALSE(error_of(read(raw({0x40, 4, 0, 1, 0x10, 0}), Version::V5)));
    EXPECT_FALSE(error_of(read(packet(0x40, u16(1) + raw({0x97}) + properties), Version::V5)));
    EXPECT_EQ(error_of(read(packet(0x40, u16(1) + raw({0x97}) + properties + "x"), Version::V5)),
              PacketError::BadLength);
    EXPECT_EQ(error_of(read(packet(0x40, u16(1) + raw({0, 5})), Version::V5)),
              PacketError::BadPropertyLength);
    EXPECT_EQ(error_of(read(packet(0x40, u16(1) + raw({0}) + block(property(0x11, u32(1)))), Version::V5)),
              PacketError::UnknownProperty);
    for (const Version version : kVersions) {
        EXPECT_EQ(error_of(read(raw({0x40, 1, 0}), version)), PacketError::BadLength);
        EXPECT_EQ(error_of(read(raw({0x40, 0}), version)), PacketError::BadLength);
        EXPECT_EQ(error_of(read(raw({0x40, 2, 0, 0}), version)), PacketError::BadPacketId);
    }
    EXPECT_EQ(error_of(read(raw({0x40, 3, 0, 1, 0}), Version::V311)), PacketError::BadLength);
}

TEST(Acknowledge, ReasonsAreThoseOfThePacket) {
    EXPECT_FALSE(error_of(read(raw({0x50, 3, 0, 1, 0x91}), Version::V5)));
    EXPECT_EQ(error_of(read(raw({0x62, 3, 0, 1, 0x91}), Version::V5)), PacketError::BadReason);
    EXPECT_EQ(error_of(read(raw({0x40, 3, 0, 1, 0x92}), Version::V5)), PacketError::BadReason);
}

TEST(Acknowledge, FlagsAreThoseOfThePacket) {
    for (const PacketType type : kTypes) {
        const std::string wrong = raw({first_byte(type) ^ 0x08U, 2, 0, 1});
        EXPECT_EQ(error_of(read(wrong, Version::V311)), PacketError::BadFlags);
        EXPECT_EQ(error_of(read(wrong, Version::V5)), PacketError::BadFlags);
        EXPECT_FALSE(error_of(read(wrong, Version::V31)));  // a repeated PUBREL is marked there
    }
}

TEST(Disconnect, RoundTrip) {
    for (const Version version : kVersions) {
        std::vector<std::byte> bytes;
        append_disconnect(bytes, version);
        EXPECT_EQ(as_text(bytes), raw({0xe0, 0}));
        const auto result = read_farewell(as_text(bytes), version);
        ASSERT_FALSE(error_of(result));
        EXPECT_EQ(std::get<Disconnect>(result).reason, 0);
    }
    std::vector<std::byte> bytes;
    append_disconnect(bytes, Version::V5, 0x8e);
    EXPECT_EQ(std::get<Disconnect>(read_farewell(as_text(bytes), Version::V5)).reason, 0x8e);
}

TEST(Disconnect, IsChecked) {
    EXPECT_FALSE(
        error_of(read_farewell(packet(0xe0, raw({4}) + block(property(0x11, u32(9)))), Version::V5)));
    EXPECT_EQ(error_of(read_farewell(raw({0xe0, 1, 0x01}), Version::V5)), PacketError::BadReason);
    EXPECT_EQ(error_of(read_farewell(raw({0xe0, 1, 0}), Version::V311)), PacketError::BadLength);
    EXPECT_EQ(error_of(read_farewell(raw({0xe1, 0}), Version::V311)), PacketError::BadFlags);
    EXPECT_EQ(error_of(read_farewell(raw({0xe0, 2, 0, 9}), Version::V5)), PacketError::BadPropertyLength);
}

}  // namespace
}  // namespace sluice::mqtt::acknowledge_test
