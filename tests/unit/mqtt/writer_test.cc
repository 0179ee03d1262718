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

TEST(Writer, AsksForASessionThatOutlivesTheConnection) {
    for (const Version version : {Version::V31, Version::V311, Version::V5}) {
        const auto bytes = write_connect(
            {.version = version, .client_id = "c", .clean_start = false, .session_expiry = 0x12345678});
        const ConnectResult result = read_connect(bytes, 1024);
        ASSERT_TRUE(std::holds_alternative<Connect>(result));
        EXPECT_FALSE(std::get<Connect>(result).clean_start);
        EXPECT_EQ(std::get<Connect>(result).session_expiry, version == Version::V5 ? 0x12345678U : 0U);
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

TEST(Writer, PingAndDisconnect) {
    EXPECT_EQ(as_text(write_pingreq()), raw({0xc0, 0}));
    EXPECT_EQ(as_text(write_disconnect()), raw({0xe0, 0}));
}

}  // namespace
}  // namespace sluice::mqtt
