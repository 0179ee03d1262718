#include "sluice/backend/load_table.h"

#include <gtest/gtest.h>

namespace sluice::backend {
namespace {

TEST(LoadTable, CountsByBackendOverAllWorkers) {
    LoadTable t(3, 20);
    t.add(0, 7, 1, false);
    t.add(1, 7, 1, true);
    t.add(2, 7, 1, false);
    t.add(2, 8, 1, true);
    EXPECT_EQ(t.connections(7), 3U);
    EXPECT_EQ(t.connections(2, 7), 1U);
    EXPECT_EQ(t.connections(8), 1U);
    EXPECT_EQ(t.connections(6), 0U);
}

TEST(LoadTable, TransientAreThoseWhoseSessionsEndWithThem) {
    LoadTable t(2, 4);
    t.add(0, 1, 1, false);
    t.add(0, 1, 1, true);
    t.add(1, 1, 1, true);
    EXPECT_EQ(t.transient(1), 1U);
    EXPECT_EQ(t.transient(0, 1), 1U);
    EXPECT_EQ(t.transient(1, 1), 0U);
    t.add(0, 1, -1, false);
    EXPECT_EQ(t.transient(1), 0U);
    EXPECT_EQ(t.connections(1), 2U);
    t.add(0, 1, -1, true);
    t.add(1, 1, -1, true);
    EXPECT_EQ(t.transient(1), 0U);
    EXPECT_EQ(t.connections(1), 0U);
    EXPECT_EQ(t.transient(2), 0U);
}

}  // namespace
}  // namespace sluice::backend
