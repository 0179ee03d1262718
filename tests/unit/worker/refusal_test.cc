// What cannot become an MQTT connection is refused before any broker hears of it, and leaves nothing behind.
#include <gtest/gtest.h>

#include "mqtt/packets.h"
#include "worker/packets.h"

namespace sluice::test {
namespace {

using mqtt::ConnectError;
using mqtt::Version;
using mqtt::test::ConnectParts;
using mqtt::test::field;
using mqtt::test::packet;
using mqtt::test::property;
using mqtt::test::raw;
using mqtt::test::u16;
using mqtt::test::u32;

struct Case {
    ConnectError error;
    Counter counter;
    std::string sent;
    std::string answer;  // empty: the connection is closed without a word
};

std::string v5(ConnectParts parts) {
    parts.version = Version::V5;
    return parts.bytes();
}

std::string shortened(const ConnectParts& parts) {
    const std::string body = parts.body();
    return packet(0x10, body.substr(0, body.size() - 3));
}

std::vector<Case> cases() {
    const std::string bad_version = raw({0x20, 2, 0, 0x01});
    const std::string bad_client_id = raw({0x20, 2, 0, 0x02});
    const std::string malformed = raw({0x20, 3, 0, 0x81, 0});
    const std::string protocol_error = raw({0x20, 3, 0, 0x82, 0});
    const std::string twice = property(0x11, u32(1)) + property(0x11, u32(1));
    return {
        {ConnectError::NotConnect, Counter::ConnectNotConnect, "GET / HTTP/1.1\r\n\r\n", ""},
        {ConnectError::NotConnect, Counter::ConnectNotConnect, "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", ""},
        {ConnectError::ReservedHeaderFlags, Counter::ConnectReservedHeaderFlags,
         packet(0x11, ConnectParts{}.body()), ""},
        {ConnectError::BadRemainingLength, Counter::ConnectBadRemainingLength,
         raw({0x10, 0xff, 0xff, 0xff, 0xff, 0x01}), ""},
        {ConnectError::TooLarge, Counter::ConnectTooLarge, raw({0x10}) + mqtt::test::varint(200000), ""},
        {ConnectError::BadProtocolName, Counter::ConnectBadProtocolName, ConnectParts{.name = "MQTX"}.bytes(),
         ""},
        {ConnectError::UnsupportedVersion, Counter::ConnectUnsupportedVersion,
         ConnectParts{.level = 6}.bytes(), bad_version},
        {ConnectError::ReservedConnectFlag, Counter::ConnectReservedConnectFlag,
         ConnectParts{.flags = 0x03}.bytes(), ""},
        {ConnectError::ReservedConnectFlag, Counter::ConnectReservedConnectFlag, v5({.flags = 0x03}),
         malformed},
        {ConnectError::BadWillFlags, Counter::ConnectBadWillFlags, ConnectParts{.flags = 0x1e}.bytes(), ""},
        {ConnectError::BadWillFlags, Counter::ConnectBadWillFlags, v5({.flags = 0x22}), malformed},
        {ConnectError::PasswordWithoutUsername, Counter::ConnectPasswordWithoutUsername,
         ConnectParts{.flags = 0x42, .behind = field("secret")}.bytes(), ""},
        {ConnectError::BadString, Counter::ConnectBadString, ConnectParts{.client_id = "a\xff"}.bytes(), ""},
        {ConnectError::BadString, Counter::ConnectBadString, v5({.client_id = "a\xff"}), malformed},
        {ConnectError::EmptyClientId, Counter::ConnectEmptyClientId,
         ConnectParts{.flags = 0, .client_id = ""}.bytes(), bad_client_id},
        {ConnectError::EmptyClientId, Counter::ConnectEmptyClientId,
         ConnectParts{.version = Version::V31, .client_id = ""}.bytes(), bad_client_id},
        {ConnectError::UnknownProperty, Counter::ConnectBadProperty,
         v5({.properties = property(0x2b, u16(0))}), malformed},
        {ConnectError::BadProperty, Counter::ConnectBadProperty, v5({.properties = property(0x21, u16(0))}),
         protocol_error},
        {ConnectError::DuplicateProperty, Counter::ConnectDuplicateProperty, v5({.properties = twice}),
         protocol_error},
        {ConnectError::BadPropertyLength, Counter::ConnectBadPropertyLength,
         v5({.properties = property(0x11, u16(1))}), malformed},
        {ConnectError::FieldPastEnd, Counter::ConnectFieldPastEnd, shortened({}), ""},
        {ConnectError::FieldPastEnd, Counter::ConnectFieldPastEnd, shortened({.version = Version::V5}),
         malformed},
        {ConnectError::TrailingBytes, Counter::ConnectTrailingBytes, ConnectParts{.behind = "x"}.bytes(), ""},
        {ConnectError::TrailingBytes, Counter::ConnectTrailingBytes, v5({.behind = "x"}), malformed},
    };
}

TEST(Refusal, EveryFaultOfAConnectIsRefusedBeforeAnyBrokerHearsOfIt) {
    Lab lab;
    Tap tap(lab);
    for (const Case& c : cases()) {
        SCOPED_TRACE(std::string(mqtt::to_string(c.error)) + ", sent " + std::to_string(c.sent.size()));
        const Counts counts(lab);
        Socket& client = lab.client();
        lab.settle();
        client.write(std::string_view(c.sent));
        lab.settle();
        EXPECT_EQ(client.received, c.answer);
        EXPECT_EQ(client.endpoint.state(), tcp::State::CloseWait);  // a FIN, not a reset
        const std::string_view name = kCounterTable[static_cast<std::size_t>(c.counter)].name;
        EXPECT_EQ(counts.moved("connect_"), (Moved{{name, 1}}));
        EXPECT_EQ(counts.moved("connack_"),
                  c.answer.empty() ? Moved{} : (Moved{{"connack_refusals_sent", 1}}));
        client.shutdown();
        lab.settle();
        EXPECT_EQ(client.endpoint.failure(), tcp::Failure::None);
    }
    EXPECT_EQ(tap.tcp_on(1), 0U);
    EXPECT_EQ(lab.count(Counter::ConnectAccepted), 0U);
    lab.run(std::chrono::seconds(3));
    expect_nothing_left(lab);
}

TEST(Refusal, TheTableAboveNamesEveryFault) {
    for (int e = 0; e <= static_cast<int>(ConnectError::TrailingBytes); ++e) {
        const auto all = cases();
        EXPECT_TRUE(std::ranges::any_of(all, [&](const Case& c) { return static_cast<int>(c.error) == e; }))
            << e;
    }
}

TEST(Refusal, AConnectLargerThanAllowedIsRefusedByItsLengthAlone) {
    Lab lab({.listener = "max_connect_size = \"100B\""});
    Tap tap(lab);
    Socket& fits = lab.connect(std::string(100 - 14, 'a'));  // 14: what a CONNECT has beside its client ID
    EXPECT_EQ(fits.received, kConnackAccepted);
    const std::size_t before = tap.tcp_on(1);
    Socket& larger = lab.client();
    lab.settle();
    larger.write(connect_packet(std::string(100 - 13, 'a')).substr(0, 2));
    lab.settle();
    EXPECT_TRUE(larger.endpoint.peer_finished());
    EXPECT_EQ(lab.count(Counter::ConnectTooLarge), 1U);
    EXPECT_EQ(tap.tcp_on(1), before);
}

TEST(Refusal, AClientThatDoesNotFinishItsConnectInTimeIsReset) {
    for (const std::size_t bytes : {0U, 1U, 2U, 9U}) {
        Lab lab({.listener = "connect_timeout = \"2s\""});
        Tap tap(lab);
        Socket& client = lab.client();
        lab.settle();
        client.write(connect_packet("slow").substr(0, bytes));
        lab.run(std::chrono::milliseconds(1990));
        EXPECT_EQ(client.endpoint.state(), tcp::State::Established);
        lab.run(std::chrono::milliseconds(20));
        EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
        EXPECT_EQ(lab.count(Counter::ClientConnectTimeout), 1U);
        EXPECT_EQ(tap.tcp_on(1), 0U);
        expect_nothing_left(lab);
    }
}

TEST(Refusal, BytesThatTrickleInDoNotExtendTheTime) {
    Lab lab({.listener = "connect_timeout = \"1s\""});
    Socket& client = lab.client();
    lab.settle();
    const std::string whole = connect_packet("a client that takes its time");
    for (std::size_t i = 0; i < 11; ++i) {
        client.write(whole.substr(i, 1));
        lab.run(std::chrono::milliseconds(100));
    }
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(lab.count(Counter::ClientConnectTimeout), 1U);
}

TEST(Refusal, AClientThatClosesBeforeItsConnectIsCompleteIsClosedToo) {
    for (const std::size_t bytes : {0U, 5U}) {
        Lab lab;
        Tap tap(lab);
        Socket& client = lab.client();
        lab.settle();
        client.write(connect_packet("early").substr(0, bytes));
        client.shutdown();
        lab.settle();
        EXPECT_EQ(client.received, "");
        EXPECT_TRUE(client.endpoint.peer_finished());
        EXPECT_EQ(client.endpoint.failure(), tcp::Failure::None);
        EXPECT_EQ(lab.count(Counter::ClientClosedEarly), 1U);
        EXPECT_EQ(tap.tcp_on(1), 0U);
        lab.run(std::chrono::seconds(3));
        expect_nothing_left(lab);
    }
}

TEST(Refusal, AClientThatResetsBeforeItsConnectIsCompleteIsForgottenAtOnce) {
    Lab lab;
    Socket& client = lab.client();
    lab.settle();
    client.write(connect_packet("early").substr(0, 5));
    lab.settle();
    client.abort();
    lab.settle();
    EXPECT_EQ(lab.count(Counter::ClientClosedEarly), 1U);
    expect_nothing_left(lab);
}

TEST(Refusal, ARefusedClientThatDoesNotCloseIsReset) {
    Lab lab;
    Socket& client = lab.client();
    lab.settle();
    client.write("GET / HTTP/1.1\r\n\r\n");
    lab.run(std::chrono::seconds(1));
    EXPECT_EQ(client.endpoint.state(), tcp::State::CloseWait);
    client.write("more of it");
    lab.run(std::chrono::milliseconds(1100));
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

TEST(Refusal, AHandshakeThatIsNeverCompletedIsForgottenAfterConnectTimeout) {
    Lab lab({.listener = "connect_timeout = \"2s\""});
    lab.inject(0, make_segment({.from = lab.next_client_address(),
                                .to = lab.listener(),
                                .sequence = 7,
                                .flags = {.syn = true}}));
    lab.run(std::chrono::seconds(1));
    EXPECT_EQ(lab.usage().half_open, 1U);
    lab.run(std::chrono::milliseconds(1100));
    EXPECT_EQ(lab.count(Counter::ClientHandshakeFailed), 1U);
    expect_nothing_left(lab);
}

}  // namespace
}  // namespace sluice::test
