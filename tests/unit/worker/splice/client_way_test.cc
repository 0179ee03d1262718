// Where a client is that says nothing: its next hop is itself or the gateway of its port, and what ARP and
// neighbor discovery tell of that one holds for it, in every phase and form of its connection.
#include "sluice/wire/arp.h"
#include "sluice/wire/icmpv6.h"
#include "worker/splice/story.h"

namespace sluice::test::client_way_test {
namespace {

using session::Phase;
using std::chrono::milliseconds;
using std::chrono::seconds;

const MacAddress kRouter = RawSegment{}.source_mac;  // whose frames a Story's client's are
const MacAddress kElsewhere{{0x02, 0, 0, 0, 7, 7}};
const MacAddress kThird{{0x02, 0, 0, 0, 8, 8}};
const std::string kGateways = "gateway = [\"10.1.0.254\", \"fd00:1::fe\"]\n";

IpAddress address(const char* text) { return *IpAddress::parse(text); }
IpAddress gateway(bool ipv6) { return address(ipv6 ? "fd00:1::fe" : "10.1.0.254"); }
SocketAddress far_away(bool ipv6, std::uint16_t port = 20000) {
    return {address(ipv6 ? "2001:db8:7::7" : "198.51.100.7"), port};
}

// The client is behind the port's gateway.
Plot behind(bool ipv6, const std::string& front = kGateways) {
    Plot plot = over(ipv6);
    plot.keep_alive = 0;
    plot.setup.front = front;
    plot.from = far_away(ipv6);
    return plot;
}

// What the gateway answers to the question that a client's SYN made Sluice ask.
void answers(Story& story, const IpAddress& neighbor, const MacAddress& mac) {
    const IpAddress asker = address(neighbor.is_v4() ? "10.1.0.1" : "fd00:1::1");
    story.arrives(Side::Client, make_neighbor_answer(neighbor, mac, asker, Lab::kFrontMac));
}

void announces(Story& story, const IpAddress& neighbor, const MacAddress& mac) {
    story.arrives(Side::Client, make_announcement(neighbor, mac));
}

// The client is silent; what the broker sends it goes to that MAC.
void expect_at(Story& story, const MacAddress& mac, std::uint64_t moves) {
    story.leg(Side::Client).mac = mac;
    story.tap.frames.clear();
    story.broker_passes("P. 0:10");
    EXPECT_EQ(story.moved("splice_paths"), moves == 0 ? Moved{} : (Moved{{"splice_paths_moved", moves}}));
}

std::size_t questions_on_front(const Tap& tap, bool ipv6) {
    return static_cast<std::size_t>(std::ranges::count_if(tap.frames, [&](const auto& sent) {
        const auto ethernet = wire::EthernetView::parse(sent.second);
        if (sent.first != 0 || !ethernet) return false;
        if (!ipv6) {
            const auto arp = wire::ArpView::parse(ethernet->payload());
            return ethernet->ether_type() == wire::kEtherTypeArp && arp->packet().target_ip == gateway(false);
        }
        wire::IpError error{};
        const auto packet = wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error);
        return packet && packet->protocol == wire::kProtocolIcmpv6 &&
               load8(packet->payload.data()) == wire::kIcmpv6NeighborSolicitation;
    }));
}

TEST(ClientWay, FollowsItsGateway) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(behind(ipv6));
        answers(story, gateway(ipv6), kRouter);
        announces(story, gateway(ipv6), kElsewhere);
        expect_at(story, kElsewhere, 1);
        story.client_passes("P. 0:10 ack 10");
        story.expect_alive();
    }
}

// Two moves, and back, before anything else happens.
TEST(ClientWay, FollowsItsGatewayOverSeveralStations) {
    for (const bool ipv6 : {false, true}) {
        for (const bool returns : {false, true}) {
            Spliced story(behind(ipv6));
            answers(story, gateway(ipv6), kRouter);
            story.lab.inject(0, make_announcement(gateway(ipv6), kElsewhere));
            announces(story, gateway(ipv6), returns ? kRouter : kThird);
            expect_at(story, returns ? kRouter : kThird, returns ? 0 : 1);
            story.expect_alive();
        }
    }
}

