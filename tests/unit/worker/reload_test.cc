// Backends, pools, listeners and source addresses come and go under connections that stay.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "sluice/flow/slab.h"
#include "sluice/wire/arp.h"
#include "sluice/wire/frame.h"
#include "sluice/wire/icmpv6.h"
#include "sluice/wire/ndp.h"
#include "worker/packets.h"
#include "worker/steering.h"

namespace sluice::test::reload_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const MacAddress kMac{{0x02, 0, 0, 0, 9, 9}};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

// --- what the network is told ---

std::optional<wire::IpPacket> ip_of(ByteView frame) {
    const auto ethernet = wire::EthernetView::parse(frame);
    wire::IpError error{};
    return ethernet ? wire::parse_ip_packet(ethernet->ether_type(), ethernet->payload(), error)
                    : std::nullopt;
}

// Own addresses that a frame says something of, unasked (`announced`) or as an answer.
std::optional<IpAddress> told(ByteView frame, bool announced) {
    const auto ethernet = wire::EthernetView::parse(frame);
    if (!ethernet) return std::nullopt;
    if (ethernet->ether_type() == wire::kEtherTypeArp) {
        const auto arp = wire::ArpView::parse(ethernet->payload())->packet();
        const bool gratuitous = arp.sender_ip == arp.target_ip;
        if (announced != gratuitous || (!gratuitous && arp.operation != wire::ArpOperation::Reply)) {
            return std::nullopt;
        }
        return arp.sender_ip;
    }
    const auto packet = ip_of(frame);
    const auto advertisement = packet ? wire::parse_neighbor_advertisement(*packet) : std::nullopt;
    if (!advertisement || advertisement->solicited == announced) return std::nullopt;
    return advertisement->target;
}

std::set<std::string> announced(const Tap& tap) {
    std::set<std::string> all;
    for (const auto& [port, frame] : tap.frames) {
        if (const auto address = told(frame, true)) {
            EXPECT_EQ(port, 1U);
            all.insert(address->to_string());
        }
    }
    return all;
}

// Whether Sluice answers on its back port who has this address.
bool answers_for(Lab& lab, const char* text) {
    const IpAddress target = *IpAddress::parse(text);
    Frame frame(512);
    if (target.is_v4()) {
        frame.resize(wire::write_arp_frame(kBroadcastMac,
                                           {.operation = wire::ArpOperation::Request,
                                            .sender_mac = kMac,
                                            .sender_ip = *IpAddress::parse("10.2.0.99"),
                                            .target_mac = {},
                                            .target_ip = target},
                                           frame));
    } else {
        const IpAddress group = wire::solicited_node_multicast(target);
        frame.resize(wire::write_neighbor_solicitation_frame({.source_mac = kMac,
                                                              .destination_mac = wire::multicast_mac(group),
                                                              .source = *IpAddress::parse("fd00:2::99"),
                                                              .destination = group},
                                                             {.target = target, .source_mac = kMac}, frame));
    }
    Tap tap(lab);
    lab.inject(1, frame);
    lab.settle();
    lab.on_sent = nullptr;
    return std::ranges::any_of(tap.frames, [&](const auto& f) { return told(f.second, false) == target; });
}

// --- connections that stay ---

struct Kind {
    unsigned workers;
    bool ipv6;
};

class Reload : public testing::TestWithParam<Kind> {
  protected:
    static constexpr unsigned kBrokers = 4;
    static test::Setup setup(unsigned brokers = kBrokers) {
        return {.workers = GetParam().workers, .brokers = brokers, .ipv6 = GetParam().ipv6};
    }
    static std::string sources(unsigned from, unsigned to) {
        const auto address = [](unsigned n) {
            return (GetParam().ipv6 ? "fd00:2::" : "10.2.0.") + std::to_string(n);
        };
        return "source_addresses = [\"" + address(from) + "-" + address(to) + "\"]\n";
    }
    static std::string source(unsigned n) {
        return (GetParam().ipv6 ? "fd00:2::" : "10.2.0.") + std::to_string(n);
    }
    static std::string at(std::uint16_t port) {
        return (GetParam().ipv6 ? "[fd00:1::1]:" : "10.1.0.1:") + std::to_string(port);
    }
};

