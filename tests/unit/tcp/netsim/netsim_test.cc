// Two endpoints over a bad wire. Every run moves its bytes both ways at once, compares them, closes both ends
// in order and is watched by Monitor; a run that makes no progress for two virtual minutes has failed.
#include <gtest/gtest.h>

#include "simulation.h"

namespace sluice::tcp::kit {
namespace {

constexpr std::uint64_t kLong = 10'000'000;
constexpr std::uint64_t kShort = 200'000;

// The same bytes both ways over two alike links.
SimulationOptions both_ways(std::uint64_t bytes, const LinkOptions& link = {}) {
    SimulationOptions options;
    options.client.bytes = options.server.bytes = bytes;
    options.up = options.down = link;
    return options;
}

void set_options(SimulationOptions& options, const EndpointOptions& endpoint) {
    options.client.endpoint = options.server.endpoint = endpoint;
}

enum Feature : unsigned { kScale = 1, kSack = 2, kTimestamps = 4 };

EndpointOptions with_features(unsigned features) {
    EndpointOptions options;
    if ((features & kScale) == 0) options.window_scale = std::nullopt;
    options.sack = (features & kSack) != 0;
    options.timestamps = (features & kTimestamps) != 0;
    return options;
}

TEST(Netsim, ACleanWireNeedsNoRetransmission) {
    for (const unsigned features : {0U, kScale | kSack | kTimestamps}) {
        SimulationOptions options = both_ways(kLong);
        set_options(options, with_features(features));
        Simulation simulation(options);
        ASSERT_EQ(simulation.run(), "") << "features " << features;
        EXPECT_EQ(simulation.retransmits(), 0U);
        EXPECT_EQ(simulation.client().statistics().timeouts + simulation.server().statistics().timeouts, 0U);
        EXPECT_EQ(simulation.client().statistics().bytes_out, kLong);
        EXPECT_EQ(simulation.client().statistics().bytes_in, kLong);
    }
}

TEST(Netsim, AJitteryWireThatKeepsOrderNeedsNoRetransmission) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        SimulationOptions options = both_ways(1'000'000, {.delay = 15ms, .jitter = 20ms});
        options.seed = seed;
        Simulation simulation(options);
        ASSERT_EQ(simulation.run(), "");
        EXPECT_EQ(simulation.retransmits(), 0U);
    }
}

TEST(Netsim, ALargeBufferFillsALongWire) {
    // 2 MB of window over 100 ms of round trip, which holds 1.25 MB: the wire, not the window, is the limit.
    EndpointOptions endpoint;
    endpoint.receive_buffer = endpoint.send_buffer = 2'000'000;
    SimulationOptions options = both_ways(kLong, {.delay = 50ms, .bytes_per_second = 12'500'000});
    set_options(options, endpoint);
    Simulation simulation(options);
    ASSERT_EQ(simulation.run(), "");
    EXPECT_EQ(simulation.retransmits(), 0U);
    EXPECT_LT(simulation.transfer_time(), 3s);  // 0.8 s of wire, and slow start from ten segments
}

struct Storm {
    const char* name;
    LinkOptions link;
};

class TenMegabytes : public testing::TestWithParam<std::tuple<Storm, unsigned>> {};

