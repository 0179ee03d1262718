// Rates and spans are differences of what the daemon answered at two moments.
#include "sluice/ctl/history.h"

#include <gtest/gtest.h>

#include "answers.h"

namespace sluice::ctl {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

TEST(Look, ReadsTheAnswers) {
    const Look seen = look_at(100);
    EXPECT_EQ(seen.version, "0.1.0");
    EXPECT_EQ(seen.uptime, 100);
    EXPECT_EQ(seen.connections, 12U);
    EXPECT_EQ(seen.spliced, 11U);
    EXPECT_EQ(seen.connects, 1000U);
    EXPECT_EQ(seen.drops, 7U);
    ASSERT_EQ(seen.brokers.size(), 2U);
    const BrokerLook& one = seen.brokers[0];
    EXPECT_EQ(one.name, "broker-1");
    EXPECT_EQ(one.state, "up");
    EXPECT_EQ(one.weight, 100U);
    EXPECT_EQ(one.connections, 7U);
    EXPECT_EQ(one.leases_used, 25U);
    EXPECT_EQ(one.leases, 100U);
    EXPECT_EQ(one.last_failure, "");
    EXPECT_EQ(one.connects, 600U);
    EXPECT_EQ(one.to_broker_bytes, 50'000U);
    EXPECT_EQ(one.to_client_bytes, 7'000'000U);
    EXPECT_EQ(one.connacks, (std::map<std::string, std::uint64_t>{{"0x00", 598}, {"0x87", 2}}))
        << "both dialects' 0x00 together";
    EXPECT_EQ(one.connack_latency, (Histogram{{{0.0001, 0.00025}, 590}, {{10, kNever}, 10}}));
    EXPECT_EQ(seen.brokers[1].last_failure, "refused");
}

TEST(Look, ADaemonThatTellsNoTalliesIsShownAllTheSame) {
    Answers answers = answers_at(100);
    for (auto& row : answers.backends["backends"]) row.erase("tally");
    const Look seen = look(answers.info, answers.counters, answers.backends);
    EXPECT_EQ(seen.brokers[0].connections, 7U);
    EXPECT_EQ(seen.brokers[0].connects, 0U);
    EXPECT_TRUE(seen.brokers[0].connacks.empty());
}

TEST(Look, AnAnswerOfAnotherShapeIsRefused) {
    const Answers answers = answers_at(100);
    EXPECT_THROW(look(answers.counters, answers.info, answers.backends), nlohmann::json::exception);
    EXPECT_THROW(look(answers.info, answers.counters, R"({"backends":[{"weight":"heavy"}]})"_json),
                 nlohmann::json::exception);
}

TEST(History, ASingleLookHasNoRates) {
    History history;
    history.add(look_at(100));
    const Figures figures = history.figures(false);
    EXPECT_FALSE(figures.connects);
    EXPECT_FALSE(figures.drops);
    EXPECT_FALSE(figures.span);
    ASSERT_EQ(figures.brokers.size(), 2U);
    EXPECT_FALSE(figures.brokers[0].bytes_in);
    EXPECT_EQ(figures.brokers[0].connacks.at("0x00"), 598U) << "since the daemon's start";
}

TEST(History, RatesAreOfTheLastTwoLooks) {
    History history;
    history.add(look_at(50));
    history.add(look_at(100));
    Look later = look_at(102);
    later.connects += 10;
    later.drops += 1;
    later.brokers[0].connects += 8;
    later.brokers[0].to_broker_bytes += 4096;
    later.brokers[0].to_client_bytes += 1;
    history.add(later);
    const Figures figures = history.figures(false);
    EXPECT_EQ(figures.connects, 5.0);
    EXPECT_EQ(figures.drops, 0.5);
    EXPECT_EQ(figures.brokers[0].connects, 4.0);
    EXPECT_EQ(figures.brokers[0].bytes_in, 2048.0);
    EXPECT_EQ(figures.brokers[0].bytes_out, 0.5);
    EXPECT_EQ(figures.brokers[1].connects, 0.0);
}

TEST(History, ConnacksAreThoseOfTheLastMinute) {
    History history;
    for (int second = 0; second <= 200; ++second) {
        Look one = look_at(second);
        one.brokers[0].connacks["0x00"] = static_cast<std::uint64_t>(1000 + second);
        one.brokers[0].connack_latency[{0.0001, 0.00025}] = static_cast<std::uint64_t>(1000 + 2 * second);
        history.add(one);
    }
    const Figures figures = history.figures(false);
    EXPECT_EQ(figures.span, 60.0);
    EXPECT_EQ(figures.brokers[0].connacks, (std::map<std::string, std::uint64_t>{{"0x00", 60}}));
    EXPECT_EQ(figures.brokers[0].connack_latency, (Histogram{{{0.0001, 0.00025}, 120}}));
    const Figures whole = history.figures(true);
    EXPECT_FALSE(whole.span);
    EXPECT_EQ(whole.brokers[0].connacks.at("0x00"), 1200U);
    EXPECT_TRUE(whole.connects);
}

TEST(History, WithRareLooksTheSpanIsAsLongAsItMustBe) {
    History history;
    history.add(look_at(0));
    history.add(look_at(300));
    EXPECT_EQ(history.figures(false).span, 300.0);
}

TEST(History, ADaemonThatWasStartedAnewHasNoPast) {
    History history;
    history.add(look_at(1000));
    history.add(look_at(1001));
    history.add(look_at(3));
    EXPECT_FALSE(history.figures(false).connects);
    EXPECT_FALSE(history.figures(false).span);
}

TEST(History, ABrokerThatCameOrBeganAnewHasNoRate) {
    History history;
    Look before = look_at(100);
    before.brokers.pop_back();
    before.brokers[0].connects += 1;
    history.add(before);
    history.add(look_at(101));
    const Figures figures = history.figures(false);
    ASSERT_EQ(figures.brokers.size(), 2U);
    EXPECT_FALSE(figures.brokers[0].connects) << "it fell";
    EXPECT_EQ(figures.brokers[0].bytes_in, 0.0);
    EXPECT_FALSE(figures.brokers[1].connects) << "it was not there";
}

TEST(History, BrokersOfTwoPoolsMayHaveOneName) {
    History history;
    Look before = look_at(100);
    before.brokers[1].name = before.brokers[0].name;
    before.brokers[1].pool = "other";
    Look after = before;
    after.uptime = 101;
    after.brokers[1].connects += 3;
    history.add(before);
    history.add(after);
    EXPECT_EQ(history.figures(false).brokers[0].connects, 0.0);
    EXPECT_EQ(history.figures(false).brokers[1].connects, 3.0);
}

TEST(Quantile, IsTheBucketOfThatShare) {
    const Histogram histogram{{{0, 0.001}, 50}, {{0.001, 0.01}, 49}, {{10, kNever}, 1}};
    EXPECT_EQ(quantile(histogram, 0.5), (Bucket{0, 0.001}));
    EXPECT_EQ(quantile(histogram, 0.51), (Bucket{0.001, 0.01}));
    EXPECT_EQ(quantile(histogram, 0.99), (Bucket{0.001, 0.01}));
    EXPECT_EQ(quantile(histogram, 1), (Bucket{10, kNever}));
    EXPECT_FALSE(quantile({}, 0.5));
    EXPECT_FALSE(quantile({{{0, 1}, 0}}, 0.5));
}

}  // namespace
}  // namespace sluice::ctl
