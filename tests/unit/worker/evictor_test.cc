// Brokers are emptied at the pool's pace, whoever asks for it, and both ends are told by a reset.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "mqtt/packets.h"
#include "worker/packets.h"
#include "worker/steering.h"

namespace sluice::test {
namespace {

using mqtt::Version;
using mqtt::test::ConnectParts;
using mqtt::test::property;
using mqtt::test::u32;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The same configuration with other states of the brokers: b1's state is `first`.
std::string with_state(test::Setup setup, const std::string& first) {
    setup.backend = [first](unsigned i) {
        return i == 0 && !first.empty() ? "state = \"" + first + "\"\n" : std::string();
    };
    return configuration(setup);
}

test::Setup one_pool(unsigned workers, unsigned rate, bool ipv6 = false) {
    return {.workers = workers,
            .brokers = 2,
            .pool = "drain_rate = " + std::to_string(rate) + "\n",
            .ipv6 = ipv6};
}

Socket& connect(Lab& lab, const ConnectParts& parts, std::optional<SocketAddress> from = std::nullopt) {
    Socket& client = from ? lab.client(*from) : lab.client();
    lab.settle();
    client.write(std::string_view(parts.bytes()));
    lab.settle();
    return client;
}

// Everybody goes to the first broker.
void fill(Lab& lab, int clients) {
    lab.set_down({1});
    for (int i = 0; i < clients; ++i) {
        ASSERT_EQ(connect(lab, {.client_id = "device-" + std::to_string(i)}).received, kConnackAccepted);
    }
    lab.run(milliseconds(50));
    ASSERT_EQ(lab.load(0), static_cast<std::uint64_t>(clients));
    lab.set_down({});
}

// When connections ended, as a counter shows that was 0, until `limit` has passed or all are gone.
std::deque<Instant> endings(Lab& lab, Counter counter, Duration limit) {
    std::deque<Instant> when;
    const Instant end = lab.now + limit;
    while (lab.now < end) {
        while (when.size() < lab.count(counter)) when.push_back(lab.now);
        if (lab.load(0) == 0) break;
        lab.run(milliseconds(1));
    }
    return when;
}

std::size_t most_in_a_second(const std::deque<Instant>& when) {
    std::size_t most = 0;
    for (std::size_t i = 0, j = 0; j < when.size(); ++j) {
        while (when[j] - when[i] >= seconds(1)) ++i;
        most = std::max(most, j - i + 1);
    }
    return most;
}

class Evictor : public testing::TestWithParam<unsigned> {};

TEST_P(Evictor, KeepsTheRateInEverySecond) {
    const test::Setup setup = one_pool(GetParam(), 300);
    Lab lab(setup);
    fill(lab, 1200);
    const Instant from = lab.now;
    lab.reload(with_state(setup, "maintenance"));
    const auto when = endings(lab, Counter::ClosedMaintenance, seconds(10));
    EXPECT_EQ(when.size(), 1200U);
    EXPECT_LE(most_in_a_second(when), 330U);
    // Four seconds, and a little for the last ones of each worker.
    EXPECT_GE(lab.now - from, milliseconds(3700));
    EXPECT_LE(lab.now - from, milliseconds(4600));
    EXPECT_EQ(lab.count(Counter::ClosedMaintenance), 1200U);
    for (const auto& s : lab.clients.sockets) EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

TEST_P(Evictor, EndsClientsOfBothFormsAndFamiliesByAnExactReset) {
    for (const bool ipv6 : {false, true}) {
        for (const bool spliced : {false, true}) {
            const test::Setup setup = one_pool(GetParam(), 1000, ipv6);
            Lab lab(setup);
            lab.brokers[0]->host.accept_options.sack = spliced;
            fill(lab, 12);
            for (const auto& row : lab.rows()) {
                EXPECT_EQ(row.phase, spliced ? session::Phase::Spliced : session::Phase::Relayed);
            }
            for (const auto& s : lab.clients.sockets) s->write("some bytes");
            lab.settle();
            Tap tap(lab);
            lab.reload(with_state(setup, "maintenance"));
            lab.run(seconds(1));
            // Exactly at what the receiver expects, or RFC 5961 makes it answer by a challenge.
            for (const auto& s : lab.clients.sockets) {
                EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
                EXPECT_EQ(s->endpoint.statistics().challenge_acks, 0U);
            }
            for (const auto& s : lab.brokers[0]->host.sockets) {
                EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
                EXPECT_EQ(s->endpoint.statistics().challenge_acks, 0U);
            }
            EXPECT_EQ(lab.count(Counter::ClosedMaintenance), 12U);
            expect_nothing_left(lab);
        }
    }
}

TEST_P(Evictor, EndsSessionsThatOutliveTheirConnectionsLast) {
    const test::Setup setup = one_pool(GetParam(), 200);
    Lab lab(setup);
    lab.set_down({1});
    std::vector<Socket*> transient;
    std::vector<Socket*> persistent;
    for (int i = 0; i < 60; ++i) {
        const std::string id = "device-" + std::to_string(i);
        // In the order of coming, so that a scan would meet the wrong ones first.
        switch (i % 4) {
            case 0: persistent.push_back(&connect(lab, {.flags = 0, .client_id = id})); break;
            case 1:
                persistent.push_back(&connect(
                    lab, {.version = Version::V5, .properties = property(0x11, u32(3600)), .client_id = id}));
                break;
            case 2: transient.push_back(&connect(lab, {.client_id = id})); break;
            default:
                transient.push_back(&connect(
                    lab, {.version = Version::V5, .properties = property(0x11, u32(0)), .client_id = id}));
        }
    }
    lab.run(milliseconds(50));
    lab.set_down({});
    ASSERT_EQ(lab.load(0), 60U);
    lab.reload(with_state(setup, "maintenance"));
    const auto ended = [](const std::vector<Socket*>& sockets) {
        return std::ranges::count_if(
            sockets, [](const Socket* s) { return s->endpoint.failure() == tcp::Failure::Reset; });
    };
    for (int i = 0; i < 2000 && ended(persistent) != 30; ++i) {
        lab.run(milliseconds(1));
        if (ended(persistent) != 0) {
            ASSERT_EQ(ended(transient), 30);
        }
    }
    EXPECT_EQ(ended(persistent), 30);
    expect_nothing_left(lab);
}

// One that never ends by itself: no reset of a client whose broker does not answer yet.
TEST_P(Evictor, LeavesThoseAloneWhoHaveNoAnswerYetAndThenEndsThem) {
    const test::Setup setup = one_pool(GetParam(), 1000);
    Lab lab(setup);
    lab.set_down({1});
    lab.brokers[0]->answers = false;
    Socket& waiting = connect(lab, {.client_id = "waiting"});
    Socket& kept = connect(lab, {.flags = 0, .client_id = "kept"});
    lab.brokers[0]->answers = true;
    lab.reload(with_state(setup, "maintenance"));
    lab.run(seconds(1));
    EXPECT_EQ(waiting.endpoint.state(), tcp::State::Established);
    EXPECT_EQ(kept.endpoint.state(), tcp::State::Established);
    lab.brokers[0]->socket_of("waiting")->write(std::string_view(kConnackAccepted));
    lab.brokers[0]->socket_of("kept")->write(std::string_view(kConnackAccepted));
    lab.run(seconds(1));
    EXPECT_EQ(waiting.received, kConnackAccepted);
    EXPECT_EQ(waiting.endpoint.failure(), tcp::Failure::Reset);
    EXPECT_EQ(kept.endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

TEST_P(Evictor, StopsWhenTheBrokerIsBack) {
    const test::Setup setup = one_pool(GetParam(), 100);
    Lab lab(setup);
    fill(lab, 200);
    lab.set_down({0});
    lab.run(seconds(1));
    const auto left = lab.load(0);
    EXPECT_NEAR(static_cast<double>(left), 100, 15);
    EXPECT_EQ(lab.count(Counter::ClosedBackendDown), 200 - left);
    lab.set_down({});
    lab.run(seconds(3));
    EXPECT_EQ(lab.load(0), left);
    // And goes on when it is gone again, at once and not in a burst.
    lab.set_down({0});
    lab.run(milliseconds(500));
    EXPECT_NEAR(static_cast<double>(lab.load(0)), static_cast<double>(left) - 50, 12);
}

TEST_P(Evictor, OnDownKeepLeavesTheConnectionsButMaintenanceDoesNot) {
    test::Setup setup = one_pool(GetParam(), 1000);
    setup.pool += "on_down = \"keep\"\n";
    Lab lab(setup);
    fill(lab, 20);
    lab.set_down({0});
    lab.run(seconds(2));
    EXPECT_EQ(lab.load(0), 20U);
    // The file changes its mind.
    test::Setup reset = one_pool(GetParam(), 1000);
    lab.reload(configuration(reset));
    lab.run(milliseconds(10));
    EXPECT_LT(lab.load(0), 20U);
    lab.reload(configuration(setup));
    const auto left = lab.load(0);
    lab.run(seconds(2));
    EXPECT_EQ(lab.load(0), left);
    lab.reload(with_state(setup, "maintenance"));
    lab.run(seconds(1));
    EXPECT_EQ(lab.load(0), 0U);
    EXPECT_EQ(lab.count(Counter::ClosedMaintenance), left);
}

TEST_P(Evictor, DrainKeepsTheConnectionsAndTakesNoNewOnes) {
    const test::Setup setup = one_pool(GetParam(), 1000);
    Lab lab(setup);
    fill(lab, 20);
    lab.reload(with_state(setup, "drain"));
    lab.run(seconds(2));
    EXPECT_EQ(lab.load(0), 20U);
    for (int i = 0; i < 20; ++i) connect(lab, {.client_id = "new-" + std::to_string(i)});
    EXPECT_EQ(lab.load(0), 20U);
    EXPECT_EQ(lab.load(1), 20U);
}

TEST_P(Evictor, ARemovedPoolIsEmptiedToo) {
    test::Setup setup = one_pool(GetParam(), 1000);
    Lab lab(setup);
    fill(lab, 20);
    test::Setup other = setup;
    other.pool = "source_addresses = [\"10.2.0.30\"]\ndrain_rate = 1000\n";
    std::string text = configuration(other);
    for (std::size_t at = 0; (at = text.find("\"brokers\"", at)) != std::string::npos;) {
        text.replace(at, 9, "\"fleet\"");
    }
    lab.reload(text);
    EXPECT_EQ(lab.registry.pools[0].standing, backend::Standing::Removed);
    lab.run(seconds(1));
    EXPECT_EQ(lab.load(0), 0U);
    EXPECT_EQ(lab.count(Counter::ClosedBackendRemoved), 20U);
    EXPECT_TRUE(lab.forget_the_gone());
    EXPECT_EQ(lab.registry.pools[0].standing, backend::Standing::Vacant);
    EXPECT_EQ(lab.connect("device-1").received, kConnackAccepted);
    EXPECT_EQ(lab.count(Counter::TcpNoConnection), 0U);
}

INSTANTIATE_TEST_SUITE_P(Workers, Evictor, testing::Values(1U, 3U));

// To the first broker, so many of each worker.
void fill_unevenly(Lab& lab, const std::vector<int>& wanted) {
    lab.set_down({1});
    const auto workers = static_cast<std::uint32_t>(wanted.size());
    const worker::Steering steering(workers);
    for (std::uint32_t w = 0; w < workers; ++w) {
        for (int n = 0; n < wanted[w];) {
            const SocketAddress from = lab.next_client_address();
            if (steering.of_client({lab.listener(), from}) != w) continue;
            ASSERT_EQ(
                connect(lab, {.client_id = std::to_string(w) + "-" + std::to_string(n++)}, from).received,
                kConnackAccepted);
        }
    }
    lab.run(milliseconds(50));
    lab.set_down({});
}

// A worker with few of many connections waits long between two of them.
TEST(EvictorOfSeveralWorkers, AnotherRateHoldsAtOnce) {
    Lab lab(one_pool(2, 1));
    fill_unevenly(lab, {300, 3});
    lab.reload(with_state(one_pool(2, 1), "maintenance"));
    lab.run(milliseconds(100));
    EXPECT_GT(lab.load(0), 290U);
    lab.reload(with_state(one_pool(2, 1000), "maintenance"));
    EXPECT_EQ(endings(lab, Counter::ClosedMaintenance, seconds(2)).size(), 303U);
    EXPECT_EQ(lab.load(0), 0U);
}

TEST(EvictorOfSeveralWorkers, SkewedLoadsFinishTogether) {
    const test::Setup setup = one_pool(3, 300);
    Lab lab(setup);
    fill_unevenly(lab, {450, 120, 30});
    lab.reload(with_state(setup, "maintenance"));
    const Instant from = lab.now;
    std::array<Duration, 3> took{};
    while (lab.now < from + seconds(10) && lab.load(0) != 0) {
        lab.run(milliseconds(5));
        for (std::uint32_t w = 0; w < 3; ++w) {
            if (took[w] == Duration::zero() && lab.workers[w]->usage().connections == 0) {
                took[w] = lab.now - from;
            }
        }
    }
    // 600 connections in two seconds; each worker's part takes about as long.
    for (const Duration t : took) {
        EXPECT_GE(t, milliseconds(1500));
        EXPECT_LE(t, milliseconds(2600));
    }
}

// Their resets have to fit the way out: nothing may be lost because many brokers fail at once.
TEST(EvictorOfManyBrokers, AllGoingAtOnceLoseNoReset) {
    constexpr unsigned kBrokers = 40;
    test::Setup setup{.brokers = kBrokers, .pool = "drain_rate = 1000000\n", .max_connections = 8192};
    setup.pool += "source_addresses = [\"10.2.0.100-10.2.0.110\"]\n";
    Lab lab(setup);
    for (int i = 0; i < 2000; ++i) {
        ASSERT_EQ(lab.connect("device-" + std::to_string(i)).received, kConnackAccepted);
    }
    lab.run(milliseconds(50));
    setup.backend = [](unsigned) { return std::string("state = \"maintenance\"\n"); };
    lab.reload(configuration(setup));
    // Time stands still for a worker that is this busy: every turn does its part.
    lab.run(milliseconds(200));
    EXPECT_EQ(lab.count(Counter::DropTxFull), 0U);
    for (const auto& s : lab.clients.sockets) EXPECT_EQ(s->endpoint.failure(), tcp::Failure::Reset);
    expect_nothing_left(lab);
}

}  // namespace
}  // namespace sluice::test
