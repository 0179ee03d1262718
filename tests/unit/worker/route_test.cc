// Routes as a client meets them: another pool than the listener's, or a refusal in its own dialect.
#include <gtest/gtest.h>

#include <algorithm>

#include "mqtt/packets.h"
#include "worker/packets.h"

namespace sluice::test {
namespace {

using mqtt::Version;
using mqtt::test::ConnectParts;
using mqtt::test::field;
using mqtt::test::raw;

// The third broker is a pool of its own.
std::string with_routes(const std::string& routes) {
    return configuration({.brokers = 2}) + routes +
           "[[pool]]\nname = \"special\"\nsource_addresses = [\"10.2.0.30\"]\n[pool.health]\ntype = "
           "\"none\"\n[[pool.backend]]\nname = \"third\"\naddress = \"10.2.0.4:1883\"\n";
}

Socket& say(Lab& lab, const std::string& packet) {
    Socket& client = lab.client();
    lab.settle();
    client.write(std::string_view(packet));
    lab.settle();
    return client;
}

TEST(Route, LeadsToThePoolOfTheFirstThatFits) {
    Lab lab;
    lab.reload(
        with_routes("[[route]]\nclient_id_prefix = \"special/\"\nusername = \"alice\"\npool = \"special\"\n"
                    "[[route]]\nversion = [\"5\"]\nclient_id_pattern = \"[0-9]$\"\npool = \"special\"\n"));
    const auto goes_to_third = [&](const ConnectParts& parts) {
        EXPECT_FALSE(say(lab, parts.bytes()).received.empty()) << parts.client_id;
        return lab.broker_of(parts.client_id) == lab.brokers[2].get();
    };
    EXPECT_TRUE(goes_to_third({.flags = 0x82, .client_id = "special/a", .behind = field("alice")}));
    EXPECT_FALSE(goes_to_third({.flags = 0x82, .client_id = "special/b", .behind = field("bob")}));
    EXPECT_FALSE(goes_to_third({.client_id = "special/c"}));
    EXPECT_TRUE(goes_to_third({.version = Version::V5, .client_id = "x1"}));
    EXPECT_FALSE(goes_to_third({.version = Version::V5, .client_id = "x"}));
    EXPECT_FALSE(goes_to_third({.version = Version::V311, .client_id = "x2"}));
    const auto rows = lab.rows();
    EXPECT_EQ(std::ranges::count(rows, 1U, &worker::ListedConnection::pool), 2);
    for (const auto& visit : lab.brokers[2]->visits) {
        EXPECT_EQ(visit.source.address, *IpAddress::parse("10.2.0.30"));
    }
}

TEST(Route, RefusesInTheClientsDialectBeforeAnyBrokerHearsOfIt) {
    Lab lab;
    lab.reload(
        with_routes("[[route]]\nclient_id_prefix = \"bad\"\nrefuse = \"not_authorized\"\n"
                    "[[route]]\nclient_id_prefix = \"later\"\nrefuse = \"unavailable\"\n"));
    Tap tap(lab);
    const Counts counts(lab);
    const auto answer = [&](Version version, const char* id) {
        Socket& client = say(lab, ConnectParts{.version = version, .client_id = id}.bytes());
        EXPECT_EQ(client.endpoint.state(), tcp::State::CloseWait);
        client.shutdown();
        lab.settle();
        EXPECT_EQ(client.endpoint.failure(), tcp::Failure::None);
        return client.received;
    };
    EXPECT_EQ(answer(Version::V31, "bad"), raw({0x20, 2, 0, 0x05}));
    EXPECT_EQ(answer(Version::V311, "bad"), raw({0x20, 2, 0, 0x05}));
    EXPECT_EQ(answer(Version::V5, "bad"), raw({0x20, 3, 0, 0x87, 0}));
    EXPECT_EQ(answer(Version::V311, "later"), raw({0x20, 2, 0, 0x03}));
    EXPECT_EQ(answer(Version::V5, "later"), raw({0x20, 3, 0, 0x88, 0}));
    EXPECT_EQ(counts.moved("refused_"), (Moved{{"refused_by_route", 5}}));
    EXPECT_EQ(tap.tcp_on(1), 0U);
    EXPECT_EQ(lab.connect("good").received, kConnackAccepted);
    lab.clients.sockets.back()->abort();
    lab.run(std::chrono::seconds(3));
    expect_nothing_left(lab);
}

TEST(Route, TheClientIsOfferedWhatEveryPoolAcceptsThatItMayGoTo) {
    Lab lab({.health = "type = \"tcp\"\ninterval = \"1s\""});
    lab.brokers[2]->host.accept_options = {.receive_mss = 1200, .sack = false};
    lab.run(std::chrono::milliseconds(500));
    std::uint32_t window = 0;
    const auto offered = [&] {
        Tap tap(lab);
        lab.client();
        lab.settle();
        lab.on_sent = nullptr;
        const auto found =
            std::ranges::find_if(tap.tcp, [](const SeenSegment& s) { return s.port == 0 && s.is_syn_ack(); });
        window = found == tap.tcp.end() ? 0 : found->tcp.window;
        return found == tap.tcp.end() ? wire::TcpOptions{} : found->tcp.options;
    };
    EXPECT_FALSE(offered().sack_permitted);
    // The third has a pool of its own, which no route leads to, and then one.
    std::string apart = with_routes("");
    lab.reload(apart);
    EXPECT_TRUE(offered().sack_permitted);
    EXPECT_EQ(offered().mss, 1460);
    EXPECT_EQ(window, 65535U);
    const auto position = lab.registry.pools[1].backends[0].position;
    lab.health->on_probe(position, backend::ProbeFailure::None,
                         {.mss = 1200, .window = 3000, .window_scale = 7, .sack = false, .timestamps = true},
                         {}, lab.now);
    lab.reload(with_routes("[[route]]\nclient_id_prefix = \"x\"\npool = \"special\"\n"));
    EXPECT_FALSE(offered().sack_permitted);
    EXPECT_EQ(offered().mss, 1200);
    EXPECT_EQ(window, 3000U);
    lab.reload(with_routes("[[route]]\nclient_id_prefix = \"x\"\nrefuse = \"unavailable\"\n"));
    EXPECT_TRUE(offered().sack_permitted);
}

}  // namespace
}  // namespace sluice::test
