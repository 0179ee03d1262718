// A process that follows another one meets brokers that still have the connections of the one before.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "worker/packets.h"

namespace sluice::test::restart_test {
namespace {

struct Case {
    bool ipv6;
    unsigned workers;
};

class Restart : public testing::TestWithParam<Case> {
  protected:
    static test::Setup plot() {
        return {.workers = GetParam().workers, .brokers = 1, .ipv6 = GetParam().ipv6};
    }
    // The lab's seeds are the same each time, so leases begin where they began before: every port is taken
    // at the broker, which chance otherwise avoids.
    static std::unique_ptr<Lab> follow(Lab& before) {
        before.run(1s);  // the brokers have nothing left to say, which would get them a reset
        auto after = std::make_unique<Lab>(plot());
        after->now = before.now;
        after->brokers = std::move(before.brokers);
        return after;
    }
};

TEST_P(Restart, NoClientWaitsForASynThatTheBrokerChallenged) {
    Lab first(plot());
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(first.connect("before" + std::to_string(i)).received, kConnackAccepted);
    }
    const auto second = follow(first);
    Tap tap(*second);
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(second->connect("after" + std::to_string(i)).received, kConnackAccepted) << i;
    }
    EXPECT_EQ(second->count(Counter::UpstreamAttempts), 20U);
    EXPECT_EQ(second->count(Counter::TcpTimeouts), 0U);
    EXPECT_EQ(tap.upstream_syns().size(), 40U) << "each of them met its predecessor";
    EXPECT_EQ(second->brokers[0]->visits.size(), 40U);
}

TEST_P(Restart, NorForOneThatMetTimeWait) {
    Lab first(plot());
    Socket& client = first.connect("before");
    ASSERT_EQ(client.received, kConnackAccepted);
    Socket& accepted = *first.brokers[0]->socket_of("before");
    accepted.shutdown();
    first.run();
    client.shutdown();
    first.run();
    ASSERT_EQ(accepted.endpoint.state(), tcp::State::TimeWait);
    const auto second = follow(first);
    EXPECT_EQ(second->connect("after").received, kConnackAccepted);
    EXPECT_EQ(second->count(Counter::TcpTimeouts), 0U);
}

TEST_P(Restart, AForgedChallengeCostsOneSynAndTheClientIsServed) {
    Lab lab(plot());
    Tap tap(lab);
    lab.brokers[0]->host.deaf_tcp = true;
    Socket& client = lab.client();
    lab.run();
    client.write(connect_packet("one"));
    lab.run();
    ASSERT_EQ(tap.upstream_syns().size(), 1U);
    const SeenSegment syn = tap.upstream_syns()[0];
    for (std::uint32_t i = 0; i < 50; ++i) {
        lab.inject(1, make_segment({.from = syn.to,
                                    .to = syn.from,
                                    .sequence = 77 + i,
                                    .acknowledgement = syn.tcp.sequence - 1000,
                                    .flags = {.ack = true},
                                    .destination_mac = Lab::kBackMac}));
    }
    lab.settle();
    EXPECT_EQ(tap.upstream_syns().size(), 2U);
    lab.brokers[0]->host.deaf_tcp = false;
    lab.run(2s);
    EXPECT_EQ(client.received, kConnackAccepted);
}

INSTANTIATE_TEST_SUITE_P(Families, Restart,
                         testing::Values(Case{false, 1}, Case{true, 1}, Case{false, 3}, Case{true, 3}));

}  // namespace
}  // namespace sluice::test::restart_test
