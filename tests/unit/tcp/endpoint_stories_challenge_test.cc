// Stories of a SYN that meets an older connection at its peer, as after a restart: it is challenged.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

// RFC 5961 section 4.2: a peer that still knows an older connection answers a SYN with what it waits for.
TEST(ChallengeStory, AChallengedSynIsSentAgainAtOnceBehindTheResetThatEndsTheOldConnection) {
    Kit k(full_options());
    k.connect();
    const Sent first = k.drain().at(0);
    k.advance(300ms);
    k.recv({.flags = "A", .seq = 70'000, .ack = -50'000});
    k.expect({.flags = "R", .seq = -50'000});
    const std::vector<Sent> again = k.drain();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_TRUE(again[0].flags.syn && !again[0].flags.ack);
    EXPECT_EQ(again[0].seq, 0);
    EXPECT_EQ(again[0].options.mss, first.options.mss);
    EXPECT_EQ(again[0].options.timestamps->value, first.options.timestamps->value + 300);
    k.expect_state(State::SynSent);

    In answer = full_syn();
    answer.flags = "SA";
    answer.timestamps = {.value = 9000, .echo = again[0].options.timestamps->value};
    k.advance(10ms);
    k.recv(answer);
    k.expect({.seq = 1, .ack = 1});
    k.expect_state(State::Established);
    EXPECT_EQ(k.endpoint().position().smoothed_rtt, 10ms);
    EXPECT_EQ(k.endpoint().statistics().retransmits, 1U);
    EXPECT_EQ(k.endpoint().statistics().timeouts, 0U);
}

TEST(ChallengeStory, AChallengeIsAnsweredByASynOnceAndThenByTheTimerAlone) {
    Kit k;
    k.connect();
    (void)k.drain();
    k.advance(300ms);
    k.recv({.flags = "A", .seq = 70'000, .ack = -50'000});
    k.expect({.flags = "R", .seq = -50'000});
    k.expect({.flags = "S", .seq = 0});
    for (int i = 0; i < 100; ++i) {  // whoever forges them gets a reset for each
        k.recv({.flags = "A", .seq = 70'000 + i, .ack = -40'000});
        k.expect({.flags = "R", .seq = -40'000});
    }
    EXPECT_EQ(k.wait_for_output(60s), 1s);  // since the last SYN
    k.expect({.flags = "S", .seq = 0});
    EXPECT_EQ(k.wait_for_output(60s), 2s);
    k.expect({.flags = "S", .seq = 0});
}

TEST(ChallengeStory, AResetThatIsNoAnswerToOurSynMakesNobodySendItAgain) {
    Kit k;
    k.connect();
    (void)k.drain();
    k.recv({.flags = "RA", .seq = 0, .ack = -50'000});
    k.expect_nothing();
    k.expect_state(State::SynSent);
}

// A SYN that was answered did not get lost: the window begins as large as ever (RFC 5681 section 3.1).
TEST(ChallengeStory, AChallengeIsNoSignOfANarrowPath) {
    const auto flight = [](bool challenged) {
        Kit k;
        k.connect();
        (void)k.drain();
        if (challenged) {
            k.recv({.flags = "A", .seq = 70'000, .ack = -50'000});
            (void)k.drain();
        }
        k.recv({.flags = "SA", .seq = 0, .ack = 1, .window = 60'000, .mss = 1460});
        (void)k.drain();
        k.write(std::string(20'000, 'x'));
        return k.drain().size();
    };
    EXPECT_EQ(flight(true), flight(false));
}

}  // namespace
}  // namespace sluice::tcp::kit
