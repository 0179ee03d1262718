#include "sluice/mqtt/publish.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "packets.h"

namespace sluice::mqtt::publish_test {
namespace {

using namespace test;

auto read(std::string_view bytes, Version version, std::uint16_t aliases = 0) {
    return read_whole(bytes, [&](const PacketHeader& header, ByteView body) {
        return read_publish(header, body, version, aliases);
    });
}

auto error(std::string_view bytes, Version version, std::uint16_t aliases = 0) {
    return error_of(read(bytes, version, aliases));
}

// A PUBLISH with QoS 1, packet ID 7 and, in v5, these properties.
std::string qos1(Version version, std::string_view properties = {}) {
    return packet(0x32, field("a/b") + u16(7) + (version == Version::V5 ? block(properties) : "") + "text");
}

// What is written is read back the same.
TEST(Publish, RoundTrip) {
    for (const Version version : kVersions) {
        for (const std::size_t size : {0U, 1U, 120U, 128U, 17'000U, 2'100'000U}) {
            for (unsigned flags = 0; flags < 16; ++flags) {
                const auto qos = static_cast<std::uint8_t>(flags & 3U);
                if (qos == 3) continue;
                const std::string payload(size, 'x');
                const Publish publish{.topic = "devices/1/état",
                                      .payload = as_bytes(payload),
                                      .packet_id = static_cast<std::uint16_t>(qos != 0 ? 0xfffe : 0),
                                      .qos = qos,
                                      .retain = (flags & 4U) != 0,
                                      .dup = qos != 0 && (flags & 8U) != 0};
                std::vector<std::byte> bytes{std::byte{0x55}};  // it appends
                append_publish(bytes, publish, version);
                EXPECT_EQ(publish_size(publish, version), bytes.size() - 1);
                const auto result = read(as_text(bytes).substr(1), version);
                ASSERT_FALSE(error_of(result));
                const auto& again = std::get<Publish>(result);
                EXPECT_EQ(again.topic, publish.topic);
                EXPECT_EQ(as_text(again.payload), payload);
                EXPECT_EQ(again.packet_id, publish.packet_id);
                EXPECT_EQ(again.qos, publish.qos);
                EXPECT_EQ(again.retain, publish.retain);
                EXPECT_EQ(again.dup, publish.dup);
            }
        }
    }
}

TEST(Publish, StandsOnTheWireAsTheStandardSays) {
    std::vector<std::byte> bytes;
    append_publish(bytes, {.topic = "a/b", .payload = as_bytes("text"), .packet_id = 7, .qos = 1},
                   Version::V5);
    EXPECT_EQ(as_text(bytes), qos1(Version::V5));
    bytes.clear();
    append_publish(bytes, {.payload = as_bytes("x"), .topic_alias = 3}, Version::V5);
    EXPECT_EQ(as_text(bytes), packet(0x30, field("") + block(property(0x23, u16(3))) + "x"));
}

TEST(Publish, TopicsOfTheWrongKindAreRefused) {
    for (const Version version : kVersions) {
        const std::string rest = version == Version::V5 ? raw({0}) : "";
        EXPECT_EQ(error(packet(0x30, field("") + rest), version), PacketError::BadTopic);
        EXPECT_EQ(error(packet(0x30, field("a/+") + rest), version), PacketError::BadTopic);
        EXPECT_EQ(error(packet(0x30, field("a#") + rest), version), PacketError::BadTopic);
        EXPECT_EQ(error(packet(0x30, field("a\xff") + rest), version), PacketError::BadString);
        EXPECT_EQ(error(packet(0x30, field(raw({'a', 0})) + rest), version), PacketError::BadString);
    }
}

TEST(Publish, QosThreeAndPacketIdZeroAreRefused) {
    EXPECT_EQ(error(packet(0x36, field("a") + u16(1)), Version::V311), PacketError::BadQos);
    EXPECT_EQ(error(packet(0x38, field("a")), Version::V311), PacketError::BadQos);
    EXPECT_FALSE(error(packet(0x38, field("a")), Version::V31));  // which does not say
    EXPECT_EQ(error(packet(0x32, field("a") + u16(0)), Version::V311), PacketError::BadPacketId);
}

// No cut of it is taken for a packet that lacks a field, and none is read past its end.
TEST(Publish, EveryCutInFrontOfThePayloadIsBadLength) {
    for (const Version version : kVersions) {
        const std::string whole = qos1(version, property(0x01, raw({1})));
        const std::string body = whole.substr(2);
        const std::size_t front = body.size() - 4;
        for (std::size_t n = 0; n < front; ++n) {
            const auto e = error(packet(0x32, body.substr(0, n)), version);
            EXPECT_TRUE(e == PacketError::BadLength || e == PacketError::BadPropertyLength) << n;
        }
        EXPECT_FALSE(error(packet(0x32, body.substr(0, front)), version));
    }
}

TEST(Publish, PropertiesAreChecked) {
    const auto with = [](std::string_view properties) {
        return error(qos1(Version::V5, properties), Version::V5);
    };
    EXPECT_FALSE(with(property(0x01, raw({1})) + property(0x02, u32(9)) + property(0x03, field("text")) +
                      property(0x08, field("answer")) + property(0x09, field("id")) +
                      property(0x26, field("k") + field("v")) + property(0x26, field("k") + field("v"))));
    EXPECT_FALSE(with(property(0x0b, varint(1)) + property(0x0b, varint(268'435'455))));
    EXPECT_EQ(with(property(0x0b, raw({0}))), PacketError::BadProperty);
    EXPECT_EQ(with(property(0x0b, raw({0x80}))), PacketError::BadPropertyLength);
    EXPECT_EQ(with(property(0x01, raw({2}))), PacketError::BadProperty);
    EXPECT_EQ(with(property(0x01, raw({1})) + property(0x01, raw({1}))), PacketError::BadProperty);
    EXPECT_EQ(with(property(0x11, u32(1))), PacketError::UnknownProperty);  // CONNECT's
    EXPECT_EQ(with(property(0x03, raw({0, 9, 'x'}))), PacketError::BadPropertyLength);
    EXPECT_EQ(with(property(0x03, field("\xff"))), PacketError::BadString);
}

TEST(Publish, AliasesOnlyAsFarAsAnnounced) {
    const auto with = [](unsigned alias, std::string_view topic) {
        return packet(0x30, field(topic) + block(property(0x23, u16(alias))));
    };
    EXPECT_EQ(error(with(1, "a"), Version::V5), PacketError::BadTopicAlias);
    EXPECT_EQ(error(with(11, "a"), Version::V5, 10), PacketError::BadTopicAlias);
    EXPECT_EQ(error(with(0, "a"), Version::V5, 10), PacketError::BadProperty);
    const auto result = read(with(10, ""), Version::V5, 10);
    ASSERT_FALSE(error_of(result));
    EXPECT_EQ(std::get<Publish>(result).topic_alias, 10);
}

TEST(Publish, LengthThatIsNotMinimalIsRefusedInV5) {
    const std::string body = field("a") + raw({0});
    const std::string bytes = raw({0x30, static_cast<unsigned>(body.size()) | 0x80U, 0}) + body;
    EXPECT_EQ(error(bytes, Version::V5), PacketError::BadLength);
    EXPECT_FALSE(error(bytes, Version::V311));
}

// The front is told as soon as it is there; until then, more is asked for.
TEST(Publish, FrontBeforeThePayload) {
    for (const Version version : kVersions) {
        const std::string bytes = qos1(version);
        const auto header = std::get<PacketHeader>(read_packet_header(as_bytes(bytes)));
        for (std::size_t n = 0; n <= header.remaining; ++n) {
            const std::vector<std::byte> body(as_bytes(bytes).begin() + 2,
                                              as_bytes(bytes).begin() + 2 + static_cast<std::ptrdiff_t>(n));
            const auto result = read_publish_front(header, body, version);
            if (n < header.remaining - 4) {
                EXPECT_TRUE(std::holds_alternative<NeedMore>(result)) << n;
                continue;
            }
            ASSERT_TRUE(std::holds_alternative<PublishFront>(result)) << n;
            const auto& front = std::get<PublishFront>(result);
            EXPECT_EQ(front.payload_size, 4U);
            EXPECT_EQ(front.publish.payload.size(), n + 4 - header.remaining);
            EXPECT_EQ(front.publish.packet_id, 7);
        }
    }
}

TEST(TopicFilter, WildcardsStandAlone) {
    for (const std::string_view good :
         {"a", "/", "#", "+", "a/#", "+/b", "a/+/c", "+/+/#", "/+", "$SYS/#", "a//b", "$share/g/a"}) {
        EXPECT_TRUE(is_topic_filter(good)) << good;
    }
    for (const std::string_view bad :
         {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##", "++", "a/+#", "\xff"}) {
        EXPECT_FALSE(is_topic_filter(bad)) << bad;
    }
    EXPECT_TRUE(is_topic_name("a/b"));
    EXPECT_FALSE(is_topic_name("a/+"));
    EXPECT_FALSE(is_topic_name(""));
}

}  // namespace
}  // namespace sluice::mqtt::publish_test
