#include "sluice/session/whereabouts.h"

#include <algorithm>

#include "sluice/base/bytes.h"

namespace sluice::session {
namespace {

// Cells looked at for each session that is put: the whole table once while an eighth of it is put.
constexpr std::uint32_t kSwept = 8;

}  // namespace

std::uint64_t session_key(const SipKey& key, const SessionName& name) {
    const SipKey own{key.k0 ^ name.pool, key.k1 ^ name.scope};
    return std::max<std::uint64_t>(1, siphash24(own, as_bytes(name.client_id)));
}

std::optional<Stay> after_connection(Stay stay, std::uint32_t expiry, Instant now) {
    if (expiry == kNeverExpires) return std::nullopt;
    const auto from = std::chrono::ceil<std::chrono::seconds>(now.time_since_epoch()).count();
    // What lies beyond the time line's end is not forgotten before it.
    stay.until = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(static_cast<std::uint64_t>(from) + expiry, Stay::kOpen));
    return stay;
}

Whereabouts::Whereabouts(std::uint32_t capacity) : cells_(capacity), index_(capacity, SipKey{}) {}

std::uint32_t Whereabouts::cell_of(std::uint64_t key) const {
    return index_.find(key, [&](std::uint32_t cell) { return cells_[cell].stay.key == key; });
}

const Stay* Whereabouts::find(Instant now, std::uint64_t key) const {
    if (size() == 0) return nullptr;
    const std::uint32_t cell = cell_of(key);
    return cell == kNone || cells_[cell].stay.expired(now) ? nullptr : &cells_[cell].stay;
}

const Stay* Whereabouts::find(Instant now, const SipKey& secret, const SessionName& name) const {
    if (size() == 0 || name.client_id.empty()) return nullptr;
    if (name.scope != 0) {
        const SessionName alone{.pool = name.pool, .client_id = name.client_id};
        if (const Stay* const assigned = find(now, session_key(secret, alone))) return assigned;
    }
    return find(now, session_key(secret, name));
}

bool Whereabouts::put(Instant now, const Stay& stay) {
    sweep(now);
    if (const std::uint32_t cell = cell_of(stay.key); cell != kNone) {
        const Instant known = cells_[cell].stay.since;
        if (known > stay.since) return false;
        if (stay.until == Stay::kOver) {
            erase(cell);
        } else if (stay.until == Stay::kOpen || known == stay.since) {
            unlink(cell);
            cells_[cell].stay = stay;
            link(cell);
        }
        return false;
    }
    if (stay.until != Stay::kOpen || capacity() == 0) return false;
    bool lost = false;
    if (size() == capacity()) {
        lost = !cells_[oldest_].stay.expired(now);
        erase(oldest_);
    }
    insert(stay);
    return lost;
}

void Whereabouts::insert(const Stay& stay) {
    const std::uint32_t cell = free_ == kNone ? used_++ : free_;
    if (cell == free_) free_ = cells_[cell].after;
    cells_[cell].stay = stay;
    link(cell);
    index_.insert(stay.key, cell);
}

void Whereabouts::erase(std::uint32_t cell) {
    index_.erase(cells_[cell].stay.key, cell);
    unlink(cell);
    cells_[cell] = {.stay = {}, .before = 0, .after = free_};
    free_ = cell;
}

// As the newest: in the ring, that is before the oldest.
void Whereabouts::link(std::uint32_t cell) {
    if (oldest_ == kNone) oldest_ = cells_[cell].before = cells_[cell].after = cell;
    const std::uint32_t newest = cells_[oldest_].before;
    cells_[cell].before = newest;
    cells_[cell].after = oldest_;
    cells_[newest].after = cells_[oldest_].before = cell;
}

void Whereabouts::unlink(std::uint32_t cell) {
    const Cell& gone = cells_[cell];
    cells_[gone.before].after = gone.after;
    cells_[gone.after].before = gone.before;
    if (oldest_ == cell) oldest_ = gone.after == cell ? kNone : gone.after;
}

// No timer ends a session here: whoever looks for it sees that it has expired, and its cell is come across
// before long.
void Whereabouts::sweep(Instant now) {
    for (std::uint32_t n = std::min(kSwept, used_); n != 0; --n) {
        if (hand_ >= used_) hand_ = 0;
        const Stay& stay = cells_[hand_].stay;
        if (stay.key != 0 && stay.expired(now)) erase(hand_);
        ++hand_;
    }
}

std::uint64_t Whereabouts::used_bytes() const {
    if (capacity() == 0) return 0;
    return size() * sizeof(Cell) + index_.memory_bytes() * size() / capacity();
}

}  // namespace sluice::session
