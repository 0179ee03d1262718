// What a record learns from the packets that pass, and what it does with it.
#include "rules.h"

namespace sluice::splice {
namespace {

using Tracking = TranslateRules;

// --- both ends ---

TEST_F(Tracking, StartsFromTheQuietPoint) {
    EXPECT_EQ(to_broker().next, tcp::Seq(5000));
    EXPECT_EQ(to_broker().acked, tcp::Seq(5000));
    EXPECT_EQ(to_broker().window_size(), 64000U);
    EXPECT_EQ(to_client().next, tcp::Seq(2000));
    EXPECT_EQ(to_client().acked, tcp::Seq(2000));
    EXPECT_EQ(record.core.sender_next(Direction::ToBroker), tcp::Seq(1000));
    EXPECT_EQ(record.core.sender_next(Direction::ToClient), tcp::Seq(9000));
}

TEST_F(Tracking, FollowsBothEndsInTheReceiversNumbering) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 100});
    EXPECT_EQ(to_broker().next, tcp::Seq(5100));
    EXPECT_EQ(to_broker().acked, tcp::Seq(5000));
    from_broker({.sequence = 9000, .acknowledgement = 5100, .payload = 20, .window = 900});
    EXPECT_EQ(to_broker().acked, tcp::Seq(5100));
    EXPECT_EQ(to_broker().window_edge(), tcp::Seq(5100 + 900 * 16));
    EXPECT_EQ(to_client().next, tcp::Seq(2020));
    from_client({.sequence = 1100, .acknowledgement = 2020, .window = 10});
    EXPECT_EQ(to_client().acked, tcp::Seq(2020));
    EXPECT_EQ(to_client().window_edge(), tcp::Seq(2020 + 10 * 64));
}

// A receiver should not take back what it granted (RFC 9293 section 3.8.6), but some do, and Sluice itself
// did when its endpoint promised more than the end behind it: the sender may go on beyond the window for a
// while.
TEST_F(Tracking, FollowsASenderThatWasPromisedMore) {
    joint.client.position.send_window = 640;
    remake();
    std::uint32_t sent = 9000;
    for (int i = 0; i < 100; ++i, sent += 1460) {
        from_broker({.sequence = sent, .acknowledgement = 5000, .payload = 1460});
    }
    EXPECT_EQ(to_client().next, tcp::Seq(2000 + 146'000));
    for (const std::uint32_t taken : {640U, 2000U, 146'000U}) {
        from_client({.sequence = 1000, .acknowledgement = 2000 + taken, .window = 10});
        EXPECT_EQ(to_client().acked, tcp::Seq(2000 + taken));
    }
}

// A retransmission from before the splice, a keepalive probe and a blind segment go through, but are no
// progress; nor is an acknowledgement of long ago or of what was never sent.
TEST_F(Tracking, LearnsNothingFromOldAndBlindSegments) {
    for (const std::uint32_t sequence : {900U, 999U, 0x40000000U, 0x80000000U, 0xf0000000U}) {
        EXPECT_EQ(from_client({.sequence = sequence, .acknowledgement = 2000, .payload = 1}),
                  Verdict::Forward);
        EXPECT_EQ(to_broker().next, tcp::Seq(5000)) << sequence;
    }
    for (const std::uint32_t acknowledgement : {1500U, 0x40000000U, 0x80000000U, 0xf0000000U}) {
        EXPECT_EQ(from_client({.sequence = 1000, .acknowledgement = acknowledgement, .window = 5}),
                  Verdict::Forward);
        EXPECT_EQ(to_client().acked, tcp::Seq(2000)) << acknowledgement;
        EXPECT_EQ(to_client().window, 1000) << acknowledgement;
    }
}

// Nobody has taken what nobody sent: such an acknowledgement would make everything after it look old.
TEST_F(Tracking, BelievesNoAcknowledgementOfWhatWasNotSent) {
    from_broker({.sequence = 9000, .acknowledgement = 5000, .payload = 100});
    for (const std::uint32_t acknowledgement : {2101U, 32000U, 66000U}) {
        from_client({.sequence = 1000, .acknowledgement = acknowledgement});
        EXPECT_EQ(to_client().acked, tcp::Seq(2000)) << acknowledgement;
        EXPECT_EQ(to_client().next, tcp::Seq(2100)) << acknowledgement;
    }
    from_client({.sequence = 1000, .acknowledgement = 2100});
    EXPECT_EQ(to_client().acked, tcp::Seq(2100));
}

// A probe of a closed window may be taken after all.
TEST_F(Tracking, FollowsAProbeOfAClosedWindow) {
    joint.broker.position.send_window = 0;
    remake();
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 1});
    from_broker({.sequence = 9000, .acknowledgement = 5001});
    EXPECT_EQ(to_broker().acked, tcp::Seq(5001));
    EXPECT_EQ(to_broker().next, tcp::Seq(5001));
}

// A stranger who guesses one of the two numbers has nothing: what he sends passes, and is judged by its
// receiver, but neither moves the streams nor keeps anybody alive.
TEST_F(Tracking, BelievesBothNumbersOrNone) {
    const Record<IpFamily::V4> before = record;
    const auto same = [&] {
        Record<IpFamily::V4> now = record;
        for (std::size_t i = 0; i < 2; ++i) {
            now.core.ways[i].packets = before.core.ways[i].packets;
            now.core.ways[i].set_bytes(before.core.ways[i].bytes());
        }
        return std::memcmp(&now, &before, sizeof now) == 0;
    };
    for (const bool fin : {false, true}) {
        const wire::TcpFlags flags{.fin = fin, .ack = true};
        from_client({.sequence = 1000, .acknowledgement = 0x40000000, .flags = flags, .payload = 1});
        EXPECT_TRUE(same());
        from_client({.sequence = 0x40000000, .acknowledgement = 2000, .flags = flags, .payload = 1});
        EXPECT_TRUE(same());
        // Without an ACK there is no second number, and nobody sends such a segment.
        from_client({.sequence = 1000, .acknowledgement = 0, .flags = {.fin = fin}, .payload = 1});
        EXPECT_TRUE(same());
    }
}

// Repetitions bring old numbers of both kinds, and are their sender's all the same.
TEST_F(Tracking, BelievesWhatIsRepeated) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 100});
    from_broker({.sequence = 9000, .acknowledgement = 5100, .payload = 50});
    from_client({.sequence = 1000, .acknowledgement = 2050, .payload = 100});
    EXPECT_EQ(to_client().acked, tcp::Seq(2050));
    EXPECT_EQ(to_broker().next, tcp::Seq(5100));
}

