// The quiet point: what may become a record, and what a record holds then. Its deltas are proven by the
// translation's properties.
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::splice {
namespace {

class MakeRecord : public testing::Test {
  protected:
    Dice dice{3};
    Joint joint = random_joint(dice, IpFamily::V4);
};

TEST_F(MakeRecord, TakesTwoQuietLegs) { EXPECT_EQ(obstacle_to_splice(joint), std::nullopt); }

TEST_F(MakeRecord, RefusesWhatOneRecordCannotExpress) {
    const auto obstacle = [&](auto&& change) {
        Joint changed = joint;
        change(changed);
        return obstacle_to_splice(changed);
    };
    EXPECT_EQ(
        obstacle([](Joint& j) { j.client.position.send_unacked = j.client.position.send_next.retreat(1); }),
        Obstacle::NotQuiet);
    EXPECT_EQ(
        obstacle([](Joint& j) { j.broker.position.send_unacked = j.broker.position.send_next.retreat(1); }),
        Obstacle::NotQuiet);
    EXPECT_EQ(obstacle([](Joint& j) { j.client.position.timestamps = !j.client.position.timestamps; }),
              Obstacle::Timestamps);
    EXPECT_EQ(obstacle([](Joint& j) { j.broker.position.sack = false; }), Obstacle::Sack);
    EXPECT_EQ(obstacle([&](Joint& j) {
                  j.client.tuple.local.address = dice.address(IpFamily::V6);
                  j.client.tuple.remote.address = dice.address(IpFamily::V6);
              }),
              Obstacle::MixedFamilies);
    EXPECT_EQ(obstacle([](Joint& j) { j.listener = 0x10000; }), Obstacle::Range);
    EXPECT_EQ(obstacle([](Joint& j) { j.pool = 0x10000; }), Obstacle::Range);
    EXPECT_EQ(obstacle([](Joint& j) { j.backend = 0x10000; }), Obstacle::Range);
    EXPECT_EQ(obstacle([](Joint& j) { j.client.port = 256; }), Obstacle::Range);
    // What each side was promised it may send must be what the other side takes.
    EXPECT_EQ(obstacle([](Joint& j) { j.client.position.receive_mss = 1461; }), Obstacle::SegmentSize);
    EXPECT_EQ(obstacle([](Joint& j) { j.broker.position.peer_mss = 1459; }), Obstacle::SegmentSize);
    EXPECT_EQ(obstacle([](Joint& j) { j.broker.position.receive_mss = 9000; }), Obstacle::SegmentSize);
    EXPECT_EQ(obstacle([](Joint& j) { j.client.position.peer_mss = 536; }), Obstacle::SegmentSize);
    EXPECT_EQ(obstacle([](Joint& j) { j.client.position.peer_mss = 9000; }), std::nullopt);
    EXPECT_EQ(obstacle([](Joint& j) { j.broker.port = 256; }), Obstacle::Range);
}

TEST_F(MakeRecord, KeepsEverythingThatIsAskedLater) {
    joint.listener = 0xffff;
    joint.pool = 2;
    joint.backend = 3;
    joint.opened = 0x9abcdef0;
    joint.keep_alive = 90;
    joint.last_heard = 4711;
    joint.client.port = 1;
    joint.broker.port = 255;
    joint.client.bytes = 0x123456789abc;
    joint.broker.packets = 17;
    joint.client.position.send_window = 0xffff;
    joint.client.position.send_scale = 3;
    const auto record = make_record<IpFamily::V4>(joint);
    EXPECT_EQ(record.leg(Direction::ToClient).tuple(), joint.client.tuple);
    EXPECT_EQ(record.leg(Direction::ToBroker).tuple(), joint.broker.tuple);
    const Core& core = record.core;
    EXPECT_EQ(core.listener, 0xffff);
    EXPECT_EQ(core.pool, 2);
    EXPECT_EQ(core.backend, 3);
    EXPECT_EQ(core.opened, 0x9abcdef0U);
    EXPECT_EQ(core.keep_alive, 90);
    EXPECT_EQ(core.last_heard, 4711U);
    EXPECT_EQ(core.last_timestamp(Direction::ToBroker), joint.broker.position.last_timestamp_sent);
    EXPECT_EQ(core.last_timestamp(Direction::ToClient), joint.client.position.last_timestamp_sent);
    EXPECT_EQ(core.way(Direction::ToClient).mac, joint.client.mac);
    EXPECT_EQ(core.way(Direction::ToBroker).mac, joint.broker.mac);
    EXPECT_EQ(core.way(Direction::ToClient).port, 1);
    EXPECT_EQ(core.way(Direction::ToBroker).port, 255);
    EXPECT_EQ(core.way(Direction::ToClient).bytes(), 0x123456789abcU);
    EXPECT_EQ(core.way(Direction::ToBroker).packets, 17U);
    EXPECT_EQ(core.way(Direction::ToClient).window_size(), 0xffffU & ~7U);  // in whole units
    EXPECT_EQ(core.timestamps(), joint.client.position.timestamps);
    EXPECT_FALSE(core.finished());
}

TEST(Ends, RoundTripsBothFamilies) {
    Dice dice(5);
    for (int i = 0; i < 100; ++i) {
        const Joint v4 = random_joint(dice, IpFamily::V4);
        const Joint v6 = random_joint(dice, IpFamily::V6);
        EXPECT_EQ(Ends<IpFamily::V4>::of(v4.client.tuple).tuple(), v4.client.tuple);
        EXPECT_EQ(Ends<IpFamily::V6>::of(v6.client.tuple).tuple(), v6.client.tuple);
    }
}

}  // namespace
}  // namespace sluice::splice
