// What translation does to single fields, and what a record learns from what passes. One connection, round
// numbers: the client has sent up to 1000 (c) and received up to 2000 (l); towards the broker that is 5000
// (u) and 9000 (b). So the client's SEQ gains 4000 and its ACK 7000; the broker's lose 7000 and 4000.
#include <gtest/gtest.h>

#include "kit.h"
#include "sluice/splice/translate.h"

namespace sluice::splice {
namespace {

constexpr MacAddress kOwnMac{{2, 0, 0, 0, 0, 9}};
constexpr std::uint32_t kNow = 123456;

Joint story() {
    Joint joint;
    joint.client.tuple = {.local = *SocketAddress::parse("10.1.0.1:1883"),
                          .remote = *SocketAddress::parse("10.1.0.77:40000")};
    joint.broker.tuple = {.local = *SocketAddress::parse("10.2.0.10:2000"),
                          .remote = *SocketAddress::parse("10.2.0.2:1883")};
    joint.client.position = {.send_next = tcp::Seq(2000),
                             .send_unacked = tcp::Seq(2000),
                             .receive_next = tcp::Seq(1000),
                             .receive_edge = {},
                             .send_window = 64000,
                             .last_timestamp_sent = 700,
                             .last_timestamp_received = 100,
                             .send_mss = 1448,
                             .send_scale = 6,
                             .receive_scale = 7,
                             .window_scale = true,
                             .timestamps = true,
                             .sack = true};
    joint.broker.position = joint.client.position;
    joint.broker.position.send_next = joint.broker.position.send_unacked = tcp::Seq(5000);
    joint.broker.position.receive_next = tcp::Seq(9000);
    joint.broker.position.last_timestamp_sent = 800;
    joint.broker.position.last_timestamp_received = 300;
    joint.broker.position.send_scale = 4;
    joint.broker.position.receive_scale = 6;
    joint.keep_alive = 60;
    return joint;
}

class TranslateRules : public testing::Test {
  protected:
    struct Segment {
        std::uint32_t sequence;
        std::uint32_t acknowledgement;
        wire::TcpFlags flags{.ack = true};
        std::size_t payload = 0;
        std::uint16_t window = 1000;
        Bytes options{};
        std::uint8_t ttl = 64;
    };

    // Sends a segment of the client's (or the broker's) through the record.
    Verdict pass(Direction direction, const Segment& s) {
        const LegFacts& in = direction == Direction::ToBroker ? joint.client : joint.broker;
        frame = random_frame(dice, in.tuple,
                             {.flags = s.flags, .options = s.options, .payload = s.payload, .ttl = s.ttl});
        store32(frame.tcp() + 4, s.sequence);
        store32(frame.tcp() + 8, s.acknowledgement);
        store16(frame.tcp() + 14, s.window);
        frame.fill_checksums();
        const auto packet = Packet<IpFamily::V4>::parse(frame.bytes);
        EXPECT_TRUE(packet.has_value());
        const Verdict verdict = translate(record, direction, *packet, kOwnMac, kNow);
        if (!is_drop(verdict)) {
            EXPECT_TRUE(frame.tcp_checksum_valid());
            EXPECT_TRUE(frame.ip_checksum_valid());
        }
        return verdict;
    }
    Verdict from_client(const Segment& s) { return pass(Direction::ToBroker, s); }
    Verdict from_broker(const Segment& s) { return pass(Direction::ToClient, s); }
    const Way& to_broker() const { return record.core.way(Direction::ToBroker); }
    const Way& to_client() const { return record.core.way(Direction::ToClient); }

    // What came out.
    std::uint32_t sequence() const { return load32(frame.tcp() + 4); }
    std::uint32_t acknowledgement() const { return load32(frame.tcp() + 8); }
    std::uint16_t window() const { return load16(frame.tcp() + 14); }
    wire::TcpOptions options() const { return wire::TcpView::parse(frame.segment())->header()->options; }

    // Makes the record anew after a change to the joint.
    void remake() { record = make_record<IpFamily::V4>(joint); }

    Dice dice{1};
    Joint joint = story();
    Record<IpFamily::V4> record = make_record<IpFamily::V4>(joint);
    TestFrame frame;
};

Bytes timestamps(std::uint32_t value, std::uint32_t echo) {
    Bytes bytes(12, std::byte{1});
    wire::write_tcp_options({.timestamps = wire::TcpTimestamps{value, echo}}, bytes);
    return bytes;
}

// --- headers ---

TEST_F(TranslateRules, MovesSequenceAndAcknowledgement) {
    EXPECT_EQ(from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 10}), Verdict::Forward);
    EXPECT_EQ(sequence(), 5000U);
    EXPECT_EQ(acknowledgement(), 9000U);
    EXPECT_EQ(frame.source(), joint.broker.tuple.local.address);
    EXPECT_EQ(frame.destination(), joint.broker.tuple.remote.address);
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5010}), Verdict::Forward);
    EXPECT_EQ(sequence(), 2000U);
    EXPECT_EQ(acknowledgement(), 1010U);
    EXPECT_EQ(frame.source(), joint.client.tuple.local.address);
    EXPECT_EQ(frame.destination(), joint.client.tuple.remote.address);
}

