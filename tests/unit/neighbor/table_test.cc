#include "sluice/neighbor/table.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::neighbor {
namespace {

const IpAddress kA = IpAddress::v4(10, 0, 0, 1);
const IpAddress kB = *IpAddress::parse("fd00::2");
const IpAddress kC = IpAddress::v4(10, 0, 0, 3);
constexpr MacAddress kMac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kOther{{2, 0, 0, 0, 0, 2}};

Instant at(Duration t) { return Instant(t); }

class Recorder final : public Actions {
  public:
    void solicit(const Solicitation& solicitation) override { solicitations.push_back(solicitation); }
    void resolved(const Resolution& resolution) override { resolutions.push_back(resolution); }
    void moved(const IpAddress& address, const MacAddress& before, const MacAddress& mac) override {
        moves.push_back({address, before, mac});
    }
    bool quiet() const { return solicitations.empty() && resolutions.empty() && moves.empty(); }
    void clear() {
        solicitations.clear();
        resolutions.clear();
        moves.clear();
    }

    std::vector<Solicitation> solicitations;
    std::vector<Resolution> resolutions;
    struct Move {
        IpAddress address;
        MacAddress before;
        MacAddress mac;
        friend bool operator==(const Move&, const Move&) = default;
    };
    std::vector<Move> moves;
};

class NeighborTable : public testing::Test {
  protected:
    // kA is known and Reachable since 0.
    void reach() {
        table.lookup(at(0s), kA, actions);
        table.on_answer(at(0s), kA, kMac, actions);
        actions.clear();
    }
    // kA is Stale since 30 s.
    void grow_stale() {
        reach();
        table.on_timer(at(30s), actions);
        ASSERT_EQ(state(kA), State::Stale);
    }
    std::optional<State> state(const IpAddress& address) const {
        for (const auto& entry : table.entries()) {
            if (entry.address == address) return entry.state;
        }
        return std::nullopt;
    }

    Table table{Options{.capacity = 3}};
    Recorder actions;
};

TEST_F(NeighborTable, AnUnknownAddressIsAskedForOnceAndItsAnswerUsed) {
    EXPECT_EQ(table.lookup(at(0s), kA, actions), std::nullopt);
    EXPECT_EQ(table.lookup(at(1ms), kA, actions), std::nullopt);
    ASSERT_EQ(actions.solicitations.size(), 1U);
    EXPECT_EQ(actions.solicitations[0].target, kA);
    EXPECT_EQ(actions.solicitations[0].to, std::nullopt);
    EXPECT_EQ(state(kA), State::Incomplete);
    EXPECT_FALSE(table.failed(kA));

    table.on_answer(at(2ms), kA, kMac, actions);
    ASSERT_EQ(actions.resolutions.size(), 1U);
    EXPECT_EQ(actions.resolutions[0].address, kA);
    EXPECT_EQ(actions.resolutions[0].mac, kMac);
    EXPECT_EQ(table.lookup(at(3ms), kA, actions), kMac);
    EXPECT_EQ(state(kA), State::Reachable);
}

TEST_F(NeighborTable, ASilentNeighborIsAskedThreeTimesThenFailsAndIsLeftAloneForAWhile) {
    table.lookup(at(0s), kB, actions);
    EXPECT_EQ(table.next_deadline(), at(1s));
    table.on_timer(at(999ms), actions);
    EXPECT_EQ(actions.solicitations.size(), 1U);
    table.on_timer(at(1s), actions);
    table.on_timer(at(2s), actions);
    EXPECT_EQ(actions.solicitations.size(), 3U);
    EXPECT_EQ(actions.solicitations[2].to, std::nullopt);
    EXPECT_TRUE(actions.resolutions.empty());

    actions.clear();
    table.on_timer(at(3s), actions);
    EXPECT_TRUE(actions.solicitations.empty());
    ASSERT_EQ(actions.resolutions.size(), 1U);
    EXPECT_EQ(actions.resolutions[0].address, kB);
    EXPECT_EQ(actions.resolutions[0].mac, std::nullopt);
    EXPECT_TRUE(table.failed(kB));

    actions.clear();
    EXPECT_EQ(table.lookup(at(5s), kB, actions), std::nullopt);
    EXPECT_TRUE(actions.quiet());

    table.on_timer(at(6s), actions);
    EXPECT_FALSE(table.failed(kB));
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.next_deadline(), kNever);
    table.lookup(at(6s), kB, actions);
    EXPECT_EQ(actions.solicitations.size(), 1U);
}

