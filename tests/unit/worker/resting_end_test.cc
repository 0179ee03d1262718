// What ends a connection at rest, or concerns it without a packet: its deadlines, the operator, a reload,
// routers, and the places that it takes.
#include <gtest/gtest.h>

#include <algorithm>

#include "worker/resting_story.h"

namespace sluice::test::resting_test {
namespace {

TEST(Resting, EndsWithItsKeepAlive) {
    for (const Difference difference : kDifferences) {
        Plot plot = with(difference);
        plot.keep_alive = 2;
        Resting story(plot);
        story.lab.run(milliseconds(13000 - 1500 - 2));
        EXPECT_EQ(story.phase(), Phase::Resting);
        story.lab.run(milliseconds(3));
        EXPECT_EQ(story.tap.tcp_on(0), 1U);
        EXPECT_EQ(story.tap.tcp_on(1), 1U);
        for (const SeenSegment& s : story.tap.tcp) EXPECT_TRUE(s.tcp.flags.rst);
        story.tap.tcp.clear();
        story.expect_gone(Counter::ClosedIdle);
    }
}

TEST(Resting, CountsIdleTimeFromTheLastBytesAndNotFromTheLastRest) {
    Plot plot = with(Difference::Families);
    plot.keep_alive = 0;
    plot.setup.listener = "idle_timeout = \"1h\"";
    Resting story(plot);
    for (int i = 0; i < 59; ++i) {
        story.lab.run(seconds(60));
        story.client(". 0:0");  // wakes it and brings nothing
        EXPECT_EQ(story.phase(), Phase::Relayed);
    }
    story.lab.run(milliseconds(60'000 - 1500 - 2));
    EXPECT_EQ(story.phase(), Phase::Resting);
    story.lab.run(milliseconds(3));
    story.tap.tcp.clear();
    story.expect_gone(Counter::ClosedIdle);
}

TEST(Resting, FollowsALongerIdleTimeoutAndLivesWithoutOne) {
    test::Setup setup{.brokers = 1, .listener = "idle_timeout = \"1m\"", .ipv6_clients = true};
    Lab lab(setup);
    Socket& client = lab.client();
    lab.settle();
    client.write(connect_packet("device", mqtt::Version::V311, 0));
    lab.run(seconds(5));
    ASSERT_EQ(lab.usage().resting, 1U);
    setup.listener = "idle_timeout = \"2m\"";
    lab.reload(configuration(setup));
    lab.run(seconds(110));
    EXPECT_EQ(lab.usage().resting, 1U);
    setup.listener = "idle_timeout = \"0s\"";
    lab.reload(configuration(setup));
    lab.run(hours(100));
    EXPECT_EQ(lab.usage().resting, 1U);
    client.write("still here");
    lab.run(milliseconds(100));
    EXPECT_EQ(lab.brokers[0]->after_connect("device"), "still here");
}

TEST(Resting, IsResetByTheOperatorUnderAnyOfItsNames) {
    for (const Difference difference : kDifferences) {
        for (const bool old_name : {false, true}) {
            Relayed story(with(difference));
            const std::uint32_t before = story.row().id;
            story.lab.run(seconds(2));
            const std::uint32_t name = old_name ? before : story.row().id;
            const FourTuple tuple = story.row().client;
            FourTuple another = tuple;
            ++another.remote.port;
            EXPECT_FALSE(story.lab.workers[0]->kill_connection(name, another));
            EXPECT_TRUE(story.lab.workers[0]->kill_connection(name, tuple));
            EXPECT_FALSE(story.lab.workers[0]->kill_connection(name, tuple));
            story.lab.settle();
            story.expect_both_reset(Counter::ClosedByOperator);
        }
    }
}

TEST(Resting, IsKilledByItsNameThoughItWokeSince) {
    Resting story(with(Difference::Families));
    const worker::ListedConnection row = story.row();
    story.client(". 0:0");
    ASSERT_EQ(story.phase(), Phase::Relayed);
    EXPECT_TRUE(story.lab.workers[0]->kill_connection(row.id, row.client));
    story.lab.settle();
    story.tap.tcp.clear();
    story.expect_gone(Counter::ClosedByOperator);
}

// A drain ends those that outlive their connection last, and does not wake them before.
TEST(Resting, LeavesItsBrokerInADrain) {
    test::Setup setup{.workers = 2, .brokers = 1, .pool = "drain_rate = 10", .ipv6_clients = true};
    Lab lab(setup);
    for (int i = 0; i < 20; ++i) {
        Socket& client = lab.client();
        lab.settle();
        std::string connect = connect_packet("device-" + std::to_string(i), mqtt::Version::V311, 600);
        if (i % 2 == 1) connect[9] = '\0';  // Clean Session 0
        client.write(connect);
        lab.settle();
    }
    lab.run(seconds(3));
    ASSERT_EQ(lab.usage().resting, 20U);
    Tap tap(lab);
    setup.backend = [](unsigned) { return "state = \"maintenance\""; };
    lab.reload(configuration(setup));
    lab.run(milliseconds(900));
    const std::uint32_t left = lab.usage().connections;
    EXPECT_GE(left, 9U);
    EXPECT_LT(left, 20U);
    EXPECT_EQ(lab.usage().resting, left);
    for (const auto& row : lab.rows()) EXPECT_EQ(row.phase, Phase::Resting);
    lab.run(seconds(3));
    EXPECT_EQ(lab.count(Counter::ClosedMaintenance), 20U);
    for (const auto& s : lab.clients.sockets) EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
    for (const auto& s : lab.brokers[0]->host.sockets) {
        EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
        EXPECT_EQ(s->endpoint.statistics().challenge_acks, 0U);
    }
    expect_nothing_left(lab);
}

TEST(Resting, OutlivesItsListener) {
    test::Setup setup{.brokers = 1, .ipv6_clients = true};
    Lab lab(setup);
    Socket& client = lab.connect("device");
    lab.run(seconds(2));
    ASSERT_EQ(lab.usage().resting, 1U);
    config::Config without = lab.config;
    without.listeners[0].address.port = 1999;
    lab.reload(without);
    lab.run(seconds(2));
    EXPECT_FALSE(lab.forget_the_gone());
    client.write("hello");
    lab.run(seconds(3));
    EXPECT_EQ(lab.brokers[0]->after_connect("device"), "hello");
    EXPECT_EQ(lab.usage().resting, 1U);
    client.abort();
    lab.run(seconds(3));
    EXPECT_TRUE(lab.forget_the_gone());
    expect_nothing_left(lab);
}

TEST(Resting, ClosesInOrderFromEitherEnd) {
    for (const bool from_client : {false, true}) {
        Lab lab({.brokers = 1, .ipv6_clients = true});
        Socket& client = lab.connect("device");
        Socket& broker = *lab.brokers[0]->socket_of("device");
        lab.run(seconds(2));
        ASSERT_EQ(lab.usage().resting, 1U);
        Socket& first = from_client ? client : broker;
        Socket& second = from_client ? broker : client;
        first.write("goodbye");
        first.shutdown();
        lab.run(seconds(2));
        second.shutdown();
        lab.run(seconds(3));
        EXPECT_TRUE(second.received.ends_with("goodbye"));
        EXPECT_EQ(client.endpoint.failure(), tcp::Failure::None);
        EXPECT_EQ(broker.endpoint.failure(), tcp::Failure::None);
        EXPECT_EQ(lab.count(Counter::ClosedOrderly), 1U);
        expect_nothing_left(lab);
    }
}

// --- what only knocks ---

// RFC 5961 section 10: a rest must not make a limit forget.
TEST(Resting, ChallengesNoOftenerThanALiveEndpoint) {
    for (const int pause : {100, 600, 900, 1100, 3000}) {
        Plot plot = with(Difference::SackV4);
        plot.keep_alive = 0;
        Resting story(plot);
        constexpr int kGuesses = 60;
        for (int i = 0; i < kGuesses; ++i) {
            story.client("R 100:100");
            story.lab.run(milliseconds(pause));
        }
        const std::uint64_t most = pause < 500 ? kGuesses * pause / 500 + 1 : kGuesses;
        EXPECT_LE(story.tap.tcp_on(0), most);
        EXPECT_EQ(story.tap.tcp_on(1), 0U);
    }
}

// Nothing is under way that a router could complain about.
TEST(Resting, IsNotWokenByARouter) {
    for (const bool ipv6 : {false, true}) {
        Resting story(with(ipv6 ? Difference::TimestampsV6 : Difference::TimestampsV4));
        for (const Side side : {Side::Client, Side::Broker}) {
            const Story::Leg& leg = story.leg(side);
            SeenSegment about;
            about.port = static_cast<std::uint16_t>(side);
            about.from = leg.local;
            about.to = leg.remote;
            for (const std::int32_t at : {-1, 0, 1}) {
                about.tcp.source_port = leg.local.port;
                about.tcp.destination_port = leg.remote.port;
                const std::uint32_t sequence = leg.local_zero + static_cast<std::uint32_t>(at);
                story.lab.inject(about.port, make_too_big(about, sequence, 1300));
                story.lab.settle();
            }
        }
        EXPECT_EQ(story.phase(), Phase::Resting);
        EXPECT_EQ(story.moved("icmp_too_big"), Moved{});
    }
}

// --- its place ---

TEST(Resting, TakesAPlaceOfTheTableAndOfItsListener) {
    for (const bool of_listener : {false, true}) {
        Lab lab({.brokers = 1,
                 .listener = of_listener ? "max_connections = 3" : "",
                 .ipv6_clients = true,
                 .max_connections = of_listener ? 64U : 3U});
        for (int i = 0; i < 3; ++i) {
            lab.connect("device-" + std::to_string(i));
            lab.run(seconds(2));
        }
        ASSERT_EQ(lab.usage().resting, 3U);
        lab.client();
        lab.settle();
        EXPECT_EQ(lab.count(of_listener ? Counter::DropSynListenerFull : Counter::DropSynTableFull), 1U);
        // All of them at once need endpoints, and have them.
        for (const auto& s : lab.brokers[0]->host.sockets) s->write("news");
        lab.settle();
        EXPECT_EQ(lab.usage().resting, 0U);
        for (int i = 0; i < 3; ++i) {
            EXPECT_TRUE(lab.clients.sockets[static_cast<std::size_t>(i)]->received.ends_with("news"));
        }
        lab.run(seconds(2));
        EXPECT_EQ(lab.usage().resting, 3U);
    }
}

TEST(Resting, HoldsItsLeaseAndGivesItBack) {
    Lab lab({.brokers = 1, .ipv6_clients = true});
    for (int i = 0; i < 10; ++i) lab.connect("device-" + std::to_string(i));
    for (int i = 0; i < 5; ++i) {
        lab.run(seconds(2));
        EXPECT_EQ(lab.usage().resting, 10U);
        EXPECT_EQ(lab.usage().backends[0][0].leased, 10U);
        EXPECT_EQ(lab.load(0), 10U);
        for (const auto& s : lab.clients.sockets) s->write("ping");
        lab.settle();
        EXPECT_EQ(lab.usage().resting, 0U);
        EXPECT_EQ(lab.usage().backends[0][0].leased, 10U);
        EXPECT_EQ(lab.load(0), 10U);
    }
    for (const auto& s : lab.clients.sockets) s->abort();
    lab.run(seconds(3));
    expect_nothing_left(lab);
}

TEST(Resting, RemembersWhoseSessionItIs) {
    std::set<std::string> sessions;
    Lab lab({.brokers = 2, .ipv6_clients = true});
    for (const auto& b : lab.brokers) {
        b->assigns = "given-";
        b->sessions = &sessions;
        b->session_expiry = 100;
    }
    Socket& client = lab.client();
    lab.settle();
    client.write(connect_packet("", mqtt::Version::V5, 600));
    lab.run(seconds(3));
    ASSERT_EQ(lab.usage().resting, 1U);
    const std::string id(lab.rows()[0].shown_client_id());
    ASSERT_TRUE(id.starts_with("given-"));
    const auto stay = [&] { return lab.workers[0]->session_of({.pool = 0, .client_id = id}); };
    ASSERT_TRUE(stay());
    EXPECT_EQ(stay()->until, session::Stay::kOpen);
    client.abort();
    lab.run(seconds(1));
    ASSERT_TRUE(stay());
    EXPECT_NE(stay()->until, session::Stay::kOpen);
    EXPECT_NEAR(
        static_cast<double>(stay()->until),
        static_cast<double>(std::chrono::duration_cast<seconds>(lab.now.time_since_epoch()).count() + 100),
        2);
}

}  // namespace
}  // namespace sluice::test::resting_test
