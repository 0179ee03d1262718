// See reassembly.h.
#include "reassembly.h"

#include <algorithm>

namespace sluice::tcp {

void Reassembly::insert(Seq seq, ByteView bytes) {
    Seq left = seq;
    if (left.before(next_)) {
        const std::uint32_t old = next_.since(left);
        if (old >= bytes.size()) return;
        bytes = bytes.subspan(old);
        left = next_;
    }
    const std::uint32_t ahead = left.since(next_);
    if (ahead >= room()) return;
    bytes = bytes.first(std::min<std::size_t>(bytes.size(), room() - ahead));
    if (bytes.empty()) return;
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const Seq right = left.advance(size);

    if (early_.empty() && left == next_) {  // the common case
        ring_.reserve(readable_ + size, readable_);
        ring_.store(readable_, bytes);
        readable_ += size;
        next_ = right;
        return;
    }
    const bool touches = std::ranges::any_of(
        early_, [&](const Piece& p) { return p.left.at_or_before(right) && p.right.at_or_after(left); });
    if (!touches && left != next_ && early_.size() == kMaxPieces) return;

    const std::uint32_t extent = early_.empty() ? readable_ : offset_of(early_.back().right);
    ring_.reserve(std::max(extent, offset_of(right)), extent);
    store_missing(left, right, bytes.data());
    const std::size_t at = note_early(left, right);
    if (early_[at].left == next_) {
        readable_ += early_[at].right.since(next_);
        next_ = early_[at].right;
        early_.erase(early_.begin());
        if (early_.empty()) early_.shrink_to_fit();
    }
}

// Writes only the bytes between the pieces that are there already.
void Reassembly::store_missing(Seq left, Seq right, const std::byte* bytes) {
    Seq at = left;
    const auto fill = [&](Seq until) {
        if (!at.before(until)) return;
        ring_.store(offset_of(at), {bytes + at.since(left), until.since(at)});
        at = until;
    };
    for (const Piece& piece : early_) {
        if (!piece.left.before(right)) break;
        fill(piece.left);
        at = later(at, piece.right);
    }
    fill(right);
}

// Merges [left, right) into the list; returns the place of the piece that now contains it.
std::size_t Reassembly::note_early(Seq left, Seq right) {
    const auto first =
        std::ranges::find_if(early_, [&](const Piece& p) { return p.right.at_or_after(left); });
    auto last = first;
    while (last != early_.end() && last->left.at_or_before(right)) {
        if (last->left.before(left)) left = last->left;
        right = later(right, last->right);
        ++last;
    }
    const auto at = early_.insert(early_.erase(first, last), Piece{left, right, ++changes_});
    return static_cast<std::size_t>(at - early_.begin());
}

ByteView Reassembly::peek(std::uint32_t offset) const {
    if (offset >= readable_) return {};
    return ring_.pieces(offset, readable_ - offset).first;
}

void Reassembly::consume(std::uint32_t bytes) {
    readable_ -= bytes;
    if (readable_ == 0 && early_.empty()) {
        ring_.release();
    } else if (bytes != 0) {
        ring_.drop(bytes);
    }
}

void Reassembly::drop_early() {
    early_ = std::vector<Piece>();
    if (readable_ == 0) ring_.release();
}

std::uint8_t Reassembly::sack_blocks(std::span<wire::SackBlock> out) const {
    std::uint8_t count = 0;
    std::int64_t reported_age = -1;  // ages are distinct: every change has its number
    while (count < out.size()) {
        const Piece* newest = nullptr;
        for (const Piece& piece : early_) {
            if (age(piece) > reported_age && (newest == nullptr || age(piece) < age(*newest)))
                newest = &piece;
        }
        if (newest == nullptr) break;
        out[count++] = {.left = newest->left.value(), .right = newest->right.value()};
        reported_age = age(*newest);
    }
    return count;
}

}  // namespace sluice::tcp
