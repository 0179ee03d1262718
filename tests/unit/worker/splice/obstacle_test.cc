// Two legs that agreed on different options cannot be one: the connection stays relayed, works, and is
// counted once under its reason.
#include "worker/splice/story.h"

namespace sluice::test {
namespace {

void expect_relayed(Plot plot, std::string_view reason) {
    SCOPED_TRACE(reason);
    Story story(plot);
    const std::string ts = plot.broker.timestamps ? "" : " nots";
    const auto drain = [&] { story.tap.tcp.clear(); };
    story.client(". 0:0");
    EXPECT_EQ(story.phase(), session::Phase::Relayed);
    for (int i = 0; i < 5; ++i) {
        const std::string range = std::to_string(10 * i) + ":" + std::to_string(10 * i + 10);
        const std::string end = std::to_string(10 * i + 10);
        drain();
        story.client("P. " + range + " ack " + std::to_string(10 * i));
        ASSERT_EQ(story.tap.tcp_on(1), 1U);
        EXPECT_EQ(story.tap.tcp[0].payload, story.bytes(Side::Client, 10 * i, 10 * i + 10));
        story.broker("P. " + range + " ack " + end + ts);
        EXPECT_EQ(story.tap.tcp.back().payload, story.bytes(Side::Broker, 10 * i, 10 * i + 10));
        story.client(". " + end + ":" + end + " ack " + end);
        EXPECT_EQ(story.phase(), session::Phase::Relayed);
    }
    EXPECT_EQ(story.moved("relayed_"), (Moved{{reason, 1}}));
    EXPECT_EQ(story.moved("relay_"), (Moved{{"relay_bytes_to_broker", 50}, {"relay_bytes_to_client", 50}}));
    EXPECT_EQ(story.lab.count(Counter::Spliced), 0U);
    story.lab.command({.kind = worker::Command::Kind::Stop});
    story.lab.settle();
    drain();
    story.expect_gone(Counter::ClosedByOperator);
}

TEST(SpliceObstacle, ABrokerWithLessThanWasPromised) {
    for (const bool ipv6 : {false, true}) {
        Plot no_sack = over(ipv6);
        no_sack.broker.sack = false;
        expect_relayed(no_sack, "relayed_sack");
        Plot no_timestamps = over(ipv6);
        no_timestamps.broker.timestamps = false;
        expect_relayed(no_timestamps, "relayed_timestamps");
        Plot small = over(ipv6);
        small.broker.mss = 1000;
        expect_relayed(small, "relayed_segment_size");
        Plot silent = over(ipv6);
        silent.broker.mss.reset();  // 536 over IPv4, 1220 over IPv6
        expect_relayed(silent, "relayed_segment_size");
    }
}

// What a client does without is not offered to its broker, so nothing differs.
TEST(SpliceObstacle, IsNotAClientWithLess) {
    for (const bool ipv6 : {false, true}) {
        Plot bare = over(ipv6);
        bare.client.sack = bare.client.timestamps = false;
        bare.client.scale.reset();
        bare.client.mss = 600;
        Spliced story(bare);
        story.client_passes("P. 0:10");
        story.broker_passes("P. 0:600 ack 10");
        story.expect_alive();
    }
}

TEST(SpliceObstacle, AClientOverIpv6WithABrokerOverIpv4) {
    expect_relayed({.setup = {.brokers = 1, .ipv6_clients = true}}, "relayed_mixed_families");
}

}  // namespace
}  // namespace sluice::test
