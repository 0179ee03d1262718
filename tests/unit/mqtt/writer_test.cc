#include "sluice/mqtt/writer.h"

#include <gtest/gtest.h>

#include <string>

#include "packets.h"
#include "sluice/mqtt/connack.h"

namespace sluice::mqtt {
namespace {

using namespace test;

// What is written is read back the same, for every version and combination of fields.
TEST(Writer, ConnectRoundTrip) {
    for (const Version version : {Version::V31, Version::V311, Version::V5}) {
        for (const std::size_t length : {1U, 100U, 127U, 128U, 20'000U, 65'535U}) {
            for (int fields = 0; fields < 4; ++fields) {
                const bool username = (fields & 1) != 0;
                const bool password = (fields & 2) != 0;
                if (password && !username && version != Version::V5) continue;
                const std::string id(length, 'p');
                ConnectFields probe{.version = version, .client_id = id, .keep_alive = 0x1234};
                if (username) probe.username = "usér";
                if (password) probe.password = std::string_view("se\0cret", 7);
                const auto bytes = write_connect(probe);
                const ConnectResult result = read_connect(bytes, 1 << 20);
                ASSERT_TRUE(std::holds_alternative<Connect>(result));
                const auto& connect = std::get<Connect>(result);
                EXPECT_EQ(connect.version, version);
                EXPECT_EQ(connect.client_id, id);
                EXPECT_EQ(connect.keep_alive, 0x1234);
                EXPECT_TRUE(connect.clean_start);
                EXPECT_FALSE(connect.has_will);
                EXPECT_EQ(connect.username, probe.username);
                EXPECT_EQ(connect.password.has_value(), password);
                if (password) {
                    EXPECT_EQ(as_text(*connect.password), probe.password);
                }
                EXPECT_EQ(connect.size, bytes.size());
            }
        }
    }
}

TEST(Writer, RefusalsSpeakTheClientsDialect) {
    struct Case {
        Refusal refusal;
        unsigned v3;  // 0: none
        unsigned v5;
    };
    for (const Case& c :
         {Case{Refusal::UnsupportedVersion, 0x01, 0x84}, Case{Refusal::ServerUnavailable, 0x03, 0x88},
          Case{Refusal::ServerBusy, 0x03, 0x89}, Case{Refusal::QuotaExceeded, 0x03, 0x97},
          Case{Refusal::RateExceeded, 0x03, 0x9f}, Case{Refusal::ClientIdNotValid, 0x02, 0x85},
          Case{Refusal::NotAuthorized, 0x05, 0x87}, Case{Refusal::MalformedPacket, 0, 0x81},
          Case{Refusal::ProtocolError, 0, 0x82}, Case{Refusal::PacketTooLarge, 0, 0x95}}) {
        for (const Version version : {Version::V31, Version::V311, Version::V5}) {
            const auto bytes = write_refusal(version, c.refusal);
            const unsigned code = version == Version::V5 ? c.v5 : c.v3;
            if (code == 0) {
                EXPECT_TRUE(bytes.empty());
                continue;
            }
            const ConnackResult result = read_connack(bytes, version, 100);
            ASSERT_TRUE(std::holds_alternative<Connack>(result));
            EXPECT_EQ(std::get<Connack>(result).reason_code, code);
            EXPECT_FALSE(std::get<Connack>(result).session_present);
            EXPECT_EQ(std::get<Connack>(result).size, bytes.size());
        }
    }
}

TEST(Writer, ConnectWithWillAndSession) {
    for (const Version version : kVersions) {
        for (std::uint8_t qos = 0; qos <= 2; ++qos) {
            const ConnectFields fields{
                .version = version,
                .client_id = "d",
                .username = "u",
                .clean_start = false,
                .session_expiry = 3600,
                .will = Will{.topic = "gone", .payload = as_bytes("bye"), .qos = qos, .retain = true}};
            std::vector<std::byte> bytes{std::byte{0x55}};  // it appends
            append_connect(bytes, fields);
            const ConnectResult result = read_connect(ByteView(bytes).subspan(1), 1000);
            ASSERT_TRUE(std::holds_alternative<Connect>(result));
            const auto& connect = std::get<Connect>(result);
            EXPECT_TRUE(connect.has_will);
            EXPECT_FALSE(connect.clean_start);
            EXPECT_EQ(connect.session_expiry, version == Version::V5 ? 3600U : 0U);
            EXPECT_EQ(connect.username, "u");
            EXPECT_EQ(connect.size, bytes.size() - 1);
            const unsigned flags = 0x80U | 0x20U | static_cast<unsigned>(qos) << 3U | 0x04U;
            const std::string will = (version == Version::V5 ? raw({0}) : "") + field("gone") + field("bye");
            ConnectParts parts{
                .version = version, .flags = flags, .client_id = "d", .behind = will + field("u")};
            if (version == Version::V5) parts.properties = property(0x11, u32(3600));
            std::string expected = parts.bytes();
            expected[expected.find(u16(60)) + 1] = 0;  // the parts' Keep Alive
            EXPECT_EQ(as_text(ByteView(bytes).subspan(1)), expected);
        }
    }
}

// What a CONNACK says is read back, and before v5 only its code.
TEST(Writer, ConnackRoundTrip) {
    const ConnackFields fields{.assigned_client_id = "auto-1",
                               .server_keep_alive = 30,
                               .session_expiry = 7200,
                               .receive_maximum = 20,
                               .maximum_packet_size = 4096,
                               .retain = false,
                               .subscription_ids = false,
                               .shared_subscriptions = false};
    for (const Version version : kVersions) {
        const bool present = version != Version::V31;
        std::vector<std::byte> bytes;
        append_connack(bytes, version, 0, present, fields);
        const ConnackResult result = read_connack(bytes, version, 100);
        ASSERT_TRUE(std::holds_alternative<Connack>(result));
        const auto& connack = std::get<Connack>(result);
        EXPECT_EQ(connack.session_present, present);
        EXPECT_EQ(connack.size, bytes.size());
        const bool v5 = version == Version::V5;
        EXPECT_EQ(connack.assigned_client_id, v5 ? std::optional<std::string_view>("auto-1") : std::nullopt);
        EXPECT_EQ(connack.server_keep_alive, v5 ? std::optional<std::uint16_t>(30) : std::nullopt);
        EXPECT_EQ(connack.session_expiry, v5 ? std::optional<std::uint32_t>(7200) : std::nullopt);
        EXPECT_EQ(connack.receive_maximum, v5 ? 20 : 0xffff);
        EXPECT_EQ(connack.maximum_packet_size, v5 ? 4096U : 0U);
    }
    std::vector<std::byte> plain;
    append_connack(plain, Version::V5, 0x97, false);
    EXPECT_EQ(as_text(plain), raw({0x20, 3, 0, 0x97, 0}));
}

TEST(Writer, PingAndDisconnect) {
    EXPECT_EQ(as_text(write_pingresp()), raw({0xd0, 0}));
    EXPECT_EQ(as_text(write_pingreq()), raw({0xc0, 0}));
    EXPECT_EQ(as_text(write_disconnect()), raw({0xe0, 0}));
}

}  // namespace
}  // namespace sluice::mqtt
