// See sack_scoreboard.h.
#include "sack_scoreboard.h"

#include <algorithm>

namespace sluice::tcp {

namespace {
Seq earlier(Seq a, Seq b) { return a.before(b) ? a : b; }
}  // namespace

void SackScoreboard::start(Seq start) {
    reported_.clear();
    unacked_ = lost_until_ = sent_again_until_ = start;
    rescued_ = false;
}

bool SackScoreboard::report(Seq left, Seq right, Seq next) {
    if (left.before(unacked_) || !left.before(right) || right.after(next)) return false;
    const auto first =
        std::ranges::find_if(reported_, [&](const Range& r) { return r.right.at_or_after(left); });
    if (first != reported_.end() && first->left.at_or_before(left) && first->right.at_or_after(right))
        return false;
    auto last = first;
    while (last != reported_.end() && last->left.at_or_before(right)) {
        left = earlier(left, last->left);
        right = later(right, last->right);
        ++last;
    }
    if (first == last && reported_.size() == kMaxRanges) return false;
    reported_.insert(reported_.erase(first, last), Range{left, right});
    return true;
}

void SackScoreboard::advance(Seq unacked) {
    unacked_ = unacked;
    lost_until_ = later(lost_until_, unacked);
    sent_again_until_ = later(sent_again_until_, unacked);
    const auto keep = std::ranges::find_if(reported_, [&](const Range& r) { return r.right.after(unacked); });
    reported_.erase(reported_.begin(), keep);
    if (reported_.empty()) {
        if (reported_.capacity() != 0) reported_.shrink_to_fit();
    } else {
        reported_.front().left = later(reported_.front().left, unacked);
    }
}

void SackScoreboard::mark_lost(Seq edge, bool resend) {
    lost_until_ = later(lost_until_, edge);
    if (resend) sent_again_until_ = unacked_;
}

Seq SackScoreboard::loss_edge(std::uint32_t mss) const {
    std::uint32_t ranges = 0;
    std::uint32_t bytes = 0;
    for (auto range = reported_.rbegin(); range != reported_.rend(); ++range) {
        ranges += 1;
        bytes += range->size();
        if (ranges >= kDuplicateLimit || bytes > (kDuplicateLimit - 1) * mss)
            return later(range->left, lost_until_);
    }
    return lost_until_;
}

std::uint32_t SackScoreboard::unreported(Seq left, Seq right) const {
    if (!left.before(right)) return 0;
    std::uint32_t bytes = right.since(left);
    for (const Range& range : reported_) {
        const Seq from = later(range.left, left);
        const Seq to = earlier(range.right, right);
        if (from.before(to)) bytes -= to.since(from);
    }
    return bytes;
}

std::uint32_t SackScoreboard::pipe(Seq next, std::uint32_t mss) const {
    return unreported(loss_edge(mss), next) + unreported(unacked_, sent_again_until_);
}

std::optional<SackScoreboard::Range> SackScoreboard::first_unreported(Seq limit, Seq next,
                                                                      std::uint32_t size) const {
    Seq left = sent_again_until_;
    Seq right = next;
    for (const Range& range : reported_) {
        if (range.right.at_or_before(left)) continue;
        if (range.left.after(left)) {
            right = range.left;
            break;
        }
        left = range.right;
    }
    if (!left.before(limit) || !left.before(right)) return std::nullopt;
    return Range{left, earlier(left.advance(size), right)};
}

std::optional<SackScoreboard::Range> SackScoreboard::next_lost(Seq next, std::uint32_t mss,
                                                               std::uint32_t size) const {
    return first_unreported(loss_edge(mss), next, size);
}

std::optional<SackScoreboard::Range> SackScoreboard::next_hole(Seq next, std::uint32_t size) const {
    if (reported_.empty()) return std::nullopt;
    return first_unreported(reported_.back().left, next, size);
}

std::optional<SackScoreboard::Range> SackScoreboard::rescue(Seq next, std::uint32_t size) const {
    if (rescued_ || reported_.empty()) return std::nullopt;
    const Seq floor = reported_.back().right;
    if (!floor.before(next)) return std::nullopt;
    return Range{next.since(floor) > size ? next.retreat(size) : floor, next};
}

void SackScoreboard::sent_again(Range range) { sent_again_until_ = later(sent_again_until_, range.right); }

}  // namespace sluice::tcp
