// The table of states against segments: rows only. state_table_test.cc makes the segments and judges the
// replies. RFC 9293 section 3.10.7, as RFC 5961 hardened it.
#pragma once

#include "sluice/tcp/endpoint.h"

namespace sluice::tcp::kit {

enum class Kind {
    SynNew,         // SYN, first number of a new connection; inside the window when there is one
    SynDuplicate,   // the peer's own SYN again
    SynBeyond,      // SYN right of the window
    SynAck,         // SYN-ACK that acknowledges our SYN; in later states the peer's own again
    SynAckBad,      // SYN-ACK that acknowledges what was never sent
    Ack,            // acknowledges everything that we sent
    AckHigh,        // acknowledges more than we sent
    AckOld,         // acknowledges one less than before
    AckVeryOld,     // below SND.UNA - MAX.SND.WND
    RstExact,       // RST, no ACK bit, exactly at RCV.NXT
    RstInWindow,    // RST inside the window, not at RCV.NXT
    RstBefore,      // RST left of the window
    RstBeyond,      // RST right of the window
    RstAck,         // RST|ACK that acknowledges our SYN, at RCV.NXT
    RstAckBad,      // RST|ACK with a wrong acknowledgement
    Data,           // five bytes in order
    DataAhead,      // five bytes, ten ahead
    DataBeyond,     // five bytes right of the window
    DataBefore,     // five bytes that were received before
    DataBeforeAck,  // the same, and it acknowledges everything that we sent
    DataOverlap,    // ten bytes, five of them received before
    Fin,            // FIN in order
    FinAckAll,      // FIN in order that acknowledges everything that we sent
    FinData,        // FIN with five bytes, in order
    FinAhead,       // FIN ten ahead
    NoAckBit,       // five bytes in order without the ACK bit
    Keepalive,      // no byte, at RCV.NXT - 1
};

enum class Reply {
    Nothing,
    Ack,      // one ACK <SEQ=SND.NXT><ACK=RCV.NXT> at once
    AckSoon,  // one ACK, at once or within the delayed-ACK time
    AckOrNothing,
    AckOrSynAck,
    SynAck,
    RstForNoAck,  // <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
    Rst,          // <SEQ=SEG.ACK><CTL=RST>
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
inline constexpr State kClosed = State::Closed;
inline constexpr State kListen = State::Listen;
inline constexpr State kSynSent = State::SynSent;
inline constexpr State kSynRcvd = State::SynReceived;
inline constexpr State kEstab = State::Established;
inline constexpr State kFinWait1 = State::FinWait1;
inline constexpr State kFinWait2 = State::FinWait2;
inline constexpr State kCloseWait = State::CloseWait;
inline constexpr State kClosing = State::Closing;
inline constexpr State kLastAck = State::LastAck;
inline constexpr State kTimeWait = State::TimeWait;

inline constexpr Row kTable[] = {
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
    {kEstab, DataBeforeAck, Reply::Ack, kEstab},
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
    {kFinWait1, DataBeforeAck, Reply::Ack, kFinWait2},
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
    {kFinWait2, DataBeforeAck, Reply::Ack, kFinWait2},
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
    {kCloseWait, DataBeforeAck, Reply::Ack, kCloseWait},
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
    {kClosing, DataBeforeAck, Reply::Ack, kTimeWait},
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
    {kLastAck, DataBeforeAck, Reply::Nothing, kClosed},
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
    {kTimeWait, DataBeforeAck, Reply::Ack, kTimeWait},
    {kTimeWait, Fin, Reply::AckOrNothing, kTimeWait},
    {kTimeWait, FinAhead, Reply::AckOrNothing, kTimeWait},
    {kTimeWait, NoAckBit, Reply::Nothing, kTimeWait},
    {kTimeWait, Keepalive, Reply::Ack, kTimeWait},
};

}  // namespace sluice::tcp::kit