// A gateway that never answered may be found nevertheless: it says where it is. A client's packets come from
// where it was before.
TEST(ClientWay, FollowsAGatewayThatWasNeverHeard) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(behind(ipv6));
        story.lab.run(seconds(8));
        announces(story, gateway(ipv6), kElsewhere);
        expect_at(story, kElsewhere, 1);
        story.expect_alive();
    }
}

// But an answer to a question is no move: the client's packets come by another router, and so do answers.
TEST(ClientWay, IsTheWayItCameUntilTheGatewayMoves) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(behind(ipv6));
        answers(story, gateway(ipv6), kThird);
        expect_at(story, kRouter, 0);
        announces(story, gateway(ipv6), kElsewhere);
        story.leg(Side::Client).mac = kElsewhere;
        story.broker_passes("P. 10:20");
        EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
        // Its own packets are still the best that is known of it.
        story.leg(Side::Client).mac = kThird;
        story.client_passes(". 0:0 ack 20");
        story.broker_passes("P. 20:30");
        story.expect_alive();
    }
}

// Two routers share the gateway's MAC as well, and forward packets with their own: where it is now is said by
// an announcement that tells nothing new.
TEST(ClientWay, GoesByTheGatewaysMacOnceThatIsAnnounced) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(behind(ipv6));
        answers(story, gateway(ipv6), kThird);
        expect_at(story, kRouter, 0);
        announces(story, gateway(ipv6), kThird);
        story.leg(Side::Client).mac = kThird;
        story.broker_passes("P. 10:20");
        EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
        story.expect_alive();
    }
}

// The client's packets come by a neighbor that is known, and is not its gateway: it goes by that one.
TEST(ClientWay, GoesByAnotherNeighborThatItsPacketsComeFrom) {
    for (const bool ipv6 : {false, true}) {
        Plot plot = behind(ipv6);
        plot.setup.listener =
            std::string("[[listener]]\nname = \"other\"\npool = \"brokers\"\naddress = \"") +
            (ipv6 ? "10.1.0.1:1883" : "[fd00:1::1]:1883") + "\"\n";
        Spliced story(plot);
        answers(story, gateway(ipv6), kThird);
        // Somebody over the other family, whose gateway is the router that the client uses.
        const IpAddress listener = address(ipv6 ? "10.1.0.1" : "fd00:1::1");
        story.arrives(
            Side::Client,
            make_segment({.from = far_away(!ipv6), .to = {listener, 1883}, .flags = {.syn = true}}));
        answers(story, gateway(!ipv6), kRouter);
        story.tap.tcp.clear();
        announces(story, gateway(ipv6), kElsewhere);
        expect_at(story, kRouter, 0);
        announces(story, gateway(!ipv6), kElsewhere);
        story.leg(Side::Client).mac = kElsewhere;
        story.broker_passes("P. 10:20");
        EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
    }
}

// Both gateways of one router move one after the other; each takes along its own.
TEST(ClientWay, GoesByItsOwnFamilysGatewayOfTheSameRouter) {
    for (const bool ipv6 : {false, true}) {
        Plot plot = behind(ipv6);
        plot.setup.listener =
            std::string("[[listener]]\nname = \"other\"\npool = \"brokers\"\naddress = \"") +
            (ipv6 ? "10.1.0.1:1883" : "[fd00:1::1]:1883") + "\"\n";
        Spliced story(plot);
        answers(story, gateway(ipv6), kRouter);
        const IpAddress listener = address(ipv6 ? "10.1.0.1" : "fd00:1::1");
        story.arrives(
            Side::Client,
            make_segment({.from = far_away(!ipv6), .to = {listener, 1883}, .flags = {.syn = true}}));
        answers(story, gateway(!ipv6), kRouter);
        story.tap.tcp.clear();
        announces(story, gateway(!ipv6), kElsewhere);
        expect_at(story, kRouter, 0);
        announces(story, gateway(ipv6), kElsewhere);
        story.leg(Side::Client).mac = kElsewhere;
        story.broker_passes("P. 10:20");
        EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
    }
}