// An acknowledgement without its bit is no number at all; most senders leave it zero.
TEST_F(TranslateRules, LeavesAnUnsetAcknowledgementAlone) {
    from_client({.sequence = 1000, .acknowledgement = 0, .flags = {.rst = true}});
    EXPECT_EQ(acknowledgement(), 0U);
    EXPECT_EQ(sequence(), 5000U);
}

TEST_F(TranslateRules, SpendsOneHop) {
    EXPECT_EQ(from_client({.sequence = 1000, .acknowledgement = 2000, .ttl = 2}), Verdict::Forward);
    EXPECT_EQ(load8(frame.ip() + 8), 1);
}

TEST_F(TranslateRules, DropsAtTheLastHopAndTouchesNothing) {
    for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{1}}) {
        const Record<IpFamily::V4> before = record;
        const Segment s{.sequence = 1000, .acknowledgement = 2000, .payload = 5, .ttl = ttl};
        const Verdict verdict = from_client(s);
        EXPECT_EQ(verdict, Verdict::DropTtl);
        EXPECT_EQ(drop_counter(verdict), Counter::DropTtlExceeded);
        EXPECT_EQ(sequence(), 1000U);
        EXPECT_EQ(load8(frame.ip() + 8), ttl);
        EXPECT_EQ(std::memcmp(&before, &record, sizeof record), 0);
    }
}

// --- options ---

TEST_F(TranslateRules, MovesBothClocks) {
    // The client's last value, 100, stands for Sluice's last towards the broker, 800; the broker's 300 for
    // 700.
    from_client({.sequence = 1000, .acknowledgement = 2000, .options = timestamps(150, 700)});
    EXPECT_EQ(options().timestamps, (wire::TcpTimestamps{850, 300}));
    EXPECT_EQ(record.core.last_timestamp, 850U);
    from_broker({.sequence = 9000, .acknowledgement = 5000, .options = timestamps(310, 850)});
    EXPECT_EQ(options().timestamps, (wire::TcpTimestamps{710, 150}));
    EXPECT_EQ(record.core.last_timestamp, 850U);
}

// What a lease's next user must exceed is the latest value, not the last to pass.
TEST_F(TranslateRules, RemembersTheLatestTimestamp) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .options = timestamps(200, 700)});
    from_client({.sequence = 1000, .acknowledgement = 2000, .options = timestamps(150, 700)});
    EXPECT_EQ(record.core.last_timestamp, 900U);
    // A blind segment, far from the window, has no say.
    from_client({.sequence = 0x70000000, .acknowledgement = 2000, .options = timestamps(999999, 700)});
    EXPECT_EQ(record.core.last_timestamp, 900U);
}

TEST_F(TranslateRules, LeavesTimestampsThatWereNotAgreedOn) {
    joint.client.position.timestamps = joint.broker.position.timestamps = false;
    remake();
    from_client({.sequence = 1000, .acknowledgement = 2000, .options = timestamps(150, 700)});
    EXPECT_EQ(options().timestamps, (wire::TcpTimestamps{150, 700}));
}

TEST_F(TranslateRules, MovesSackEdgesAsTheAcknowledgement) {
    wire::TcpOptions sack;
    sack.sack = {{{2100, 2200}, {2300, 2400}}};
    sack.sack_count = 2;
    Bytes bytes(wire::tcp_options_size(sack));
    wire::write_tcp_options(sack, bytes);
    from_client({.sequence = 1000, .acknowledgement = 2000, .options = bytes});
    EXPECT_EQ(options().sack[0], (wire::SackBlock{9100, 9200}));
    EXPECT_EQ(options().sack[1], (wire::SackBlock{9300, 9400}));
}