// Connections of both forms, each with what must stay as it is.
class Crowd {
  public:
    // The brokers' names by number: those of the second have relayed connections.
    Crowd(Lab& lab, int clients) : lab_(lab) {
        lab.brokers[1]->host.accept_options.sack = false;
        for (int i = 0; i < clients; ++i) {
            const std::string id = "device-" + std::to_string(i);
            Socket& client = lab.connect(id);
            members_.push_back({id, &client, lab.broker_of(id)->socket_of(id), {}});
        }
        lab.run(milliseconds(50));
        for (Member& m : members_) m.row = row_of(*m.client);
        EXPECT_GT(forms(session::Phase::Relayed), 2);
        EXPECT_GT(forms(session::Phase::Spliced), 2);
    }

    // Every one of them carries bytes both ways, by the same lease and under the same name.
    void expect_kept() {
        const Counts counts(lab_);
        ++round_;
        for (const Member& m : members_) {
            m.client->write("up " + std::to_string(round_) + m.id);
            m.broker->write("down " + std::to_string(round_) + m.id);
        }
        lab_.run(milliseconds(50));
        for (const Member& m : members_) {
            EXPECT_TRUE(m.client->received.ends_with("down " + std::to_string(round_) + m.id)) << m.id;
            EXPECT_TRUE(m.broker->received.ends_with("up " + std::to_string(round_) + m.id)) << m.id;
            EXPECT_EQ(m.client->endpoint.state(), tcp::State::Established);
            EXPECT_EQ(m.broker->endpoint.state(), tcp::State::Established);
            const worker::ListedConnection now = row_of(*m.client);
            // A rest in between gave those that stay relayed another name.
            if (m.row.phase == session::Phase::Spliced) {
                EXPECT_EQ(now.id, m.row.id);
            }
            EXPECT_EQ(now.phase, m.row.phase);
            EXPECT_EQ(now.upstream, m.row.upstream);
            EXPECT_EQ(now.listener, m.row.listener);
            EXPECT_EQ(now.pool, m.row.pool);
            EXPECT_EQ(now.backend, m.row.backend);
        }
        EXPECT_EQ(counts.moved("tcp_"), Moved{});
        EXPECT_EQ(counts.moved("drop_"), Moved{});
        EXPECT_EQ(counts.moved("closed_"), Moved{});
    }
    void end() {
        for (const Member& m : members_) {
            m.client->abort();
            lab_.settle();
        }
        members_.clear();
        lab_.run(seconds(2));
    }
    int forms(session::Phase phase) const {
        return static_cast<int>(
            std::ranges::count_if(members_, [&](const Member& m) { return m.row.phase == phase; }));
    }

  private:
    struct Member {
        std::string id;
        Socket* client;
        Socket* broker;
        worker::ListedConnection row;
    };
    worker::ListedConnection row_of(const Socket& client) const {
        for (const auto& row : lab_.rows()) {
            if (row.client.remote == client.tuple.local) return row;
        }
        ADD_FAILURE() << "gone";
        return {};
    }

    Lab& lab_;
    std::vector<Member> members_;
    int round_ = 0;
};

TEST_P(Reload, ConnectionsStayWhateverComesAndGoesAroundThem) {
    Lab lab(setup());
    Crowd crowd(lab, 30);
    const std::string first = configuration(setup());
    crowd.expect_kept();

    // The same again.
    lab.reload(first);
    EXPECT_FALSE(lab.forget_the_gone());
    crowd.expect_kept();

    // Other names, other sources, another order, another listener, one more pool with a route to it.
    test::Setup changed = setup();
    changed.pool = sources(20, 22);
    std::string second = replaced(configuration(changed), "name = \"broker-2\"", "name = \"second\"");
    second = replaced(second, "name = \"mqtt\"", "name = \"front-door\"");
    second += "[[listener]]\nname = \"more\"\npool = \"other\"\naddress = \"" + at(1884) +
              "\"\n[[route]]\nclient_id_prefix = \"x\"\npool = \"other\"\n[[pool]]\nname = \"other\"\n" +
              sources(30, 31) +
              "[pool.health]\ntype = \"none\"\n[[pool.backend]]\nname = \"o\"\naddress = \"" +
              SocketAddress{lab.brokers[0]->host.addresses[0], 1883}.to_string() + "\"\n";
    lab.reload(second);
    crowd.expect_kept();
    lab.forget_the_gone();
    crowd.expect_kept();
    EXPECT_EQ(lab.connect("xavier").received, kConnackAccepted);
    EXPECT_EQ(
        lab.brokers[0]->socket_of("xavier")->tuple.remote.address.to_string().substr(0, source(3).size()),
        source(3));

    // The pool by another name, its listener gone, and the other pool too.
    changed.pool = sources(22, 24);
    std::string third = replaced(configuration(changed), "pool = \"brokers\"", "pool = \"fleet\"");
    third = replaced(third, "name = \"brokers\"", "name = \"fleet\"");
    third = replaced(third, at(1883), at(1885));
    lab.reload(third);
    crowd.expect_kept();
    for (int i = 0; i < 3; ++i) {
        lab.run(seconds(1));
        lab.forget_the_gone();
        crowd.expect_kept();
    }
    // Round and round.
    for (int i = 0; i < 5; ++i) {
        lab.reload(i % 2 == 0 ? second : third);
        lab.forget_the_gone();
        crowd.expect_kept();
    }
    lab.reload(first);
    crowd.expect_kept();

    crowd.end();
    lab.forget_the_gone();
    EXPECT_FALSE(anything_removed(lab.registry));
    EXPECT_EQ(lab.connect("device-1").received, kConnackAccepted);
    lab.clients.sockets.back()->abort();
    lab.settle();
    expect_nothing_left(lab);
}