TEST_F(NeighborTable, ALateAnswerEndsTheFailure) {
    table.lookup(at(0s), kA, actions);
    for (const auto t : {1s, 2s, 3s}) table.on_timer(at(t), actions);
    actions.clear();
    table.on_answer(at(4s), kA, kMac, actions);
    ASSERT_EQ(actions.resolutions.size(), 1U);
    EXPECT_EQ(table.lookup(at(4s), kA, actions), kMac);
}

TEST_F(NeighborTable, AReachableEntryGrowsStaleAndIsDroppedWhenNobodyUsesIt) {
    reach();
    EXPECT_EQ(table.next_deadline(), at(30s));
    table.on_timer(at(30s), actions);
    EXPECT_EQ(state(kA), State::Stale);
    EXPECT_EQ(table.next_deadline(), at(30s + 10min));
    table.on_timer(at(30s + 10min), actions);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_TRUE(actions.quiet());
}

TEST_F(NeighborTable, UseOfAStaleEntryChecksItByUnicastAndGoesOnUsingIt) {
    grow_stale();
    EXPECT_EQ(table.lookup(at(40s), kA, actions), kMac);
    EXPECT_EQ(table.lookup(at(40s), kA, actions), kMac);
    ASSERT_EQ(actions.solicitations.size(), 1U);
    EXPECT_EQ(actions.solicitations[0].to, kMac);
    EXPECT_EQ(state(kA), State::Probe);

    actions.clear();
    table.on_answer(at(41s), kA, kMac, actions);
    EXPECT_EQ(state(kA), State::Reachable);
    EXPECT_TRUE(actions.quiet());  // nobody waited
    EXPECT_EQ(table.next_deadline(), at(71s));
}

TEST_F(NeighborTable, ACheckWithoutAnswerForgetsTheEntrySoThatTheNextUseAsksEverybody) {
    grow_stale();
    table.lookup(at(40s), kA, actions);
    table.on_timer(at(41s), actions);
    table.on_timer(at(42s), actions);
    EXPECT_EQ(actions.solicitations.size(), 3U);
    EXPECT_EQ(actions.solicitations[2].to, kMac);
    EXPECT_EQ(table.lookup(at(42s), kA, actions), kMac);

    table.on_timer(at(43s), actions);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_TRUE(actions.resolutions.empty());
    actions.clear();
    EXPECT_EQ(table.lookup(at(43s), kA, actions), std::nullopt);
    ASSERT_EQ(actions.solicitations.size(), 1U);
    EXPECT_EQ(actions.solicitations[0].to, std::nullopt);
}

TEST_F(NeighborTable, AnAnswerThatNobodyAskedForIsIgnored) {
    table.on_answer(at(0s), kA, kMac, actions);
    EXPECT_EQ(table.size(), 0U);
    reach();
    table.on_answer(at(1s), kA, kOther, actions);
    EXPECT_EQ(table.lookup(at(1s), kA, actions), kMac);
    EXPECT_EQ(table.next_deadline(), at(30s));
}

TEST_F(NeighborTable, AnAnnouncementCreatesNoEntry) {
    table.on_announcement(at(0s), kA, kMac, actions);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_TRUE(actions.quiet());
}

TEST_F(NeighborTable, AnAnnouncementOfANewMacIsUsedAtOnceAndChecked) {
    reach();
    table.on_announcement(at(1s), kA, kOther, actions);
    EXPECT_EQ(state(kA), State::Stale);
    EXPECT_EQ(table.lookup(at(2s), kA, actions), kOther);
    ASSERT_EQ(actions.solicitations.size(), 1U);
    EXPECT_EQ(actions.solicitations[0].to, kOther);
    EXPECT_EQ(actions.moves, (std::vector<Recorder::Move>{{kA, kMac, kOther}}));
    EXPECT_TRUE(actions.resolutions.empty());
}

TEST_F(NeighborTable, ACheckAnsweredFromElsewhereIsAMove) {
    grow_stale();
    table.lookup(at(31s), kA, actions);
    table.on_timer(at(36s), actions);
    ASSERT_EQ(state(kA), State::Probe);
    table.on_answer(at(36s), kA, kOther, actions);
    EXPECT_EQ(actions.moves, (std::vector<Recorder::Move>{{kA, kMac, kOther}}));
}