TEST_P(TenMegabytes, ArriveBothWaysThroughAnyWeather) {
    const auto& [storm, features] = GetParam();
    SimulationOptions options = both_ways(kLong, storm.link);
    set_options(options, with_features(features));
    options.seed = features + 7;
    Simulation simulation(options);
    ASSERT_EQ(simulation.run(), "");
    EXPECT_GT(simulation.segments(), 2 * kLong / 1460);
    if (storm.link.loss > 0) {
        EXPECT_GT(simulation.retransmits(), 0U);
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, TenMegabytes,
    testing::Combine(
        testing::Values(
            Storm{"LossOfOne", {.loss = 0.01}}, Storm{"LossOfThree", {.loss = 0.03}},
            Storm{"LossOfTen", {.loss = 0.10}}, Storm{"Reordering", {.reorder = 0.05}},
            Storm{"Duplicates", {.jitter = 3ms, .duplicate = 0.10}},
            Storm{"Everything",
                  {.jitter = 5ms, .loss = 0.02, .duplicate = 0.02, .reorder = 0.05, .reorder_delay = 15ms}}),
        testing::Values(0U, unsigned{kScale | kSack | kTimestamps})),
    [](const auto& info) {
        return std::string(std::get<0>(info.param).name) + (std::get<1>(info.param) == 0 ? "Plain" : "Full");
    });

TEST(Netsim, RetransmissionsStayNearTheLosses) {
    // With SACK a lost segment costs little more than itself; lost pure ACKs cost nothing.
    SimulationOptions options = both_ways(5'000'000, {.loss = 0.02});
    options.server.bytes = 0;
    Simulation simulation(options);
    ASSERT_EQ(simulation.run(), "");
    EXPECT_LT(simulation.retransmits(), 2 * simulation.lost());
}

class FeatureMix : public testing::TestWithParam<std::tuple<unsigned, unsigned>> {};

TEST_P(FeatureMix, AnyTwoEndpointsUnderstandEachOther) {
    // Each side offers its own set; loss, repeats and late segments on every seed.
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SimulationOptions options =
            both_ways(kShort, {.jitter = 3ms, .loss = 0.04, .duplicate = 0.03, .reorder = 0.05});
        options.client.endpoint = with_features(std::get<0>(GetParam()));
        options.server.endpoint = with_features(std::get<1>(GetParam()));
        options.seed = seed;
        Simulation simulation(options);
        ASSERT_EQ(simulation.run(), "");
    }
}

INSTANTIATE_TEST_SUITE_P(All, FeatureMix, testing::Combine(testing::Range(0U, 8U), testing::Range(0U, 8U)));

class Weather : public testing::TestWithParam<std::tuple<double, double, double>> {};

TEST_P(Weather, ManySeedsArriveWithAndWithoutSack) {
    const auto [loss, duplicate, reorder] = GetParam();
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SimulationOptions options =
            both_ways(kShort, {.jitter = 2ms, .loss = loss, .duplicate = duplicate, .reorder = reorder});
        set_options(options, with_features(seed % 2 == 0 ? kScale | kSack | kTimestamps : 0U));
        options.seed = seed * 1000;
        Simulation simulation(options);
        ASSERT_EQ(simulation.run(), "");
    }
}

INSTANTIATE_TEST_SUITE_P(All, Weather,
                         testing::Values(std::tuple{0.0, 0.0, 0.0}, std::tuple{0.02, 0.0, 0.0},
                                         std::tuple{0.05, 0.0, 0.0}, std::tuple{0.10, 0.0, 0.0},
                                         std::tuple{0.0, 0.2, 0.0}, std::tuple{0.0, 0.0, 0.2},
                                         std::tuple{0.0, 0.1, 0.1}, std::tuple{0.10, 0.10, 0.10}));

TEST(Netsim, SmallReceiveBuffersWork) {
    for (const std::uint32_t buffer : {600U, 1460U, 3000U, 8192U}) {
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            EndpointOptions endpoint;
            endpoint.receive_buffer = buffer;
            if (seed != 2) endpoint.window_scale = std::nullopt;
            SimulationOptions options = both_ways(100'000, {.delay = 3ms, .loss = seed == 1 ? 0.0 : 0.03});
            set_options(options, endpoint);
            options.seed = seed;
            Simulation simulation(options);
            ASSERT_EQ(simulation.run(), "") << "receive buffer " << buffer;
        }
    }
}