TEST_P(Reload, NewSourceAddressesAreAnnouncedAndUsedAndOldOnesAnsweredUntilUnused) {
    Lab lab(setup());
    Crowd crowd(lab, 60);
    test::Setup changed = setup();
    changed.pool = sources(20, 21);
    Tap tap(lab);
    lab.reload(configuration(changed));
    lab.run(milliseconds(20));
    EXPECT_EQ(announced(tap), (std::set{source(20), source(21)}));
    lab.on_sent = nullptr;

    for (int i = 0; i < 20; ++i) {
        const std::string id = "new-" + std::to_string(i);
        Socket& client = lab.connect(id);
        ASSERT_EQ(client.received, kConnackAccepted);
        const std::string used = lab.broker_of(id)->socket_of(id)->tuple.remote.address.to_string();
        EXPECT_TRUE(used == source(20) || used == source(21)) << used;
    }
    EXPECT_TRUE(answers_for(lab, source(20).c_str()));
    // Leases are taken evenly, so that each of the old ones is in use.
    EXPECT_FALSE(lab.forget_the_gone());
    for (unsigned n = 10; n < 14; ++n) EXPECT_TRUE(answers_for(lab, source(n).c_str())) << n;
    crowd.expect_kept();

    crowd.end();
    EXPECT_TRUE(lab.forget_the_gone());
    for (unsigned n = 10; n < 14; ++n) EXPECT_FALSE(answers_for(lab, source(n).c_str())) << n;
    EXPECT_TRUE(answers_for(lab, source(21).c_str()));

    // Back again: told anew, and used.
    Tap again(lab);
    lab.reload(configuration(setup()));
    lab.run(milliseconds(20));
    EXPECT_EQ(announced(again), (std::set{source(10), source(11), source(12), source(13)}));
    lab.on_sent = nullptr;
    EXPECT_EQ(lab.connect("late").received, kConnackAccepted);
    EXPECT_EQ(lab.broker_of("late")->socket_of("late")->tuple.remote.address.to_string().substr(
                  0, source(1).size()),
              source(1));
}

TEST_P(Reload, ARemovedListenerIsAClosedPortWhileItsConnectionsLive) {
    Lab lab(setup());
    Crowd crowd(lab, 16);
    const SocketAddress old_door = lab.listener();
    lab.reload(replaced(configuration(setup()), at(1883), at(1884)));
    const auto knock = [&](const SocketAddress& door) -> Socket& {
        const SocketAddress from = lab.next_client_address();
        lab.clients.addresses.push_back(from.address);
        lab.clients.now = lab.now;
        Socket& s = lab.clients.connect(from, door, lab.front_mac());
        lab.settle();
        return s;
    };
    for (int i = 0; i < 6; ++i) EXPECT_EQ(knock(old_door).endpoint.failure(), tcp::Failure::Refused);
    EXPECT_EQ(knock(lab.listener()).endpoint.state(), tcp::State::Established);
    EXPECT_FALSE(lab.forget_the_gone());
    crowd.expect_kept();
    crowd.end();
    EXPECT_TRUE(lab.forget_the_gone());
    EXPECT_EQ(knock(old_door).endpoint.failure(), tcp::Failure::Refused);
}

