// What translation does to single fields of a packet.
#include "rules.h"

namespace sluice::splice {
namespace {

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
    EXPECT_EQ(record.core.last_timestamp(Direction::ToBroker), 850U);
    from_broker({.sequence = 9000, .acknowledgement = 5000, .options = timestamps(310, 850)});
    EXPECT_EQ(options().timestamps, (wire::TcpTimestamps{710, 150}));
    EXPECT_EQ(record.core.last_timestamp(Direction::ToBroker), 850U);
}

// What a lease's next user must exceed is the latest value, not the last to pass.
TEST_F(TranslateRules, RemembersTheLatestTimestamp) {
    from_client({.sequence = 1000, .acknowledgement = 2000, .options = timestamps(200, 700)});
    from_client({.sequence = 1000, .acknowledgement = 2000, .options = timestamps(150, 700)});
    EXPECT_EQ(record.core.last_timestamp(Direction::ToBroker), 900U);
    // A blind segment, far from the window, has no say.
    from_client({.sequence = 0x70000000, .acknowledgement = 2000, .options = timestamps(999999, 700)});
    EXPECT_EQ(record.core.last_timestamp(Direction::ToBroker), 900U);
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
