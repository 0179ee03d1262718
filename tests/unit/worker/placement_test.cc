// Clients reach the broker that their client ID names, and everything is given back when they leave.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "worker/lab.h"

namespace sluice::test {
namespace {

TEST(Placement, AClientIsConnectedToABrokerAndBytesPassBothWays) {
    Lab lab;
    Socket& client = lab.connect("sensor-1");
    EXPECT_EQ(client.received, kConnackAccepted);
    Broker* broker = lab.broker_of("sensor-1");
    ASSERT_NE(broker, nullptr);

    client.write("\xc0\x00 up");
    lab.run();
    EXPECT_EQ(broker->after_connect("sensor-1"), std::string_view("\xc0\x00 up"));
    broker->socket_of("sensor-1")->write("down");
    lab.run();
    EXPECT_EQ(client.received, kConnackAccepted + "down");

    ASSERT_EQ(lab.rows().size(), 1U);
    const worker::ListedConnection row = lab.rows()[0];
    EXPECT_EQ(row.phase, session::Phase::Spliced);
    EXPECT_EQ(std::string_view(row.client_id.data(), row.client_id_size), "sensor-1");
    EXPECT_EQ(row.keep_alive, 60);
    EXPECT_EQ(row.mqtt_version, 4);
    EXPECT_EQ(row.upstream.local, broker->visits[0].source);
}

TEST(Placement, WorksOverIpv6) {
    Lab lab({.ipv6 = true});
    Socket& client = lab.connect("sensor-6");
    EXPECT_EQ(client.received, kConnackAccepted);
    ASSERT_NE(lab.broker_of("sensor-6"), nullptr);
    EXPECT_TRUE(lab.broker_of("sensor-6")->visits[0].source.address.is_v6());
}

TEST(Placement, TheSameIdGoesToTheSameBrokerFromAnyAddress) {
    Lab lab;
    for (int id = 0; id < 20; ++id) {
        const std::string name = "device-" + std::to_string(id);
        for (int visit = 0; visit < 3; ++visit) lab.connect(name).abort();
        lab.run();
        int brokers_seen = 0;
        for (const auto& b : lab.brokers) {
            const auto n =
                std::ranges::count_if(b->visits, [&](const auto& v) { return v.client_id == name; });
            if (n != 0) ++brokers_seen;
        }
        EXPECT_EQ(brokers_seen, 1) << name;
    }
}

TEST(Placement, EveryLeaseAndFrameComesBackWhenClientsLeave) {
    Lab lab;
    for (int i = 0; i < 300; ++i) {
        Socket& client = lab.connect("device-" + std::to_string(i));
        ASSERT_EQ(client.received, kConnackAccepted);
        switch (i % 3) {
            case 0: client.shutdown(); break;
            case 1: client.abort(); break;
            default:
                lab.broker_of("device-" + std::to_string(i))
                    ->socket_of("device-" + std::to_string(i))
                    ->shutdown();
        }
        lab.settle();
        if (i % 3 == 0)
            lab.broker_of("device-" + std::to_string(i))
                ->socket_of("device-" + std::to_string(i))
                ->shutdown();
        if (i % 3 == 2) client.shutdown();
        lab.settle();
    }
    lab.run(std::chrono::seconds(5));
    const auto usage = lab.usage();
    EXPECT_EQ(usage.connections, 0U);
    EXPECT_EQ(usage.half_open, 0U);
    for (const auto& b : usage.backends[0]) {
        EXPECT_EQ(b.leased, 0U);
        EXPECT_EQ(b.quarantined, 0U);
    }
    EXPECT_EQ(lab.count(Counter::LeasesAcquired), 300U);
    EXPECT_EQ(lab.count(Counter::LeasesReleased), 300U);
    EXPECT_EQ(lab.count(Counter::ClosedOrderly), 200U);
    EXPECT_EQ(lab.count(Counter::ClosedClientReset), 100U);
    lab.workers.clear();
    EXPECT_EQ(lab.frames->outstanding(), 0U);
}

TEST(Placement, BrokersSeeAllSourceAddressesAndNoTwoConnectionsShareATuple) {
    Lab lab;
    for (int i = 0; i < 200; ++i) lab.connect("device-" + std::to_string(i));
    for (const auto& b : lab.brokers) {
        std::map<IpAddress, int> addresses;
        std::map<SocketAddress, int> sources;
        for (const auto& v : b->visits) {
            ++addresses[v.source.address];
            EXPECT_EQ(++sources[v.source], 1) << v.source.to_string();
        }
        EXPECT_EQ(addresses.size(), 4U);
    }
}

TEST(Placement, TheClientAfterTheLastSourcePortIsRefusedWithConnack) {
    Lab lab(
        {.brokers = 1, .pool = "source_addresses = [\"10.2.0.10-10.2.0.11\"]\nsource_ports = \"5000-5099\""});
    for (int i = 0; i < 200; ++i) {
        ASSERT_EQ(lab.connect("device-" + std::to_string(i)).received, kConnackAccepted) << i;
    }
    Socket& last = lab.connect("device-200");
    EXPECT_EQ(last.received, std::string("\x20\x02\x00\x03", 4));
    EXPECT_EQ(last.endpoint.peer_finished(), true);
    EXPECT_EQ(lab.count(Counter::RefusedSourcePorts), 1U);
}

TEST(Placement, SeveralWorkersHandFramesToTheirOwners) {
    Lab lab({.workers = 3});
    for (int i = 0; i < 100; ++i) {
        const std::string name = "device-" + std::to_string(i);
        Socket& client = lab.connect(name);
        ASSERT_EQ(client.received, kConnackAccepted) << i;
        client.write(std::string(5000, 'x'));
        lab.run();
        EXPECT_EQ(lab.broker_of(name)->after_connect(name).size(), 5000U);
    }
    EXPECT_GT(lab.count(Counter::HandoverFrames), 100U);
    EXPECT_EQ(lab.count(Counter::DropHandoverFull), 0U);
    for (const auto& w : lab.workers) EXPECT_GT(w->usage().connections, 10U);
    lab.workers.clear();
}

}  // namespace
}  // namespace sluice::test
