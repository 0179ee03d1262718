#include "sluice/balance/maglev.h"

#include <algorithm>
#include <array>

#include "sluice/base/siphash.h"

namespace sluice::balance {
namespace {

__extension__ using Wide = unsigned __int128;

// The largest primes below powers of two. Sizes lie far apart so that one target more or less rarely changes
// the size, which would move every key.
constexpr std::array<std::size_t, 9> kSizes{16381,  32749,   65521,   131071, 262139,
                                            524287, 1048573, 2097143, 4194301};
static_assert(kSizes.front() == Maglev::kMinimumSize);

std::size_t size_for(std::size_t targets) {
    const auto* size = std::lower_bound(kSizes.begin(), kSizes.end(), 100 * targets);
    return size == kSizes.end() ? kSizes.back() : *size;
}

// A target while the table is filled: its walk over the slots, and when it takes its next one.
struct Filler {
    std::uint32_t index = 0;
    std::uint32_t rank = 0;  // place of its name among all names, for ties
    std::uint64_t step = 0;  // time between turns: in inverse proportion to the weight
    std::uint64_t time = 0;  // of the next turn
    std::size_t slot = 0;
    std::size_t skip = 0;
};

// The permutation is the sequence offset, offset + skip, ... modulo the size, which is prime. The two hashes
// of the name have fixed keys: they are part of the contract between nodes.
Filler filler_for(const MaglevBackend& target, std::uint32_t rank, std::size_t size) {
    // Turns are at most the largest size, 2^22, so times stay below 2^64.
    constexpr std::uint64_t kScale = std::uint64_t{1} << 41U;
    const ByteView name = as_bytes(target.name);
    return {.index = target.index,
            .rank = rank,
            .step = kScale / target.weight,
            .time = 0,
            .slot = static_cast<std::size_t>(siphash24({1, 0}, name) % size),
            .skip = static_cast<std::size_t>(siphash24({2, 0}, name) % (size - 1) + 1)};
}

bool later(const Filler& a, const Filler& b) { return a.time != b.time ? a.time > b.time : a.rank > b.rank; }

}  // namespace

// Section 3.4 of the paper lets targets take turns, each claiming the next free slot of its permutation.
// Weights come in by time: target i has its k-th turn at k / weight. The times do not depend on other
// targets, so one that leaves or returns disturbs the order of the others little.
Maglev::Maglev(std::span<const MaglevBackend> targets) {
    std::vector<MaglevBackend> sorted(targets.begin(), targets.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const MaglevBackend& a, const MaglevBackend& b) { return a.name < b.name; });
    // Targets of weight 0 count for the size: draining one must not move the keys of all others.
    const std::size_t size = size_for(sorted.size());
    std::vector<Filler> heap;
    for (std::uint32_t rank = 0; rank < sorted.size(); ++rank) {
        if (sorted[rank].weight != 0) heap.push_back(filler_for(sorted[rank], rank, size));
    }
    if (heap.empty()) return;

    table_.assign(size, kNone);
    std::make_heap(heap.begin(), heap.end(), later);
    for (std::size_t filled = 0; filled < size; ++filled) {
        std::pop_heap(heap.begin(), heap.end(), later);
        Filler& turn = heap.back();
        while (table_[turn.slot] != kNone) {
            turn.slot += turn.skip;
            if (turn.slot >= size) turn.slot -= size;
        }
        table_[turn.slot] = turn.index;
        turn.time += turn.step;
        std::push_heap(heap.begin(), heap.end(), later);
    }
}

std::uint32_t Maglev::lookup(std::uint64_t hash) const { return table_[slot_of(hash)]; }

std::size_t Maglev::slot_of(std::uint64_t hash) const {
    return static_cast<std::size_t>((Wide{hash} * table_.size()) >> 64U);
}

std::uint64_t key_hash(std::string_view key) { return siphash24(SipKey{}, as_bytes(key)); }

}  // namespace sluice::balance