TEST(Netsim, SlowReadersCloseTheWindowAndLoseNothing) {
    for (const double loss : {0.0, 0.03}) {
        for (const std::size_t chunk : {1000UL, 20'000UL}) {
            SimulationOptions options = both_ways(300'000, {.loss = loss});
            options.client.endpoint.receive_buffer = options.server.endpoint.receive_buffer = 20'000;
            options.client.read_chunk = options.server.read_chunk = chunk;
            options.client.read_interval = 50ms;
            options.server.read_interval = 70ms;
            Simulation simulation(options);
            ASSERT_EQ(simulation.run(), "") << "chunk " << chunk << " loss " << loss;
        }
    }
}

TEST(Netsim, AReaderThatSleepsHalfAMinuteIsWaitedFor) {
    for (const double loss : {0.0, 0.05}) {
        SimulationOptions options = both_ways(400'000, {.loss = loss});
        options.server.first_read = 30s;
        Simulation simulation(options);
        ASSERT_EQ(simulation.run(), "") << "loss " << loss;
    }
}

TEST(Netsim, DifferentSegmentSizesMeet) {
    for (const std::uint16_t client : {std::uint16_t{88}, std::uint16_t{536}, std::uint16_t{1460}}) {
        for (const std::uint16_t server : {std::uint16_t{1220}, std::uint16_t{8960}}) {
            SimulationOptions options = both_ways(kShort, {.loss = 0.02});
            options.client.endpoint.receive_mss = options.client.endpoint.send_mss_limit = client;
            options.server.endpoint.receive_mss = options.server.endpoint.send_mss_limit = server;
            Simulation simulation(options);
            ASSERT_EQ(simulation.run(), "") << client << " and " << server;
        }
    }
}

TEST(Netsim, ANarrowWireWithAShortQueueIsShared) {
    // Congestion, not chance, loses here: the sender must find its rate and waste little of the wire.
    SimulationOptions options =
        both_ways(2'000'000, {.delay = 10ms, .bytes_per_second = 500'000, .queue_bytes = 20'000});
    options.server.bytes = 0;
    Simulation simulation(options);
    ASSERT_EQ(simulation.run(), "");
    EXPECT_LT(simulation.transfer_time(), 8s);  // 4 s of wire at least
    EXPECT_LT(simulation.retransmits(), 300U);  // of some 1,400 segments
}

TEST(Netsim, ManySmallWritesArrive) {
    SimulationOptions options = both_ways(50'000, {.loss = 0.02});
    options.client.write_chunk = 1;
    options.server.write_chunk = 7;
    Simulation simulation(options);
    ASSERT_EQ(simulation.run(), "");
}

TEST(Netsim, EndsThatSleepWheneverTheyAreQuietLoseNothing) {
    for (std::uint64_t seed = 1; seed <= 16; ++seed) {
        SimulationOptions options =
            both_ways(60'000, {.jitter = 2ms, .loss = 0.05, .duplicate = 0.05, .reorder = 0.05});
        set_options(options, with_features(seed % 8));
        options.client.sleeps = true;
        options.server.sleeps = seed % 3 != 0;
        options.client.write_chunk = 700;
        options.client.write_interval = 300ms;
        options.server.write_chunk = 5000;
        options.server.write_interval = 1100ms;
        options.seed = seed;
        Simulation simulation(options);
        ASSERT_EQ(simulation.run(), "");
        EXPECT_GT(simulation.sleeps(), 20U);
    }
}

TEST(Netsim, SleepingEndsOverACleanWireNeedNoRetransmission) {
    SimulationOptions options = both_ways(60'000);
    options.client.sleeps = options.server.sleeps = true;
    options.client.write_chunk = options.server.write_chunk = 100;
    options.client.write_interval = 90ms;
    options.server.write_interval = 110ms;
    Simulation simulation(options);
    ASSERT_EQ(simulation.run(), "");
    EXPECT_EQ(simulation.retransmits(), 0U);
    EXPECT_GT(simulation.sleeps(), 600U);
}

TEST(Netsim, SimultaneousOpenAndCloseSurviveLoss) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SimulationOptions options = both_ways(30'000, {.loss = 0.1, .duplicate = 0.1, .reorder = 0.1});
        options.client.endpoint.receive_buffer = 4000;
        options.simultaneous_open = true;
        options.seed = seed;
        Simulation simulation(options);
        ASSERT_EQ(simulation.run(), "");
    }
}

TEST(Netsim, AnEmptyConnectionOpensAndClosesOverAVeryBadWire) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SimulationOptions options = both_ways(seed % 3, {.loss = 0.15, .duplicate = 0.2, .reorder = 0.2});
        options.seed = seed;
        Simulation simulation(options);
        ASSERT_EQ(simulation.run(), "");
    }
}

}  // namespace
}  // namespace sluice::tcp::kit
