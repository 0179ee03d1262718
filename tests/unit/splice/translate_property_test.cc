// Properties that hold for any connection and any packet.
#include <gtest/gtest.h>

#include "kit.h"
#include "sluice/splice/translate.h"
#include "sluice/wire/checksum.h"

namespace sluice::splice {
namespace {

constexpr int kRounds = 20000;

template <typename Tag>
class TranslateProperty : public testing::Test {
  protected:
    static constexpr IpFamily kFamily = Tag::kValue;

    // A random packet of a random connection in a random direction.
    void roll() {
        joint = random_joint(dice, kFamily);
        record = make_record<kFamily>(joint);
        direction = dice.one_in(2) ? Direction::ToBroker : Direction::ToClient;
        const LegFacts& in = direction == Direction::ToBroker ? joint.client : joint.broker;
        frame = random_frame(dice, in.tuple, random_shape(dice, kFamily));
    }

    Verdict run(Record<kFamily>& with, TestFrame& on) {
        const auto packet = Packet<kFamily>::parse(on.bytes);
        EXPECT_TRUE(packet.has_value());
        return translate(with, direction, *packet, kOwnMac, 0);
    }

    Dice dice{20240607};
    Joint joint;
    Record<kFamily> record;
    Direction direction = Direction::ToBroker;
    TestFrame frame;
};

using Families = testing::Types<FamilyTag<IpFamily::V4>, FamilyTag<IpFamily::V6>>;
TYPED_TEST_SUITE(TranslateProperty, Families);

// Every byte is as the plain arithmetic with full checksums has it; nothing else changes.
TYPED_TEST(TranslateProperty, EqualsTheNaiveTranslation) {
    for (int i = 0; i < kRounds; ++i) {
        this->roll();
        const TestFrame wanted = expected(this->frame, this->joint, this->direction, kOwnMac);
        ASSERT_FALSE(is_drop(this->run(this->record, this->frame)));
        ASSERT_EQ(this->frame.bytes, wanted.bytes) << "round " << i;
    }
}

// A checksum of zero, before or after, keeps the form that a full computation gives it.
TYPED_TEST(TranslateProperty, ZeroChecksums) {
    int zero_after = 0;
    for (int i = 0; i < kRounds; ++i) {
        this->roll();
        const LegFacts& in = this->direction == Direction::ToBroker ? this->joint.client : this->joint.broker;
        Shape shape = random_shape(this->dice, TestFixture::kFamily);
        shape.payload = 2 + this->dice.below(9);
        this->frame = random_frame(this->dice, in.tuple, shape);
        // With this word zero the checksum is what the word must be for it to become zero.
        std::byte* const word = this->frame.tcp() + this->frame.tcp_header_size();
        store16(word, 0);
        this->frame.fill_checksums();
        const bool after = this->dice.one_in(2);
        const TestFrame judged =
            after ? expected(this->frame, this->joint, this->direction, kOwnMac) : this->frame;
        store16(word, load16(judged.tcp() + 16));
        this->frame.fill_checksums();

        const TestFrame wanted = expected(this->frame, this->joint, this->direction, kOwnMac);
        if (after) {
            ASSERT_EQ(load16(wanted.tcp() + 16), 0);
            ++zero_after;
        } else {
            ASSERT_EQ(load16(this->frame.tcp() + 16), 0);
        }
        ASSERT_FALSE(is_drop(this->run(this->record, this->frame)));
        ASSERT_EQ(this->frame.bytes, wanted.bytes) << "round " << i;
    }
    EXPECT_GT(zero_after, kRounds / 3);
}

// A damaged packet arrives as damaged as it was.
TYPED_TEST(TranslateProperty, WrongChecksumsStayWrong) {
    for (int i = 0; i < kRounds; ++i) {
        this->roll();
        std::byte* const tcp_checksum = this->frame.tcp() + 16;
        std::byte* const ip_checksum = this->frame.ip() + 10;
        const auto damage = static_cast<std::uint16_t>(1 + this->dice.below(0xfffe));
        store16(tcp_checksum, wire::checksum_add(load16(tcp_checksum), damage));
        if (TestFixture::kFamily == IpFamily::V4) {
            store16(ip_checksum, wire::checksum_add(load16(ip_checksum), damage));
        }
        ASSERT_FALSE(this->frame.tcp_checksum_valid());
        ASSERT_FALSE(is_drop(this->run(this->record, this->frame)));
        ASSERT_FALSE(this->frame.tcp_checksum_valid()) << "round " << i;
        ASSERT_EQ(this->frame.ip_checksum_valid(), TestFixture::kFamily == IpFamily::V6);
    }
}

// The record that undoes what `record` does in `direction`.
template <IpFamily kFamily>
Record<kFamily> mirror(const Record<kFamily>& record, Direction direction) {
    const Direction other = opposite(direction);
    Record<kFamily> back = record;
    // Its packets arrive by the leg that those of `record` left by, seen from its far end.
    const auto turn = [](const Ends<kFamily>& e) {
        return Ends<kFamily>{
            .local = e.remote, .remote = e.local, .local_port = e.remote_port, .remote_port = e.local_port};
    };
    back.leg(direction) = turn(record.leg(other));
    back.leg(other) = turn(record.leg(direction));
    for (DirectionState& way : back.core.ways) {
        way.sequence_delta = 0 - way.sequence_delta;
        way.timestamp_delta = 0 - way.timestamp_delta;
        way.checksum_delta = static_cast<std::uint16_t>(~way.checksum_delta);
    }
    return back;
}

// There and back again changes nothing but what cannot be undone: TTL, MAC addresses, and windows, whose
// scales are taken out of the play here.
TYPED_TEST(TranslateProperty, ThereAndBackIsIdentity) {
    for (int i = 0; i < kRounds; ++i) {
        this->roll();
        for (DirectionState& way : this->record.core.ways) way.our_scale = way.their_scale = 7;
        auto back = mirror(this->record, this->direction);
        TestFrame travelled = this->frame;
        std::byte* const limit = travelled.ip() + (TestFixture::kFamily == IpFamily::V4 ? 8 : 7);
        if (load8(limit) < 3) continue;
        ASSERT_FALSE(is_drop(this->run(this->record, travelled)));
        ASSERT_NE(travelled.bytes, this->frame.bytes);
        ASSERT_FALSE(is_drop(this->run(back, travelled)));

        std::copy_n(this->frame.bytes.begin(), 12, travelled.bytes.begin());
        store8(limit, static_cast<std::uint8_t>(load8(limit) + 2));
        travelled.fill_checksums();
        ASSERT_EQ(travelled.bytes, this->frame.bytes) << "round " << i;
    }
}

// Packets and payload bytes are counted for their direction alone.
TYPED_TEST(TranslateProperty, CountsPacketsAndBytes) {
    this->joint = random_joint(this->dice, TestFixture::kFamily);
    this->joint.client.bytes = 0xfffffff0;  // about to leave the lower half
    this->joint.client.packets = 7;
    this->record = make_record<TestFixture::kFamily>(this->joint);
    this->direction = Direction::ToClient;
    std::uint64_t bytes = this->joint.client.bytes;
    for (std::uint32_t i = 1; i <= 200; ++i) {
        const Shape shape = random_shape(this->dice, TestFixture::kFamily);
        this->frame = random_frame(this->dice, this->joint.broker.tuple, shape);
        bytes += shape.payload;
        ASSERT_FALSE(is_drop(this->run(this->record, this->frame)));
        ASSERT_EQ(this->record.core.way(Direction::ToClient).packets, 7 + i);
        ASSERT_EQ(this->record.core.way(Direction::ToClient).bytes(), bytes);
    }
    EXPECT_GT(bytes, 0x100000000ULL);
    EXPECT_EQ(this->record.core.way(Direction::ToBroker).packets, 0U);
    EXPECT_EQ(this->record.core.way(Direction::ToBroker).bytes(), 0U);
}

}  // namespace
}  // namespace sluice::splice
