#include "sluice/mqtt/subscribe.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "packets.h"

namespace sluice::mqtt {
namespace {

using namespace test;

auto read_with(auto reader, std::string_view bytes, Version version) {
    return read_whole(
        bytes, [&](const PacketHeader& header, ByteView body) { return reader(header, body, version); });
}
auto subscribe_error(std::string_view bytes, Version version) {
    return error_of(read_with(read_subscribe, bytes, version));
}

std::string none(Version version) { return version == Version::V5 ? raw({0}) : ""; }

// Every field of every entry is read back; before v5 the options are the QoS alone.
TEST(Subscribe, RoundTrip) {
    const std::string longest(65'535, 'x');
    const Subscription subscriptions[] = {{.filter = "a/+/#", .qos = 1},
                                          {.filter = longest, .qos = 2, .no_local = true},
                                          {.filter = "é", .retain_as_published = true, .retain_handling = 2}};
    for (const Version version : kVersions) {
        std::vector<std::byte> bytes;
        append_subscribe(bytes, 0x8001, subscriptions, version);
        const auto result = read_with(read_subscribe, as_text(bytes), version);
        ASSERT_FALSE(error_of(result));
        const auto& subscribe = std::get<Subscribe>(result);
        EXPECT_EQ(subscribe.packet_id(), 0x8001);
        EXPECT_EQ(subscribe.count(), 3U);
        std::size_t at = 0;
        subscribe.for_each([&](const Subscription& read) {
            const Subscription& written = subscriptions[at++];
            const bool v5 = version == Version::V5;
            EXPECT_EQ(read.filter, written.filter);
            EXPECT_EQ(read.qos, written.qos);
            EXPECT_EQ(read.no_local, v5 && written.no_local);
            EXPECT_EQ(read.retain_as_published, v5 && written.retain_as_published);
            EXPECT_EQ(read.retain_handling, v5 ? written.retain_handling : 0);
        });
        EXPECT_EQ(at, 3U);
    }
}

TEST(Subscribe, OptionsAreChecked) {
    const auto with = [](unsigned options, Version version) {
        return subscribe_error(packet(0x82, u16(1) + none(version) + field("a") + raw({options})), version);
    };
    for (const Version version : kVersions) EXPECT_EQ(with(3, version), PacketError::BadQos);
    EXPECT_EQ(with(4, Version::V311), PacketError::BadOptions);
    EXPECT_FALSE(with(4, Version::V31));
    EXPECT_FALSE(with(0x2e, Version::V5));
    EXPECT_EQ(with(0x30, Version::V5), PacketError::BadOptions);
    EXPECT_EQ(with(0x40, Version::V5), PacketError::BadOptions);
}

TEST(Subscribe, WhatIsWrongIsNamed) {
    for (const Version version : kVersions) {
        const std::string front = u16(1) + none(version);
        const auto with = [&](std::string_view rest) {
            return subscribe_error(packet(0x82, front + std::string(rest)), version);
        };
        EXPECT_EQ(with(""), PacketError::NoFilter);
        EXPECT_EQ(with(field("") + raw({0})), PacketError::BadFilter);
        EXPECT_EQ(with(field("a#") + raw({0})), PacketError::BadFilter);
        EXPECT_EQ(with(field("\xff") + raw({0})), PacketError::BadString);
        EXPECT_EQ(with(field("a")), PacketError::BadLength);
        EXPECT_EQ(with(field("a") + raw({0, 0})), PacketError::BadLength);
        EXPECT_EQ(with(field("a") + raw({0, 0, 5, 'b'})), PacketError::BadLength);
        EXPECT_EQ(subscribe_error(packet(0x82, u16(0) + none(version) + field("a") + raw({0})), version),
                  PacketError::BadPacketId);
    }
    EXPECT_EQ(subscribe_error(packet(0x80, u16(1) + field("a") + raw({0})), Version::V311),
              PacketError::BadFlags);
    EXPECT_FALSE(subscribe_error(packet(0x8a, u16(1) + field("a") + raw({0})), Version::V31));
}

TEST(Subscribe, SubscriptionIdentifier) {
    const auto with = [](std::string_view properties) {
        return read_with(read_subscribe, packet(0x82, u16(1) + block(properties) + field("a") + raw({0})),
                         Version::V5);
    };
    EXPECT_EQ(std::get<Subscribe>(with(property(0x0b, varint(300)))).subscription_id(), 300U);
    EXPECT_EQ(std::get<Subscribe>(with("")).subscription_id(), 0U);
    EXPECT_EQ(error_of(with(property(0x0b, varint(1)) + property(0x0b, varint(2)))),
              PacketError::BadProperty);
    EXPECT_EQ(error_of(with(property(0x1f, field("why")))), PacketError::UnknownProperty);
}

TEST(Unsubscribe, RoundTrip) {
    const std::string_view filters[] = {"a", "b/#", "+"};
    for (const Version version : kVersions) {
        std::vector<std::byte> bytes;
        append_unsubscribe(bytes, 9, filters, version);
        const auto result = read_with(read_unsubscribe, as_text(bytes), version);
        ASSERT_FALSE(error_of(result));
        const auto& unsubscribe = std::get<Unsubscribe>(result);
        EXPECT_EQ(unsubscribe.packet_id(), 9);
        ASSERT_EQ(unsubscribe.count(), 3U);
        std::size_t at = 0;
        unsubscribe.for_each([&](std::string_view filter) { EXPECT_EQ(filter, filters[at++]); });
        EXPECT_EQ(at, 3U);

        const std::string front = u16(1) + none(version);
        EXPECT_EQ(error_of(read_with(read_unsubscribe, packet(0xa2, front), version)), PacketError::NoFilter);
        EXPECT_EQ(error_of(read_with(read_unsubscribe, packet(0xa2, front + raw({0, 2, 'a'})), version)),
                  PacketError::BadLength);
    }
}

TEST(Suback, RoundTrip) {
    const std::string reasons = raw({0, 1, 2, 0x80});
    for (const Version version : {Version::V311, Version::V5}) {
        std::vector<std::byte> bytes;
        append_suback(bytes, {.packet_id = 5, .reasons = as_bytes(reasons)}, version);
        const auto result = read_with(read_suback, as_text(bytes), version);
        ASSERT_FALSE(error_of(result));
        EXPECT_EQ(std::get<SubscriptionAck>(result).packet_id, 5);
        EXPECT_EQ(as_text(std::get<SubscriptionAck>(result).reasons), reasons);
    }
    const auto with = [](Version version, std::string_view codes) {
        return error_of(
            read_with(read_suback, packet(0x90, u16(1) + none(version) + std::string(codes)), version));
    };
    EXPECT_EQ(with(Version::V31, raw({0x80})), PacketError::BadReason);  // it knows no failure
    EXPECT_EQ(with(Version::V311, raw({0x87})), PacketError::BadReason);
    EXPECT_FALSE(with(Version::V5, raw({0x87})));
    EXPECT_EQ(with(Version::V5, raw({3})), PacketError::BadReason);
    EXPECT_EQ(with(Version::V5, ""), PacketError::NoFilter);
}

TEST(Unsuback, RoundTrip) {
    const std::string reasons = raw({0, 0x11, 0x87});
    for (const Version version : kVersions) {
        std::vector<std::byte> bytes;
        append_unsuback(bytes, {.packet_id = 5, .reasons = as_bytes(reasons)}, version);
        const auto result = read_with(read_unsuback, as_text(bytes), version);
        ASSERT_FALSE(error_of(result));
        EXPECT_EQ(as_text(std::get<SubscriptionAck>(result).reasons), version == Version::V5 ? reasons : "");
    }
    EXPECT_EQ(error_of(read_with(read_unsuback, packet(0xb0, u16(1) + raw({0})), Version::V311)),
              PacketError::BadLength);
    EXPECT_EQ(error_of(read_with(read_unsuback, packet(0xb0, u16(1) + raw({0, 1})), Version::V5)),
              PacketError::BadReason);
}

}  // namespace
}  // namespace sluice::mqtt