TEST_F(Tracking, TracksAcrossTheWrap) {
    joint.broker.position.send_next = joint.broker.position.send_unacked = tcp::Seq(0xfffffff0);
    remake();
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 0x20});
    EXPECT_EQ(sequence(), 0xfffffff0U);
    EXPECT_EQ(to_broker().next, tcp::Seq(0x10));
    from_broker({.sequence = 9000, .acknowledgement = 0x10});
    EXPECT_EQ(acknowledgement(), 1020U + 12);
    EXPECT_EQ(to_broker().acked, tcp::Seq(0x10));
}

// MQTT's keep alive is the client's: what the broker says does not keep it alive. Without one, both do.
TEST_F(Tracking, HearsWhomTheKeepAliveIsAbout) {
    from_client({.sequence = 1000, .acknowledgement = 2000});
    EXPECT_EQ(record.core.last_heard, 0U);  // an empty ACK is no sign of MQTT's life
    from_broker({.sequence = 9000, .acknowledgement = 5000, .payload = 4});
    EXPECT_EQ(record.core.last_heard, 0U);
    from_client({.sequence = 1000, .acknowledgement = 2004, .payload = 2});
    EXPECT_EQ(record.core.last_heard, kNow);

    joint.keep_alive = 0;
    remake();
    from_broker({.sequence = 9000, .acknowledgement = 5000, .payload = 4});
    EXPECT_EQ(record.core.last_heard, kNow);
}

// --- RST ---

struct RstCase {
    const char* name;
    std::uint32_t sequence;  // the client's
    Verdict verdict;
};

class RstTable : public Tracking, public testing::WithParamInterface<RstCase> {};

// The broker has acknowledged up to the client's 1000; the client has sent up to 1100; the window ends at
// 1000 + 64000.
TEST_P(RstTable, Verdict) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 100});
    for (const bool ack : {false, true}) {
        const Record<IpFamily::V4> before = record;
        EXPECT_EQ(from_client({.sequence = GetParam().sequence,
                               .acknowledgement = 2000,
                               .flags = {.rst = true, .ack = ack},
                               .window = 0}),
                  GetParam().verdict);
        EXPECT_EQ(sequence(), GetParam().sequence + 4000);
        EXPECT_EQ(to_broker().next, before.core.way(Direction::ToBroker).next);
        EXPECT_EQ(to_client().acked, before.core.way(Direction::ToClient).acked);
        EXPECT_EQ(to_client().window, before.core.way(Direction::ToClient).window);
    }
}

