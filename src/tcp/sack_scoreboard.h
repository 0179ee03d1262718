// The sender's picture of what is in flight (RFC 6675): which ranges the peer reported, what must be taken
// for lost, what was sent again, and so how much is still in the network. A connection without SACK uses the
// same picture with nothing reported: there the endpoint itself says what is lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/tcp/seq.h"

namespace sluice::tcp {

class SackScoreboard {
  public:
    static constexpr std::size_t kMaxRanges = 64;  // more are not remembered: they cost a retransmission
    static constexpr std::uint32_t kDuplicateLimit = 3;  // DupThresh

    struct Range {
        Seq left;
        Seq right;
        std::uint32_t size() const { return right.since(left); }
        friend bool operator==(const Range&, const Range&) = default;
    };

    // Nothing in flight before `start`.
    void start(Seq start);
    // The peer holds [left, right); true when that was news. next: SND.NXT. What lies outside what is in
    // flight is ignored, duplicate reports (RFC 2883) included.
    bool report(Seq left, Seq right, Seq next);
    // SND.UNA moved.
    void advance(Seq unacked);
    // Everything before edge that the peer did not report is lost, and was not sent again if resend.
    void mark_lost(Seq edge, bool resend);
    // Reports are not to be believed any more (RFC 2018 section 8).
    void forget_reports() { reported_.clear(); }
    // A new recovery may use its one rescue retransmission.
    void allow_rescue() { rescued_ = false; }

    bool reports_first_byte() const { return !reported_.empty() && reported_.front().left == unacked_; }
    // Unreported bytes before this are lost (IsLost of RFC 6675 section 4, which holds for every byte before
    // one for which it holds).
    Seq loss_edge(std::uint32_t mss) const;
    // Bytes in the network (SetPipe).
    std::uint32_t pipe(Seq next, std::uint32_t mss) const;

    // NextSeg of RFC 6675 section 4: at most `size` bytes to send again. Rule 1, lost; rule 3, a hole that
    // is not surely lost; rule 4, the last bytes in flight, once in a recovery.
    std::optional<Range> next_lost(Seq next, std::uint32_t mss, std::uint32_t size) const;
    std::optional<Range> next_hole(Seq next, std::uint32_t size) const;
    std::optional<Range> rescue(Seq next, std::uint32_t size) const;
    // What was chosen has been sent.
    void sent_again(Range range);
    void sent_rescue() { rescued_ = true; }

  private:
    std::uint32_t unreported(Seq left, Seq right) const;
    std::optional<Range> first_unreported(Seq limit, Seq next, std::uint32_t size) const;

    std::vector<Range> reported_;  // ascending, disjoint, not touching
    Seq unacked_;                  // HighACK + 1
    Seq lost_until_;               // said by mark_lost()
    Seq sent_again_until_;         // HighRxt + 1
    bool rescued_ = false;
};

}  // namespace sluice::tcp
