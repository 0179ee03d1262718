// Every state against every kind of segment: what is answered, where the connection goes, how far RCV.NXT
// moves. RFC 9293 section 3.10.7, as RFC 5961 hardened it, in one row each. The whole table runs at several
// places of the number space, so that each row is also a row about wrap-around.
#include <gtest/gtest.h>

#include "kit.h"
#include "state_table.h"

namespace sluice::tcp::kit {
namespace {

const char* name(Kind kind) {
    switch (kind) {
        case SynNew: return "SYN";
        case SynDuplicate: return "duplicate SYN";
        case SynBeyond: return "SYN beyond the window";
        case SynAck: return "SYN-ACK";
        case SynAckBad: return "SYN-ACK with a bad acknowledgement";
        case Ack: return "ACK";
        case AckHigh: return "ACK too high";
        case AckOld: return "old ACK";
        case AckVeryOld: return "very old ACK";
        case RstExact: return "exact RST";
        case RstInWindow: return "RST in the window";
        case RstBefore: return "RST before the window";
        case RstBeyond: return "RST beyond the window";
        case RstAck: return "RST|ACK";
        case RstAckBad: return "RST|ACK with a bad acknowledgement";
        case Data: return "data";
        case DataAhead: return "data out of order";
        case DataBeyond: return "data beyond the window";
        case DataBefore: return "old data";
        case DataBeforeAck: return "old data that acknowledges everything";
        case DataOverlap: return "overlapping data";
        case Fin: return "FIN";
        case FinAckAll: return "FIN that acknowledges everything";
        case FinData: return "FIN with data";
        case FinAhead: return "FIN out of order";
        case NoAckBit: return "data without ACK bit";
        case Keepalive: return "keepalive probe";
    }
    return "?";
}

constexpr std::uint32_t kWindow = 4096;      // ours
constexpr std::uint16_t kPeerWindow = 1000;  // the largest that the peer ever announces

EndpointOptions table_options() {
    EndpointOptions options = plain_options();
    options.receive_buffer = kWindow;
    return options;
}

// Twenty bytes from the peer, so that "old data" is behind every synchronized state.
void receive_twenty(Kit& k) {
    k.recv({.data = "abcdefghijklmnopqrst"});
    k.advance(500ms);
    (void)k.drain();
    EXPECT_EQ(k.read().size(), 20U);
    (void)k.drain();
}

// A peer's FIN that leaves what we sent last unacknowledged.
void receive_fin(Kit& k, std::int64_t ack) {
    k.recv({.flags = "FA", .ack = ack});
    EXPECT_EQ(k.drain().size(), 1U) << "a FIN is acknowledged at once";
}

void bring_to(Kit& k, State state) {
    k.set_peer_window(kPeerWindow);
    if (state == State::Closed) return;
    if (state == State::SynSent) {
        k.connect();
        k.expect({.flags = "S", .seq = 0});
        return;
    }
    k.listen();
    if (state == State::Listen) return;
    k.recv({.flags = "S", .mss = 1460});
    k.expect({.flags = "SA", .seq = 0, .ack = 1});
    if (state == State::SynReceived) return;
    k.recv({});
    receive_twenty(k);
    const bool peer_first = state == State::CloseWait || state == State::LastAck;
    if (peer_first) receive_fin(k, 1);
    if (state == State::Established || state == State::CloseWait) {
        k.write("0123456789");
        k.expect({.seq = 1, .data = "0123456789"});
        return;
    }
    k.shutdown();
    k.expect({.flags = "FA", .seq = 1});
    if (state == State::FinWait1 || state == State::LastAck) return;
    if (state == State::Closing) return receive_fin(k, 1);
    k.recv({.ack = 2});
    if (state == State::TimeWait) receive_fin(k, 2);
}

struct Numbers {
    std::int64_t una = 0;  // first unacknowledged
    std::int64_t nxt = 0;
    std::int64_t rcv = 0;
    std::int64_t wnd = kWindow;
};

Numbers numbers_in(const Kit& k, State state) {
    Numbers n{.una = 0, .nxt = k.sent_next(), .rcv = k.peer_next()};
    switch (state) {
        case State::Closed:
        case State::Listen:
        case State::SynSent:
        case State::SynReceived: n.una = 0; break;
        case State::Established:
        case State::FinWait1:
        case State::CloseWait:
        case State::Closing:
        case State::LastAck: n.una = 1; break;
        case State::FinWait2:
        case State::TimeWait: n.una = 2; break;
    }
    return n;
}

In make(Kind kind, const Numbers& n, State state) {
    // What a peer acknowledges that has seen nothing new of ours; in SYN-RECEIVED that would be refused.
    const std::int64_t ack = state == State::SynReceived || state == State::SynSent ? n.nxt : n.una;
    const std::int64_t high = n.nxt + 1;
    const bool synchronized = n.rcv != 0;
    switch (kind) {
        case SynNew: return {.flags = "S", .seq = synchronized ? n.rcv + 5 : 0, .mss = 1460};
        case SynDuplicate: return {.flags = "S", .seq = 0, .mss = 1460};
        case SynBeyond: return {.flags = "S", .seq = n.rcv + n.wnd, .mss = 1460};
        case SynAck: return {.flags = "SA", .seq = 0, .ack = 1, .mss = 1460};
        case SynAckBad: return {.flags = "SA", .seq = 0, .ack = high, .mss = 1460};
        case Ack: return {.seq = n.rcv, .ack = n.nxt};
        case AckHigh: return {.seq = n.rcv, .ack = high};
        case AckOld:
            return {.seq = n.rcv,
                    .ack = state == State::SynSent || state == State::SynReceived ? 0 : n.una - 1};
        case AckVeryOld: return {.seq = n.rcv, .ack = n.una - kPeerWindow - 1};
        case RstExact: return {.flags = "R", .seq = n.rcv};
        case RstInWindow: return {.flags = "R", .seq = n.rcv + 1};
        case RstBefore: return {.flags = "R", .seq = n.rcv - 1};
        case RstBeyond:
            return {.flags = "R", .seq = n.rcv + n.wnd + 1};  // the edge itself: a full pipe's end
        case RstAck: return {.flags = "RA", .seq = n.rcv, .ack = n.nxt};
        case RstAckBad: return {.flags = "RA", .seq = n.rcv, .ack = high};
        case Data: return {.seq = n.rcv, .ack = ack, .data = "hello"};
        case DataAhead: return {.seq = n.rcv + 10, .ack = ack, .data = "hello"};
        case DataBeyond: return {.seq = n.rcv + n.wnd, .ack = ack, .data = "hello"};
        case DataBefore: return {.seq = 3, .ack = ack, .data = "cdefg"};
        case DataBeforeAck: return {.seq = 3, .ack = n.nxt, .data = "cdefg"};
        case DataOverlap: return {.seq = n.rcv - 5, .ack = ack, .data = "pqrsthello"};
        case Fin: return {.flags = "FA", .seq = n.rcv, .ack = ack};
        case FinAckAll: return {.flags = "FA", .seq = n.rcv, .ack = n.nxt};
        case FinData: return {.flags = "FA", .seq = n.rcv, .ack = ack, .data = "hello"};
        case FinAhead: return {.flags = "FA", .seq = n.rcv + 10, .ack = ack};
        case NoAckBit: return {.flags = "", .seq = n.rcv, .data = "hello"};
        case Keepalive: return {.seq = n.rcv - 1, .ack = ack};
    }
    return {};
}

void expect_acks(Kit& k, const Numbers& n, int advance, std::size_t least, std::size_t most) {
    const std::vector<Sent> sent = k.drain();
    EXPECT_GE(sent.size(), least);
    EXPECT_LE(sent.size(), most);
    for (const Sent& s : sent) {
        EXPECT_EQ(s.flags, (wire::TcpFlags{.ack = true})) << s.to_string();
        EXPECT_EQ(s.seq, n.nxt) << s.to_string();
        EXPECT_EQ(s.ack, n.rcv + advance) << s.to_string();
        EXPECT_TRUE(s.data.empty()) << s.to_string();
    }
}

void expect_reply(Kit& k, const Row& row, const Numbers& n, const In& in) {
    const std::int64_t seg_ack = in.ack.value_or(0);
    switch (row.reply) {
        case Reply::Nothing: return k.expect_nothing();
        case Reply::Ack:
            return row.state == State::SynSent ? k.expect({.seq = 1, .ack = 1})
                                               : expect_acks(k, n, row.advance, 1, 1);
        case Reply::AckSoon:
            k.advance(EndpointOptions{}.delayed_ack);
            return expect_acks(k, n, row.advance, 1, 1);
        case Reply::AckOrNothing: return expect_acks(k, n, row.advance, 0, 1);
        case Reply::AckOrSynAck: {
            const std::vector<Sent> sent = k.drain();
            ASSERT_EQ(sent.size(), 1U);
            EXPECT_EQ(sent[0].ack, n.rcv);
            EXPECT_EQ(sent[0].seq, sent[0].flags.syn ? 0 : n.nxt);
            EXPECT_TRUE(sent[0].flags.ack && !sent[0].flags.rst && !sent[0].flags.fin);
            return;
        }
        case Reply::SynAck: return k.expect({.flags = "SA", .seq = 0, .ack = 1});
        case Reply::Rst:
            k.expect({.flags = "R", .seq = seg_ack});
            if (row.state == State::SynSent) k.expect({.flags = "S", .seq = 0});
            return;
        case Reply::RstForNoAck: {
            const std::vector<Sent> sent = k.drain();
            ASSERT_EQ(sent.size(), 1U);
            EXPECT_EQ(sent[0].flags, (wire::TcpFlags{.rst = true, .ack = true}));
            EXPECT_EQ(sent[0].seq, k.relative_to_us(Seq(0)));
            EXPECT_EQ(sent[0].ack, *in.seq + static_cast<int>(in.data.size()) + (in.flags == "S" ? 1 : 0));
            return;
        }
    }
}

void run(const Row& row, Seq our_iss, Seq peer_iss) {
    SCOPED_TRACE(std::string(to_string(row.state)) + ", " + name(row.kind) + ", our ISS " +
                 std::to_string(our_iss.value()));
    Kit k(table_options(), our_iss, peer_iss);
    bring_to(k, row.state);
    ASSERT_STREQ(to_string(k.endpoint().state()), to_string(row.state));
    const Numbers n = numbers_in(k, row.state);
    const In in = make(row.kind, n, row.state);
    k.recv(in);
    expect_reply(k, row, n, in);
    k.expect_nothing();
    EXPECT_STREQ(to_string(k.endpoint().state()), to_string(row.next));
    // Whether a reset after both sides finished counts as one is left open.
    if (row.state != State::TimeWait) {
        EXPECT_STREQ(to_string(k.endpoint().failure()), to_string(row.failure));
    }
    if (n.rcv == 0 || row.next == State::Closed) return;
    EXPECT_EQ(k.relative_to_peer(k.endpoint().position().receive_next), n.rcv + row.advance);
    EXPECT_EQ(k.read(), row.advance >= 5 ? "hello" : "");
    (void)k.drain();  // a window update, when one is due
}

class StateTable : public testing::TestWithParam<std::pair<std::uint32_t, std::uint32_t>> {};

TEST_P(StateTable, EveryRowHolds) {
    for (const Row& row : kTable) run(row, Seq(GetParam().first), Seq(GetParam().second));
}

// Where zero, the wrap and the sign bit fall on the SYN, inside the data, and on a window's edge.
INSTANTIATE_TEST_SUITE_P(NumberSpace, StateTable,
                         testing::Values(std::pair{0xffff'fff0U, 0xffff'ffe0U}, std::pair{0U, 0U},
                                         std::pair{0xffff'ffffU, 0xffff'ffffU},
                                         std::pair{0x7fff'fff8U, 0x7fff'fff8U},
                                         std::pair{0xffff'ffffU - 1000, 0xffff'ffffU - 4096},
                                         std::pair{0x1234'5678U, 0x89ab'cdefU}));

}  // namespace
}  // namespace sluice::tcp::kit
