// Every state against every kind of segment: what is answered, where the connection goes, how far RCV.NXT
// moves. RFC 9293 section 3.10.7, as RFC 5961 hardened it, in one row each. The whole table runs at several
// places of the number space, so that each row is also a row about wrap-around.
#include <gtest/gtest.h>

#include <memory>

#include "kit.h"

namespace sluice::tcp::kit {
namespace {

enum class Kind {
    SynNew,        // SYN, first number of a new connection; inside the window when there is one
    SynDuplicate,  // the peer's own SYN again
    SynBeyond,     // SYN right of the window
    SynAck,        // SYN-ACK that acknowledges our SYN; in later states the peer's own again
    SynAckBad,     // SYN-ACK that acknowledges what was never sent
    Ack,           // acknowledges everything that we sent
    AckHigh,       // acknowledges more than we sent
    AckOld,        // acknowledges one less than before
    AckVeryOld,    // below SND.UNA - MAX.SND.WND
    RstExact,      // RST, no ACK bit, exactly at RCV.NXT
    RstInWindow,   // RST inside the window, not at RCV.NXT
    RstBefore,     // RST left of the window
    RstBeyond,     // RST right of the window
    RstAck,        // RST|ACK that acknowledges our SYN, at RCV.NXT
    RstAckBad,     // RST|ACK with a wrong acknowledgement
    Data,          // five bytes in order
    DataAhead,     // five bytes, ten ahead
    DataBeyond,    // five bytes right of the window
    DataBefore,    // five bytes that were received before
    DataOverlap,   // ten bytes, five of them received before
    Fin,           // FIN in order
    FinAckAll,     // FIN in order that acknowledges everything that we sent
    FinData,       // FIN with five bytes, in order
    FinAhead,      // FIN ten ahead
    NoAckBit,      // five bytes in order without the ACK bit
    Keepalive,     // no byte, at RCV.NXT - 1
};

enum class Reply {
    Nothing,
    Ack,      // one ACK <SEQ=SND.NXT><ACK=RCV.NXT> at once
    AckSoon,  // one ACK, at once or within the delayed-ACK time
    AckOrNothing,
    AckOrSynAck,
    SynAck,
    Rst,  // <SEQ=SEG.ACK><CTL=RST>
};

struct Row {
    State state;
    Kind kind;
    Reply reply;
    State next;
    int advance = 0;  // of RCV.NXT
    Failure failure = Failure::None;
};

using enum Kind;
constexpr State kClosed = State::Closed;
constexpr State kListen = State::Listen;
constexpr State kSynSent = State::SynSent;
constexpr State kSynRcvd = State::SynReceived;
constexpr State kEstab = State::Established;
constexpr State kFinWait1 = State::FinWait1;
constexpr State kFinWait2 = State::FinWait2;
constexpr State kCloseWait = State::CloseWait;
constexpr State kClosing = State::Closing;
constexpr State kLastAck = State::LastAck;
constexpr State kTimeWait = State::TimeWait;

constexpr Row kTable[] = {
    // CLOSED: section 3.10.7.1
    {kClosed, SynNew, Reply::RstForNoAck, kClosed},
    {kClosed, SynAck, Reply::Rst, kClosed},
    {kClosed, Ack, Reply::Rst, kClosed},
    {kClosed, RstExact, Reply::Nothing, kClosed},
    {kClosed, RstAck, Reply::Nothing, kClosed},
    {kClosed, Data, Reply::Rst, kClosed},
    {kClosed, Fin, Reply::Rst, kClosed},
    {kClosed, FinData, Reply::Rst, kClosed},
    {kClosed, NoAckBit, Reply::RstForNoAck, kClosed},

    // LISTEN: section 3.10.7.2
    {kListen, SynNew, Reply::SynAck, kSynRcvd},
    {kListen, SynAck, Reply::Rst, kListen},
    {kListen, SynAckBad, Reply::Rst, kListen},
    {kListen, Ack, Reply::Rst, kListen},
    {kListen, AckHigh, Reply::Rst, kListen},
    {kListen, RstExact, Reply::Nothing, kListen},
    {kListen, RstAck, Reply::Nothing, kListen},
    {kListen, Data, Reply::Rst, kListen},
    {kListen, Fin, Reply::Rst, kListen},
    {kListen, FinData, Reply::Rst, kListen},
    {kListen, NoAckBit, Reply::Nothing, kListen},

    // SYN-SENT: section 3.10.7.3
    {kSynSent, SynNew, Reply::SynAck, kSynRcvd},
    {kSynSent, SynAck, Reply::Ack, kEstab},
    {kSynSent, SynAckBad, Reply::Rst, kSynSent},
    {kSynSent, Ack, Reply::Nothing, kSynSent},
    {kSynSent, AckHigh, Reply::Rst, kSynSent},
    {kSynSent, AckOld, Reply::Rst, kSynSent},
    {kSynSent, RstExact, Reply::Nothing, kSynSent},
    {kSynSent, RstAck, Reply::Nothing, kClosed, 0, Failure::Refused},
    {kSynSent, RstAckBad, Reply::Nothing, kSynSent},
    {kSynSent, Data, Reply::Nothing, kSynSent},
    {kSynSent, Fin, Reply::Nothing, kSynSent},
    {kSynSent, FinData, Reply::Nothing, kSynSent},
    {kSynSent, NoAckBit, Reply::Nothing, kSynSent},

    // SYN-RECEIVED: section 3.10.7.4
    {kSynRcvd, SynNew, Reply::Ack, kSynRcvd},
    {kSynRcvd, SynDuplicate, Reply::AckOrSynAck, kSynRcvd},
    {kSynRcvd, SynBeyond, Reply::AckOrSynAck, kSynRcvd},
    // A SYN-ACK here establishes by section 3.5's figure 8 and is unacceptable by 3.10.7.4: see the stories.
    {kSynRcvd, Ack, Reply::Nothing, kEstab},
    {kSynRcvd, AckHigh, Reply::Rst, kSynRcvd},
    {kSynRcvd, AckOld, Reply::Rst, kSynRcvd},
    {kSynRcvd, RstExact, Reply::Nothing, kClosed, 0, Failure::Refused},
    {kSynRcvd, RstInWindow, Reply::Ack, kSynRcvd},
    {kSynRcvd, RstBefore, Reply::Nothing, kSynRcvd},
    {kSynRcvd, RstBeyond, Reply::Nothing, kSynRcvd},
    {kSynRcvd, RstAck, Reply::Nothing, kClosed, 0, Failure::Refused},
    {kSynRcvd, Data, Reply::AckSoon, kEstab, 5},
    {kSynRcvd, DataAhead, Reply::Ack, kEstab},
    {kSynRcvd, DataBeyond, Reply::AckOrSynAck, kSynRcvd},
    {kSynRcvd, Fin, Reply::Ack, kCloseWait, 1},
    {kSynRcvd, FinData, Reply::Ack, kCloseWait, 6},
    {kSynRcvd, FinAhead, Reply::Ack, kEstab},
    {kSynRcvd, NoAckBit, Reply::Nothing, kSynRcvd},

    // ESTABLISHED, with ten bytes of ours unacknowledged
    {kEstab, SynNew, Reply::Ack, kEstab},
    {kEstab, SynDuplicate, Reply::Ack, kEstab},
    {kEstab, SynBeyond, Reply::Ack, kEstab},
    {kEstab, SynAck, Reply::Ack, kEstab},
    {kEstab, SynAckBad, Reply::Ack, kEstab},
    {kEstab, Ack, Reply::Nothing, kEstab},
    {kEstab, AckHigh, Reply::Ack, kEstab},
    {kEstab, AckOld, Reply::Nothing, kEstab},
    {kEstab, AckVeryOld, Reply::Ack, kEstab},
    {kEstab, RstExact, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kEstab, RstInWindow, Reply::Ack, kEstab},
    {kEstab, RstBefore, Reply::Nothing, kEstab},
    {kEstab, RstBeyond, Reply::Nothing, kEstab},
    {kEstab, RstAck, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kEstab, Data, Reply::AckSoon, kEstab, 5},
    {kEstab, DataAhead, Reply::Ack, kEstab},
    {kEstab, DataBeyond, Reply::Ack, kEstab},
    {kEstab, DataBefore, Reply::Ack, kEstab},
    {kEstab, DataOverlap, Reply::AckSoon, kEstab, 5},
    {kEstab, Fin, Reply::Ack, kCloseWait, 1},
    {kEstab, FinAckAll, Reply::Ack, kCloseWait, 1},
    {kEstab, FinData, Reply::Ack, kCloseWait, 6},
    {kEstab, FinAhead, Reply::Ack, kEstab},
    {kEstab, NoAckBit, Reply::Nothing, kEstab},
    {kEstab, Keepalive, Reply::Ack, kEstab},

    // FIN-WAIT-1: our FIN is unacknowledged
    {kFinWait1, SynNew, Reply::Ack, kFinWait1},
    {kFinWait1, SynDuplicate, Reply::Ack, kFinWait1},
    {kFinWait1, SynBeyond, Reply::Ack, kFinWait1},
    {kFinWait1, SynAck, Reply::Ack, kFinWait1},
    {kFinWait1, SynAckBad, Reply::Ack, kFinWait1},
    {kFinWait1, Ack, Reply::Nothing, kFinWait2},
    {kFinWait1, AckHigh, Reply::Ack, kFinWait1},
    {kFinWait1, AckOld, Reply::Nothing, kFinWait1},
    {kFinWait1, AckVeryOld, Reply::Ack, kFinWait1},
    {kFinWait1, RstExact, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kFinWait1, RstInWindow, Reply::Ack, kFinWait1},
    {kFinWait1, RstBefore, Reply::Nothing, kFinWait1},
    {kFinWait1, RstBeyond, Reply::Nothing, kFinWait1},
    {kFinWait1, RstAck, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kFinWait1, Data, Reply::AckSoon, kFinWait1, 5},
    {kFinWait1, DataAhead, Reply::Ack, kFinWait1},
    {kFinWait1, DataBeyond, Reply::Ack, kFinWait1},
    {kFinWait1, DataBefore, Reply::Ack, kFinWait1},
    {kFinWait1, DataOverlap, Reply::AckSoon, kFinWait1, 5},
    {kFinWait1, Fin, Reply::Ack, kClosing, 1},
    {kFinWait1, FinAckAll, Reply::Ack, kTimeWait, 1},
    {kFinWait1, FinData, Reply::Ack, kClosing, 6},
    {kFinWait1, FinAhead, Reply::Ack, kFinWait1},
    {kFinWait1, NoAckBit, Reply::Nothing, kFinWait1},
    {kFinWait1, Keepalive, Reply::Ack, kFinWait1},

    // FIN-WAIT-2
    {kFinWait2, SynNew, Reply::Ack, kFinWait2},
    {kFinWait2, SynDuplicate, Reply::Ack, kFinWait2},
    {kFinWait2, SynBeyond, Reply::Ack, kFinWait2},
    {kFinWait2, SynAck, Reply::Ack, kFinWait2},
    {kFinWait2, SynAckBad, Reply::Ack, kFinWait2},
    {kFinWait2, Ack, Reply::Nothing, kFinWait2},
    {kFinWait2, AckHigh, Reply::Ack, kFinWait2},
    {kFinWait2, AckOld, Reply::Nothing, kFinWait2},
    {kFinWait2, AckVeryOld, Reply::Ack, kFinWait2},
    {kFinWait2, RstExact, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kFinWait2, RstInWindow, Reply::Ack, kFinWait2},
    {kFinWait2, RstBefore, Reply::Nothing, kFinWait2},
    {kFinWait2, RstBeyond, Reply::Nothing, kFinWait2},
    {kFinWait2, RstAck, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kFinWait2, Data, Reply::AckSoon, kFinWait2, 5},
    {kFinWait2, DataAhead, Reply::Ack, kFinWait2},
    {kFinWait2, DataBeyond, Reply::Ack, kFinWait2},
    {kFinWait2, DataBefore, Reply::Ack, kFinWait2},
    {kFinWait2, DataOverlap, Reply::AckSoon, kFinWait2, 5},
    {kFinWait2, Fin, Reply::Ack, kTimeWait, 1},
    {kFinWait2, FinData, Reply::Ack, kTimeWait, 6},
    {kFinWait2, FinAhead, Reply::Ack, kFinWait2},
    {kFinWait2, NoAckBit, Reply::Nothing, kFinWait2},
    {kFinWait2, Keepalive, Reply::Ack, kFinWait2},

    // CLOSE-WAIT, with ten bytes of ours unacknowledged; text after the peer's FIN is ignored
    {kCloseWait, SynNew, Reply::Ack, kCloseWait},
    {kCloseWait, SynDuplicate, Reply::Ack, kCloseWait},
    {kCloseWait, SynBeyond, Reply::Ack, kCloseWait},
    {kCloseWait, SynAck, Reply::Ack, kCloseWait},
    {kCloseWait, Ack, Reply::Nothing, kCloseWait},
    {kCloseWait, AckHigh, Reply::Ack, kCloseWait},
    {kCloseWait, AckOld, Reply::Nothing, kCloseWait},
    {kCloseWait, AckVeryOld, Reply::Ack, kCloseWait},
    {kCloseWait, RstExact, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kCloseWait, RstInWindow, Reply::Ack, kCloseWait},
    {kCloseWait, RstBefore, Reply::Nothing, kCloseWait},
    {kCloseWait, RstBeyond, Reply::Nothing, kCloseWait},
    {kCloseWait, RstAck, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kCloseWait, Data, Reply::AckOrNothing, kCloseWait},
    {kCloseWait, DataAhead, Reply::AckOrNothing, kCloseWait},
    {kCloseWait, DataBeyond, Reply::Ack, kCloseWait},
    {kCloseWait, DataBefore, Reply::Ack, kCloseWait},
    {kCloseWait, DataOverlap, Reply::AckOrNothing, kCloseWait},
    {kCloseWait, Fin, Reply::AckOrNothing, kCloseWait},
    {kCloseWait, FinData, Reply::AckOrNothing, kCloseWait},
    {kCloseWait, FinAhead, Reply::AckOrNothing, kCloseWait},
    {kCloseWait, NoAckBit, Reply::Nothing, kCloseWait},
    {kCloseWait, Keepalive, Reply::Ack, kCloseWait},

    // CLOSING: both FINs sent, ours unacknowledged
    {kClosing, SynNew, Reply::Ack, kClosing},
    {kClosing, SynDuplicate, Reply::Ack, kClosing},
    {kClosing, SynBeyond, Reply::Ack, kClosing},
    {kClosing, SynAck, Reply::Ack, kClosing},
    {kClosing, Ack, Reply::Nothing, kTimeWait},
    {kClosing, AckHigh, Reply::Ack, kClosing},
    {kClosing, AckOld, Reply::Nothing, kClosing},
    {kClosing, AckVeryOld, Reply::Ack, kClosing},
    {kClosing, RstExact, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kClosing, RstInWindow, Reply::Ack, kClosing},
    {kClosing, RstBefore, Reply::Nothing, kClosing},
    {kClosing, RstBeyond, Reply::Nothing, kClosing},
    {kClosing, Data, Reply::AckOrNothing, kClosing},
    {kClosing, DataAhead, Reply::AckOrNothing, kClosing},
    {kClosing, DataBeyond, Reply::Ack, kClosing},
    {kClosing, DataBefore, Reply::Ack, kClosing},
    {kClosing, Fin, Reply::AckOrNothing, kClosing},
    {kClosing, FinAckAll, Reply::AckOrNothing, kTimeWait},
    {kClosing, FinAhead, Reply::AckOrNothing, kClosing},
    {kClosing, NoAckBit, Reply::Nothing, kClosing},
    {kClosing, Keepalive, Reply::Ack, kClosing},

    // LAST-ACK: our FIN is unacknowledged, the peer's was received before
    {kLastAck, SynNew, Reply::Ack, kLastAck},
    {kLastAck, SynDuplicate, Reply::Ack, kLastAck},
    {kLastAck, SynBeyond, Reply::Ack, kLastAck},
    {kLastAck, SynAck, Reply::Ack, kLastAck},
    {kLastAck, Ack, Reply::Nothing, kClosed},
    {kLastAck, AckHigh, Reply::Ack, kLastAck},
    {kLastAck, AckOld, Reply::Nothing, kLastAck},
    {kLastAck, AckVeryOld, Reply::Ack, kLastAck},
    {kLastAck, RstExact, Reply::Nothing, kClosed, 0, Failure::Reset},
    {kLastAck, RstInWindow, Reply::Ack, kLastAck},
    {kLastAck, RstBefore, Reply::Nothing, kLastAck},
    {kLastAck, RstBeyond, Reply::Nothing, kLastAck},
    {kLastAck, Data, Reply::AckOrNothing, kLastAck},
    {kLastAck, DataBeyond, Reply::Ack, kLastAck},
    {kLastAck, DataBefore, Reply::Ack, kLastAck},
    {kLastAck, Fin, Reply::AckOrNothing, kLastAck},
    {kLastAck, FinAckAll, Reply::AckOrNothing, kClosed},
    {kLastAck, NoAckBit, Reply::Nothing, kLastAck},
    {kLastAck, Keepalive, Reply::Ack, kLastAck},

    // TIME-WAIT: both sides have finished, so a reset that ends it is no failure
    {kTimeWait, SynNew, Reply::Ack, kTimeWait},
    {kTimeWait, SynDuplicate, Reply::Ack, kTimeWait},
    {kTimeWait, SynBeyond, Reply::Ack, kTimeWait},
    {kTimeWait, SynAck, Reply::Ack, kTimeWait},
    {kTimeWait, Ack, Reply::Nothing, kTimeWait},
    {kTimeWait, AckHigh, Reply::Ack, kTimeWait},
    {kTimeWait, AckVeryOld, Reply::Ack, kTimeWait},
    {kTimeWait, RstExact, Reply::Nothing, kClosed},
    {kTimeWait, RstInWindow, Reply::Ack, kTimeWait},
    {kTimeWait, RstBefore, Reply::Nothing, kTimeWait},
    {kTimeWait, RstBeyond, Reply::Nothing, kTimeWait},
    {kTimeWait, Data, Reply::AckOrNothing, kTimeWait},
    {kTimeWait, DataBeyond, Reply::Ack, kTimeWait},
    {kTimeWait, DataBefore, Reply::Ack, kTimeWait},
    {kTimeWait, Fin, Reply::AckOrNothing, kTimeWait},
    {kTimeWait, FinAhead, Reply::AckOrNothing, kTimeWait},
    {kTimeWait, NoAckBit, Reply::Nothing, kTimeWait},
    {kTimeWait, Keepalive, Reply::Ack, kTimeWait},
};

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
        case Reply::Rst: return k.expect({.flags = "R", .seq = seg_ack});
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
