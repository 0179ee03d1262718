// Records, their labels and their timers under one name.
#include "sluice/splice/table.h"

#include <gtest/gtest.h>

#include <string>

#include "kit.h"

namespace sluice::splice::table_test {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

template <typename T>
class TableOf : public testing::Test {
  protected:
    static constexpr IpFamily kFamily = T::value;
    Dice dice{7};
    Table<kFamily> table{3, kStart};
};
using Families = testing::Types<std::integral_constant<IpFamily, IpFamily::V4>,
                                std::integral_constant<IpFamily, IpFamily::V6>>;
TYPED_TEST_SUITE(TableOf, Families);

TYPED_TEST(TableOf, KeepsARecordAndItsLabelUntilTheyAreErased) {
    constexpr IpFamily kFamily = TestFixture::kFamily;
    auto& table = this->table;
    const Joint joint = random_joint(this->dice, kFamily);
    const std::uint32_t id = table.insert(make_record<kFamily>(joint), Label::of(5, "sensor-1"));
    ASSERT_TRUE(table.contains(id));
    EXPECT_EQ(table[id].leg(Direction::ToClient).tuple(), joint.client.tuple);
    EXPECT_EQ(table.label(id).shown(), "sensor-1");
    EXPECT_EQ(table.label(id).version, 5);
    table.erase(id);
    EXPECT_FALSE(table.contains(id));
    EXPECT_EQ(table.size(), 0U);
}

TYPED_TEST(TableOf, RefusesOneMoreThanItsCapacity) {
    const auto record = make_record<TestFixture::kFamily>(random_joint(this->dice, TestFixture::kFamily));
    for (int i = 0; i < 3; ++i) EXPECT_NE(this->table.insert(record, {}), flow::kNoEntry);
    EXPECT_EQ(this->table.insert(record, {}), flow::kNoEntry);
}

TYPED_TEST(TableOf, AnErasedRecordsTimerDoesNotFireForTheNextOne) {
    auto& table = this->table;
    const auto record = make_record<TestFixture::kFamily>(random_joint(this->dice, TestFixture::kFamily));
    const std::uint32_t id = table.insert(record, {});
    table.timers().arm(id, kStart + 1s);
    table.erase(id);
    ASSERT_EQ(table.insert(record, {}), id);
    int fired = 0;
    table.timers().advance(kStart + 1h, [&](std::uint32_t) { ++fired; });
    EXPECT_EQ(fired, 0);
}

// Whoever has the region alone finds the same bytes.
TYPED_TEST(TableOf, RecordsLieWhereTheRegionSays) {
    constexpr IpFamily kFamily = TestFixture::kFamily;
    auto& table = this->table;
    for (int i = 0; i < 3; ++i) {
        const auto record = make_record<kFamily>(random_joint(this->dice, kFamily));
        const std::uint32_t id = table.insert(record, {});
        const auto region = table.region();
        EXPECT_EQ(region.layout_version, kRecordLayoutVersion);
        EXPECT_EQ(region.capacity, 3U);
        EXPECT_EQ(region.live[0] >> id & 1U, 1U);
        Record<kFamily> copy;
        std::memcpy(&copy, region.base + id * region.stride, sizeof copy);
        EXPECT_EQ(copy.leg(Direction::ToBroker), record.leg(Direction::ToBroker));
        EXPECT_EQ(copy.core.opened, record.core.opened);
    }
    table.erase(1);
    EXPECT_EQ(table.region().live[0], 0b101U);
}

TEST(Label, KeepsTheBeginningOfALongClientIdAndItsWholeSize) {
    const std::string exact(45, 'x');
    EXPECT_EQ(Label::of(4, exact).shown(), exact);
    EXPECT_EQ(Label::of(4, exact).size, 45);
    const Label cut = Label::of(4, std::string(65535, 'y'));
    EXPECT_EQ(cut.shown(), std::string(45, 'y'));
    EXPECT_EQ(cut.size, 65535);
    EXPECT_EQ(Label::of(3, "").shown(), "");
}

}  // namespace
}  // namespace sluice::splice::table_test