TEST_P(Reload, ARemovedBackendTakesNobodyAndOnlyItsOwnConnectionsEnd) {
    test::Setup gentle = setup();
    gentle.pool = sources(10, 13) + "drain_rate = 1\n";
    Lab lab(gentle);
    Crowd crowd(lab, 24);
    const auto of_fourth = lab.load(3);
    ASSERT_GT(of_fourth, 1U);
    test::Setup fewer = setup(3);
    fewer.pool = sources(10, 13) + "drain_rate = 100\n";
    lab.reload(configuration(fewer));
    for (int i = 0; i < 20; ++i) lab.connect("new-" + std::to_string(i));
    EXPECT_TRUE(std::ranges::none_of(lab.brokers[3]->visits,
                                     [](const auto& v) { return v.client_id.starts_with("new"); }));
    lab.run(seconds(3));
    EXPECT_EQ(lab.load(3), 0U);
    EXPECT_EQ(lab.count(Counter::ClosedBackendRemoved), of_fourth);
    for (const auto& s : lab.brokers[3]->host.sockets) {
        EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
    }
    EXPECT_TRUE(lab.forget_the_gone());
    EXPECT_EQ(lab.connect("one-more").received, kConnackAccepted);
    EXPECT_EQ(lab.count(Counter::TcpNoConnection), 0U);
}

// A worker whose mailbox was full sees the newest picture only: addresses came and went without it.
TEST_P(Reload, AWorkerThatMissedAConfigurationTakesTheNextOne) {
    Lab lab(setup());
    Crowd crowd(lab, 16);
    test::Setup between = setup();
    between.pool = sources(20, 21);
    lab.reload_unheard(configuration(between));
    lab.reload_unheard(configuration(setup()) + "[[pool]]\nname = \"other\"\n" + sources(30, 31) +
                       "[[pool.backend]]\nname = \"o\"\naddress = \"" +
                       SocketAddress{lab.brokers[0]->host.addresses[0], 1883}.to_string() + "\"\n");
    lab.reload(configuration(setup()));
    EXPECT_FALSE(lab.registry.pools[0].retained_sources.empty());
    crowd.expect_kept();
    EXPECT_TRUE(lab.forget_the_gone());
    crowd.expect_kept();
    EXPECT_EQ(lab.connect("late").received, kConnackAccepted);
}