INSTANTIATE_TEST_SUITE_P(, RstTable,
                         testing::Values(RstCase{"all_arrived", 1100, Verdict::DoubtedReset},
                                         RstCase{"nothing_arrived_since", 1000, Verdict::Reset},
                                         RstCase{"between", 1050, Verdict::DoubtedReset},
                                         RstCase{"just_before", 999, Verdict::Forward},
                                         RstCase{"just_after", 1101, Verdict::DoubtedReset},
                                         RstCase{"last_of_window", 64999, Verdict::DoubtedReset},
                                         RstCase{"beyond_window", 1000 + 64000 + 0x4001, Verdict::Forward},
                                         RstCase{"far_away", 0x80000000, Verdict::Forward}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(Tracking, AnExactRstFromTheBrokerEndsTheConnection) {
    EXPECT_EQ(from_broker({.sequence = 8999, .acknowledgement = 5000, .flags = {.rst = true, .ack = true}}),
              Verdict::Forward);
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5000, .flags = {.rst = true, .ack = true}}),
              Verdict::Reset);
    EXPECT_EQ(sequence(), 2000U);
}

// --- FIN ---

TEST_F(Tracking, FollowsAnOrderlyClose) {
    // The client's FIN behind its last bytes.
    EXPECT_EQ(
        from_client(
            {.sequence = 1000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}, .payload = 2}),
        Verdict::Forward);
    EXPECT_TRUE(to_broker().has(DirectionState::kFinSeen));
    EXPECT_EQ(to_broker().next, tcp::Seq(5003));
    // The bytes are acknowledged, the FIN is not yet.
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5002}), Verdict::Forward);
    EXPECT_FALSE(to_broker().has(DirectionState::kFinAcked));
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5003, .payload = 50}), Verdict::Forward);
    EXPECT_TRUE(to_broker().has(DirectionState::kFinAcked));
    // Half closed: the broker still sends, the client still acknowledges.
    EXPECT_EQ(from_client({.sequence = 1003, .acknowledgement = 2050}), Verdict::Forward);
    EXPECT_EQ(from_broker({.sequence = 9050, .acknowledgement = 5003, .flags = {.fin = true, .ack = true}}),
              Verdict::Forward);
    EXPECT_FALSE(record.core.finished());
    EXPECT_EQ(from_client({.sequence = 1003, .acknowledgement = 2051}), Verdict::Finished);
    EXPECT_TRUE(record.core.finished());
    // The last ACK was lost: the FIN comes again, and goes on being answered.
    EXPECT_EQ(from_broker({.sequence = 9050, .acknowledgement = 5003, .flags = {.fin = true, .ack = true}}),
              Verdict::Finished);
    EXPECT_EQ(from_client({.sequence = 1003, .acknowledgement = 2051}), Verdict::Finished);
}

TEST_F(Tracking, SimultaneousCloseFinishesToo) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    from_broker({.sequence = 9000, .acknowledgement = 5000, .flags = {.fin = true, .ack = true}});
    EXPECT_EQ(from_client({.sequence = 1001, .acknowledgement = 2001}), Verdict::Forward);
    EXPECT_EQ(from_broker({.sequence = 9001, .acknowledgement = 5001}), Verdict::Finished);
}

// A FIN may arrive ahead of bytes that were lost on their way to us.
TEST_F(Tracking, FinAheadOfLostBytes) {
    from_client({.sequence = 1010, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5000}), Verdict::Forward);
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 10});
    EXPECT_EQ(to_broker().next, tcp::Seq(5011));
    EXPECT_FALSE(to_broker().has(DirectionState::kFinAcked));
    from_broker({.sequence = 9000, .acknowledgement = 5011});
    EXPECT_TRUE(to_broker().has(DirectionState::kFinAcked));
}

TEST_F(Tracking, DoesNotBelieveAForgedFin) {
    // Outside the window.
    from_client({.sequence = 0x40000000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_FALSE(to_broker().has(DirectionState::kFinSeen));
    // In the window, but the client then goes on behind it: it was none.
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 100});
    from_client({.sequence = 1100, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_TRUE(to_broker().has(DirectionState::kFinSeen));
    from_client({.sequence = 1100, .acknowledgement = 2000, .payload = 50});
    EXPECT_FALSE(to_broker().has(DirectionState::kFinSeen));
    EXPECT_EQ(to_broker().next, tcp::Seq(5150));
    from_broker({.sequence = 9000, .acknowledgement = 5150});
    EXPECT_EQ(to_broker().acked, tcp::Seq(5150));
}

// What is sent behind a gap need not be the sender's; where it ends, it says itself.
TEST_F(Tracking, TheFinSaysWhereTheStreamEnds) {
    from_client({.sequence = 5000, .acknowledgement = 2000, .payload = 100});
    EXPECT_EQ(to_broker().next, tcp::Seq(9100));
    from_client({.sequence = 1000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_EQ(to_broker().next, tcp::Seq(5001));
    from_broker({.sequence = 9000, .acknowledgement = 5001});
    EXPECT_TRUE(to_broker().has(DirectionState::kFinAcked));
}

TEST_F(Tracking, ResetCountsTheFin) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    from_broker({.sequence = 9000, .acknowledgement = 5001});
    EXPECT_EQ(from_client({.sequence = 1001, .acknowledgement = 2000, .flags = {.rst = true}}),
              Verdict::Reset);
}

// --- clocks ---

TEST_F(Tracking, TellsSegmentsWithoutTheTimestampsThatWereAgreedOn) {
    EXPECT_EQ(from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 10, .clock = false}),
              Verdict::NoTimestamps);
    EXPECT_EQ(to_broker().next, tcp::Seq(5010));
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5010, .clock = false}),
              Verdict::NoTimestamps);
    EXPECT_EQ(to_broker().acked, tcp::Seq(5010));
    // A reset needs none.
    EXPECT_EQ(from_client({.sequence = 1010, .acknowledgement = 0, .flags = {.rst = true}, .clock = false}),
              Verdict::Reset);
}