TEST(ClientWay, FollowsItsOwnAddressOnTheLink) {
    for (const bool ipv6 : {false, true}) {
        for (const std::string& front : {std::string(), kGateways}) {
            Plot plot = behind(ipv6, front);
            plot.from.reset();
            Spliced story(plot);
            const IpAddress own = story.leg(Side::Client).remote.address;
            announces(story, own.next(), kThird);  // a neighbor of it
            expect_at(story, kRouter, 0);
            story.lab.run(seconds(1));
            announces(story, own, kElsewhere);
            story.leg(Side::Client).mac = kElsewhere;
            story.broker_passes("P. 10:20");
            EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
            // Once more, so soon that it waits; but it is not forgotten.
            announces(story, own, kThird);
            story.lab.run(seconds(2));
            story.leg(Side::Client).mac = kThird;
            story.broker_passes("P. 20:30");
            story.expect_alive();
        }
    }
}

TEST(ClientWay, IsNeverAGroup) {
    for (const bool distant : {false, true}) {
        Plot plot = behind(false);
        if (!distant) plot.from.reset();
        Spliced story(plot);
        if (distant) answers(story, gateway(false), kRouter);
        const IpAddress hop = distant ? gateway(false) : story.leg(Side::Client).remote.address;
        announces(story, hop, MacAddress{{0x01, 0, 0x5e, 0, 0, 1}});
        announces(story, hop, MacAddress{});
        expect_at(story, kRouter, 0);
        story.expect_alive();
    }
}

// Without a gateway nobody knows whose MAC the client's packets carry.
TEST(ClientWay, StaysWithoutAGateway) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(behind(ipv6, ""));
        announces(story, gateway(ipv6), kElsewhere);
        expect_at(story, kRouter, 0);
        EXPECT_EQ(story.moved("neighbor_"), Moved{});
        story.expect_alive();
    }
}

// What the same address says on another port is about somebody else.
TEST(ClientWay, FollowsALinkLocalGatewayOfItsPort) {
    Plot plot = behind(true,
                       "addresses = [\"fd00:1::1/64\", \"10.1.0.1/16\", \"fe80::5/64\"]\n"
                       "gateway = [\"fe80::1\"]\n");
    Spliced story(plot);
    story.arrives(Side::Client,
                  make_neighbor_answer(address("fe80::1"), kRouter, address("fe80::5"), Lab::kFrontMac));
    story.arrives(Side::Broker, make_announcement(address("fe80::1"), kThird));
    expect_at(story, kRouter, 0);
    announces(story, address("fe80::1"), kElsewhere);
    story.leg(Side::Client).mac = kElsewhere;
    story.broker_passes("P. 10:20");
    EXPECT_EQ(story.moved("splice_paths"), (Moved{{"splice_paths_moved", 1}}));
    story.expect_alive();
}

// The gateway's machine was replaced and said nothing: it is asked for as long as somebody is behind it.
TEST(ClientWay, IsCheckedWhileSomebodyIsBehindTheGateway) {
    for (const bool ipv6 : {false, true}) {
        Spliced story(behind(ipv6));
        answers(story, gateway(ipv6), kRouter);
        for (int i = 0; i < 55; ++i) {
            story.lab.run(seconds(1));
            if (i >= 20) answers(story, gateway(ipv6), kElsewhere);  // not heard unless it was asked for
        }
        expect_at(story, kElsewhere, 1);
        story.client_passes("R 0:0");
        story.tap.frames.clear();
        story.lab.run(std::chrono::minutes(5));
        EXPECT_EQ(questions_on_front(story.tap, ipv6), 0U);
        story.expect_gone(Counter::ClosedClientReset);
    }
}

