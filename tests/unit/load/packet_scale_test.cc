// Many connections, and bad wires under them.
#include <gtest/gtest.h>

#include "packet_lab.h"

namespace sluice::load::test {
namespace {

TEST(PacketScale, TenThousandConnectionsOpenSpeakAndEnd) {
    constexpr Id kMany = 10'000;
    PacketLab lab;
    lab.servers.echoes = true;
    for (Id id = 0; id < kMany; ++id) {
        lab.open(id);
        if (id < 4) lab.settle();  // makes the next hops known, both ways
    }
    lab.run(50ms);
    ASSERT_EQ(lab.clients.opened, kMany);
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
    EXPECT_EQ(lab.servers.transport->awake(), 0U);
    for (Id id = 0; id < kMany; ++id) lab.send(lab.clients, id, std::to_string(id));
    lab.run(100ms);
    for (Id id = 0; id < kMany; ++id) ASSERT_EQ(lab.clients.records[id].bytes, std::to_string(id));
    EXPECT_EQ(lab.clients.transport->wakes(), kMany);
    EXPECT_EQ(lab.servers.transport->wakes(), kMany);
    EXPECT_EQ(lab.clients.transport->awake(), 0U);
    for (Id id = 0; id < kMany; ++id) lab.clients.transport->close(lab.now, id);
    lab.run(50ms);
    EXPECT_EQ(lab.clients.ended, kMany);
    EXPECT_EQ(lab.servers.ended, kMany);
    EXPECT_EQ(lab.clients.transport->totals().retransmits, 0U);
    EXPECT_EQ(lab.clients.transport->totals().dropped, 0U);
    lab.run(1100ms);
    EXPECT_EQ(lab.clients.transport->awake() + lab.servers.transport->awake(), 0U);
    EXPECT_EQ(lab.clients.transport->totals().connections, 0U);
}

TEST(PacketScale, AnIdleConnectionTakesFewBytes) {
    constexpr Id kMany = 100'000;
    LabOptions options;
    options.capacity = kMany;
    options.sources = 50;
    PacketLab lab(options);
    for (Id id = 0; id < options.sources; ++id) {
        lab.open(id);
        lab.settle();
    }
    for (Id id = options.sources; id < kMany; id += 500) {
        for (Id i = id; i < std::min(id + 500, kMany); ++i) lab.open(i);
        lab.run(1ms);
    }
    ASSERT_EQ(lab.clients.opened, kMany);
    ASSERT_EQ(lab.servers.opened, kMany);
    EXPECT_EQ(lab.clients.transport->awake() + lab.servers.transport->awake(), 0U);
    EXPECT_LT(lab.clients.transport->totals().memory_bytes, kMany * 40U);
    EXPECT_LT(lab.servers.transport->totals().memory_bytes, kMany * 90U);
}

class BadWire : public testing::TestWithParam<std::tuple<std::uint64_t, bool>> {};

// Questions and answers of all sizes over connections that sleep in between, while frames are lost, repeated
// and late: every stream arrives as it was sent, and all ends in order.
TEST_P(BadWire, StreamsArriveAsTheyWereSent) {
    constexpr Id kMany = 40;
    LabOptions options;
    std::tie(options.seed, options.ipv6) = GetParam();
    options.weather = {.loss = 0.05, .duplicate = 0.05, .reorder = 0.1, .delay = 3ms};
    PacketLab lab(options);
    lab.servers.echoes = true;
    for (Id id = 0; id < kMany; ++id) lab.open(id);
    ASSERT_TRUE(lab.run_until([&] { return lab.clients.opened == kMany; }));
    SplitMix64 random(options.seed);
    std::map<Id, std::string> sent;
    for (int i = 0; i < 600; ++i) {
        const auto id = static_cast<Id>(random.below(kMany));
        std::string text(1 + random.below(random.below(4) == 0 ? 8000 : 100), '\0');
        for (char& c : text) c = static_cast<char>(random.next());
        lab.send(lab.clients, id, text);
        sent[id] += text;
        lab.run(std::chrono::milliseconds(random.below(30)));
    }
    const auto all_arrived = [&] {
        return std::ranges::all_of(sent, [&](const auto& s) {
            return lab.clients.records[s.first].bytes.size() == s.second.size();
        });
    };
    EXPECT_TRUE(lab.run_until(all_arrived, 120s));
    for (const auto& [id, bytes] : sent) EXPECT_TRUE(lab.clients.records[id].bytes == bytes) << id;
    for (Id id = 0; id < kMany; id += 2) lab.clients.transport->close(lab.now, id);
    for (Id id = 1; id < kMany; id += 2) lab.servers.transport->close(lab.now, lab.accepted(id));
    EXPECT_TRUE(lab.run_until([&] { return lab.clients.ended == kMany && lab.servers.ended == kMany; }, 60s));
    for (Id id = 0; id < kMany; ++id) EXPECT_EQ(lab.clients.records[id].ends, std::vector{End::Finished});
    EXPECT_GT(lab.clients.transport->wakes(), 100U);
    EXPECT_GT(lab.clients.transport->totals().retransmits, 0U);
}
INSTANTIATE_TEST_SUITE_P(Seeds, BadWire,
                         testing::Combine(testing::Range<std::uint64_t>(1, 9), testing::Bool()));

}  // namespace
}  // namespace sluice::load::test