TEST_F(NeighborTable, AnAnnouncementOfTheSameMacChangesNothing) {
    reach();
    table.on_announcement(at(1s), kA, kMac, actions);
    EXPECT_EQ(state(kA), State::Reachable);
    EXPECT_EQ(table.next_deadline(), at(30s));
    EXPECT_TRUE(actions.quiet());
}

TEST_F(NeighborTable, AnAnnouncementResolvesWhatIsWaitedForOrHasFailed) {
    table.lookup(at(0s), kA, actions);
    actions.clear();
    table.on_announcement(at(500ms), kA, kMac, actions);
    ASSERT_EQ(actions.resolutions.size(), 1U);
    EXPECT_EQ(actions.resolutions[0].mac, kMac);
    EXPECT_EQ(state(kA), State::Stale);

    table.lookup(at(1s), kB, actions);
    for (const auto t : {2s, 3s, 4s}) table.on_timer(at(t), actions);
    ASSERT_TRUE(table.failed(kB));
    actions.clear();
    table.on_announcement(at(5s), kB, kOther, actions);
    EXPECT_FALSE(table.failed(kB));
    ASSERT_EQ(actions.resolutions.size(), 1U);
    EXPECT_EQ(actions.resolutions[0].mac, kOther);
}

TEST_F(NeighborTable, GroupAndZeroMacsAreNobodysNeighbor) {
    table.lookup(at(0s), kA, actions);
    actions.clear();
    table.on_answer(at(0s), kA, kBroadcastMac, actions);
    table.on_answer(at(0s), kA, MacAddress{}, actions);
    table.on_announcement(at(0s), kA, MacAddress{{0x33, 0x33, 0, 0, 0, 1}}, actions);
    EXPECT_TRUE(actions.quiet());
    EXPECT_EQ(state(kA), State::Incomplete);
}

TEST_F(NeighborTable, AFullTableDropsTheLeastRecentlyUsedAndTellsWhoWaitsForIt) {
    reach();                            // kA, then
    table.lookup(at(1s), kB, actions);  // waited for
    table.lookup(at(2s), kC, actions);
    table.lookup(at(3s), kA, actions);  // kB is now the oldest
    actions.clear();

    const IpAddress more = IpAddress::v4(10, 0, 0, 4);
    table.lookup(at(3s), more, actions);
    EXPECT_EQ(table.size(), 3U);
    EXPECT_EQ(state(kB), std::nullopt);
    ASSERT_EQ(actions.resolutions.size(), 1U);
    EXPECT_EQ(actions.resolutions[0].address, kB);
    EXPECT_EQ(actions.resolutions[0].mac, std::nullopt);
    ASSERT_EQ(actions.solicitations.size(), 1U);
    EXPECT_EQ(actions.solicitations[0].target, more);
    EXPECT_EQ(table.next_deadline(), at(3s));  // kC's; kB's is gone
    EXPECT_EQ(table.lookup(at(3s), kA, actions), kMac);
}

// A worker that drops a held packet may look another address up while it does so.
TEST_F(NeighborTable, AnActionMayCallBack) {
    struct Caller final : Actions {
        explicit Caller(Table& t) : table(t) {}
        void solicit(const Solicitation&) override { ++solicitations; }
        void resolved(const Resolution& resolution) override {
            if (!resolution.mac) table.lookup(at(3s), kC, *this);
        }
        void moved(const IpAddress&, const MacAddress&, const MacAddress&) override {}
        Table& table;
        int solicitations = 0;
    } caller{table};
    table.lookup(at(0s), kA, caller);
    table.lookup(at(0s), kB, caller);
    for (const auto t : {1s, 2s, 3s}) table.on_timer(at(t), caller);
    EXPECT_TRUE(table.failed(kA));
    EXPECT_TRUE(table.failed(kB));
    EXPECT_EQ(state(kC), State::Incomplete);
    EXPECT_EQ(caller.solicitations, 7);
    EXPECT_EQ(table.next_deadline(), at(4s));
}

TEST_F(NeighborTable, ListsItsEntriesByAddress) {
    table.lookup(at(1s), kC, actions);
    reach();
    const auto entries = table.entries();
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].address, kA);
    EXPECT_EQ(entries[0].mac, kMac);
    EXPECT_EQ(entries[1].address, kC);
    EXPECT_TRUE(entries[1].mac.is_zero());
    EXPECT_EQ(entries[1].since, at(1s));
    EXPECT_STREQ(to_string(entries[1].state), "incomplete");
}

}  // namespace
}  // namespace sluice::neighbor
