#include "sluice/mqtt/connack.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "packets.h"

namespace sluice::mqtt::connack_test {
namespace {

using namespace test;

constexpr std::size_t kMax = 1 << 20;

ConnackResult read(std::string_view bytes, Version version) {
    return read_connack(as_bytes(bytes), version, kMax);
}

// What was read, with the bytes that its views borrow from.
struct Accepted : Connack {
    std::shared_ptr<const std::string> bytes;
};

std::optional<Accepted> accepted(std::string bytes, Version version) {
    const auto kept = std::make_shared<const std::string>(std::move(bytes));
    const ConnackResult result = read(*kept, version);
    const auto* connack = std::get_if<Connack>(&result);
    return connack ? std::optional(Accepted{*connack, kept}) : std::nullopt;
}

std::optional<ConnackError> refused(std::string_view bytes, Version version) {
    const ConnackResult result = read(bytes, version);
    const auto* malformed = std::get_if<ConnackMalformed>(&result);
    return malformed ? std::optional(malformed->reason) : std::nullopt;
}

std::string v5(unsigned flags, unsigned code, std::string_view properties) {
    return packet(0x20, raw({flags, code}) + block(properties));
}

TEST(Connack, ReadsEachVersion) {
    const auto plain = accepted(raw({0x20, 2, 1, 0}), Version::V311);
    ASSERT_TRUE(plain);
    EXPECT_TRUE(plain->accepted());
    EXPECT_TRUE(plain->session_present);
    EXPECT_EQ(plain->size, 4U);

    const auto refusal = accepted(raw({0x20, 2, 0, 5}), Version::V31);
    ASSERT_TRUE(refusal);
    EXPECT_FALSE(refusal->accepted());
    EXPECT_EQ(refusal->reason_code, 5);

    const auto full = accepted(v5(1, 0,
                                  property(0x13, u16(45)) + property(0x12, field("given")) +
                                      property(0x21, u16(10)) + property(0x11, u32(3600))),
                               Version::V5);
    ASSERT_TRUE(full);
    EXPECT_TRUE(full->session_present);
    EXPECT_EQ(full->server_keep_alive, 45);
    EXPECT_EQ(full->assigned_client_id, "given");
    EXPECT_EQ(full->session_expiry, 3600U);
    // To say 0 is to say something: it ends the session with the connection.
    EXPECT_EQ(accepted(v5(0, 0, property(0x11, u32(0))), Version::V5)->session_expiry, 0U);
    EXPECT_EQ(accepted(v5(0, 0, ""), Version::V5)->session_expiry, std::nullopt);
}

TEST(Connack, SplitAtEveryByteNeedsMoreThenGivesTheSame) {
    const std::string three = raw({0x20, 2, 0, 0});
    const std::string five =
        v5(0, 0, property(0x1f, field(std::string(300, 'r'))) + property(0x12, field("id")));
    for (const auto& [whole, version] : {std::pair(three, Version::V311), std::pair(five, Version::V5)}) {
        for (std::size_t n = 0; n < whole.size(); ++n) {
            ASSERT_TRUE(std::holds_alternative<NeedMore>(read(whole.substr(0, n), version))) << n;
        }
        const auto connack = accepted(whole + packet(0x30, "publish"), version);
        ASSERT_TRUE(connack);
        EXPECT_EQ(connack->size, whole.size());
    }
}

TEST(Connack, WhatIsNotOneIsRefusedAtOnce) {
    EXPECT_EQ(refused("H", Version::V311), ConnackError::NotConnack);
    EXPECT_EQ(refused(raw({0x21}), Version::V5), ConnackError::BadHeader);
    EXPECT_EQ(refused(raw({0x20, 0x80, 0x80, 0x80, 0x80}), Version::V5), ConnackError::BadHeader);
    EXPECT_EQ(refused(raw({0x20, 0x83, 0x00}), Version::V5), ConnackError::BadHeader) << "not minimal";
    EXPECT_EQ(refused(raw({0x20, 0xff, 0xff, 0xff, 0x7f}), Version::V5), ConnackError::TooLarge);
    EXPECT_EQ(refused(raw({0x20, 3}), Version::V311), ConnackError::BadLength);
    EXPECT_EQ(refused(raw({0x20, 1}), Version::V311), ConnackError::BadLength);
    EXPECT_EQ(refused(raw({0x20, 2}), Version::V5), ConnackError::BadLength);
    EXPECT_EQ(refused(raw({0x20, 2, 2}), Version::V311), ConnackError::BadFlags);
    EXPECT_EQ(refused(raw({0x20, 9, 0x80}), Version::V5), ConnackError::BadFlags);
    EXPECT_EQ(refused(raw({0x20, 2, 0x80, 0}), Version::V31), std::nullopt) << "3.1 does not use the byte";
    EXPECT_EQ(refused(raw({0x20, 2, 1, 3}), Version::V311), ConnackError::BadFlags)
        << "session with a refusal";
    EXPECT_EQ(refused(packet(0x20, raw({0, 0, 0, 7})), Version::V5), ConnackError::BadLength) << "trailing";
}

TEST(Connack, EveryPropertyOfTheStandardOnceAndNoOther) {
    const std::vector<std::pair<unsigned, std::string>> valid = {
        {0x11, u32(0)},        {0x12, field("id")},  {0x13, u16(0)},       {0x15, field("m")},
        {0x1a, field("info")}, {0x1c, field("srv")}, {0x1f, field("why")}, {0x21, u16(1)},
        {0x22, u16(0)},        {0x24, raw({1})},     {0x25, raw({0})},     {0x26, field("k") + field("v")},
        {0x27, u32(1)},        {0x28, raw({1})},     {0x29, raw({0})},     {0x2a, raw({1})}};
    std::vector<bool> known(256, false);
    known[0x16] = true;  // goes with 0x15 only
    std::string all;
    for (const auto& [id, value] : valid) {
        known[id] = true;
        const std::string text = property(id, value);
        all += text;
        EXPECT_EQ(refused(v5(0, 0, text), Version::V5), std::nullopt) << id;
        EXPECT_EQ(refused(v5(0, 0, text + text), Version::V5),
                  id == 0x26 ? std::nullopt : std::optional(ConnackError::BadProperty))
            << id;
        for (std::size_t n = 1; n < text.size(); ++n) {
            EXPECT_EQ(refused(v5(0, 0, text.substr(0, n)), Version::V5), ConnackError::BadPropertyLength)
                << id;
        }
    }
    EXPECT_EQ(refused(v5(0, 0, all + property(0x16, field("d"))), Version::V5), std::nullopt);
    for (unsigned id = 0; id < 256; ++id) {
        if (!known[id]) {
            EXPECT_EQ(refused(v5(0, 0, property(id, u32(1))), Version::V5), ConnackError::BadProperty) << id;
        }
    }
}

TEST(Connack, ForbiddenValues) {
    for (const std::string& text :
         {property(0x21, u16(0)), property(0x27, u32(0)), property(0x24, raw({2})), property(0x25, raw({2})),
          property(0x28, raw({2})), property(0x29, raw({2})), property(0x2a, raw({2})),
          property(0x16, field("d")), property(0x12, field("\xff"))}) {
        EXPECT_EQ(refused(v5(0, 0, text), Version::V5), ConnackError::BadProperty)
            << testing::PrintToString(text);
    }
    EXPECT_EQ(refused(packet(0x20, raw({0, 0, 9})), Version::V5), ConnackError::BadPropertyLength);
}

TEST(Connack, SaysWhenAnotherBrokerMayHelp) {
    const auto try_another = [](unsigned code, Version version) {
        Connack connack;
        connack.reason_code = static_cast<std::uint8_t>(code);
        return connack.try_another(version);
    };
    for (unsigned code = 0; code < 256; ++code) {
        EXPECT_EQ(try_another(code, Version::V31), code == 3);
        EXPECT_EQ(try_another(code, Version::V311), code == 3);
        EXPECT_EQ(try_another(code, Version::V5),
                  code == 0x88 || code == 0x89 || code == 0x97 || code == 0x9f);
    }
}

TEST(Connack, EveryErrorHasAText) {
    for (int e = 0; e <= static_cast<int>(ConnackError::BadLength); ++e) {
        EXPECT_STRNE(to_string(static_cast<ConnackError>(e)), "unknown");
    }
}

// Enhanced authentication (MQTT 5 section 4.12): how far the AUTH reaches, and no more, matters.
TEST(ReadConnack, TellsAuthFromConnackInVersion5Only) {
    const std::string auth = raw({0xf0, 0x03, 0x18, 0x01, 0x00});
    for (std::size_t n = 1; n < auth.size(); ++n) {
        EXPECT_TRUE(std::holds_alternative<NeedMore>(read(auth.substr(0, n), Version::V5))) << n;
    }
    const ConnackResult result = read(auth + raw({0x20, 0x03}), Version::V5);
    ASSERT_TRUE(std::holds_alternative<Auth>(result));
    EXPECT_EQ(std::get<Auth>(result).size, auth.size());
    EXPECT_EQ(refused(auth, Version::V311), ConnackError::NotConnack);
    EXPECT_EQ(refused(raw({0xf1, 0x00}), Version::V5), ConnackError::BadHeader);
    EXPECT_EQ(refused(raw({0xf0, 0xff, 0xff, 0x7f}), Version::V5), ConnackError::TooLarge);
}

}  // namespace
}  // namespace sluice::mqtt::connack_test
