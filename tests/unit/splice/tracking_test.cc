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

// A probe of a closed window that the receiver takes after all: its acknowledgement is believed.
TEST_F(Tracking, BelievesAnAcknowledgementJustBeyondWhatWasSeen) {
    from_broker({.sequence = 9000, .acknowledgement = 5001});
    EXPECT_EQ(to_broker().acked, tcp::Seq(5001));
    EXPECT_EQ(to_broker().next, tcp::Seq(5001));
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

// --- SYN and RST ---

// RFC 5961 section 4: the receiver answers with a challenge ACK. The record is none the wiser.
TEST_F(Tracking, PassesALateSynOn) {
    EXPECT_EQ(from_client({.sequence = 999, .acknowledgement = 0, .flags = {.syn = true}}), Verdict::Forward);
    EXPECT_EQ(sequence(), 4999U);
    EXPECT_EQ(acknowledgement(), 0U);
    EXPECT_EQ(from_client({.sequence = 1000, .acknowledgement = 2000, .flags = {.syn = true, .ack = true}}),
              Verdict::Forward);
    EXPECT_EQ(to_broker().next, tcp::Seq(5000));
}

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
                         testing::Values(RstCase{"all_arrived", 1100, Verdict::Reset},
                                         RstCase{"nothing_arrived_since", 1000, Verdict::Reset},
                                         RstCase{"between", 1050, Verdict::Forward},
                                         RstCase{"just_before", 999, Verdict::Forward},
                                         RstCase{"just_after", 1101, Verdict::Forward},
                                         RstCase{"last_of_window", 64999, Verdict::Forward},
                                         RstCase{"beyond_window", 65000, Verdict::Forward},
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
    EXPECT_TRUE(to_broker().has(Way::kFinSeen));
    EXPECT_EQ(to_broker().next, tcp::Seq(5003));
    // The bytes are acknowledged, the FIN is not yet.
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5002}), Verdict::Forward);
    EXPECT_FALSE(to_broker().has(Way::kFinAcked));
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5003, .payload = 50}), Verdict::Forward);
    EXPECT_TRUE(to_broker().has(Way::kFinAcked));
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
    EXPECT_FALSE(to_broker().has(Way::kFinAcked));
    from_broker({.sequence = 9000, .acknowledgement = 5011});
    EXPECT_TRUE(to_broker().has(Way::kFinAcked));
}

TEST_F(Tracking, DoesNotBelieveAForgedFin) {
    // Outside the window.
    from_client({.sequence = 0x40000000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_FALSE(to_broker().has(Way::kFinSeen));
    // Short of what the client has sent already.
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 100});
    from_client({.sequence = 1010, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_FALSE(to_broker().has(Way::kFinSeen));
    // In the window, but the broker then takes bytes beyond it: it was none.
    from_client({.sequence = 1100, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_TRUE(to_broker().has(Way::kFinSeen));
    from_broker({.sequence = 9000, .acknowledgement = 5150});
    EXPECT_FALSE(to_broker().has(Way::kFinSeen));
    EXPECT_EQ(to_broker().next, tcp::Seq(5150));
}

TEST_F(Tracking, ResetCountsTheFin) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_EQ(from_client({.sequence = 1001, .acknowledgement = 2000, .flags = {.rst = true}}),
              Verdict::Reset);
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