// Two pools may reach one broker from the same addresses when their ports differ.
TEST_P(Reload, PoolsThatShareAddressesAndBrokersAreToldApartByTheirPorts) {
    const auto text = [](const char* first_ports, const char* second_ports) {
        test::Setup s = setup(2);
        s.pool = sources(10, 11) + "source_ports = \"" + first_ports + "\"\n";
        std::string t = configuration(s);
        const std::string backends = t.substr(t.find("[[pool.backend]]"));
        return t + "[[route]]\nclient_id_prefix = \"x\"\npool = \"other\"\n[[pool]]\nname = \"other\"\n" +
               sources(10, 11) + "source_ports = \"" + second_ports + "\"\n[pool.health]\ntype = \"none\"\n" +
               backends;
    };
    test::Setup start = setup(2);
    start.pool = sources(10, 11) + "source_ports = \"2000-2999\"\n";
    Lab lab(start);
    Crowd crowd(lab, 16);
    lab.reload(text("2000-2999", "3000-3999"));
    for (int i = 0; i < 20; ++i) {
        const std::string id = (i % 2 == 0 ? "x-" : "y-") + std::to_string(i);
        Socket& client = lab.connect(id);
        ASSERT_EQ(client.received, kConnackAccepted) << id;
        EXPECT_EQ(lab.broker_of(id)->socket_of(id)->tuple.remote.port / 1000, i % 2 == 0 ? 3 : 2);
        client.write("more");
        lab.run(milliseconds(50));
        EXPECT_EQ(lab.broker_of(id)->after_connect(id), "more");
    }
    crowd.expect_kept();
    // Also while one of them is on its way out.
    lab.reload(configuration(start));
    lab.run(seconds(1));
    crowd.expect_kept();
    EXPECT_EQ(lab.count(Counter::ClosedBackendRemoved), 10U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Reload,
                         testing::Values(Kind{1, false}, Kind{3, false}, Kind{1, true}, Kind{3, true}),
                         [](const auto& kind) {
                             return std::string(kind.param.ipv6 ? "IPv6" : "IPv4") + "With" +
                                    std::to_string(kind.param.workers);
                         });

// --- by the operator's hand ---

const worker::ListedConnection* row_of(const std::vector<worker::ListedConnection>& rows,
                                       const Socket& client) {
    const auto found =
        std::ranges::find_if(rows, [&](const auto& r) { return r.client.remote == client.tuple.local; });
    return found == rows.end() ? nullptr : &*found;
}

TEST(Kill, ResetsBothEndsOfTheRightConnectionInEveryForm) {
    for (const bool ipv6 : {false, true}) {
        for (const bool spliced : {false, true}) {
            Lab lab({.brokers = 1, .ipv6 = ipv6});
            lab.brokers[0]->host.accept_options.sack = spliced;
            Socket& one = lab.connect("one");
            Socket& two = lab.connect("two");
            lab.run(milliseconds(50));
            const auto rows = lab.rows();
            const auto* const row = row_of(rows, two);
            ASSERT_TRUE(row != nullptr);
            EXPECT_EQ(row->phase, spliced ? session::Phase::Spliced : session::Phase::Relayed);
            Tap tap(lab);
            EXPECT_TRUE(lab.workers[0]->kill_connection(row->id, row->client));
            lab.settle();
            EXPECT_EQ(two.endpoint.failure(), tcp::Failure::Reset);
            EXPECT_EQ(lab.brokers[0]->socket_of("two")->endpoint.failure(), tcp::Failure::Reset);
            EXPECT_EQ(one.endpoint.state(), tcp::State::Established);
            EXPECT_EQ(lab.count(Counter::ClosedByOperator), 1U);
            EXPECT_FALSE(lab.workers[0]->kill_connection(row->id, row->client));
            one.write("still here");
            lab.run(milliseconds(10));
            EXPECT_EQ(lab.brokers[0]->after_connect("one"), "still here");
            one.abort();
            lab.run(milliseconds(50));
            expect_nothing_left(lab);
        }
    }
}

TEST(Kill, ANameThatIsAnothersByNowKillsNobody) {
    for (const bool spliced : {false, true}) {
        Lab lab({.brokers = 1});
        lab.brokers[0]->host.accept_options.sack = spliced;
        Socket& first = lab.connect("first");
        lab.run(milliseconds(50));
        const auto rows = lab.rows();
        first.abort();
        lab.run(milliseconds(50));
        Socket& second = lab.connect("second");
        lab.run(milliseconds(50));
        const auto now = lab.rows();
        ASSERT_EQ(now.size(), 1U);
        ASSERT_EQ(now[0].id, rows[0].id);
        EXPECT_FALSE(lab.workers[0]->kill_connection(rows[0].id, rows[0].client));
        lab.settle();
        EXPECT_EQ(second.endpoint.state(), tcp::State::Established);
        EXPECT_FALSE(lab.workers[0]->kill_connection(rows[0].id + 17, rows[0].client));
        EXPECT_FALSE(lab.workers[0]->kill_connection(flow::kNoEntry, rows[0].client));
    }
}

// Between the listing and the killing a connection may be spliced, and is then listed by another name.
TEST(Kill, FindsAConnectionThatWasSplicedMeanwhile) {
    Lab lab({.brokers = 1});
    Socket& client = lab.connect("device-1");
    const auto rows = lab.rows();
    ASSERT_EQ(rows[0].phase, session::Phase::Relayed);
    lab.run(milliseconds(50));
    ASSERT_EQ(lab.rows()[0].phase, session::Phase::Spliced);
    EXPECT_TRUE(lab.workers[0]->kill_connection(rows[0].id, rows[0].client));
    lab.settle();
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

TEST(Kill, EndsWhoHasNoBrokerYet) {
    Lab lab({.brokers = 1});
    Socket& client = lab.client();
    lab.settle();
    const auto rows = lab.rows();
    ASSERT_EQ(rows[0].phase, session::Phase::AwaitConnect);
    EXPECT_TRUE(lab.workers[0]->kill_connection(rows[0].id, rows[0].client));
    lab.settle();
    EXPECT_EQ(client.endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

}  // namespace
}  // namespace sluice::test::reload_test
