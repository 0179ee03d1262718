// Stories of the first round-trip samples: what a handshake may tell of the path, and what it may not once a
// SYN was sent again.
#include <gtest/gtest.h>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

// The peer's SYN or SYN-ACK, with the echo of a copy of our SYN in the latter.
In syn_of_peer(const Kit& k, std::string_view flags, std::uint32_t echo) {
    In syn = full_syn();
    syn.flags = flags;
    syn.seq = 0;
    syn.timestamps = wire::TcpTimestamps{.value = k.peer_clock(), .echo = echo};
    return syn;
}

std::uint32_t stamp_of(const Sent& sent) { return sent.options.timestamps.value().value; }

// Our SYN goes out twice, `pause` apart, and the answer comes 20 ms after the second copy; it echoes the
// first copy or the last.
enum class Echo { First, Last };

void open_active_late(Kit& k, Echo echo) {
    k.connect();
    const std::uint32_t first = stamp_of(k.drain().at(0));
    ASSERT_EQ(k.wait_for_output(10s), 1s);
    const std::uint32_t last = stamp_of(k.drain().at(0));
    k.advance(20ms);
    k.recv(syn_of_peer(k, "SA", echo == Echo::First ? first : last));
    k.expect({.seq = 1, .ack = 1});
    k.expect_state(State::Established);
}

void open_passive_late(Kit& k, Echo echo) {
    k.listen();
    k.recv(syn_of_peer(k, "S", 0));
    const std::uint32_t first = stamp_of(k.drain().at(0));
    ASSERT_EQ(k.wait_for_output(10s), 1s);
    const std::uint32_t last = stamp_of(k.drain().at(0));
    k.advance(20ms);
    k.recv({.timestamps =
                wire::TcpTimestamps{.value = k.peer_clock(), .echo = echo == Echo::First ? first : last}});
    k.expect_nothing();
    k.expect_state(State::Established);
}

// After a handshake without a sample: the first text is lost and waits for three seconds (RFC 6298 (5.7)),
// the second one gives the first sample, and that alone decides how long the third waits.
void expect_three_seconds_then_a_fresh_start(Kit& k) {
    EXPECT_EQ(k.endpoint().statistics().smoothed_rtt, 0s);
    k.write("a");
    (void)k.drain();
    EXPECT_EQ(k.wait_for_output(60s), 3s);
    (void)k.drain();
    k.advance(20ms);
    k.recv({});
    EXPECT_EQ(k.endpoint().statistics().smoothed_rtt, 20ms);
    k.write("b");
    (void)k.drain();
    EXPECT_EQ(k.wait_for_output(60s), EndpointOptions{}.min_rto);
    (void)k.drain();
}

TEST(RoundTripStory, AHandshakeIsMeasuredAndARepeatedOneIsNot) {
    // RFC 6298 section 3 (Karn): without timestamps a retransmitted SYN gives no sample.
    Kit once;
    once.connect();
    (void)once.drain();
    once.advance(80ms);
    once.recv({.flags = "SA", .mss = 1460});
    (void)once.drain();
    EXPECT_EQ(once.endpoint().statistics().smoothed_rtt, 80ms);
    Kit twice;
    twice.connect();
    (void)twice.drain();
    twice.advance(1s);
    (void)twice.drain();
    twice.advance(80ms);
    twice.recv({.flags = "SA", .mss = 1460});
    (void)twice.drain();
    EXPECT_EQ(twice.endpoint().statistics().smoothed_rtt, 0s);
}

TEST(RoundTripStory, TheEchoOfAnEarlierSynIsNoSample) {
    // The SYN-ACK was lost: the peer keeps the timestamp of the SYN that it took (RFC 7323 section 4.3).
    Kit k(full_options());
    open_active_late(k, Echo::First);
    expect_three_seconds_then_a_fresh_start(k);
}

TEST(RoundTripStory, TheEchoOfAnEarlierSynAckIsNoSample) {
    // The last ACK was lost, and the peer answers the second SYN-ACK with what it kept of the first.
    Kit k(full_options());
    open_passive_late(k, Echo::First);
    expect_three_seconds_then_a_fresh_start(k);
}

TEST(RoundTripStory, ASynAckThatARepeatedSynDrewIsNoCleanMeasurementEither) {
    // Here the peer's timer made us send it again, not ours.
    Kit k(full_options());
    k.listen();
    k.recv(syn_of_peer(k, "S", 0));
    const std::uint32_t first = stamp_of(k.drain().at(0));
    k.advance(500ms);
    k.recv(syn_of_peer(k, "S", 0));
    k.expect({.flags = "SA", .seq = 0, .ack = 1});
    k.advance(20ms);
    k.recv({.timestamps = wire::TcpTimestamps{.value = k.peer_clock(), .echo = first}});
    k.expect_state(State::Established);
    expect_three_seconds_then_a_fresh_start(k);
}

TEST(RoundTripStory, TheEchoOfTheLastSynIsExact) {
    // Only the last copy carried it: the round trip is known, and nobody has to wait for three seconds.
    for (const auto open : {open_active_late, open_passive_late}) {
        Kit k(full_options());
        open(k, Echo::Last);
        EXPECT_EQ(k.endpoint().statistics().smoothed_rtt, 20ms);
        k.write("a");
        (void)k.drain();
        EXPECT_EQ(k.wait_for_output(60s), EndpointOptions{}.min_rto);
        (void)k.drain();
    }
}

TEST(RoundTripStory, WhateverTheHandshakeBackedOffToTextStartsWithThreeSeconds) {
    // RFC 6298 (5.7) sets the RTO anew: five lost SYNs must not make the first lost text wait for a minute.
    Kit k;
    k.connect();
    (void)k.drain();
    for (int copy = 0; copy < 4; ++copy) {
        ASSERT_TRUE(k.wait_for_output(60s));
        k.expect({.flags = "S", .seq = 0});
    }
    k.recv({.flags = "SA", .mss = 1460});
    k.expect({.seq = 1, .ack = 1});
    k.write("a");
    k.expect({.seq = 1, .data = "a"});
    EXPECT_EQ(k.wait_for_output(120s), 3s);
    k.expect({.seq = 1, .data = "a"});
}

}  // namespace
}  // namespace sluice::tcp::kit