TEST_F(TranslateRules, DropsOptionsThatRunPastTheHeader) {
    const std::vector<std::vector<int>> malformed{
        {8, 0, 0, 0},   // length 0
        {8, 1, 1, 1},   // length 1
        {1, 1, 1, 5},   // no length at all
        {2, 5, 0, 0},   // one byte too long
        {1, 1, 5, 10},  // blocks that are not there
        {8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 5, 255},
    };
    for (const auto& numbers : malformed) {
        Bytes bytes;
        for (const int n : numbers) bytes.push_back(static_cast<std::byte>(n));
        const Record<IpFamily::V4> before = record;
        const Verdict verdict =
            from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 9, .options = bytes});
        EXPECT_EQ(verdict, Verdict::DropOptions);
        EXPECT_EQ(drop_counter(verdict), Counter::DropTcpMalformed);
        EXPECT_EQ(std::memcmp(&before, &record, sizeof record), 0);
    }
}

// --- windows ---

TEST(ConvertWindow, KeepsToItsRules) {
    EXPECT_EQ(convert_window(500, 7, 7), 500);
    EXPECT_EQ(convert_window(500, 4, 7), 62);  // rounded down: 8000 bytes are 62.5 units of 128
    EXPECT_EQ(convert_window(500, 7, 4), 4000);
    EXPECT_EQ(convert_window(0, 14, 0), 0);  // closed stays closed
    EXPECT_EQ(convert_window(1, 0, 14), 1);  // open stays open
    EXPECT_EQ(convert_window(0x7f, 0, 7), 1);
    EXPECT_EQ(convert_window(65535, 7, 0), 65535);  // saturates
    EXPECT_EQ(convert_window(512, 7, 0), 65535);
    EXPECT_EQ(convert_window(511, 7, 0), 65408);
    EXPECT_EQ(convert_window(65535, 14, 0), 65535);
    EXPECT_EQ(convert_window(65535, 0, 14), 3);
}

TEST_F(TranslateRules, ConvertsWindowsBetweenTheScalesOfBothLegs) {
    // The client announces with shift 6, and the broker was told 6: the same number.
    from_client({.sequence = 1000, .acknowledgement = 2000, .window = 777});
    EXPECT_EQ(window(), 777);
    // The broker announces with shift 4, and the client was told 7.
    from_broker({.sequence = 9000, .acknowledgement = 5000, .window = 800});
    EXPECT_EQ(window(), 100);
    from_broker({.sequence = 9000, .acknowledgement = 5000, .window = 3});
    EXPECT_EQ(window(), 1);
    from_broker({.sequence = 9000, .acknowledgement = 5000, .window = 0});
    EXPECT_EQ(window(), 0);
}

TEST_F(TranslateRules, LeavesTheWindowOfASynUnscaled) {
    from_broker(
        {.sequence = 8999, .acknowledgement = 5000, .flags = {.syn = true, .ack = true}, .window = 800});
    EXPECT_EQ(window(), 800);
}

// --- tracking ---

TEST_F(TranslateRules, StartsFromTheQuietPoint) {
    EXPECT_EQ(to_broker().next, tcp::Seq(5000));
    EXPECT_EQ(to_broker().acked, tcp::Seq(5000));
    EXPECT_EQ(to_broker().window_size(), 64000U);
    EXPECT_EQ(to_client().next, tcp::Seq(2000));
    EXPECT_EQ(to_client().acked, tcp::Seq(2000));
    EXPECT_EQ(record.core.sender_next(Direction::ToBroker), tcp::Seq(1000));
    EXPECT_EQ(record.core.sender_next(Direction::ToClient), tcp::Seq(9000));
}

TEST_F(TranslateRules, FollowsBothEndsInTheReceiversNumbering) {
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
TEST_F(TranslateRules, LearnsNothingFromOldAndBlindSegments) {
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
TEST_F(TranslateRules, BelievesAnAcknowledgementJustBeyondWhatWasSeen) {
    from_broker({.sequence = 9000, .acknowledgement = 5001});
    EXPECT_EQ(to_broker().acked, tcp::Seq(5001));
    EXPECT_EQ(to_broker().next, tcp::Seq(5001));
}

TEST_F(TranslateRules, TracksAcrossTheWrap) {
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
TEST_F(TranslateRules, HearsWhomTheKeepAliveIsAbout) {
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
TEST_F(TranslateRules, PassesALateSynOn) {
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

class RstTable : public TranslateRules, public testing::WithParamInterface<RstCase> {};

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

TEST_F(TranslateRules, AnExactRstFromTheBrokerEndsTheConnection) {
    EXPECT_EQ(from_broker({.sequence = 8999, .acknowledgement = 5000, .flags = {.rst = true, .ack = true}}),
              Verdict::Forward);
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5000, .flags = {.rst = true, .ack = true}}),
              Verdict::Reset);
    EXPECT_EQ(sequence(), 2000U);
}

// --- FIN ---

TEST_F(TranslateRules, FollowsAnOrderlyClose) {
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

TEST_F(TranslateRules, SimultaneousCloseFinishesToo) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    from_broker({.sequence = 9000, .acknowledgement = 5000, .flags = {.fin = true, .ack = true}});
    EXPECT_EQ(from_client({.sequence = 1001, .acknowledgement = 2001}), Verdict::Forward);
    EXPECT_EQ(from_broker({.sequence = 9001, .acknowledgement = 5001}), Verdict::Finished);
}

// A FIN may arrive ahead of bytes that were lost on their way to us.
TEST_F(TranslateRules, FinAheadOfLostBytes) {
    from_client({.sequence = 1010, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_EQ(from_broker({.sequence = 9000, .acknowledgement = 5000}), Verdict::Forward);
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 10});
    EXPECT_EQ(to_broker().next, tcp::Seq(5011));
    EXPECT_FALSE(to_broker().has(Way::kFinAcked));
    from_broker({.sequence = 9000, .acknowledgement = 5011});
    EXPECT_TRUE(to_broker().has(Way::kFinAcked));
}

TEST_F(TranslateRules, DoesNotBelieveAForgedFin) {
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

TEST_F(TranslateRules, ResetCountsTheFin) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .flags = {.fin = true, .ack = true}});
    EXPECT_EQ(from_client({.sequence = 1001, .acknowledgement = 2000, .flags = {.rst = true}}),
              Verdict::Reset);
}

