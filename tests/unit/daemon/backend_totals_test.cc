#include "sluice/daemon/backend_totals.h"

#include <gtest/gtest.h>

#include "bench.h"

namespace sluice::daemon {
namespace {

struct Workers {
    backend::BackendStats one;
    backend::BackendStats two;
    BackendTotals book{{&one, &two}};

    void connect(std::uint32_t position) {
        one.connected(position, 1ms);
        two.connected(position, 2ms);
        two.traffic(position).to_broker.count(1, 100);
    }
};

TEST(BackendTotals, SumsOverTheWorkers) {
    Workers workers;
    workers.book.use(backend::assign(config_of(kOnePool), nullptr));
    workers.connect(0);
    workers.one.asked(mqtt::Version::V5, true, 0);
    workers.two.asked(mqtt::Version::V5, true, 0);
    EXPECT_EQ(workers.book.tally(0).connects, 2U);
    EXPECT_EQ(workers.book.traffic(0).to_broker.bytes, 100U);
    EXPECT_EQ(workers.book.tally(1).connects, 0U);
    EXPECT_EQ(workers.book.connects().counts[2][1][0], 2U);
}

TEST(BackendTotals, ABackendThatTakesAPositionBeginsAnew) {
    Workers workers;
    backend::Registry registry = backend::assign(config_of(kOnePool), nullptr);
    workers.book.use(registry);
    workers.connect(0);
    workers.connect(1);
    backend::Registry::Backend& first = registry.pools[0].backends[0];
    ASSERT_EQ(first.position, 0U);

    first.standing = backend::Standing::Removed;
    workers.book.use(registry);
    EXPECT_EQ(workers.book.tally(0).connects, 2U) << "it still has connections";
    first.standing = backend::Standing::Vacant;
    workers.book.use(registry);
    first.standing = backend::Standing::Active;
    first.config.address = *SocketAddress::parse("10.1.0.99:1883");
    workers.book.use(registry);
    EXPECT_EQ(workers.book.tally(0).connects, 0U);
    EXPECT_EQ(workers.book.traffic(0).to_broker.bytes, 0U);
    EXPECT_EQ(workers.book.tally(1).connects, 2U) << "the other went on";
    workers.connect(0);
    workers.book.use(registry);
    EXPECT_EQ(workers.book.tally(0).connects, 2U);
    EXPECT_EQ(workers.book.tally(0).connect.nanoseconds, 3'000'000U);
}

TEST(BackendTotals, ABackendThatReturnsGoesOn) {
    Workers workers;
    backend::Registry registry = backend::assign(config_of(kOnePool), nullptr);
    workers.book.use(registry);
    workers.connect(0);
    registry.pools[0].backends[0].standing = backend::Standing::Vacant;
    workers.book.use(registry);
    registry.pools[0].backends[0].standing = backend::Standing::Active;
    workers.book.use(registry);
    EXPECT_EQ(workers.book.tally(0).connects, 2U);
}

}  // namespace
}  // namespace sluice::daemon