TEST_F(Tracking, FollowsTheClocksOfBothDirectionsButOfNoStranger) {
    from_broker({.sequence = 9000, .acknowledgement = 5000, .options = timestamps(350, 800)});
    EXPECT_EQ(record.core.last_timestamp(Direction::ToClient), 750U);
    EXPECT_EQ(record.core.sender_timestamp(Direction::ToClient), 350U);
    from_broker({.sequence = 9000, .acknowledgement = 0x40000000, .options = timestamps(90000, 800)});
    EXPECT_EQ(record.core.last_timestamp(Direction::ToClient), 750U);
}

// --- Sluice's own questions ---

TEST_F(Tracking, AChallengeSaysWhatBothEndsHaveConfirmed) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 100, .options = timestamps(150, 700)});
    from_broker({.sequence = 9000, .acknowledgement = 5000, .payload = 30, .window = 640});
    for (const Ask ask : {Ask::Challenge, Ask::Probe}) {
        const tcp::Segment to_client = bare_ack(record.core, Direction::ToClient, ask);
        EXPECT_EQ(to_client.seq, tcp::Seq(ask == Ask::Probe ? 1999 : 2000));
        EXPECT_EQ(to_client.ack, tcp::Seq(1000));
        EXPECT_EQ(to_client.flags, (wire::TcpFlags{.ack = true}));
        EXPECT_EQ(to_client.length(), 0U);
        EXPECT_EQ(to_client.options.timestamps, (wire::TcpTimestamps{700, 150}));
        const tcp::Segment to_broker = bare_ack(record.core, Direction::ToBroker, ask);
        EXPECT_EQ(to_broker.seq, tcp::Seq(ask == Ask::Probe ? 4999 : 5000));
        EXPECT_EQ(to_broker.ack, tcp::Seq(9000));
        EXPECT_EQ(to_broker.options.timestamps, (wire::TcpTimestamps{850, 300}));
    }
}

// Asked, an end answers by whatever it says itself; a stranger's packet is no answer.
TEST_F(Tracking, TellsTheAnswerOfTheEndThatIsAsked) {
    record.core.way(Direction::ToClient).flags |= DirectionState::kAsked;
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5000, .options = timestamps(301, 800)}),
              Verdict::Forward);
    EXPECT_EQ(from_client({.sequence = 0x40000000, .acknowledgement = 2000, .options = timestamps(101, 700)}),
              Verdict::Forward);
    EXPECT_EQ(from_client({.sequence = 1000, .acknowledgement = 2000, .options = timestamps(101, 700)}),
              Verdict::Answered);
}

// --- Sluice's own resets ---

TEST_F(Tracking, OneResetWhenNothingIsInFlight) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 100});
    from_broker({.sequence = 9000, .acknowledgement = 5100});
    const Resets resets(record.core, Direction::ToBroker);
    ASSERT_EQ(resets.segments().size(), 1U);
    EXPECT_EQ(resets.segments()[0].seq, tcp::Seq(5100));
    EXPECT_EQ(resets.segments()[0].ack, tcp::Seq(9000));
    EXPECT_EQ(resets.segments()[0].flags, (wire::TcpFlags{.rst = true, .ack = true}));
    EXPECT_EQ(resets.segments()[0].length(), 0U);
}

TEST_F(Tracking, TwoResetsWhenBytesAreOnTheirWay) {
    from_broker({.sequence = 9000, .acknowledgement = 5000, .payload = 30});
    const Resets resets(record.core, Direction::ToClient);
    ASSERT_EQ(resets.segments().size(), 2U);
    EXPECT_EQ(resets.segments()[0].seq, tcp::Seq(2030));
    EXPECT_EQ(resets.segments()[1].seq, tcp::Seq(2000));
    EXPECT_EQ(resets.segments()[1].ack, tcp::Seq(1000));
}

}  // namespace
}  // namespace sluice::splice