// --- Sluice's own resets ---

TEST_F(TranslateRules, OneResetWhenNothingIsInFlight) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .payload = 100});
    from_broker({.sequence = 9000, .acknowledgement = 5100});
    const Resets resets(record.core, Direction::ToBroker);
    ASSERT_EQ(resets.segments().size(), 1U);
    EXPECT_EQ(resets.segments()[0].seq, tcp::Seq(5100));
    EXPECT_EQ(resets.segments()[0].ack, tcp::Seq(9000));
    EXPECT_EQ(resets.segments()[0].flags, (wire::TcpFlags{.rst = true, .ack = true}));
    EXPECT_EQ(resets.segments()[0].length(), 0U);
}

TEST_F(TranslateRules, TwoResetsWhenBytesAreOnTheirWay) {
    from_broker({.sequence = 9000, .acknowledgement = 5000, .payload = 30});
    const Resets resets(record.core, Direction::ToClient);
    ASSERT_EQ(resets.segments().size(), 2U);
    EXPECT_EQ(resets.segments()[0].seq, tcp::Seq(2030));
    EXPECT_EQ(resets.segments()[1].seq, tcp::Seq(2000));
    EXPECT_EQ(resets.segments()[1].ack, tcp::Seq(1000));
}

// --- the packet's shape ---

TEST_F(TranslateRules, ParsesWholeTcpPacketsOnly) {
    using V4 = Packet<IpFamily::V4>;
    const TestFrame good = random_frame(dice, joint.client.tuple, {.payload = 10, .padding = 3});
    {
        TestFrame f = good;
        const auto packet = V4::parse(f.bytes);
        ASSERT_TRUE(packet.has_value());
        EXPECT_EQ(packet->segment_size(), 30U);
        EXPECT_EQ(packet->payload_size(), 10U);
        EXPECT_EQ(packet->tuple(), joint.client.tuple);
        EXPECT_TRUE(packet->arrives_by(record.leg(Direction::ToClient)));
        EXPECT_FALSE(packet->arrives_by(record.leg(Direction::ToBroker)));
        EXPECT_FALSE(Packet<IpFamily::V6>::parse(f.bytes).has_value());
    }
    const auto spoilt = [&](std::size_t at, unsigned value) {
        TestFrame f = good;
        store8(f.bytes.data() + at, static_cast<std::uint8_t>(value));
        return V4::parse(f.bytes).has_value();
    };
    EXPECT_FALSE(spoilt(12, 0x86));  // EtherType
    EXPECT_FALSE(spoilt(14, 0x55));  // version
    EXPECT_FALSE(spoilt(14, 0x44));  // header of 16 bytes
    EXPECT_FALSE(spoilt(20, 0x20));  // more fragments
    EXPECT_FALSE(spoilt(21, 0x01));  // a later fragment
    EXPECT_FALSE(spoilt(23, 17));    // UDP
    EXPECT_FALSE(spoilt(46, 0x40));  // TCP header of 16 bytes
    EXPECT_FALSE(spoilt(46, 0x80));  // or of 32, which would need two more
    for (std::size_t size = 0; size < good.bytes.size() - 3; ++size) {
        Bytes cut(good.bytes.begin(), good.bytes.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(V4::parse(cut).has_value()) << size;
    }
}

}  // namespace
}  // namespace sluice::splice
