// A connection that stays relayed and is quiet rests: its endpoints give way to a compact record. Nobody at
// either end can tell, and whatever happens to it finds it.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "worker/splice/story.h"

namespace sluice::test::resting_test {
namespace {

using session::Phase;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Why its two legs can never be one.
enum class Difference : std::uint8_t { Families, TimestampsV4, TimestampsV6, SackV4 };
constexpr std::array kDifferences{Difference::Families, Difference::TimestampsV4, Difference::TimestampsV6,
                                  Difference::SackV4};

Plot with(Difference difference, unsigned workers = 1) {
    Plot plot;
    plot.setup.workers = workers;
    switch (difference) {
        case Difference::Families: plot.setup.ipv6_clients = true; break;
        case Difference::TimestampsV4: plot.broker.timestamps = false; break;
        case Difference::TimestampsV6:
            plot.setup.ipv6 = true;
            plot.broker.timestamps = false;
            break;
        case Difference::SackV4: plot.broker.sack = false; break;
    }
    return plot;
}

// From a quiet moment on, in which its endpoints are still there.
class Relayed : public Story {
  public:
    explicit Relayed(const Plot& plot) : Story(plot) {
        client(". 0:0");
        lab.run(milliseconds(500));
        EXPECT_EQ(phase(), Phase::Relayed);
        forget();
    }
    void forget() {
        tap.tcp.clear();
        expect({});
    }
    worker::ListedConnection row() const {
        const auto rows = lab.rows();
        EXPECT_EQ(rows.size(), 1U);
        return rows.at(0);
    }
    // What has left since the last look. How old a timestamp is depends on how long one has waited.
    std::vector<std::string> heard() {
        static const std::regex clock(" ts -?[0-9]+/");
        std::vector<std::string> lines;
        for (const SeenSegment& s : tap.tcp) lines.push_back(std::regex_replace(text(s), clock, " ts "));
        tap.tcp.clear();
        return lines;
    }
};

// And from the moment on in which they are not.
class Resting : public Relayed {
  public:
    explicit Resting(const Plot& plot) : Relayed(plot) {
        lab.run(seconds(1));
        EXPECT_EQ(phase(), Phase::Resting);
        EXPECT_EQ(lab.usage().resting, 1U);
        EXPECT_EQ(lab.usage().connections, 1U);
        expect({});
    }
};

TEST(Resting, IsWhatBecomesOfAQuietConnectionThatStaysRelayed) {
    for (const Difference difference : kDifferences) Resting story(with(difference));
}

TEST(Resting, IsNotForOneThatCanBeSpliced) {
    Spliced story;
    story.lab.run(seconds(5));
    EXPECT_EQ(story.lab.usage().resting, 0U);
    story.expect_alive();
}

TEST(Resting, BeginsASecondAfterTheLastSegment) {
    Relayed story(with(Difference::Families));
    story.lab.run(milliseconds(499));
    EXPECT_EQ(story.phase(), Phase::Relayed);
    story.client(". 0:0");  // says nothing, and counts
    story.lab.run(milliseconds(999));
    EXPECT_EQ(story.phase(), Phase::Relayed);
    story.lab.run(milliseconds(2));
    EXPECT_EQ(story.phase(), Phase::Resting);
}

TEST(Resting, WaitsForWhatIsUnderWay) {
    for (const Side silent : {Side::Client, Side::Broker}) {
        Relayed story(with(Difference::Families));
        // Its bytes reach the other side, which acknowledges them late.
        const Side speaker = silent == Side::Client ? Side::Broker : Side::Client;
        story.says(speaker, "P. 0:10");
        story.lab.run(seconds(3));
        EXPECT_EQ(story.phase(), Phase::Relayed);
        story.says(silent, ". 0:0 ack 10");
        story.lab.run(milliseconds(1100));
        EXPECT_EQ(story.phase(), Phase::Resting);
    }
    Relayed early(with(Difference::Families));
    early.client("P. 10:20");  // a gap before it
    early.lab.run(seconds(3));
    EXPECT_EQ(early.phase(), Phase::Relayed);
    Relayed half_closed(with(Difference::Families));
    half_closed.client("F. 0:0");
    half_closed.broker(". 0:0 ack 1");
    half_closed.lab.run(seconds(30));
    EXPECT_EQ(half_closed.phase(), Phase::Relayed);
}

// Whatever arrives is answered and passed on as by endpoints that were there all the time.
TEST(Resting, CannotBeToldFromOutside) {
    const std::vector<std::string> lines{
        "P. 0:10",               // text
        "P. 0:1000",             // a full segment or less
        "P. -2:0",               // old text again
        "P. -2:10",              // old text and new
        "P. 10:20",              // a gap before it
        ". -1:-1",               // a keepalive probe
        "P. -1:0",               // one with a byte
        ". 0:0",                 // says nothing
        ". 0:0 win 0",           // closes its window
        ". 0:0 ack 100",         // acknowledges what was never sent
        ". 0:0 ack -1000000",    // or long ago
        ". 5000000:5000000",     // outside the window
        "P. 5000000:5000010",    // likewise
        "P. 0:10 ts -100000/0",  // by an old clock
        "P. 0:10 nots",          // by none
        "R 0:0",                 // a reset
        "R. 0:0",                // likewise
        "R 100:100",             // a guessed one
        "R 5000000:5000000",     // a worse one
        "F. 0:0",                // an end
        "FP. 0:10",              // text and an end
        "S 0:0",                 // a restarted host
        "S. 0:0",                // a confused one
        "- 0:0",                 // no flag at all
        "P. 0:10 badsum",        // damaged
    };
    for (const Difference difference : kDifferences) {
        for (const Side side : {Side::Client, Side::Broker}) {
            for (const std::string& line : lines) {
                SCOPED_TRACE(line + (side == Side::Client ? " from the client, " : " from the broker, ") +
                             std::to_string(static_cast<int>(difference)));
                Relayed awake(with(difference));
                Resting resting(with(difference));
                awake.counts.restart();
                resting.counts.restart();
                for (Relayed* const story : {&awake, static_cast<Relayed*>(&resting)}) {
                    story->says(side, line);
                    story->says(side == Side::Client ? Side::Broker : Side::Client, "P. 0:7 ack 10");
                    story->lab.run(milliseconds(150));  // delayed ACKs, and no repetition yet
                }
                EXPECT_EQ(resting.heard(), awake.heard());
                EXPECT_EQ(resting.moved(""), awake.moved(""));
                EXPECT_EQ(resting.phase(), awake.phase());
            }
        }
    }
}

TEST(Resting, EndsWithAnyPacketAndBeginsAgain) {
    for (const unsigned workers : {1U, 3U}) {
        for (const Difference difference : kDifferences) {
            Resting story(with(difference, workers));
            for (int i = 0; i < 5; ++i) {
                const std::string from = std::to_string(2 * i);
                const std::string to = std::to_string(2 * i + 2);
                story.client("P. " + from + ":" + to + " ack " + from);
                EXPECT_EQ(story.phase(), Phase::Relayed);
                ASSERT_EQ(story.tap.tcp_on(1), 1U);
                EXPECT_EQ(story.tap.tcp.back().payload, story.bytes(Side::Client, 2 * i, 2 * i + 2));
                story.tap.tcp.clear();
                if (i % 2 == 1) {  // its acknowledgement comes alone, and the answer when it rests again
                    story.broker(". " + from + ":" + from + " ack " + to);
                    story.lab.run(seconds(2));
                    EXPECT_EQ(story.phase(), Phase::Resting);
                    story.tap.tcp.clear();
                }
                story.broker("P. " + from + ":" + to + " ack " + to);
                EXPECT_EQ(story.phase(), Phase::Relayed);
                ASSERT_GE(story.tap.tcp_on(0), 1U);
                EXPECT_EQ(story.tap.tcp.back().payload, story.bytes(Side::Broker, 2 * i, 2 * i + 2));
                story.client(". " + to + ":" + to + " ack " + to);
                story.lab.run(seconds(2));
                EXPECT_EQ(story.phase(), Phase::Resting);
                story.tap.tcp.clear();
            }
            story.lab.command({.kind = worker::Command::Kind::Stop});
            story.lab.settle();
            EXPECT_EQ(story.tap.tcp_on(0), 1U);
            EXPECT_EQ(story.tap.tcp_on(1), 1U);
            story.tap.tcp.clear();
            story.expect_gone(Counter::ClosedByOperator);
        }
    }
}

TEST(Resting, GoesOnInTheListing) {
    Relayed story(with(Difference::Families));
    story.client("P. 0:10");
    story.broker("P. 0:5 ack 10");
    story.client(". 10:10 ack 5");
    const worker::ListedConnection before = story.row();
    story.lab.run(seconds(20));
    worker::ListedConnection now = story.row();
    EXPECT_EQ(now.phase, Phase::Resting);
    EXPECT_NE(now.id, before.id);
    const auto expect_same = [&] {
        EXPECT_EQ(now.listener, before.listener);
        EXPECT_EQ(now.pool, before.pool);
        EXPECT_EQ(now.backend, before.backend);
        EXPECT_EQ(now.client, before.client);
        EXPECT_EQ(now.upstream, before.upstream);
        EXPECT_EQ(now.mqtt_version, before.mqtt_version);
        EXPECT_EQ(now.keep_alive, before.keep_alive);
        EXPECT_EQ(now.persistent, before.persistent);
        EXPECT_EQ(now.shown_client_id(), before.shown_client_id());
        EXPECT_EQ(now.client_id_size, before.client_id_size);
    };
    expect_same();
    EXPECT_EQ(now.bytes_from_client, before.bytes_from_client);
    EXPECT_EQ(now.bytes_from_broker, before.bytes_from_broker);
    EXPECT_EQ(now.packets_from_client, before.packets_from_client);
    EXPECT_EQ(now.packets_from_broker, before.packets_from_broker);
    EXPECT_NEAR(std::chrono::duration<double>(now.age - before.age).count(), 20, 1);
    EXPECT_NEAR(std::chrono::duration<double>(now.idle).count(), 20, 0.01);
    story.client("P. 10:12 ack 5");
    now = story.row();
    EXPECT_EQ(now.phase, Phase::Relayed);
    expect_same();
    EXPECT_EQ(now.bytes_from_client, before.bytes_from_client + 2);
    EXPECT_EQ(now.bytes_from_broker, before.bytes_from_broker);
    EXPECT_EQ(now.packets_from_client, before.packets_from_client + 1);
    EXPECT_EQ(now.packets_from_broker, before.packets_from_broker);
}

TEST(Resting, KeepsTheBeginningOfALongClientIdAndItsSize) {
    Plot plot = with(Difference::Families);
    plot.id = std::string(50, 'x') + std::string(50, 'y');
    Resting story(plot);
    for (const bool rests : {true, false}) {
        if (!rests) story.client(". 0:0");
        EXPECT_EQ(story.row().phase, rests ? Phase::Resting : Phase::Relayed);
        EXPECT_EQ(story.row().client_id_size, 100U);
        EXPECT_EQ(story.row().shown_client_id(), std::string(45, 'x'));
    }
    story.lab.run(seconds(2));
    EXPECT_EQ(story.row().client_id_size, 100U);
}

TEST(Resting, TakesAtMost320BytesWithItsTimerAndItsIndexEntry) {
    Lab lab({.brokers = 1, .ipv6_clients = true});
    const std::uint64_t start = lab.workers[0]->totals().used_bytes;
    constexpr std::uint32_t kClients = 200;
    for (std::uint32_t i = 0; i < kClients; ++i) lab.connect("device-" + std::to_string(i));
    const std::uint64_t relayed = lab.workers[0]->totals().used_bytes - start;
    lab.run(seconds(2));
    ASSERT_EQ(lab.usage().resting, kClients);
    constexpr std::uint64_t kLease = 4;
    EXPECT_LE(lab.workers[0]->totals().used_bytes - start + kLease * kClients, 320 * kClients);
    EXPECT_GT(relayed, 1000 * kClients);
}

// --- its end ---

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
            EXPECT_EQ(story.tap.tcp_on(0), 1U);
            EXPECT_EQ(story.tap.tcp_on(1), 1U);
            story.tap.tcp.clear();
            story.expect_gone(Counter::ClosedByOperator);
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
