// Maglev consistent hashing (Eisenbud et al., NSDI 2016, section 3.4), weighted. The table depends on the
// names and weights of the targets only, never on their order or on history, so every node with the same
// configuration agrees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/base/random.h"

namespace sluice::balance {

// One choice. index is the caller's name for it (a backend's index in its pool) and is what lookups return.
struct MaglevBackend {
    std::uint32_t index = 0;
    std::string_view name;       // unique; decides the permutation
    std::uint32_t weight = 100;  // 0: never chosen
};

class Maglev {
  public:
    // The size is the smallest of a fixed ladder of primes, each about twice the one before, that is >= 100 x
    // targets (those of weight 0 included), so that weights are kept within a few percent and adding or
    // removing a target rarely changes the size. This is its first step.
    static constexpr std::size_t kMinimumSize = 16381;

    Maglev() = default;  // empty: lookup must not be called
    // Empty when no target has weight. Names must differ.
    explicit Maglev(std::span<const MaglevBackend> targets);

    bool empty() const { return table_.empty(); }
    std::size_t size() const { return table_.size(); }
    // index of the target for a hash; requires !empty().
    std::uint32_t lookup(std::uint64_t hash) const;
    // The slot of the table that a hash falls into; requires !empty().
    std::size_t slot_of(std::uint64_t hash) const;
    // The target for a hash when some may not be chosen: its own slot first, then slots drawn by a fixed
    // sequence from the hash, so that the keys of an excluded target are spread over the others by weight
    // (neighboring slots would not do that: the permutations are arithmetic). kNone when all are excluded.
    static constexpr std::uint32_t kNone = 0xffffffff;
    template <typename Excluded>
    std::uint32_t lookup(std::uint64_t hash, Excluded&& excluded) const {
        if (table_.empty()) return kNone;
        std::size_t slot = slot_of(hash);
        SplitMix64 sequence(hash);
        for (int draw = 0; draw < kDraws; ++draw) {
            if (!excluded(table_[slot])) return table_[slot];
            slot = slot_of(sequence.next());
        }
        // Nearly everything is excluded, so whatever is left is found by looking at all.
        for (std::size_t i = 0; i < table_.size(); ++i) {
            if (!excluded(table_[slot])) return table_[slot];
            if (++slot == table_.size()) slot = 0;
        }
        return kNone;
    }
    std::span<const std::uint32_t> table() const { return table_; }

  private:
    static constexpr int kDraws = 64;

    std::vector<std::uint32_t> table_;
};

// The hash of a balancing key (client ID, username, address bytes): fixed and unkeyed, part of the contract
// between nodes.
std::uint64_t key_hash(std::string_view key);

}  // namespace sluice::balance