TEST(ClientWay, AsksForNoClientItself) {
    for (const bool ipv6 : {false, true}) {
        Plot plot = behind(ipv6);
        plot.from.reset();
        Tap first;
        plot.setup.on_sent = [&](std::uint16_t port, ByteView frame) { first.see(port, frame); };
        Spliced story(plot);
        story.lab.run(std::chrono::minutes(1));
        EXPECT_EQ(questions_on_front(first, ipv6) + questions_on_front(story.tap, ipv6), 0U);
    }
}

// --- whatever the connection is doing ---

// A lab whose client is behind a gateway and has come as far as `phase`.
void come_to(Lab& lab, Phase phase, bool ipv6) {
    lab.clients.addresses.push_back(gateway(ipv6));  // which has the client's own MAC
    lab.brokers[0]->host.deaf_tcp = phase == Phase::Connecting;
    lab.brokers[0]->answers = phase != Phase::Replaying;
    if (phase == Phase::Handshake) {
        lab.inject(0, make_segment({.from = far_away(ipv6), .to = lab.listener(), .flags = {.syn = true}}));
    } else {
        Socket& client = lab.client(far_away(ipv6));
        lab.settle();
        if (phase != Phase::AwaitConnect) client.write(connect_packet("device"));
    }
    lab.settle();
    if (phase == Phase::Spliced) lab.run(milliseconds(50));
    if (phase == Phase::Resting) lab.run(milliseconds(1500));
    ASSERT_EQ(lab.rows().size(), 1U);
    ASSERT_EQ(lab.rows()[0].phase, phase);
}

void expect_follows(Lab& lab, const IpAddress& neighbor, std::size_t clients) {
    lab.inject(0, make_announcement(neighbor, kElsewhere));
    lab.settle();
    Tap tap(lab);
    lab.command({.kind = worker::Command::Kind::Stop});
    lab.settle();
    std::set<SocketAddress> told;
    for (const SeenSegment& s : tap.tcp) {
        if (s.port != 0) continue;
        EXPECT_EQ(s.ethernet.destination, kElsewhere);
        told.insert(s.to);
    }
    EXPECT_EQ(told.size(), clients);
    expect_nothing_left(lab);
}

TEST(ClientWay, FollowsTheGatewayInEveryPhase) {
    for (const Phase phase : {Phase::Handshake, Phase::AwaitConnect, Phase::Connecting, Phase::Replaying,
                              Phase::Relayed, Phase::Spliced}) {
        for (const unsigned workers : {1U, 3U}) {
            for (const bool ipv6 : {false, true}) {
                SCOPED_TRACE(std::string(to_string(phase)) + (ipv6 ? " IPv6 " : " IPv4 ") +
                             std::to_string(workers));
                Lab lab({.workers = workers, .brokers = 1, .front = kGateways, .ipv6 = ipv6});
                come_to(lab, phase, ipv6);
                expect_follows(lab, gateway(ipv6), 1);
            }
        }
    }
}

// Connections that can never be spliced.
TEST(ClientWay, FollowsTheGatewayWhereFamiliesDiffer) {
    for (const unsigned workers : {1U, 3U}) {
        Lab lab({.workers = workers, .brokers = 1, .front = kGateways, .ipv6_clients = true});
        come_to(lab, Phase::Relayed, true);
        lab.run(milliseconds(900));
        ASSERT_EQ(lab.rows()[0].phase, Phase::Relayed);
        expect_follows(lab, gateway(true), 1);
    }
}

TEST(ClientWay, FollowsTheGatewayOfThoseAtRest) {
    for (const unsigned workers : {1U, 3U}) {
        Lab lab({.workers = workers, .brokers = 1, .front = kGateways, .ipv6_clients = true});
        come_to(lab, Phase::Resting, true);
        expect_follows(lab, gateway(true), 1);
    }
}

