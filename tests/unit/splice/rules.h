// One spliced connection with round numbers, for the tests of single rules: the client has sent up to 1000
// (c) and received up to 2000 (l); towards the broker that is 5000 (u) and 9000 (b). So the client's SEQ
// gains 4000 and its ACK 7000; the broker's lose 7000 and 4000.
#pragma once

#include <gtest/gtest.h>

#include "kit.h"
#include "sluice/splice/translate.h"

namespace sluice::splice {

inline constexpr std::uint32_t kNow = 123456;

inline Joint round_numbers() {
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
                             .peer_mss = 1460,
                             .receive_mss = 1460,
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

inline Bytes timestamps(std::uint32_t value, std::uint32_t echo) {
    Bytes bytes(12, std::byte{1});
    wire::write_tcp_options({.timestamps = wire::TcpTimestamps{value, echo}}, bytes);
    return bytes;
}

class TranslateRules : public testing::Test {
  protected:
    struct Segment {
        std::uint32_t sequence;
        std::uint32_t acknowledgement;
        wire::TcpFlags flags{.ack = true};
        std::size_t payload = 0;
        std::uint16_t window = 1000;
        Bytes options{};  // none: the timestamps that were agreed on, unless it is a reset
        std::uint8_t ttl = 64;
        bool clock = true;  // false: no timestamps either
    };

    // Sends a segment of the client's (or the broker's) through the record.
    Verdict pass(Direction direction, const Segment& s) {
        const LegFacts& in = direction == Direction::ToBroker ? joint.client : joint.broker;
        const bool adds_clock = s.options.empty() && s.clock && !s.flags.rst && in.position.timestamps;
        frame = random_frame(dice, in.tuple,
                             {.flags = s.flags,
                              .options = adds_clock ? timestamps(in.position.last_timestamp_received,
                                                                 in.position.last_timestamp_sent)
                                                    : s.options,
                              .payload = s.payload,
                              .ttl = s.ttl});
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
    const DirectionState& to_broker() const { return record.core.way(Direction::ToBroker); }
    const DirectionState& to_client() const { return record.core.way(Direction::ToClient); }

    // What came out.
    std::uint32_t sequence() const { return load32(frame.tcp() + 4); }
    std::uint32_t acknowledgement() const { return load32(frame.tcp() + 8); }
    std::uint16_t window() const { return load16(frame.tcp() + 14); }
    wire::TcpOptions options() const { return wire::TcpView::parse(frame.segment())->header()->options; }

    // Makes the record anew after a change to the joint.
    void remake() { record = make_record<IpFamily::V4>(joint); }

    Dice dice{1};
    Joint joint = round_numbers();
    Record<IpFamily::V4> record = make_record<IpFamily::V4>(joint);
    TestFrame frame;
};

}  // namespace sluice::splice
