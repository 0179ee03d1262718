#include "sluice/mqtt/connect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "packets.h"
#include "sluice/mqtt/writer.h"

namespace sluice::mqtt::connect_test {
namespace {

using namespace test;

constexpr std::size_t kMax = 1 << 20;

ConnectResult read(std::string_view bytes, std::size_t max = kMax) {
    return read_connect(as_bytes(bytes), max);
}

// What was read, with the bytes that its views borrow from.
struct Accepted : Connect {
    std::shared_ptr<const std::string> bytes;
};

std::optional<Accepted> accepted(std::string bytes) {
    const auto kept = std::make_shared<const std::string>(std::move(bytes));
    const ConnectResult result = read(*kept);
    const auto* connect = std::get_if<Connect>(&result);
    return connect ? std::optional(Accepted{*connect, kept}) : std::nullopt;
}

// The reason why bytes are refused, or nullopt when they are not.
std::optional<ConnectError> refused(std::string_view bytes, std::size_t max = kMax) {
    const ConnectResult result = read(bytes, max);
    const auto* malformed = std::get_if<Malformed>(&result);
    return malformed ? std::optional(malformed->reason) : std::nullopt;
}

bool needs_more(std::string_view bytes) { return std::holds_alternative<NeedMore>(read(bytes)); }

std::string v5_with(std::string properties) {
    ConnectParts parts{.version = Version::V5};
    parts.properties = std::move(properties);
    return parts.bytes();
}

// A v5 CONNECT whose Will has these properties.
std::string v5_with_will(std::string properties) {
    ConnectParts parts{.version = Version::V5, .flags = 0x06};
    parts.behind = block(properties) + field("will/topic") + field("gone");
    return parts.bytes();
}

// One of each kind, with everything that it can carry.
std::vector<std::string> samples() {
    ConnectParts v31{.version = Version::V31, .flags = 0xee};
    v31.behind = field("t") + field("w") + field("user") + field("pass");
    ConnectParts v311{.version = Version::V311, .flags = 0xf6};
    v311.behind = field("t") + field("") + field("user") + field("pass");
    ConnectParts v5{.version = Version::V5, .flags = 0xd6};
    v5.properties =
        property(0x11, u32(60)) + property(0x26, field("a") + field("b")) + property(0x21, u16(9));
    v5.behind = block(property(0x18, u32(5))) + field("t") + field(std::string(200, 'w')) + field("user") +
                field(raw({0, 0xff}));
    return {v31.bytes(), v311.bytes(), v5.bytes(), ConnectParts{}.bytes()};
}

TEST(Connect, ReadsEveryFieldOfEachVersion) {
    ConnectParts parts{.version = Version::V311, .flags = 0xc6};
    parts.behind = field("t") + field("w") + field("user") + field(raw({0, 1}));
    const auto v311 = accepted(parts.bytes());
    ASSERT_TRUE(v311);
    EXPECT_EQ(v311->version, Version::V311);
    EXPECT_TRUE(v311->clean_start);
    EXPECT_TRUE(v311->has_will);
    EXPECT_EQ(v311->keep_alive, 60);
    EXPECT_EQ(v311->client_id, "device-1");
    EXPECT_EQ(v311->username, "user");
    ASSERT_TRUE(v311->password);
    EXPECT_EQ(as_text(*v311->password), raw({0, 1}));
    EXPECT_EQ(v311->size, parts.bytes().size());

    parts.flags = 0;
    parts.behind.clear();
    parts.version = Version::V31;
    const auto v31 = accepted(parts.bytes());
    ASSERT_TRUE(v31);
    EXPECT_EQ(v31->version, Version::V31);
    EXPECT_FALSE(v31->clean_start);
    EXPECT_FALSE(v31->has_will);
    EXPECT_FALSE(v31->username);
    EXPECT_FALSE(v31->password);

    parts.version = Version::V5;
    const auto v5 = accepted(parts.bytes());
    ASSERT_TRUE(v5);
    EXPECT_EQ(v5->version, Version::V5);
    EXPECT_EQ(v5->client_id, "device-1");
}

TEST(Connect, SplitAtEveryByteNeedsMoreThenGivesTheSame) {
    for (const std::string& whole : samples()) {
        for (std::size_t n = 0; n < whole.size(); ++n) {
            ASSERT_TRUE(needs_more(whole.substr(0, n))) << n << " of " << whole.size();
        }
        const auto connect = accepted(whole);
        ASSERT_TRUE(connect);
        EXPECT_EQ(connect->client_id, "device-1");
        EXPECT_EQ(connect->size, whole.size());
    }
}

TEST(Connect, IgnoresWhatIsPipelinedBehind) {
    for (const std::string& whole : samples()) {
        const auto connect = accepted(whole + packet(0x82, "subscribe"));
        ASSERT_TRUE(connect);
        EXPECT_EQ(connect->size, whole.size());
    }
}

TEST(Connect, ClientIdsOfEveryLength) {
    for (const std::size_t length : {1U, 23U, 24U, 32U, 33U, 127U, 128U, 300U, 16383U, 65535U}) {
        for (const Version version : {Version::V31, Version::V311, Version::V5}) {
            ConnectParts parts{.version = version};
            parts.client_id = std::string(length - 1, 'x') + "y";
            const auto connect = accepted(parts.bytes());
            ASSERT_TRUE(connect) << length;
            EXPECT_EQ(connect->client_id, parts.client_id);
        }
    }
}

TEST(Connect, EmptyClientIdWhereTheVersionAllowsIt) {
    const auto result = [](Version version, unsigned flags) {
        ConnectParts parts{.version = version, .flags = flags};
        parts.client_id.clear();
        return refused(parts.bytes());
    };
    EXPECT_EQ(result(Version::V31, 0x02), ConnectError::EmptyClientId);
    EXPECT_EQ(result(Version::V31, 0x00), ConnectError::EmptyClientId);
    EXPECT_EQ(result(Version::V311, 0x02), std::nullopt);
    EXPECT_EQ(result(Version::V311, 0x00), ConnectError::EmptyClientId);
    EXPECT_EQ(result(Version::V5, 0x02), std::nullopt);
    EXPECT_EQ(result(Version::V5, 0x00), std::nullopt);
}

TEST(Connect, AWrongFirstByteIsRefusedAtOnce) {
    EXPECT_EQ(refused("G"), ConnectError::NotConnect);
    EXPECT_EQ(refused(raw({0x16})), ConnectError::ReservedHeaderFlags) << "a TLS hello";
    EXPECT_EQ(refused(raw({0x00})), ConnectError::NotConnect);
    EXPECT_EQ(refused(raw({0x20})), ConnectError::NotConnect);
    EXPECT_EQ(refused(raw({0x11})), ConnectError::ReservedHeaderFlags);
    EXPECT_TRUE(needs_more(""));
    EXPECT_TRUE(needs_more(raw({0x10})));
}

TEST(Connect, RemainingLengthAsAVarint) {
    EXPECT_TRUE(needs_more(raw({0x10, 0x80})));
    EXPECT_TRUE(needs_more(raw({0x10, 0xff, 0xff, 0xff})));
    EXPECT_EQ(refused(raw({0x10, 0xff, 0xff, 0xff, 0xff})), ConnectError::BadRemainingLength);
    EXPECT_EQ(refused(raw({0x10, 0x80, 0x80, 0x80, 0x80})), ConnectError::BadRemainingLength);
    EXPECT_EQ(refused(raw({0x10, 0xff, 0xff, 0xff, 0x7f})), ConnectError::TooLarge);

    // Not minimal: MQTT 5 forbids it, 3.1.1 does not.
    for (const Version version : {Version::V31, Version::V311, Version::V5}) {
        const std::string body = ConnectParts{.version = version}.body();
        const auto size = static_cast<unsigned>(body.size());
        const std::string bytes = raw({0x10, size | 0x80U, 0x00}) + body;
        if (version == Version::V5) {
            EXPECT_EQ(refused(bytes), ConnectError::BadRemainingLength);
        } else {
            const auto connect = accepted(bytes);
            ASSERT_TRUE(connect);
            EXPECT_EQ(connect->size, bytes.size());
        }
    }
}

TEST(Connect, TheLimitCountsTheWholePacketAndIsSeenInItsHeader) {
    const std::string bytes = ConnectParts{}.bytes();
    EXPECT_EQ(refused(bytes, bytes.size()), std::nullopt);
    EXPECT_EQ(refused(bytes, bytes.size() - 1), ConnectError::TooLarge);
    EXPECT_EQ(refused(bytes.substr(0, 2), bytes.size() - 1), ConnectError::TooLarge);
}

TEST(Connect, TooSmallForAnyConnectIsSeenInItsHeader) {
    for (unsigned n = 0; n < 12; ++n) EXPECT_EQ(refused(raw({0x10, n})), ConnectError::FieldPastEnd) << n;
    EXPECT_TRUE(needs_more(raw({0x10, 12})));
    EXPECT_EQ(refused(raw({0x10, 12}) + field("MQTT") + raw({5})), ConnectError::FieldPastEnd);
    EXPECT_EQ(refused(raw({0x10, 13}) + field("MQIsdp") + raw({3})), ConnectError::FieldPastEnd);
}

TEST(Connect, ABadProtocolNameIsRefusedAtItsFirstWrongByte) {
    const std::string start = raw({0x10, 30});
    EXPECT_EQ(refused(start + raw({1})), ConnectError::BadProtocolName);
    EXPECT_TRUE(needs_more(start + raw({0})));
    EXPECT_EQ(refused(start + raw({0, 5})), ConnectError::BadProtocolName);
    EXPECT_EQ(refused(start + raw({0, 0})), ConnectError::BadProtocolName);
    EXPECT_TRUE(needs_more(start + raw({0, 4})));
    EXPECT_TRUE(needs_more(start + raw({0, 6})));
    for (const std::string name : {"MQTT", "MQIsdp"}) {
        for (std::size_t n = 0; n < name.size(); ++n) {
            const std::string good = start + u16(name.size()) + name.substr(0, n);
            EXPECT_TRUE(needs_more(good));
            EXPECT_EQ(refused(good + "x"), ConnectError::BadProtocolName) << name << " " << n;
        }
    }
    EXPECT_EQ(refused(start + field("mqtt")), ConnectError::BadProtocolName);
}

TEST(Connect, NamesGoWithTheirLevels) {
    const auto level = [](const char* name, unsigned number) {
        return refused(raw({0x10, 40}) + field(name) + raw({number}));
    };
    EXPECT_EQ(level("MQTT", 4), std::nullopt);
    EXPECT_EQ(level("MQTT", 5), std::nullopt);
    EXPECT_EQ(level("MQIsdp", 3), std::nullopt);
    for (const unsigned number : {0U, 1U, 2U, 3U, 6U, 0x7fU, 0x83U, 0xffU}) {
        EXPECT_EQ(level("MQTT", number), ConnectError::UnsupportedVersion) << number;
    }
    for (const unsigned number : {0U, 4U, 5U, 6U, 0x84U}) {
        EXPECT_EQ(level("MQIsdp", number), ConnectError::UnsupportedVersion) << number;
    }
}

TEST(Connect, BridgesMarkTheLevelWithItsTopBit) {
    for (const Version version : {Version::V31, Version::V311, Version::V5}) {
        ConnectParts parts{.version = version};
        parts.level = static_cast<unsigned>(version) | 0x80U;
        const auto connect = accepted(parts.bytes());
        ASSERT_TRUE(connect);
        EXPECT_EQ(connect->version, version);
    }
}

TEST(Connect, FlagsAreCheckedAsTheyArrive) {
    const auto flags = [](Version version, unsigned value) {
        const ConnectParts parts{.version = version, .flags = value};
        const std::string bytes = parts.bytes();
        return refused(bytes.substr(0, 2 + (version == Version::V31 ? 10 : 8)));
    };
    for (const Version version : {Version::V311, Version::V5}) {
        EXPECT_EQ(flags(version, 0x03), ConnectError::ReservedConnectFlag);
        EXPECT_EQ(flags(version, 0x1e), ConnectError::BadWillFlags) << "QoS 3";
        EXPECT_EQ(flags(version, 0x0a), ConnectError::BadWillFlags) << "QoS without Will";
        EXPECT_EQ(flags(version, 0x22), ConnectError::BadWillFlags) << "Retain without Will";
        EXPECT_EQ(flags(version, 0x36), std::nullopt);
    }
    EXPECT_EQ(flags(Version::V31, 0x42), ConnectError::PasswordWithoutUsername);
    EXPECT_EQ(flags(Version::V311, 0x42), ConnectError::PasswordWithoutUsername);
    EXPECT_EQ(flags(Version::V5, 0x42), std::nullopt);
    EXPECT_EQ(flags(Version::V31, 0x1e), ConnectError::BadWillFlags);
    EXPECT_EQ(flags(Version::V31, 0x2b), std::nullopt) << "3.1 disregards them";
}

TEST(Connect, ARefusalKnowsTheVersionOnceItWasRead) {
    const auto version = [](std::string_view bytes) {
        const ConnectResult result = read(bytes);
        return std::get<Malformed>(result).version;
    };
    EXPECT_EQ(version("GET"), std::nullopt);
    EXPECT_EQ(version(ConnectParts{.name = "MQTX"}.bytes()), std::nullopt);
    EXPECT_EQ(version(ConnectParts{.version = Version::V5, .flags = 1}.bytes()), Version::V5);
    EXPECT_EQ(version(ConnectParts{.behind = "x"}.bytes()), Version::V311);
}

TEST(Connect, PasswordAloneIsGoodInV5) {
    ConnectParts parts{.version = Version::V5, .flags = 0x42};
    parts.behind = field("secret");
    const auto connect = accepted(parts.bytes());
    ASSERT_TRUE(connect);
    EXPECT_FALSE(connect->username);
    EXPECT_EQ(as_text(connect->password.value()), "secret");
}

TEST(Connect, In31AFlaggedFieldMayBeMissing) {
    ConnectParts parts{.version = Version::V31, .flags = 0xc2};
    auto connect = accepted(parts.bytes());
    ASSERT_TRUE(connect);
    EXPECT_FALSE(connect->username || connect->password);
    parts.behind = field("user");
    connect = accepted(parts.bytes());
    ASSERT_TRUE(connect);
    EXPECT_EQ(connect->username, "user");
    EXPECT_FALSE(connect->password);
    parts.behind += raw({0});
    EXPECT_EQ(refused(parts.bytes()), ConnectError::FieldPastEnd);
    parts.version = Version::V311;
    parts.behind = field("user");
    EXPECT_EQ(refused(parts.bytes()), ConnectError::FieldPastEnd);
}

// Cutting the packet short at any byte, with a Remaining Length that says so, must never be read as valid: a
// field is never read before it arrived, nor past the packet even when more bytes follow.
TEST(Connect, FieldsNeverRunPastRemainingLength) {
    for (const std::string& whole : samples()) {
        const std::size_t header = whole[1] < 0 ? 3 : 2;
        const std::string body = whole.substr(header);
        for (std::size_t n = 0; n < body.size(); ++n) {
            const std::string cut = packet(0x10, body.substr(0, n)) + body.substr(n);
            const bool v31 = body[1] == 6;
            const auto connect = accepted(cut);
            if (connect && v31) {
                EXPECT_FALSE(connect->password) << "only what 3.1 lets be missing";
            } else {
                EXPECT_FALSE(connect) << n;
                EXPECT_FALSE(needs_more(cut)) << n;
            }
        }
        EXPECT_EQ(refused(packet(0x10, body + "x")), ConnectError::TrailingBytes);
    }
}

TEST(Connect, StringsAreUtf8) {
    const std::vector<std::string> good = {"\x7f",
                                           "\xc2\x80",
                                           "\xdf\xbf",
                                           "\xe0\xa0\x80",
                                           "\xed\x9f\xbf",
                                           "\xee\x80\x80",
                                           "\xef\xbb\xbf",
                                           "\xef\xbf\xbf",
                                           "\xf0\x90\x80\x80",
                                           "\xf4\x8f\xbf\xbf",
                                           "\x01",
                                           "Gerät-ß-設備-🛰"};
    const std::vector<std::string> bad = {std::string(1, '\0'),
                                          "\x80",
                                          "\xbf",
                                          "\xc0\x80",
                                          "\xc1\xbf",
                                          "\xc2",
                                          "\xc2x",
                                          "\xe0\x9f\xbf",
                                          "\xe0\xa0",
                                          "\xed\xa0\x80",
                                          "\xed\xbf\xbf",
                                          "\xe1\x80x",
                                          "\xf0\x8f\xbf\xbf",
                                          "\xf4\x90\x80\x80",
                                          "\xf5\x80\x80\x80",
                                          "\xf0\x90\x80",
                                          "\xf1\x80\x80x",
                                          "\xff",
                                          "\xfe"};
    for (const Version version : {Version::V31, Version::V311, Version::V5}) {
        for (const std::string& text : good) {
            ConnectParts parts{.version = version};
            parts.client_id = "a" + text + "b";
            const auto connect = accepted(parts.bytes());
            ASSERT_TRUE(connect) << testing::PrintToString(text);
            EXPECT_EQ(connect->client_id, parts.client_id);
        }
        for (const std::string& text : bad) {
            ConnectParts parts{.version = version};
            parts.client_id = "a" + text;
            EXPECT_EQ(refused(parts.bytes()), ConnectError::BadString) << testing::PrintToString(text);
            parts = {.version = version, .flags = 0x82};
            parts.behind = field(text);
            EXPECT_EQ(refused(parts.bytes()), ConnectError::BadString);
            parts.flags = 0x06;
            parts.behind = (version == Version::V5 ? block("") : "") + field(text) + field("payload");
            EXPECT_EQ(refused(parts.bytes()), ConnectError::BadString) << "Will topic";
            parts.behind = (version == Version::V5 ? block("") : "") + field("topic") + field(text);
            EXPECT_EQ(refused(parts.bytes()), std::nullopt) << "the Will's payload may be any bytes";
        }
    }
}

struct PropertyCase {
    unsigned id;
    std::string value;
    bool connect;
    bool will;
};

std::vector<PropertyCase> valid_properties() {
    return {{0x01, raw({1}), false, true},
            {0x02, u32(0), false, true},
            {0x03, field("text"), false, true},
            {0x08, field("reply"), false, true},
            {0x09, field(raw({0})), false, true},
            {0x11, u32(0xffffffff), true, false},
            {0x15, field("SCRAM"), true, false},
            {0x17, raw({0}), true, false},
            {0x18, u32(30), false, true},
            {0x19, raw({1}), true, false},
            {0x21, u16(1), true, false},
            {0x22, u16(0), true, false},
            {0x26, field("k") + field("v"), true, true},
            {0x27, u32(1), true, false}};
}

TEST(ConnectProperties, EachIsGoodInItsPlaceAndOnlyThere) {
    std::vector<bool> known(256, false);
    for (const PropertyCase& p : valid_properties()) {
        known[p.id] = true;
        const std::string text = property(p.id, p.value);
        EXPECT_EQ(refused(v5_with(text)),
                  p.connect ? std::nullopt : std::optional(ConnectError::UnknownProperty))
            << p.id;
        EXPECT_EQ(refused(v5_with_will(text)),
                  p.will ? std::nullopt : std::optional(ConnectError::UnknownProperty))
            << p.id;
    }
    known[0x16] = true;  // goes with 0x15 only, see below
    for (unsigned id = 0; id < 256; ++id) {
        if (known[id]) continue;
        EXPECT_EQ(refused(v5_with(property(id, u32(1)))), ConnectError::UnknownProperty) << id;
        EXPECT_EQ(refused(v5_with_will(property(id, u32(1)))), ConnectError::UnknownProperty) << id;
    }
}

TEST(ConnectProperties, OnlyUserPropertyMayRepeat) {
    for (const PropertyCase& p : valid_properties()) {
        const std::string twice =
            property(p.id, p.value) + property(0x26, field("") + field("")) + property(p.id, p.value);
        const auto expected = p.id == 0x26 ? std::nullopt : std::optional(ConnectError::DuplicateProperty);
        if (p.connect) {
            EXPECT_EQ(refused(v5_with(twice)), expected) << p.id;
        }
        if (p.will) {
            EXPECT_EQ(refused(v5_with_will(twice)), expected) << p.id;
        }
    }
    // The blocks of the CONNECT and of its Will count apart; all of a kind together are good.
    std::string all;
    std::string all_will;
    for (const PropertyCase& p : valid_properties()) {
        if (p.connect) all += property(p.id, p.value);
        if (p.will) all_will += property(p.id, p.value);
    }
    ConnectParts parts{.version = Version::V5, .flags = 0x06};
    parts.properties = all + property(0x16, field("data"));
    parts.behind = block(all_will) + field("t") + field("w");
    const auto connect = accepted(parts.bytes());
    ASSERT_TRUE(connect);
    EXPECT_EQ(connect->client_id, "device-1") << "wherever the properties move it";
}

TEST(ConnectProperties, ForbiddenValues) {
    const auto bad = ConnectError::BadProperty;
    EXPECT_EQ(refused(v5_with(property(0x21, u16(0)))), bad) << "Receive Maximum 0";
    EXPECT_EQ(refused(v5_with(property(0x27, u32(0)))), bad) << "Maximum Packet Size 0";
    EXPECT_EQ(refused(v5_with(property(0x17, raw({2})))), bad);
    EXPECT_EQ(refused(v5_with(property(0x19, raw({2})))), bad);
    EXPECT_EQ(refused(v5_with_will(property(0x01, raw({2})))), bad);
    EXPECT_EQ(refused(v5_with(property(0x16, field("data")))), bad) << "data without a method";
    EXPECT_EQ(refused(v5_with(property(0x16, field("data")) + property(0x15, field("m")))), std::nullopt);
    EXPECT_EQ(refused(v5_with(property(0x15, field("\xff")))), ConnectError::BadString);
    EXPECT_EQ(refused(v5_with(property(0x26, field("k") + field("\xc0\x80")))), ConnectError::BadString);
    EXPECT_EQ(refused(v5_with(property(0x26, field(raw({0})) + field("v")))), ConnectError::BadString);
}

TEST(ConnectProperties, NoneRunsPastItsBlockNorTheBlockPastThePacket) {
    for (const PropertyCase& p : valid_properties()) {
        const std::string text = property(p.id, p.value);
        for (std::size_t n = 1; n < text.size(); ++n) {
            const auto result =
                p.connect ? refused(v5_with(text.substr(0, n))) : refused(v5_with_will(text.substr(0, n)));
            EXPECT_EQ(result, ConnectError::BadPropertyLength) << p.id << " cut to " << n;
        }
    }
    const std::string start = field("MQTT") + raw({5, 2}) + u16(60);
    const auto with_length = [&](std::string_view length) {
        return refused(packet(0x10, start + std::string(length) + field("id")));
    };
    EXPECT_EQ(with_length(raw({0})), std::nullopt);
    EXPECT_EQ(with_length(raw({5})), ConnectError::BadPropertyLength) << "past the packet";
    EXPECT_EQ(with_length(raw({0xff, 0xff, 0xff, 0x7f})), ConnectError::BadPropertyLength);
    EXPECT_EQ(with_length(raw({0x80, 0x80, 0x80, 0x80})), ConnectError::BadPropertyLength) << "five bytes";
    EXPECT_EQ(with_length(raw({0x80, 0x00})), ConnectError::BadPropertyLength) << "not minimal";
    EXPECT_EQ(refused(packet(0x10, start + raw({0x80, 0x80, 0x80}))), ConnectError::BadPropertyLength)
        << "cut";
}

TEST(ConnectProperties, ABlockOfMoreThan127Bytes) {
    std::string properties;
    for (int i = 0; i < 100; ++i) properties += property(0x26, field("key") + field(std::string(200, 'v')));
    const auto connect = accepted(v5_with(properties));
    ASSERT_TRUE(connect);
    EXPECT_EQ(connect->client_id, "device-1");
}

TEST(Connect, EveryErrorAndVersionHasAText) {
    std::vector<std::string> texts;
    for (int e = 0; e <= static_cast<int>(ConnectError::TrailingBytes); ++e) {
        texts.emplace_back(to_string(static_cast<ConnectError>(e)));
        EXPECT_NE(texts.back(), "unknown");
    }
    std::sort(texts.begin(), texts.end());
    EXPECT_EQ(std::unique(texts.begin(), texts.end()), texts.end());
    EXPECT_STREQ(to_string(Version::V31), "3.1");
    EXPECT_STREQ(to_string(Version::V311), "3.1.1");
    EXPECT_STREQ(to_string(Version::V5), "5");
}

}  // namespace
}  // namespace sluice::mqtt::connect_test