// The gateway moves while some of many wake: a look through all of them takes several turns, and those that
// it would have come to next are elsewhere by then.
TEST(ClientWay, FollowsTheGatewayOfThoseThatWakeMeanwhile) {
    constexpr std::size_t kClients = 5000;
    Lab lab({.brokers = 1, .front = kGateways, .ipv6_clients = true, .max_connections = 3 * 4096});
    lab.clients.addresses.push_back(gateway(true));
    for (std::size_t i = 0; i < kClients; ++i) {
        lab.client(far_away(true, static_cast<std::uint16_t>(20000 + i)))
            .write(connect_packet("far-" + std::to_string(i)));
        if (i % 100 == 0) lab.settle();
    }
    lab.run(seconds(3));
    ASSERT_EQ(lab.usage().resting, kClients);
    Host& broker = lab.brokers[0]->host;
    ASSERT_EQ(broker.sockets.size(), kClients);
    lab.clients.deaf_tcp = true;  // nothing that they say tells where they are
    Tap tap(lab);
    lab.inject(0, make_announcement(gateway(true), kElsewhere));
    constexpr std::size_t kEachTurn = 60;
    for (std::size_t woken = 0; woken < 8 * kEachTurn; woken += kEachTurn) {
        for (std::size_t n = woken; n < woken + kEachTurn; ++n)
            broker.sockets[kClients - 1 - n]->write("news");
        for (; !broker.out.empty(); broker.out.pop_front()) lab.inject(1, broker.out.front());
        lab.workers[0]->step(lab.now);
    }
    lab.settle();
    EXPECT_EQ(lab.usage().resting, kClients - 8 * kEachTurn);
    tap.tcp.clear();
    for (const auto& socket : broker.sockets) socket->write("more");
    lab.settle();
    ASSERT_GE(tap.tcp_on(0), kClients);
    for (const SeenSegment& s : tap.tcp) {
        if (s.port != 0) continue;
        ASSERT_EQ(s.ethernet.destination, kElsewhere);
    }
}

// More than one look takes at a time: those behind the gateway follow it, their neighbors on the link do not.
TEST(ClientWay, TakesAlongThousands) {
    for (const unsigned workers : {1U, 3U}) {
        for (const bool ipv6 : {false, true}) {
            constexpr std::uint16_t kEach = 1100;
            Lab lab({.workers = workers,
                     .brokers = 1,
                     .front = kGateways,
                     .ipv6 = ipv6,
                     .max_connections = 3 * 4096});
            lab.clients.addresses.push_back(gateway(ipv6));
            for (std::uint16_t i = 0; i < kEach; ++i) {
                lab.client(far_away(ipv6, static_cast<std::uint16_t>(20000 + i)))
                    .write(connect_packet("far-" + std::to_string(i)));
                lab.client().write(connect_packet("near-" + std::to_string(i)));
                if (i % 100 == 0) lab.settle();
            }
            lab.run(milliseconds(50));
            ASSERT_EQ(lab.usage().spliced, 2U * kEach);
            lab.inject(0, make_announcement(gateway(ipv6), kElsewhere));
            lab.settle();
            EXPECT_EQ(lab.count(Counter::SplicePathsMoved), kEach);
            Tap tap(lab);
            for (const auto& broker : lab.brokers[0]->host.sockets) broker->write("ping");
            lab.settle();
            ASSERT_EQ(tap.tcp_on(0), 2U * kEach);
            for (const SeenSegment& s : tap.tcp) {
                if (s.port != 0) continue;
                const bool far = s.to.address == far_away(ipv6).address;
                ASSERT_EQ(s.ethernet.destination, far ? kElsewhere : lab.clients.mac);
            }
        }
    }
}

}  // namespace
}  // namespace sluice::test::client_way_test
