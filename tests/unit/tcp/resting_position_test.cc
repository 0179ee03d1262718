// A position in 32 bytes is the position again, but for what the header says.
#include "sluice/tcp/resting_position.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice::tcp {
namespace {

using namespace std::chrono_literals;

Endpoint::Position any_position(std::mt19937_64& random) {
    Endpoint::Position at{};
    at.send_next = at.send_unacked = Seq(static_cast<std::uint32_t>(random()));
    at.receive_next = Seq(static_cast<std::uint32_t>(random()));
    at.receive_edge = at.receive_next.advance(static_cast<std::uint32_t>(random() % (1U << 30U)));
    at.window_scale = random() % 2 == 0;
    at.timestamps = random() % 2 == 0;
    at.sack = random() % 2 == 0;
    if (at.window_scale) {
        at.send_scale = static_cast<std::uint8_t>(random() % 15);
        at.receive_scale = static_cast<std::uint8_t>(random() % 15);
    }
    at.send_window = static_cast<std::uint32_t>(random() % 0x10000) << at.send_scale;
    at.last_timestamp_sent = static_cast<std::uint32_t>(random());
    at.last_timestamp_received = static_cast<std::uint32_t>(random());
    at.last_timestamp_at = Instant(std::chrono::seconds(random() % 10'000'000));
    at.receive_mss = static_cast<std::uint16_t>(random());
    at.peer_mss = static_cast<std::uint16_t>(48 + random() % 9000);
    at.send_mss = static_cast<std::uint16_t>(at.peer_mss - (at.timestamps ? 12 : 0));
    at.smoothed_rtt = std::chrono::nanoseconds(random() % 8'000'000'000U);
    at.rtt_variation = std::chrono::nanoseconds(random() % 8'000'000'000U);
    return at;
}

void expect_rounded_up(Duration kept, Duration was) {
    constexpr Duration kMost = 0xffff * 100us;
    EXPECT_GE(kept, std::min<Duration>(was, kMost));
    EXPECT_LT(kept, std::min<Duration>(was, kMost) + 100us);
}

TEST(RestingPosition, IsTheSameAgain) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 10'000; ++i) {
        const Endpoint::Position was = any_position(random);
        RestingPosition resting(was);
        resting.set_note(static_cast<std::uint8_t>(random() % RestingPosition::kNotes));
        const Endpoint::Position is = resting.position(was.receive_mss, was.last_timestamp_at);
        ASSERT_EQ(is.send_next, was.send_next);
        ASSERT_EQ(is.send_unacked, was.send_unacked);
        ASSERT_EQ(is.receive_next, was.receive_next);
        ASSERT_EQ(is.receive_edge, was.receive_edge);
        ASSERT_EQ(is.send_window, was.send_window);
        ASSERT_EQ(is.last_timestamp_sent, was.last_timestamp_sent);
        ASSERT_EQ(is.last_timestamp_received, was.last_timestamp_received);
        ASSERT_EQ(is.last_timestamp_at, was.last_timestamp_at);
        ASSERT_EQ(is.send_mss, was.send_mss);
        ASSERT_EQ(is.peer_mss, was.peer_mss);
        ASSERT_EQ(is.receive_mss, was.receive_mss);
        ASSERT_EQ(is.send_scale, was.send_scale);
        ASSERT_EQ(is.receive_scale, was.receive_scale);
        ASSERT_EQ(is.window_scale, was.window_scale);
        ASSERT_EQ(is.timestamps, was.timestamps);
        ASSERT_EQ(is.sack, was.sack);
        expect_rounded_up(is.smoothed_rtt, was.smoothed_rtt);
        expect_rounded_up(is.rtt_variation, was.rtt_variation);
    }
}

// A connection that rests again and again must not grow slower for it.
TEST(RestingPosition, RoundsOnce) {
    Endpoint::Position at{};
    at.smoothed_rtt = 12'345us;
    at.rtt_variation = 1ns;
    const Endpoint::Position once = RestingPosition(at).position(1460, {});
    const Endpoint::Position twice = RestingPosition(once).position(1460, {});
    EXPECT_EQ(once.smoothed_rtt, 12'400us);
    EXPECT_EQ(once.rtt_variation, 100us);
    EXPECT_EQ(twice.smoothed_rtt, once.smoothed_rtt);
    EXPECT_EQ(twice.rtt_variation, once.rtt_variation);
}

TEST(RestingPosition, KeepsItsOwnersNoteApart) {
    std::mt19937_64 random(7);
    for (std::uint8_t note = 0; note < RestingPosition::kNotes; ++note) {
        RestingPosition resting(any_position(random));
        EXPECT_EQ(resting.note(), 0);
        resting.set_note(31);
        resting.set_note(note);
        EXPECT_EQ(resting.note(), note);
        RestingPosition number = RestingPosition::of_number(0xfedcba98);
        number.set_note(note);
        EXPECT_EQ(number.number(), 0xfedcba98);
        EXPECT_EQ(number.note(), note);
    }
}

}  // namespace
}  // namespace sluice::tcp
