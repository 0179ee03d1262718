// A connection's life, from the SYN to both ends' close, with codecs on either leg and without.
#include "sluice/session/session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "session/session_rig.h"
#include "sluice/mqtt/writer.h"

namespace sluice::test {
namespace {

using session::Phase;

const std::vector<FramingOptions> kNone;
const std::vector<FramingOptions> kFramed{FramingOptions{}};
const std::vector<FramingOptions> kTwo{FramingOptions{.limit = 700}, FramingOptions{.limit = 3000}};
const std::vector<FramingOptions> kTransparent{FramingOptions{.transparent = true}};

std::string connect_of(std::size_t password_size = 0) {
    const std::string password(password_size, 'p');
    return std::string(as_text(mqtt::write_connect(
        {.client_id = "device", .keep_alive = 0, .username = "alice", .password = password})));
}

TEST(Session, TakesTheConnectInPieces) {
    for (const auto& codecs : {kNone, kFramed, kTwo}) {
        SessionRig rig({.client = codecs});
        rig.run(100ms);
        EXPECT_EQ(rig.phase(), Phase::AwaitConnect);
        for (const char c : connect_of()) {
            EXPECT_EQ(rig.count(Counter::ConnectAccepted), 0U);
            rig.client.write(rig.now, std::string(1, c));
            rig.run(50ms);
        }
        EXPECT_EQ(rig.count(Counter::ConnectAccepted), 1U);
        EXPECT_EQ(rig.broker().text(), connect_of());
        EXPECT_EQ(rig.client.text(), std::string_view("\x20\x02\x00\x00", 4));
    }
}

// What codecs need of the window, and a unit larger than it, must not keep a CONNECT from coming.
TEST(Session, TakesAConnectThatDoesNotFitTheFirstWindow) {
    for (const auto& codecs : {kNone, kFramed, kTwo, kTransparent}) {
        for (const std::size_t size : {500U, 1000U, 1980U, 3000U, 30'000U}) {
            SCOPED_TRACE(size);
            SessionRig rig({.client = codecs});
            rig.client.write(rig.now, connect_of(size));
            EXPECT_TRUE(rig.run_until([&] { return rig.client.text().size() == 4; }, 9s));
            EXPECT_EQ(rig.count(Counter::ConnectAccepted), 1U);
        }
    }
}

TEST(Session, RefusesInTheClientsWords) {
    for (const auto& codecs : {kNone, kFramed, kTwo}) {
        SessionRig rig({.client = codecs});
        std::string connect = connect_of();
        connect[8] = '\x09';  // the version
        rig.client.write(rig.now, connect);
        rig.run(100ms);
        EXPECT_EQ(rig.client.text(), std::string_view("\x20\x02\x00\x01", 4));
        EXPECT_TRUE(rig.client.ended());
        EXPECT_FALSE(rig.client.failed());
        EXPECT_EQ(rig.phase(), Phase::Refusing);
        rig.client.write(rig.now, "for nobody");
        rig.client.finish(rig.now);
        rig.run(2s);
        EXPECT_EQ(rig.phase(), Phase::Ended);
        EXPECT_EQ(rig.client.endpoint.failure(), tcp::Failure::None);
        EXPECT_EQ(rig.count(Counter::ConnackRefusalsSent), 1U);
    }
}

TEST(Session, EndsAClientThatItDoesNotUnderstand) {
    SessionRig rig({.client = kFramed});
    rig.run(100ms);
    rig.client.write_raw(rig.now, std::string(10, '\x3f'));
    rig.run(100ms);
    EXPECT_TRUE(rig.client.end().codec().complained_of());
    EXPECT_TRUE(rig.client.endpoint.peer_finished());
    rig.client.close_raw(rig.now);
    rig.run(5s);
    EXPECT_EQ(rig.phase(), Phase::Ended);
    EXPECT_EQ(rig.client.endpoint.failure(), tcp::Failure::None);
    EXPECT_EQ(rig.count(Counter::ClientClosedEarly), 1U);
}

TEST(Session, GoesToTheNextBrokerWhenOneFails) {
    for (const auto& codecs : {kNone, kFramed, kTwo}) {
        for (const bool refuses : {false, true}) {
            SessionRig rig({.broker = codecs, .brokers = 2});
            rig.client.write(rig.now, connect_of());
            rig.run_until([&] { return rig.connection && rig.phase() == Phase::Connecting; });
            const std::uint32_t first = rig.connection->backend;
            if (refuses) {
                rig.broker().reset(rig.now);  // it does not listen any more
            } else {
                rig.answers = false;
                rig.run_until([&] { return rig.phase() == Phase::Replaying; });
                rig.run(100ms);
                rig.broker().close_raw(rig.now);
                rig.run(10ms);
                rig.answers = true;
            }
            EXPECT_TRUE(rig.run_until([&] { return rig.client.text().size() == 4; }, 5s));
            EXPECT_NE(rig.connection->backend, first);
            EXPECT_EQ(rig.broker().text(), connect_of());
            EXPECT_EQ(rig.count(Counter::UpstreamRetried), 1U);
        }
    }
}

// A broker whose stream makes no sense has not taken the client.
TEST(Session, GoesToTheNextBrokerWhenOneIsNotUnderstood) {
    SessionRig rig({.broker = kFramed, .brokers = 2});
    rig.answers = false;
    rig.client.write(rig.now, connect_of());
    rig.run_until([&] { return rig.connection && rig.phase() == Phase::Replaying; });
    rig.run(100ms);
    const std::uint32_t first = rig.connection->backend;
    rig.broker().write_raw(rig.now, std::string(10, '\x3f'));
    rig.run(10ms);
    rig.answers = true;
    EXPECT_TRUE(rig.run_until([&] { return rig.client.text().size() == 4; }, 5s));
    EXPECT_NE(rig.connection->backend, first);
}

TEST(Session, AsksForTheSpliceAtTheQuietPoint) {
    for (const auto& client : {kNone, kTransparent}) {
        for (const auto& broker : {kNone, kTransparent}) {
            SessionRig rig({.client = client, .broker = broker});
            rig.room = false;
            rig.connect();
            EXPECT_EQ(rig.phase(), Phase::Relayed);
            rig.run(100ms);
            EXPECT_GT(rig.asked_for_splice, 0U);
            rig.room = true;
            rig.client.write(rig.now, "ping");
            rig.run(100ms);
            EXPECT_EQ(rig.phase(), Phase::Spliced);
            EXPECT_TRUE(rig.joint);
        }
    }
}

// Neither a codec that stays nor an option that one leg lacks is cleared by time; only the second is counted.
TEST(Session, StaysRelayedForWhatStays) {
    for (const bool codec_stays : {false, true}) {
        SessionRig rig(codec_stays ? SessionPlan{.client = kFramed}
                                   : SessionPlan{.broker_has_no_sack = true});
        rig.connect();
        rig.run(10s);
        EXPECT_EQ(rig.phase(), Phase::Relayed);
        EXPECT_TRUE(rig.connection->stays_relayed);
        EXPECT_EQ(rig.asked_for_splice, 0U);
        EXPECT_EQ(rig.count(Counter::RelayedSack), codec_stays ? 0U : 1U);
    }
}

TEST(Session, RoutesByTheIdentityThatACodecNames) {
    for (const bool named : {false, true}) {
        const SocketAddress device{IpAddress::v4(203, 0, 113, 7), 40'000};
        SessionPlan plan{.client = {FramingOptions{.transparent = true}}};
        if (named) plan.client[0].names = device;
        plan.configure = [](config::Config& config) {
            config::Route& route = config.routes.emplace_back();
            route.networks = {*IpPrefix::parse("203.0.113.0/24")};
            route.pool_index = 1;
        };
        SessionRig rig(plan);
        rig.connect();
        EXPECT_EQ(rig.connection->pool, named ? 1U : 0U);
        EXPECT_EQ(rig.connection->identity, named ? device : rig.connection->client.remote);
        EXPECT_NE(rig.connection->client.remote, device);
    }
}

}  // namespace
}  // namespace sluice::test
