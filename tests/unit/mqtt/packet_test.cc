#include "sluice/mqtt/packet.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace sluice::mqtt {
namespace {

auto read(std::string_view bytes) { return read_packet_header(as_bytes(bytes)); }

TEST(PacketHeader, TellsTypeFlagsAndWhereThePacketEnds) {
    const auto result = read(std::string_view("\x3d\x80\x01", 3));
    const auto* const header = std::get_if<PacketHeader>(&result);
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->type, PacketType::Publish);
    EXPECT_EQ(header->flags, 0x0d);
    EXPECT_EQ(header->size, 3U);
    EXPECT_EQ(header->remaining, 128U);
}

TEST(PacketHeader, WaitsForAllOfIt) {
    EXPECT_TRUE(std::holds_alternative<NeedMore>(read("")));
    EXPECT_TRUE(std::holds_alternative<NeedMore>(read("\x30")));
    EXPECT_TRUE(std::holds_alternative<NeedMore>(read("\x30\xff\xff\xff")));
    EXPECT_TRUE(std::holds_alternative<PacketHeader>(read("\x30\xff\xff\xff\x7f")));
}

TEST(PacketHeader, RefusesTypeZeroAndALengthOfFiveBytes) {
    EXPECT_TRUE(std::holds_alternative<BadPacket>(read(std::string_view("\x0f\x00", 2))));
    EXPECT_TRUE(std::holds_alternative<BadPacket>(read("\x30\xff\xff\xff\xff")));
}

TEST(PacketError, EveryOneHasAText) {
    std::set<std::string_view> texts;
    for (unsigned error = 0; error <= static_cast<unsigned>(PacketError::BadPropertyLength); ++error) {
        EXPECT_TRUE(texts.insert(to_string(static_cast<PacketError>(error))).second) << error;
    }
    EXPECT_FALSE(texts.contains("unknown"));
}

}  // namespace
}  // namespace sluice::mqtt
